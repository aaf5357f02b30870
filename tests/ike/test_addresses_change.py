"""Row P-08 and RFC 7296 §2.23: the ends move while traffic flows, and nobody else can move them."""

from ipaddress import IPv4Network, ip_address

import pytest
from attrs import evolve

from ikegw.events import IkeDown, IkeMoved, IkeRekeyed, Refused
from ikegw.ike.sa import IkeSa
from ikegw.paths import Endpoint, Path
from ikegw.testing.nat import Nat
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.testing.traffic import Flow
from ikegw.testing.wire import Datagram
from ikegw.testing.world import Host
from ikegw.wire.message import decode_header
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType

GATEWAY_AT, CLIENT_AT, ELSEWHERE = (ip_address(f"192.0.2.{n}") for n in (1, 2, 77))
NAT_AT, OTHER_NAT_AT = ip_address("198.51.100.7"), ip_address("198.51.100.8")
SETTLED = evolve(GATEWAY, mobike=False), evolve(CLIENT, mobike=False)
MOBILE = GATEWAY, CLIENT
ROAMERS = pytest.mark.parametrize("mobike", [False, True], ids=["plain", "mobike"])


def connected(connections=MOBILE, *, nat: bool = False) -> Pair:
    pair = make_pair(*connections)
    if nat:
        pair.world.wire.route = Nat(CLIENT_AT, NAT_AT)
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    assert len(pair.client.plane.installed) == 1
    assert pair.gateway.plane.installed[0].udp_encapsulated == nat
    return pair


def sa_of(host: Host) -> IkeSa:
    (sa,) = (
        one for one in host.gateway._by_spi.values() if one.successor is None and one.state != "SM_DYING"
    )
    return sa


def gone_to(pair: Pair, *addresses: object, told: bool = True) -> None:
    """The client has these addresses now and no others."""
    pair.client.gateway.transport.have(addresses, pair.client.gateway.datagram_received)
    if told:
        pair.client.gateway.addresses_changed()


def exchanges(pair: Pair, since: int = 0) -> list[tuple[ExchangeType, bool]]:
    return [
        (decode_header(each.octets)[0].exchange, decode_header(each.octets)[0].is_response)
        for each in pair.world.wire.history[since:]
        if len(each.octets) >= 28
    ]


def at_rest(pair: Pair, client_at: object = None) -> None:
    """Both ends have the same single session, on the same path, for IKE and for ESP; and it carries."""
    pair.world.run(40.0, 0.25)
    pair.world.run(0.05)  # should just now a liveness check have begun
    client, gateway = sa_of(pair.client), sa_of(pair.gateway)
    assert client.spi_initiator == gateway.spi_initiator
    for host, sa in ((pair.client, client), (pair.gateway, gateway)):
        assert sa.state == "SM_MATURE"
        assert not host.heard(IkeDown)
        (tunnel,) = host.plane.installed
        (child,) = sa.children.values()
        assert tunnel.path == sa.path == child.tunnel.path
        assert tunnel.udp_encapsulated == child.tunnel.udp_encapsulated == sa.udp_encapsulated
    route = pair.world.wire.route
    seen = route(client.path)
    assert seen is not None
    assert (seen.local, seen.remote) == (gateway.path.remote, gateway.path.local)
    if client_at is not None:
        assert client.path.local.address == client_at
    flow = Flow(pair)
    flow.run(0.2)
    assert flow.lost == 0


def nothing_is_left(pair: Pair) -> None:
    pair.client.gateway.terminate(1)
    pair.world.run(10.0, 0.1)
    assert pair.is_empty
    pair.world.run(200.0, 1.0)
    assert not [call for call in pair.world.clock.getDelayedCalls() if "fired" in str(call.func)]


# ---------------------------------------------------------------- NAT mappings (RFC 7296 §2.23)


@ROAMERS
@pytest.mark.parametrize("outside", [None, OTHER_NAT_AT], ids=["port", "address"])
def test_a_new_nat_mapping_is_followed_when_esp_comes_first(mobike, outside):
    pair = connected(MOBILE if mobike else SETTLED, nat=True)
    pair.world.run(10.0, 0.1)
    flow = Flow(pair)
    flow.run(0.5)
    pair.world.wire.route.rebind(outside)
    since = len(pair.world.wire.history)
    flow.run(0.5)
    assert flow.lost <= 1, "what was sent back before the first packet from the new mapping"
    assert not exchanges(pair, since), "without a word of IKE"
    (moved,) = pair.gateway.heard(IkeMoved)
    assert moved.path.remote.address == (outside or NAT_AT)
    assert moved.peer_behind_nat
    at_rest(pair)
    nothing_is_left(pair)


def test_a_new_nat_mapping_is_followed_when_a_request_comes_first_and_esp_goes_there_too():
    """Not only the replies: libreswan sent ESP to the old mapping for ever (its issues 1492 and 1759)."""
    pair = connected(SETTLED, nat=True)
    pair.world.wire.route.rebind()
    sa_of(pair.client).phase.send(ExchangeType.INFORMATIONAL, (), lambda message: None)
    pair.world.run(0.1)
    assert sa_of(pair.gateway).path == pair.gateway.plane.installed[0].path
    assert pair.gateway.plane.installed[0].path.remote == Endpoint(NAT_AT, 20002)
    sa_of(pair.client).phase.release_slot()
    flow = Flow(pair)
    flow.run(0.1)
    assert flow.lost == 0


def test_a_new_nat_mapping_is_followed_when_an_answer_comes_first():
    pair = connected(SETTLED, nat=True)
    route = pair.world.wire.route
    sa = sa_of(pair.gateway)
    sa.phase.send(ExchangeType.INFORMATIONAL, (), lambda message: sa.phase.release_slot())
    route.rebind()
    pair.world.run(0.1)
    assert sa.path.remote == Endpoint(NAT_AT, 20002)
    at_rest(pair)


@ROAMERS
def test_a_forged_or_repeated_datagram_from_elsewhere_moves_nothing(mobike):
    pair = connected(MOBILE if mobike else SETTLED, nat=True)
    wire, flow = pair.world.wire, Flow(pair)
    taken: list[Datagram] = []

    def listen(datagram: Datagram) -> list[Datagram]:
        taken.append(datagram)
        return [datagram]

    wire.tap = listen
    flow.run(0.1)
    esp = pair.client.plane.send(_packet())
    assert pair.gateway.plane.receive(esp, Path(*_ends(wire.route(esp.path)))) is not None
    client = sa_of(pair.client)
    client.phase.send(ExchangeType.INFORMATIONAL, (), lambda message: client.phase.release_slot())
    pair.world.run(0.1)
    before = sa_of(pair.gateway).path
    attacker = Path(Endpoint(ELSEWHERE, 4500), before.local)
    for datagram in taken:
        for octets in (datagram.octets, datagram.octets[:-1] + bytes([datagram.octets[-1] ^ 1])):
            wire.deliver(Datagram(attacker, octets))
    assert pair.gateway.plane.receive(esp, Path(before.local, attacker.local)) is None
    newer = evolve(pair.client.plane.send(_packet()), sequence=10_000, keys=esp.keys.__class__(b"x", b""))
    assert pair.gateway.plane.receive(newer, Path(before.local, attacker.local)) is None
    pair.world.run(1.0)
    assert sa_of(pair.gateway).path == before == pair.gateway.plane.installed[0].path
    assert not pair.gateway.heard(IkeMoved)


def test_esp_that_was_overtaken_does_not_lead_back_to_the_old_mapping():
    pair = connected(SETTLED, nat=True)
    pair.world.run(10.0, 0.1)
    late = pair.client.plane.send(_packet())
    old = pair.world.wire.route(late.path)
    pair.world.wire.route.rebind()
    Flow(pair).run(0.1)
    assert pair.gateway.plane.receive(late, Path(old.remote, old.local)) is not None, "it is authentic"
    assert sa_of(pair.gateway).path.remote != old.local


def test_who_is_behind_a_nat_follows_nobody():
    """One packet of an attacker who changes addresses under way would break the connection."""
    pair = connected(SETTLED, nat=True)
    before = sa_of(pair.client).path
    assert sa_of(pair.client).behind_nat
    pair.world.wire.tap = lambda datagram: [
        evolve(datagram, path=Path(Endpoint(ELSEWHERE, 4500), datagram.path.remote))
        if datagram.path.local.address == GATEWAY_AT
        else datagram
    ]
    esp = pair.gateway.plane.send(_packet(back=True))
    assert pair.client.plane.receive(esp, Path(before.local, Endpoint(ELSEWHERE, 4500))) is not None
    gateway, client = sa_of(pair.gateway), sa_of(pair.client)
    for one in (gateway, client):
        one.phase.send(ExchangeType.INFORMATIONAL, (), lambda message, one=one: one.phase.release_slot())
        pair.world.run(0.1)
    assert client.path == before == pair.client.plane.installed[0].path


def test_a_peer_without_nat_and_without_mobike_is_not_followed():
    pair = connected(SETTLED)
    before = sa_of(pair.gateway).path
    gone_to(pair, ELSEWHERE)
    sa_of(pair.client).path = Path(Endpoint(ELSEWHERE, 500), before.local)
    sa_of(pair.client).phase.send(ExchangeType.INFORMATIONAL, (), lambda message: None)
    pair.world.run(0.1)
    assert sa_of(pair.gateway).path == before
    assert sa_of(pair.client).asking.outstanding is None, "it was answered where it came from"


def test_a_nat_mapping_changes_while_the_ike_sa_is_rekeyed():
    pair = connected(SETTLED, nat=True)
    pair.client.gateway.rekey(1)
    pair.world.run(0.007)
    pair.world.wire.route.rebind()
    pair.world.run(5.0, 0.01)
    Flow(pair).run(0.1)
    at_rest(pair)
    assert pair.client.heard(IkeRekeyed)


# ---------------------------------------------------------------- MOBIKE (RFC 4555)


def test_P_08_a_client_moves_and_hardly_a_packet_is_lost():
    """
    INFORMATIONAL { N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION…), N(COOKIE2), N(…ADDITIONAL…) } -->
    <-- INFORMATIONAL { N(NAT_DETECTION…), N(COOKIE2) }
    <-- INFORMATIONAL { N(COOKIE2) }  INFORMATIONAL { N(COOKIE2) } -->
    """
    pair = connected()
    flow = Flow(pair)
    flow.run(0.2)
    since = len(pair.world.wire.history)
    gone_to(pair, ELSEWHERE)
    flow.run(1.0)
    assert flow.lost <= 4, "what went to the old address within two round trips"
    inform = ExchangeType.INFORMATIONAL
    assert exchanges(pair, since) == [(inform, False), (inform, True), (inform, False), (inform, True)]
    for host, wait in ((pair.client, "SM_UPDATE_WAIT"), (pair.gateway, "SM_UPDATE_WAIT")):
        assert host.states("mature")[-3:] == ["SM_UPDATE", wait, "SM_MATURE"]
        (moved,) = host.heard(IkeMoved)
        assert not moved.behind_nat
        assert not moved.peer_behind_nat
    at_rest(pair, ELSEWHERE)
    nothing_is_left(pair)


def test_ike_auth_goes_to_port_4500_for_who_may_move():
    assert sa_of(connected().client).path.local.port == 4500
    assert sa_of(connected(SETTLED).client).path.local.port == 500


@pytest.mark.parametrize("without", ["client", "gateway"])
def test_mobike_needs_both(without):
    connections = (SETTLED[0], CLIENT) if without == "gateway" else (GATEWAY, SETTLED[1])
    pair = connected(connections)
    assert sa_of(pair.client).roaming is None
    assert sa_of(pair.gateway).roaming is None
    before = sa_of(pair.gateway).path
    client = sa_of(pair.client)
    since = len(pair.world.wire.history)
    pair.client.gateway.addresses_changed()
    pair.world.run(0.1)
    assert not exchanges(pair, since)
    client.path = Path(Endpoint(ELSEWHERE, 4500), client.path.remote)
    gone_to(pair, ELSEWHERE)
    client.phase.send(
        ExchangeType.INFORMATIONAL,
        (Notify(NotifyType.UPDATE_SA_ADDRESSES),),
        lambda message: client.phase.release_slot(),
    )
    pair.world.run(0.1)
    assert client.asking.outstanding is None, "answered all the same"
    assert sa_of(pair.gateway).path == before


def test_P_08_only_the_original_initiator_moves_the_sas_whoever_rekeyed_since():
    pair = connected()
    pair.gateway.gateway.rekey(1)
    pair.world.run(5.0, 0.05)
    gateway, client = sa_of(pair.gateway), sa_of(pair.client)
    assert gateway.initiator
    before = client.path
    pair.gateway.gateway.transport.have(
        [ip_address("192.0.2.9"), GATEWAY_AT], pair.gateway.gateway.datagram_received
    )
    pair.gateway.gateway.addresses_changed()
    gateway.path = Path(Endpoint(ip_address("192.0.2.9"), 4500), gateway.path.remote)
    gateway.phase.send(
        ExchangeType.INFORMATIONAL,
        (Notify(NotifyType.UPDATE_SA_ADDRESSES), Notify(NotifyType.COOKIE2, b"12345678")),
        lambda message: gateway.phase.release_slot(),
    )
    pair.world.run(0.1)
    assert gateway.asking.outstanding is None
    assert client.path == before == pair.client.plane.installed[0].path
    gateway.path = Path(before.remote, before.local)
    gone_to(pair, ELSEWHERE)
    at_rest(pair, ELSEWHERE)


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_P_08_one_datagram_of_the_move_is_lost(lost):
    pair = connected()
    count = iter(range(1000))
    pair.world.wire.tap = lambda datagram: [] if next(count) == lost else [datagram]
    gone_to(pair, ELSEWHERE)
    pair.world.run(5.0, 0.05)
    at_rest(pair, ELSEWHERE)
    nothing_is_left(pair)


def test_P_08_the_client_moves_on_before_it_is_answered():
    pair = connected()
    gone_to(pair, ELSEWHERE)
    pair.world.run(0.007)
    gone_to(pair, ip_address("192.0.2.78"))
    pair.world.run(0.002)
    gone_to(pair, ip_address("192.0.2.79"))
    at_rest(pair, ip_address("192.0.2.79"))


@pytest.mark.parametrize("side", ["client", "gateway"])
def test_P_08_another_COOKIE2_than_ours_ends_the_session(side):
    pair = connected()
    other = pair.gateway if side == "client" else pair.client
    served = sa_of(other).roaming.__class__.serve

    def lying(roaming, message, path):
        answer = served(roaming, message, path)
        if roaming.sa not in other.gateway._by_spi.values():
            return answer
        return tuple(evolve(n, data=bytes(16)) if n.type is NotifyType.COOKIE2 else n for n in answer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sa_of(other).roaming.__class__, "serve", lying)
        gone_to(pair, ELSEWHERE)
        pair.world.run(20.0, 0.1)
    (down,) = getattr(pair, side).heard(IkeDown)
    assert "COOKIE2" in down.reason
    assert pair.is_empty


@pytest.mark.parametrize("side", ["client", "gateway"])
@pytest.mark.parametrize("what", ["ike", "child"])
@pytest.mark.parametrize("after", [0.0, 0.004, 0.007, 0.012, 0.017, 0.022])
def test_P_08_the_client_moves_in_the_middle_of_a_rekeying(side, what, after):
    pair = connected()
    sa = sa_of(getattr(pair, side))
    if what == "ike":
        getattr(pair, side).gateway.rekey(1)
    else:
        next(iter(sa.children.values())).soft_expired()
    pair.world.run(after, 0.001)
    gone_to(pair, ELSEWHERE)
    pair.world.run(80.0, 0.05)
    at_rest(pair, ELSEWHERE)
    nothing_is_left(pair)


@pytest.mark.parametrize("nats", [(False, True), (True, False), (True, True)])
def test_P_08_nats_come_and_go_with_the_addresses(nats):
    before, after = nats
    pair = connected(nat=before)
    if after:
        pair.world.wire.route = Nat(ELSEWHERE, OTHER_NAT_AT, 30000)
    else:
        pair.world.wire.route = lambda path: path
    gone_to(pair, ELSEWHERE)
    pair.world.run(1.0, 0.01)
    at_rest(pair, ELSEWHERE)
    for host in (pair.client, pair.gateway):
        assert host.plane.installed[0].udp_encapsulated is after
    assert sa_of(pair.client).behind_nat is after
    assert sa_of(pair.client).armed("keepalive") is after
    nothing_is_left(pair)


def test_P_08_esp_under_way_on_the_old_path_does_not_lead_back():
    pair = connected(nat=True)
    late = pair.client.plane.send(_packet())
    old = pair.world.wire.route(late.path)
    pair.world.wire.route = Nat(ELSEWHERE, OTHER_NAT_AT, 30000)
    gone_to(pair, ELSEWHERE)
    pair.world.run(1.0, 0.01)
    assert pair.gateway.plane.receive(late, Path(old.remote, old.local)) is not None
    at_rest(pair, ELSEWHERE)


def test_P_08_where_policy_does_not_let_the_peer_be():
    here = evolve(GATEWAY, remote_addresses=(IPv4Network("192.0.2.0/30"),))
    pair = connected((here, CLIENT))
    before = sa_of(pair.gateway).path
    gone_to(pair, ELSEWHERE)
    pair.world.run(1.0)
    assert sa_of(pair.gateway).path == before == pair.gateway.plane.installed[0].path
    assert [refused.notify for refused in pair.client.heard(Refused)] == ["UNACCEPTABLE_ADDRESSES"]
    gone_to(pair, CLIENT_AT)
    at_rest(pair, CLIENT_AT)


def test_P_08_refused_at_one_address_the_client_takes_another():
    here = evolve(GATEWAY, remote_addresses=(IPv4Network("192.0.2.0/28"),))
    pair = connected((here, CLIENT))
    gone_to(pair, ELSEWHERE, ip_address("192.0.2.5"))
    at_rest(pair, ip_address("192.0.2.5"))


def test_P_08_without_a_check_of_return_routability_the_sas_move_at_once():
    pair = connected((evolve(GATEWAY, return_routability=False), CLIENT))
    since = len(pair.world.wire.history)
    gone_to(pair, ELSEWHERE)
    pair.world.run(0.006, 0.001)
    assert pair.gateway.plane.installed[0].path.remote.address == ELSEWHERE
    pair.world.run(0.1)
    assert len(exchanges(pair, since)) == 2
    at_rest(pair, ELSEWHERE)


def test_P_08_esp_waits_for_the_check_of_return_routability():
    pair = connected()
    gone_to(pair, ELSEWHERE)
    pair.world.run(0.011, 0.001)
    assert sa_of(pair.gateway).path.remote.address == ELSEWHERE
    assert pair.gateway.plane.installed[0].path.remote.address == CLIENT_AT
    pair.world.run(0.02, 0.001)
    assert pair.gateway.plane.installed[0].path.remote.address == ELSEWHERE


@pytest.mark.parametrize("which", ["client", "gateway"])
def test_P_08_a_path_that_is_lost_gives_way_to_another(which):
    """Nobody says that anything changed: half-way through the tries the other addresses get their turn."""
    quick = evolve(CLIENT, dpd_seconds=10.0)
    pair = make_pair(evolve(GATEWAY, dpd_seconds=0.0), quick)
    second = ip_address("203.0.113.5")
    host, first = (pair.client, CLIENT_AT) if which == "client" else (pair.gateway, GATEWAY_AT)
    host.gateway.transport.have([first, second], host.gateway.datagram_received)
    if which == "gateway":
        pair.client.gateway.reload((evolve(quick, remote_addresses=()),))
        pair.client.gateway.connections = (evolve(quick, remote_addresses=(IPv4Network("192.0.2.1"),)),)
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    assert first in (sa_of(pair.client).path.local.address, sa_of(pair.client).path.remote.address)
    if which == "gateway":
        sa_of(pair.client).connection = evolve(sa_of(pair.client).connection, remote_addresses=())
        sa_of(pair.client).connection = evolve(quick, remote_addresses=(IPv4Network("0.0.0.0/0"),))
    pair.world.wire.route = lambda path: None if first in (path.local.address, path.remote.address) else path
    pair.world.run(60.0, 0.05)
    at_rest(pair, second if which == "client" else None)
    assert second in (sa_of(pair.client).path.local.address, sa_of(pair.client).path.remote.address)


def test_P_08_a_client_finds_out_that_its_nat_changed_and_says_so():
    quick = evolve(CLIENT, dpd_seconds=10.0)
    pair = connected((evolve(GATEWAY, dpd_seconds=0.0), quick), nat=True)
    pair.world.run(15.0, 0.05)
    assert pair.client.states("mature").count("SM_UPDATE") == 1, "it does not know yet how it is seen"
    pair.world.run(30.0, 0.05)
    assert pair.client.states("mature").count("SM_UPDATE") == 1
    pair.world.wire.route.rebind()
    pair.world.run(15.0, 0.05)
    assert pair.client.states("mature").count("SM_UPDATE") == 2
    at_rest(pair)


def test_an_ike_request_alone_moves_nothing_with_mobike_but_is_answered_where_it_came_from():
    pair = connected(nat=True)
    before = sa_of(pair.gateway).path
    pair.world.wire.route.rebind()
    client = sa_of(pair.client)
    client.phase.send(ExchangeType.INFORMATIONAL, (), lambda message: client.phase.release_slot())
    pair.world.run(0.1)
    assert client.asking.outstanding is None
    assert sa_of(pair.gateway).path == before


def test_P_08_no_nats_allowed():
    """RFC 4555 §3.9: with NAT traversal off the addresses themselves are protected."""
    strict = evolve(GATEWAY, nat_traversal=False), evolve(CLIENT, nat_traversal=False)
    pair = connected(strict)
    gone_to(pair, ELSEWHERE)
    at_rest(pair, ELSEWHERE)
    pair.world.wire.route = Nat(ip_address("192.0.2.78"), NAT_AT)
    gone_to(pair, ip_address("192.0.2.78"))
    pair.world.run(1.0)
    assert sa_of(pair.gateway).path.remote.address == ELSEWHERE
    refusals = [each.notify for each in pair.client.heard(Refused)]
    assert refusals == ["UNEXPECTED_NAT_DETECTED"] * 4, "it is not believed at once"

    pair = make_pair(*strict)
    pair.world.wire.route = Nat(CLIENT_AT, NAT_AT)
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(1.0)
    assert [each.notify for each in pair.gateway.heard(Refused)] == ["UNEXPECTED_NAT_DETECTED"]
    assert pair.is_empty


def test_what_the_peer_says_of_its_addresses_is_remembered_and_passed_on():
    pair = make_pair()
    more = [ip_address("203.0.113.5"), ip_address("2001:db8::5")]
    pair.gateway.gateway.transport.have([GATEWAY_AT, *more], pair.gateway.gateway.datagram_received)
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    assert list(sa_of(pair.client).roaming.elsewhere) == more
    assert sa_of(pair.gateway).roaming.elsewhere == ()
    pair.client.gateway.rekey(1)
    pair.world.run(1.0)
    assert list(sa_of(pair.client).roaming.elsewhere) == more
    for told, found in (
        ((Notify(NotifyType.ADDITIONAL_IP4_ADDRESS, ELSEWHERE.packed),), (ELSEWHERE,)),
        ((), (ELSEWHERE,)),
        ((Notify(NotifyType.NO_ADDITIONAL_ADDRESSES),), ()),
    ):
        gateway = sa_of(pair.gateway)
        gateway.phase.send(
            ExchangeType.INFORMATIONAL, told, lambda message, sa=gateway: sa.phase.release_slot()
        )
        pair.world.run(0.1)
        assert sa_of(pair.client).roaming.elsewhere == found


def _packet(*, back: bool = False):
    from ikegw.dataplane.matching import InnerPacket

    ends = ip_address("10.3.0.1"), ip_address("10.1.0.9")
    return InnerPacket(*(ends[::-1] if back else ends), 17, (5000, 5001))


def _ends(path: Path) -> tuple[Endpoint, Endpoint]:
    return path.remote, path.local
