"""Figure 9, row by row, against a server on the same clock."""

from ipaddress import IPv4Address, IPv4Interface
from math import inf

import pytest
from attrs import evolve
from fake_server import GIADDR, OTHER, SERVER, SETTINGS, FakeServer, World, asking
from twisted.internet.defer import CancelledError

from ikegw.config.dhcp import Strategy
from ikegw.dhcp.packet4 import Packet4
from ikegw.dhcp.registry import Message4, Option4
from ikegw.dhcp.values4 import encode_seconds


def test_H_01_H_04_H_06_from_discover_to_bound() -> None:
    world = World()
    waiting = world.ask()
    assert world.server.kinds() == ["DISCOVER"]
    world.advance(0.01)
    assert world.server.kinds() == ["DISCOVER", "REQUEST"]
    assert waiting.waits
    world.advance(0.01)
    assert waiting.lease.ip4 == IPv4Interface("10.60.0.2/24")
    discover, request = world.server.heard
    assert discover.transaction == request.transaction
    assert request.options[Option4.REQUESTED_ADDRESS] == IPv4Address("10.60.0.2").packed
    assert request.options[Option4.SERVER_IDENTIFIER] == SERVER.packed
    assert {discover.giaddr, request.giaddr} == {GIADDR}
    assert waiting.lease.dhcp == (SERVER,)
    assert not world.clock.getDelayedCalls(), "T1 is the IKE SA's to keep (A-8)"


def test_H_06_times_run_from_the_request() -> None:
    world = World(SETTINGS, FakeServer(lease_seconds=100, t1=30, delay=0.5))
    waiting = world.ask()
    world.advance(0.5, 0.5)
    assert waiting.lease.renew_seconds == 29.5


@pytest.mark.parametrize(
    ("seconds", "t1", "due"), [(100, None, 50), (100, 0, 50), (100, 100, 50), (100, 200, 50), (1, None, 1)]
)
def test_H_06_T1_that_makes_no_sense_is_half_the_lease(seconds: float, t1: float | None, due: float) -> None:
    world = World(SETTINGS, FakeServer(lease_seconds=seconds, t1=t1, delay=0))
    assert world.lease().renew_seconds == pytest.approx(due, abs=0.05)


def test_H_06_lease_without_an_end_is_never_renewed() -> None:
    world = World(SETTINGS, FakeServer(lease_seconds=inf))
    lease = world.lease()
    assert lease.renew_seconds is None
    world.server.heard.clear()
    assert world.renew(lease).lease.ip4 == lease.ip4
    assert world.server.heard == []


def test_H_02_H_03_nobody_offers() -> None:
    world = World(SETTINGS, FakeServer(deaf=True))
    waiting = world.ask()
    world.advance(*[0.5] * 30)
    assert [at for at, _, _ in world.sent] == [0, 1, 3, 7]
    assert len({packet.transaction for _, _, packet in world.sent}) == 1
    assert [packet.seconds for _, _, packet in world.sent] == [0, 1, 3, 7]
    assert waiting.why_not == "no DHCP server of 10.50.0.2 offered an IPv4 address within 15 s"
    assert world.is_empty


def test_H_02_an_answer_after_the_second_try() -> None:
    world = World(SETTINGS, FakeServer(deaf=True))
    waiting = world.ask()
    world.advance(0.9)
    world.server.deaf = False
    world.advance(0.1, 0.01, 0.01)
    assert waiting.lease.ip4 == IPv4Interface("10.60.0.2/24")


def test_H_05_a_second_offer_is_discarded() -> None:
    second = FakeServer(OTHER, delay=0.015)
    world = World(evolve(SETTINGS, servers=(SERVER, OTHER)), FakeServer(), second)
    waiting = world.ask()
    world.advance(0.01, 0.005, 0.01)
    assert waiting.lease.ip4 == IPv4Interface("10.60.0.2/24")
    assert second.kinds() == ["DISCOVER"], "only the chosen server is asked to lease"
    assert world.relay.counts["meaningless"] == 1
    world.deliver(world.server.reply(world.server.heard[0], Message4.OFFER, IPv4Address("10.60.0.9")))
    assert world.relay.counts["foreign"] == 1


def test_H_05_another_offer_of_the_chosen_server_is_discarded() -> None:
    world = World()
    waiting = world.ask()
    offer = world.server.reply(world.server.heard[0], Message4.OFFER, IPv4Address("10.60.0.9"))
    world.advance(0.01)
    world.deliver(offer)
    assert world.relay.counts["meaningless"] == 1
    world.advance(0.01)
    assert waiting.lease.ip4 == IPv4Interface("10.60.0.2/24")


def test_H_07_offer_is_withdrawn() -> None:
    def nak(server: FakeServer, packet: Packet4) -> Packet4 | None:
        if packet.kind is Message4.DISCOVER:
            return server.answer(packet)
        return server.nak(packet, b"taken \x07 meanwhile")

    world = World(SETTINGS, FakeServer(answering=nak))
    waiting = world.ask()
    world.advance(0.01, 0.01)
    assert waiting.why_not == r"DHCP server 10.50.0.2 refused 10.60.0.2: 'taken \\x07 meanwhile'"
    assert world.is_empty


def test_H_08_H_09_server_offers_and_falls_silent() -> None:
    world = World(SETTINGS, FakeServer())
    waiting = world.ask()
    world.server.deaf = True
    world.advance(*[0.01] * 2, *[0.5] * 30)
    assert [packet.kind.name for _, _, packet in world.sent] == ["DISCOVER"] + ["REQUEST"] * 4
    assert waiting.why_not == "DHCP server 10.50.0.2 offered 10.60.0.2 and was silent for 15 s then"
    assert world.is_empty


def test_H_10_H_11_renewal_keeps_the_address_and_brings_new_times() -> None:
    world = World(SETTINGS, FakeServer(lease_seconds=100))
    lease = world.lease()
    assert list(world.provider.states()) == ["BOUND"]
    world.advance(49)
    waiting = world.renew(lease)
    assert list(world.provider.states()) == ["RENEWING"]
    request = world.server.heard[-1]
    assert request.kind is Message4.REQUEST
    assert (request.ciaddr, request.giaddr) == (IPv4Address("10.60.0.2"), GIADDR)
    assert not {Option4.REQUESTED_ADDRESS, Option4.SERVER_IDENTIFIER} & set(request.options)
    assert request.transaction != world.server.heard[0].transaction
    world.server.lease_seconds = 400
    world.advance(0.01)
    assert waiting.lease.ip4 == lease.ip4
    world.advance(0)
    assert world.renew(waiting.lease).waits
    world.advance(0.01)
    assert world.provider.bound == 1


def test_H_11_times_of_the_renewal_are_its_own() -> None:
    world = World(SETTINGS, FakeServer(lease_seconds=100, delay=0))
    lease = world.lease()
    world.server.lease_seconds = 400
    waiting = world.renew(lease)
    world.advance(0)
    assert waiting.lease.renew_seconds == 200


def test_H_12_nak_takes_the_address_away() -> None:
    world = World()
    lease = world.lease()
    world.server.leases.clear()
    waiting = world.renew(lease)
    world.advance(0.01)
    assert waiting.why_not == "DHCP server 10.50.0.2 refused 10.60.0.2: 'no such lease'"
    assert world.is_empty
    world.release(lease)
    assert "RELEASE" not in world.server.kinds(), "what is lost need not be released"
    assert world.renew(lease).why_not == "the lease was given back"


def test_H_12_another_address_than_ours() -> None:
    def moved(server: FakeServer, packet: Packet4) -> Packet4:
        return server.reply(packet, Message4.ACK, IPv4Address("10.60.0.77"))

    world = World()
    lease = world.lease()
    world.server.answering = moved
    waiting = world.renew(lease)
    world.advance(0.01)
    assert waiting.why_not == "DHCP server 10.50.0.2 leases 10.60.0.77 in place of 10.60.0.2"


def test_H_13_server_is_back_after_a_while() -> None:
    world = World(SETTINGS, FakeServer(lease_seconds=1000))
    lease = world.lease()
    world.server.deaf = True
    waiting = world.renew(lease)
    world.advance(*[0.5] * 50)
    world.server.deaf = False
    world.advance(*[0.5] * 20)
    assert waiting.lease.ip4 == lease.ip4
    renewals = [round(at, 2) for at, _, packet in world.sent if packet.kind is Message4.REQUEST][1:]
    assert [at - renewals[0] for at in renewals] == [0, 1, 3, 7, 15, 31]


def test_H_14_nobody_renews() -> None:
    world = World(SETTINGS, FakeServer(lease_seconds=1000))
    lease = world.lease()
    world.server.deaf = True
    waiting = world.renew(lease)
    world.advance(*[0.5] * 126)
    assert waiting.why_not == "DHCP server 10.50.0.2 did not renew 10.60.0.2 within 63 s"
    assert not world.clock.getDelayedCalls()
    assert not world.provider.bound


def test_H_14_the_lease_runs_out_before_the_tries_do() -> None:
    world = World(SETTINGS, FakeServer(lease_seconds=20))
    lease = world.lease()
    world.server.deaf = True
    world.advance(10)
    waiting = world.renew(lease)
    world.advance(*[0.5] * 20)
    assert waiting.why_not == (
        "DHCP server 10.50.0.2 did not renew 10.60.0.2, which has run out, within 10 s"
    )


def test_H_15_release_is_sent_once() -> None:
    world = World()
    lease = world.lease()
    world.release(lease)
    world.release(lease)
    world.advance(60)
    assert world.server.kinds() == ["DISCOVER", "REQUEST", "RELEASE"]
    release = world.server.heard[-1]
    assert release.ciaddr == IPv4Address("10.60.0.2")
    assert release.giaddr == GIADDR
    assert release.options[Option4.SERVER_IDENTIFIER] == SERVER.packed
    assert world.is_empty


def test_H_16_client_goes_while_its_lease_is_renewed() -> None:
    world = World()
    lease = world.lease()
    waiting = world.renew(lease)
    waiting.deferred.cancel()
    world.release(lease)
    world.advance(0.01, 60)
    assert waiting.results[0].check(CancelledError)
    assert world.server.kinds()[-1] == "RELEASE"
    assert world.is_empty


def test_H_17_client_goes_before_anything_is_offered() -> None:
    world = World()
    waiting = world.ask()
    waiting.deferred.cancel()
    assert waiting.results[0].check(CancelledError)
    world.advance(0.01, 60)
    assert world.server.kinds() == ["DISCOVER"]
    assert world.relay.counts["foreign"] == 1, "the offer finds nobody"
    assert world.is_empty


def test_H_18_what_is_leased_to_nobody_is_released() -> None:
    world = World()
    waiting = world.ask()
    world.advance(0.01)
    waiting.deferred.cancel()
    assert world.server.leases, "the server leased it when it heard the request"
    world.advance(0.01)
    assert world.server.kinds() == ["DISCOVER", "REQUEST", "RELEASE"]
    assert world.is_empty


def test_H_18_nothing_comes_of_it() -> None:
    world = World()
    waiting = world.ask()
    world.server.deaf = True
    world.advance(0.01)
    waiting.deferred.cancel()
    world.deliver(world.server.nak(world.sent[-1][2]))
    assert world.relay.counts["meaningless"] == 1
    assert not world.is_empty
    world.advance(1)
    assert world.is_empty


def test_H_18_the_client_is_back_before_the_answer() -> None:
    """The release of the old one would take away the address of the new one: to the server both are one client."""
    world = World()
    first = world.ask()
    world.advance(0.01)
    first.deferred.cancel()
    second = world.ask()
    world.advance(0.01, 0.01, 60)
    assert second.lease.ip4 == IPv4Interface("10.60.0.2/24")
    assert "RELEASE" not in world.server.kinds()
    assert world.server.leases


def test_H_19_what_is_not_for_us_is_discarded() -> None:
    world = World(SETTINGS, FakeServer(deaf=True))
    waiting = world.ask()
    discover = world.sent[0][2]
    server = world.server
    offer = server.reply(discover, Message4.OFFER, IPv4Address("10.60.0.2"))
    world.deliver(evolve(offer, transaction=offer.transaction + 1))
    world.deliver(offer, OTHER)
    world.deliver(evolve(offer, hardware=b"\2foreign"[:6]))
    world.deliver(evolve(offer, options={**offer.options, Option4.CLIENT_IDENTIFIER: b"\0somebody"}))
    world.deliver(evolve(offer, yiaddr=IPv4Address(0)))
    without = {code: data for code, data in offer.options.items() if code != Option4.SERVER_IDENTIFIER}
    world.deliver(evolve(offer, options=without))
    world.deliver(evolve(offer, options={**offer.options, Option4.LEASE_TIME: b"12"}))
    world.deliver(discover)
    world.deliver(server.reply(discover, Message4.ACK, IPv4Address("10.60.0.2")))
    world.deliver(server.nak(discover))
    assert dict(world.relay.counts) == {
        "sent": 1, "received": 10, "foreign": 1, "stranger": 1, "answer": 6, "other-client": 2, "useless": 2,
        "malformed": 2, "meaningless": 2,
    }  # fmt: skip
    assert waiting.waits
    world.deliver(offer)
    assert world.sent[-1][2].kind is Message4.REQUEST
    ack = server.reply(discover, Message4.ACK, IPv4Address("10.60.0.2"))
    world.deliver(server.reply(discover, Message4.ACK, IPv4Address("10.60.0.3")))
    endless = {code: data for code, data in ack.options.items() if code != Option4.LEASE_TIME}
    world.deliver(evolve(ack, options=endless))
    world.deliver(evolve(ack, options={**ack.options, Option4.SERVER_IDENTIFIER: OTHER.packed}))
    assert world.relay.counts["useless"] == 5
    assert waiting.waits
    world.deliver(ack)
    assert waiting.lease.ip4 == IPv4Interface("10.60.0.2/24")
    world.deliver(ack)
    assert world.relay.counts["foreign"] == 2


def test_H_19_an_offer_while_renewing_is_discarded() -> None:
    world = World()
    lease = world.lease()
    waiting = world.renew(lease)
    request = world.server.heard[-1]
    world.deliver(world.server.reply(request, Message4.OFFER, IPv4Address("10.60.0.2")))
    assert world.relay.counts["meaningless"] == 1
    world.advance(0.01)
    assert waiting.lease.ip4 == lease.ip4


def test_H_20_the_end_is_told_in_words_and_leaves_nothing() -> None:
    def without_an_address(server: FakeServer, packet: Packet4) -> Packet4:
        offer = server.reply(packet, Message4.OFFER, IPv4Address(0))
        return evolve(offer, options={**offer.options, Option4.MESSAGE: b"pool is full"})

    world = World(SETTINGS, FakeServer(answering=without_an_address))
    waiting = world.ask()
    world.advance(*[0.5] * 30)
    assert waiting.why_not == (
        "no DHCP server of 10.50.0.2 offered an IPv4 address within 15 s"
        " (10.50.0.2 answered with nothing usable: 'pool is full')"
    )
    assert world.is_empty


def test_servers_one_after_the_other() -> None:
    settings = evolve(SETTINGS, servers=(SERVER, OTHER), strategy=Strategy.ORDERED)
    world = World(settings, FakeServer(deaf=True), FakeServer(OTHER))
    waiting = world.ask()
    world.advance(1, 0.01, 0.01)
    assert waiting.lease.ip4 == IPv4Interface("10.60.0.2/24")
    assert [to for _, to, _ in world.sent] == [SERVER, OTHER, OTHER]


def test_renewal_goes_to_the_server_that_leased() -> None:
    settings = evolve(SETTINGS, servers=(SERVER, OTHER))
    world = World(settings, FakeServer(deaf=True), FakeServer(OTHER))
    lease = world.lease()
    world.sent.clear()
    world.renew(lease)
    world.advance(0.01)
    world.release(lease)
    assert [to for _, to, _ in world.sent] == [OTHER, OTHER]


def test_a_lease_time_may_be_asked_for() -> None:
    world = World(evolve(SETTINGS, lease_seconds=7200.0))
    world.renew(world.lease())
    asked = [packet.options.get(Option4.LEASE_TIME) for packet in world.server.heard]
    assert asked == [encode_seconds(7200)] * 3


def test_requested_address_is_passed_on() -> None:
    world = World()
    world.ask(asking(requested=("10.60.0.77",)))
    assert world.server.heard[0].options[Option4.REQUESTED_ADDRESS] == IPv4Address("10.60.0.77").packed
