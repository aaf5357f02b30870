"""The transport on loopback, with the real reactor: the marker, what is let in, and losses that never raise."""

import socket
from collections.abc import Callable, Generator
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from ikegw.net.sockets import open_sockets
from ikegw.net.transport import UdpTransport
from ikegw.paths import Endpoint, Path

LOOPBACK, LOOPBACK6 = IPv4Address("127.0.0.1"), IPv6Address("::1")
MESSAGE = b"I" * 28


class Peer:
    """A plain socket that speaks with the transport's `n`th socket."""

    def __init__(self, transport: UdpTransport, address: IPv4Address | IPv6Address, n: int) -> None:
        self.family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        self.socket = socket.socket(self.family, socket.SOCK_DGRAM)
        self.socket.bind((str(address), 0))
        self.socket.settimeout(5)
        self.path = Path(transport.endpoints()[n], Endpoint(address, self.socket.getsockname()[1]))

    def send(self, octets: bytes) -> None:
        self.socket.sendto(octets, (str(self.path.local.address), self.path.local.port))


class Inbox:
    """What the transport received; `next()` fires with the next one."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[tuple[Path, bytes]]] = []

    def next(self) -> Deferred[tuple[Path, bytes]]:
        self.waiting.append(Deferred())
        return self.waiting[-1].addTimeout(5, reactor)

    def __call__(self, path: Path, octets: bytes) -> None:
        self.waiting.pop(0).callback((path, octets))


Scene = tuple[UdpTransport, Inbox, Callable[..., Peer]]


@pytest.fixture
def scene() -> Generator[Scene, None, None]:
    transport, inbox, peers = UdpTransport(open_sockets([LOOPBACK, LOOPBACK6], 0, 0)), Inbox(), list[Peer]()

    def peer(address: IPv4Address | IPv6Address = LOOPBACK, nat_t: bool = False) -> Peer:
        peers.append(Peer(transport, address, 2 * (address.version == 6) + nat_t))
        return peers[-1]

    transport.start(reactor, inbox)
    yield transport, inbox, peer
    pytest_twisted.blockon(transport.stop())
    for each in peers:
        each.socket.close()


@pytest.mark.parametrize("address", [LOOPBACK, LOOPBACK6])
@pytest_twisted.inlineCallbacks
def test_messages_go_both_ways_with_their_path(
    scene: Scene, address: IPv4Address | IPv6Address
) -> Generator[Any, Any, None]:
    transport, inbox, peer = scene
    them = peer(address)
    arrived = inbox.next()
    them.send(MESSAGE)
    assert (yield arrived) == (them.path, MESSAGE)
    transport.send(them.path, b"answer")
    assert them.socket.recv(100) == b"answer"
    assert transport.counts == {"received": 1, "sent": 1}


@pytest_twisted.inlineCallbacks
def test_nat_t_messages_carry_the_marker(scene: Scene) -> Generator[Any, Any, None]:
    transport, inbox, peer = scene
    them = peer(nat_t=True)
    arrived = inbox.next()
    them.send(bytes(4) + MESSAGE)
    assert (yield arrived) == (them.path, MESSAGE)
    transport.send(them.path, MESSAGE)
    assert them.socket.recv(100) == bytes(4) + MESSAGE
    transport.keepalive(them.path)
    assert them.socket.recv(100) == b"\xff"


@pytest_twisted.inlineCallbacks
def test_a_tap_sees_messages_as_they_are_on_the_wire_whoever_reads_them(
    scene: Scene,
) -> Generator[Any, Any, None]:
    transport, inbox, peer = scene
    plain, nat_t = peer(), peer(nat_t=True)
    seen: list[tuple[Path, bool, bytes]] = []
    transport.taps.add(lambda *datagram: seen.append(datagram))
    arrived = inbox.next()
    plain.send(MESSAGE)
    yield arrived
    transport.send(nat_t.path, b"answer")
    transport.arrived(nat_t.path, MESSAGE)  # a data plane that reads this socket says so
    transport.keepalive(nat_t.path)
    assert seen == [
        (plain.path, False, MESSAGE),
        (nat_t.path, True, bytes(4) + b"answer"),
        (nat_t.path, False, bytes(4) + MESSAGE),
    ]


@pytest_twisted.inlineCallbacks
def test_L_07_keepalives_and_esp_do_not_reach_the_gateway(scene: Scene) -> Generator[Any, Any, None]:
    transport, inbox, peer = scene
    them = peer(nat_t=True)
    arrived = inbox.next()
    for octets in (b"\xff", b"", b"\0\0\0", b"\0\0\0\1" + bytes(40), b"\xff\xff", bytes(4) + MESSAGE):
        them.send(octets)
    assert (yield arrived)[1] == MESSAGE
    assert transport.counts == {"keepalive": 1, "short": 3, "esp": 1, "received": 1}


@pytest_twisted.inlineCallbacks
def test_a_datagram_of_the_largest_size_arrives_whole(scene: Scene) -> Generator[Any, Any, None]:
    _, inbox, peer = scene
    arrived = inbox.next()
    peer().send(b"x" * 65507)
    assert len((yield arrived)[1]) == 65507


@pytest_twisted.inlineCallbacks
def test_a_receiver_that_raises_stops_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> Generator[Any, Any, None]:
    _, inbox, peer = scene
    them = peer()
    refusals: list[Deferred[None]] = []

    def fall_over(self: Inbox, path: Path, octets: bytes) -> None:
        refusals.pop().callback(None)
        raise ValueError("a fault of ours")

    refusals.append(Deferred())
    refused = refusals[0]
    with monkeypatch.context() as faulty:
        faulty.setattr(Inbox, "__call__", fall_over)
        them.send(MESSAGE)
        yield refused
    arrived = inbox.next()
    them.send(MESSAGE)
    assert (yield arrived)[1] == MESSAGE


def test_what_cannot_be_sent_is_counted_and_never_raises(scene: Scene) -> None:
    transport, _, peer = scene
    path = peer().path
    transport.send(path, bytes(70_000))
    transport.send(Path(path.local, Endpoint(LOOPBACK6, 500)), MESSAGE)
    transport.send(Path(path.local, Endpoint(IPv4Address("255.255.255.255"), 500)), MESSAGE)
    transport.send(Path(Endpoint(IPv4Address("127.0.0.9"), 500), path.remote), MESSAGE)
    assert transport.counts["unsent-EMSGSIZE"] == 1
    assert transport.counts["unsent-EACCES"] == 1
    assert transport.counts["unsent-no-socket"] == 1
    assert sum(transport.counts.values()) == 4
    assert transport.counts["sent"] == 0


@pytest_twisted.inlineCallbacks
def test_a_data_plane_gets_the_nat_t_sockets_that_we_do_not_read() -> Generator[Any, Any, None]:
    transport = UdpTransport(open_sockets([LOOPBACK], 0, 0))
    transport.start(reactor, Inbox(), read_nat_t=False)
    try:
        (nat_t,) = transport.nat_t_sockets()
        assert nat_t.is_nat_t
        them = Peer(transport, LOOPBACK, 1)
        assert them.path.local == nat_t.endpoint
        with them.socket:
            them.send(b"ESP")
            nat_t.socket.setblocking(True)
            assert nat_t.socket.recv(100) == b"ESP"
            transport.send(them.path, MESSAGE)
            assert them.socket.recv(100) == bytes(4) + MESSAGE
    finally:
        yield transport.stop()


def test_nat_t_port_is_the_one_beside_the_local_address(scene: Scene) -> None:
    transport, _, peer = scene
    assert transport.nat_t_port(peer().path) == transport.endpoints()[1].port
    elsewhere = Path(Endpoint(IPv4Address("127.0.0.9"), 500), Endpoint(LOOPBACK, 500))
    assert transport.nat_t_port(elsewhere) == 4500


def test_the_source_of_a_call_is_our_own_choice_or_the_routes(scene: Scene) -> None:
    transport, _, _ = scene
    ike, _, ike6, _ = transport.endpoints()
    assert transport.source(IPv4Address("127.0.0.5")) == ike
    assert transport.source(IPv4Address("192.0.2.254")) == ike, "listening nowhere else, it calls from there"
    assert transport.source(LOOPBACK6) == ike6
    assert transport.source(LOOPBACK6, LOOPBACK6) == ike6
    assert transport.source(LOOPBACK, IPv4Address("127.0.0.9")) is None


@pytest_twisted.inlineCallbacks
def test_after_stop_sending_only_counts(scene: Scene) -> Generator[Any, Any, None]:
    transport, _, peer = scene
    path = peer().path
    yield transport.stop()
    transport.send(path, MESSAGE)
    assert transport.counts == {"unsent-no-socket": 1}


@pytest_twisted.inlineCallbacks
def test_a_fault_at_one_datagram_is_logged_and_the_next_is_heard(
    scene: Scene,
) -> Generator[Any, Any, None]:
    _, inbox, peer = scene
    them = peer()
    told: list[LogEvent] = []
    globalLogPublisher.addObserver(told.append)
    try:
        them.send(MESSAGE)  # nobody waits in the inbox, which raises
        while not told:
            yield deferLater(reactor, 0, lambda: None)
    finally:
        globalLogPublisher.removeObserver(told.append)
    assert "internal error" in formatEvent(told[0])
    arrived = inbox.next()
    them.send(MESSAGE)
    assert (yield arrived)[1] == MESSAGE


@pytest_twisted.inlineCallbacks
def test_listening_is_not_worth_a_line_of_the_log_for_each_socket() -> Generator[Any, Any, None]:
    transport, told = UdpTransport(open_sockets([LOOPBACK], 0, 0)), list[LogEvent]()
    globalLogPublisher.addObserver(told.append)
    try:
        transport.start(reactor, Inbox())
        yield transport.stop()
    finally:
        globalLogPublisher.removeObserver(told.append)
    assert told == []
