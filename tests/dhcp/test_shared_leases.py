"""Several logins of one identity, and clients that come back: who gets which address, and when it is given back."""

from ipaddress import IPv4Address, IPv4Interface

from attrs import evolve
from fake_server import SETTINGS, FakeServer, World, asking

from ikegw.config.dhcp import LeasePer, Naming
from ikegw.dhcp.clients import Client
from ikegw.dhcp.registry import AgentOption, Option4
from ikegw.dhcp.values4 import encode_agent_information
from ikegw.ports import AddressRequest

ALICE = IPv4Interface("10.60.0.2/24")
PER_SESSION = evolve(SETTINGS, lease_per=LeasePer.SESSION)


def test_second_login_of_one_identity_takes_over_its_lease() -> None:
    """A make-before-break re-authentication keeps the address, and the old session's end does not take it away."""
    world = World()
    first, second = world.lease(), world.lease()
    assert first.ip4 == second.ip4 == ALICE
    assert world.server.kinds() == ["DISCOVER", "REQUEST"]
    world.release(first)
    assert world.server.leases
    waiting = world.renew(second)
    world.advance(0.01)
    assert waiting.lease.ip4 == ALICE
    world.release(waiting.lease)
    assert world.is_empty


def test_two_logins_at_once_wait_for_one_lease() -> None:
    world = World()
    first, second = world.ask(), world.ask()
    first.deferred.cancel()
    world.advance(0.01, 0.01)
    assert second.lease.ip4 == ALICE
    world.release(second.lease)
    assert world.is_empty


def test_two_renewals_at_once_are_one() -> None:
    world = World()
    first, second = world.lease(), world.lease()
    one, other = world.renew(first), world.renew(second)
    world.advance(0.01)
    assert one.lease.ip4 == other.lease.ip4 == ALICE
    assert world.server.kinds() == ["DISCOVER", "REQUEST", "REQUEST"]


def test_a_lost_lease_is_lost_for_both() -> None:
    world = World()
    first, second = world.lease(), world.lease()
    world.server.leases.clear()
    waiting = world.renew(first)
    world.advance(0.01)
    assert "refused" in waiting.why_not
    assert "refused" in world.renew(second).why_not
    assert world.is_empty


def test_a_login_after_a_lost_lease_begins_anew() -> None:
    world = World()
    old = world.lease()
    world.server.leases.clear()
    world.renew(old)
    world.advance(0.01)
    new = world.lease()
    assert new.ip4 == ALICE
    world.release(old)
    assert world.server.leases


def test_returning_client_gets_its_address_again() -> None:
    world = World()
    world.release(world.lease())
    somebody = world.lease(asking("bob@ikegw.example"))
    assert somebody.ip4 == ALICE, "this server gives away the least that is free"
    assert world.lease().ip4 == IPv4Interface("10.60.0.3/24")
    again = World()
    again.server.known = world.server.known
    assert again.lease().ip4 == IPv4Interface("10.60.0.3/24"), (
        "another life of the gateway is the same client"
    )


def test_address_is_asked_for_again() -> None:
    """Kea forgets a lease that is released, and offers the next address."""
    world = World()
    world.release(world.lease())
    world.ask()
    assert world.server.heard[-1].options[Option4.REQUESTED_ADDRESS] == ALICE.ip.packed


def test_sessions_may_have_leases_of_their_own() -> None:
    world = World(PER_SESSION)
    first, second = world.lease(), world.lease()
    assert (first.ip4, second.ip4) == (ALICE, IPv4Interface("10.60.0.3/24"))
    assert first.ip4 is not None
    kept = world.lease(asking(requested=(str(first.ip4.ip),)))
    assert kept.ip4 == ALICE, "who asks for the address that it has re-authenticates"
    world.release(first)
    world.release(second)
    third = world.lease()
    assert third.ip4 == IPv4Interface("10.60.0.3/24"), "the least number that is free had this address"
    world.release(kept)
    world.release(third)
    assert world.is_empty


def test_client_is_the_same_whatever_it_logs_in_from() -> None:
    world = World()
    world.release(world.lease(asking("192.0.2.1", user="alice")))
    world.release(world.lease(asking("198.51.100.9", user="alice")))
    identifiers = {packet.options[Option4.CLIENT_IDENTIFIER] for packet in world.server.heard}
    assert identifiers == {b"\0alice"}
    (hardware,) = {packet.hardware for packet in world.server.heard}
    assert hardware[0] & 3 == 2, "locally administered, of one host"
    assert len(hardware) == 6


def name_of(request: AddressRequest) -> str:
    return Client.of(request).name


def test_names_count_as_IKE_compares_them() -> None:
    assert name_of(asking("Carol@IKEgw.example")) == "carol@ikegw.example"
    assert name_of(asking("GW.example")) == "gw.example"
    assert name_of(asking("keyid:Gw")) == "keyid:Gw"
    assert name_of(asking("C=HR, O=ikegw, CN=carol")).endswith("carol")
    assert name_of(asking("x" * 300)).startswith("sha256:")
    assert len({name_of(asking("x" * length)) for length in (159, 160, 161, 300, 301)}) == 5
    assert name_of(asking(user="ü" * 101)).startswith("sha256:")


def test_names_that_are_spelled_alike_are_still_two_clients() -> None:
    """Both are `alice` to the server, but one by EAP, the other by its certificate: they never share an address."""
    world = World()
    user, host = world.lease(asking("192.0.2.1", user="alice")), world.lease(asking("alice"))
    assert (user.ip4, host.ip4) == (ALICE, IPv4Interface("10.60.0.3/24"))
    identifiers = list(dict.fromkeys(each.options[Option4.CLIENT_IDENTIFIER] for each in world.server.heard))
    assert identifiers == [b"\0alice", b"\0alice#1"]
    third = world.lease(asking("192.0.2.9", user="alice#1"))
    assert third.ip4 == IPv4Interface("10.60.0.4/24")
    again = world.lease(asking("alice"))
    assert again.ip4 == host.ip4
    for lease in (user, host, third, again):
        world.release(lease)
    assert world.is_empty


def test_odd_names_are_names() -> None:
    world = World()
    world.release(world.lease(asking("192.0.2.1", user="\udcff{x}\0")))
    assert world.server.heard[0].options[Option4.CLIENT_IDENTIFIER] == b"\0\xff{x}\0"


def test_client_identifier_by_duid() -> None:
    one, other = Client("alice", 0, Naming.DUID), Client("alice", 3, Naming.DUID)
    assert one.identifier == b"\xff\0\0\0\0" + one.duid
    assert other.identifier == b"\xff\0\0\0\3" + one.duid
    assert one.duid[:2] == b"\0\4"
    assert len(one.duid) == 18
    assert len({one.hardware, other.hardware, Client("bob").hardware}) == 3


def test_agent_information_says_who_and_where() -> None:
    world = World(
        evolve(SETTINGS, link_selection=IPv4Address("10.61.0.0"), subnet_selection=IPv4Address("10.62.0.0"))
    )
    lease = world.lease()
    world.renew(lease)
    world.release(lease)
    expected = encode_agent_information(
        {
            AgentOption.CIRCUIT_ID: b"roadwarriors",
            AgentOption.REMOTE_ID: b"alice@ikegw.example",
            AgentOption.LINK_SELECTION: b"\x0a\x3d\0\0",
        }
    )
    assert world.server.kinds() == ["DISCOVER", "REQUEST", "REQUEST", "RELEASE"]
    for packet in world.server.heard:
        assert packet.options[Option4.AGENT_INFORMATION] == expected
        assert list(packet.options)[-1] == Option4.AGENT_INFORMATION
        assert packet.options[Option4.SUBNET_SELECTION] == b"\x0a\x3e\0\0"
        assert packet.hops == 1


def test_agent_information_may_be_left_out() -> None:
    world = World(evolve(SETTINGS, circuit_id="", remote_id=""))
    world.lease()
    assert Option4.AGENT_INFORMATION not in world.server.heard[0].options


def test_hundreds_at_once() -> None:
    world = World(SETTINGS, FakeServer(delay=0.02))
    waiting = [world.ask(asking(f"user{number}")) for number in range(250)]
    world.advance(0.02, 0.02)
    leases = [each.lease for each in waiting]
    assert len({lease.ip4 for lease in leases}) == 250
    for lease in leases:
        world.release(lease)
    assert world.is_empty
