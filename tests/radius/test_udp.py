"""Real UDP sockets on loopback: who is heard, from where we send, and what ICMP may say without anything being lost."""

import socket
from collections.abc import Generator, Iterator
from ipaddress import ip_address
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from ikegw.paths import Endpoint
from ikegw.radius.link import Link
from ikegw.radius.udp import open_udp

WAIT_SECONDS = 5


@define
class End:
    """What a link tells (`link.LinkEnd`), each to be waited for."""

    waiting: list["Deferred[Any]"] = field(factory=list)
    told: list[Any] = field(factory=list)

    def next(self) -> "Deferred[Any]":
        waiting: Deferred[Any] = Deferred()
        waiting.addTimeout(WAIT_SECONDS, reactor)  # type: ignore[arg-type]
        self.waiting.append(waiting)
        return waiting

    def received(self, octets: bytes) -> None:
        self._tell(octets)

    def connected(self) -> None:
        raise AssertionError("UDP knows no connections")

    def unreachable(self, why: str) -> None:
        self._tell(why)

    def _tell(self, what: Any) -> None:
        self.told.append(what)
        if self.waiting:
            self.waiting.pop(0).callback(what)


def bound(address: str, port: int = 0) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.settimeout(WAIT_SECONDS)
    made.bind((address, port))
    return made


def at(server: socket.socket) -> Endpoint:
    name = server.getsockname()
    return Endpoint(ip_address(name[0]), name[1])


@pytest.fixture
def links() -> Iterator[list[Link]]:
    made: list[Link] = []
    yield made
    for link in made:
        link.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_there_and_back(links: list[Link], address: str) -> Generator[Any, Any, None]:
    end = End()
    with bound(address) as server:
        links.append(open_udp(reactor, at(server), None)(end))
        links[0].send(b"question")
        octets, source = server.recvfrom(100)
        assert octets == b"question"
        server.sendto(b"answer", source)
        assert (yield end.next()) == b"answer"


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_nobody_but_the_server_is_heard(links: list[Link]) -> Generator[Any, Any, None]:
    end = End()
    with bound("127.0.0.1") as server, bound("127.0.0.1") as other, bound("127.0.0.2") as another:
        links.append(open_udp(reactor, at(server), None)(end))
        links[0].send(b"question")
        _, source = server.recvfrom(100)
        for stranger in (other, another):
            stranger.sendto(b"forged", source)
        server.sendto(b"answer", source)
        assert (yield end.next()) == b"answer"
        assert end.told == [b"answer"]


def test_the_source_address_is_the_configured_one(links: list[Link]) -> None:
    with bound("127.0.0.1") as server:
        links.append(open_udp(reactor, at(server), ip_address("127.0.0.7"))(End()))
        links[0].send(b"question")
        assert server.recvfrom(100)[1][0] == "127.0.0.7"


def test_each_link_has_a_port_of_its_own(links: list[Link]) -> None:
    with bound("127.0.0.1") as server:
        for _ in range(3):
            links.append(open_udp(reactor, at(server), None)(End()))
            links[-1].send(b"question")
        assert len({server.recvfrom(100)[1][1] for _ in range(3)}) == 3


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_a_refusal_is_told_and_the_socket_lives_on(links: list[Link]) -> Generator[Any, Any, None]:
    end = End()
    with bound("127.0.0.1") as server:
        there = at(server)
    links.append(open_udp(reactor, there, None)(end))
    for _ in range(3):
        links[0].send(b"question")
        assert (yield end.next()) == "connection refused"
    with bound("127.0.0.1", there.port) as server:
        links[0].send(b"question")
        octets, source = server.recvfrom(100)
        assert octets == b"question"
        server.sendto(b"answer", source)
        while (yield end.next()) != b"answer":  # the last refusal may be told late
            pass


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_a_source_that_is_not_ours_is_told(links: list[Link]) -> Generator[Any, Any, None]:
    end = End()
    links.append(open_udp(reactor, Endpoint(ip_address("127.0.0.1"), 1812), ip_address("192.0.2.77"))(end))
    links[0].send(b"nowhere")
    assert (yield end.next()) == "no socket: Cannot assign requested address"


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_what_a_listener_does_wrong_does_not_close_the_socket(links: list[Link]) -> Generator[Any, Any, None]:
    @define
    class Clumsy(End):
        def received(self, octets: bytes) -> None:
            super().received(octets)
            if octets == b"bad":
                raise RuntimeError("a fault of ours")

    end = Clumsy()
    with bound("127.0.0.1") as server:
        links.append(open_udp(reactor, at(server), None)(end))
        links[0].send(b"question")
        _, source = server.recvfrom(100)
        server.sendto(b"bad", source)
        assert (yield end.next()) == b"bad"
        server.sendto(b"good", source)
        assert (yield end.next()) == b"good"
