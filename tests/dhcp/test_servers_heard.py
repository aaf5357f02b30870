"""What servers answer, how soon, and that they are silent, is told: for the journal, and for who measures."""

from attrs import evolve
from fake_server import OTHER, SERVER, SETTINGS, FakeServer, World

from ikegw.dhcp.packet4 import Packet4
from ikegw.dhcp.registry import Message4
from ikegw.events import ServerAnswered, ServerSilent

BOTH = evolve(SETTINGS, servers=(SERVER, OTHER))
OFFICE = "office 10.50.0.2"


def test_each_answer_is_told_with_its_time() -> None:
    world = World(SETTINGS, FakeServer(delay=0.25))
    waiting = world.ask()
    world.advance(0.25, 0.25)
    assert world.events == [ServerAnswered("dhcp", OFFICE, 0.25)] * 2
    world.renew(waiting.lease)
    world.advance(0.25)
    assert world.events == [ServerAnswered("dhcp", OFFICE, 0.25)] * 3


def test_the_time_of_an_answer_counts_from_the_first_try() -> None:
    world = World(SETTINGS, FakeServer(deaf=True, delay=0.25))
    world.ask()
    world.advance(0.5)
    world.server.deaf = False
    world.advance(0.5, 0.25)
    assert world.events == [ServerAnswered("dhcp", OFFICE, 1.25)]


def test_servers_that_are_silent_are_told_once_each_when_nothing_more_is_tried() -> None:
    world = World(BOTH, FakeServer(deaf=True), FakeServer(OTHER, deaf=True))
    waiting = world.ask()
    world.advance(*[0.5] * 29)
    assert world.events == []
    world.advance(0.5, 0.5)
    assert waiting.why_not
    assert world.events == [ServerSilent("dhcp", OFFICE), ServerSilent("dhcp", "office 10.50.0.3")]


def test_who_refuses_is_not_silent() -> None:
    def no(server: FakeServer, packet: Packet4) -> Packet4 | None:
        return server.answer(packet) if packet.kind is Message4.DISCOVER else server.nak(packet)

    world = World(SETTINGS, FakeServer(answering=no))
    waiting = world.ask()
    world.advance(0.01, 0.01)
    assert "refused" in waiting.why_not
    assert world.events == [ServerAnswered("dhcp", OFFICE, 0.01)] * 2


def test_who_offered_and_then_says_nothing_is_silent() -> None:
    world = World()
    world.ask()
    world.server.deaf = True
    world.advance(*[0.01] * 2, *[0.5] * 32)
    assert world.events == [ServerAnswered("dhcp", OFFICE, 0.01), ServerSilent("dhcp", OFFICE)]


def test_of_several_servers_who_is_slower_than_the_first_is_not_blamed() -> None:
    world = World(BOTH, FakeServer(), FakeServer(OTHER, delay=0.015))
    waiting = world.ask()
    world.advance(0.01, 0.0, 0.005, 0.01)
    assert waiting.lease
    assert {(type(event), event.server) for event in world.events} == {(ServerAnswered, OFFICE)}


def test_who_goes_while_waiting_blames_nobody() -> None:
    world = World(SETTINGS, FakeServer(deaf=True))
    world.ask().deferred.cancel()
    world.advance(*[0.5] * 40)
    assert world.events == []
