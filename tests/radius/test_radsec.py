"""RADIUS over TLS: connections that begin, break, are made again; packets out of a stream. Real TLS is in tests/peers."""

from itertools import pairwise, product
from random import Random
from typing import Any

import pytest
from attrs import define, field
from OpenSSL.SSL import Error as TlsError
from service_identity import VerificationError
from twisted.internet import error as network_errors
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from ikegw.machines.tracing import transitions
from ikegw.radius.radsec import HANDSHAKE_SECONDS, CannotConnect, PacketStream, TlsLink, explain
from ikegw.radius.reconnection import Reconnection, ReconnectionMachine

PACKET = b"\2\7\0\x17" + bytes(16) + b"\x12\3x"


@define
class End:
    """What a link tells (`link.LinkEnd`)."""

    packets: list[bytes] = field(factory=list)
    told: list[str] = field(factory=list)

    def received(self, octets: bytes) -> None:
        self.packets.append(octets)

    def connected(self) -> None:
        self.told.append("connected")

    def unreachable(self, why: str) -> None:
        self.told.append(why)


@implementer(IStreamClientEndpoint)
@define(eq=False)
class Endpoint:
    """Connections as a test wants them."""

    attempts: list[tuple[Any, "Deferred[Any]"]] = field(factory=list)
    streams: list[PacketStream] = field(factory=list)
    cancelled: int = 0

    def connect(self, factory: Any) -> "Deferred[Any]":
        def cancel(_: object) -> None:
            self.cancelled += 1

        attempt: Deferred[Any] = Deferred(cancel)
        self.attempts.append((factory, attempt))
        return attempt

    def make(self) -> PacketStream:
        """The last attempt succeeds; TLS is still to come."""
        factory, attempt = self.attempts[-1]
        stream = factory.buildProtocol(None)
        stream.makeConnection(StringTransport())
        self.streams.append(stream)
        attempt.callback(stream)
        return stream

    def secure(self) -> PacketStream:
        """It succeeds wholly."""
        stream = self.make()
        stream.handshakeCompleted()
        return stream

    def refuse(self) -> None:
        self.attempts[-1][1].errback(network_errors.ConnectionRefusedError("nobody there"))


@define
class Lab:
    clock: Clock = field(factory=Clock)
    end: End = field(factory=End)
    endpoint: Endpoint = field(factory=Endpoint)
    link: TlsLink = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.link = TlsLink(self.end, lambda: self.endpoint, self.clock, Random(1).randbytes)
        self.link.open()


def lose(stream: PacketStream, error: Exception | None = None) -> None:
    stream.connectionLost(Failure(error or ConnectionDone()))


def sent(stream: PacketStream) -> bytes:
    assert isinstance(stream.transport, StringTransport)
    return stream.transport.value()


def aborted(stream: PacketStream) -> bool:
    assert isinstance(stream.transport, StringTransport)
    return stream.transport.disconnected or bool(stream.transport.disconnecting)


def test_every_input_has_an_answer_in_every_state() -> None:
    rows = {(row.state, row.cause) for row in transitions(ReconnectionMachine)}
    inputs = {name for name in vars(Reconnection) if not name.startswith("_")}
    assert rows == set(product(("WAITING", "CONNECTING", "CONNECTED", "CLOSED"), inputs))


def test_nothing_is_sent_before_TLS_is_complete_and_then_the_link_asks_for_all() -> None:
    lab = Lab()
    stream = lab.endpoint.make()
    lab.link.send(PACKET)
    assert sent(stream) == b""
    assert lab.end.told == []
    stream.handshakeCompleted()
    assert lab.end.told == ["connected"]
    lab.link.send(PACKET)
    assert sent(stream) == PACKET
    lab.clock.advance(0)
    assert not lab.clock.getDelayedCalls()


@pytest.mark.parametrize("size", [1, 7, 23, 46, 1000])
def test_packets_come_in_pieces_of_any_size(size: int) -> None:
    lab = Lab()
    stream = lab.endpoint.secure()
    octets = PACKET * 5
    for at in range(0, len(octets), size):
        stream.dataReceived(octets[at : at + size])
    assert lab.end.packets == [PACKET] * 5


@pytest.mark.parametrize("length", [0, 19, 4097, 65535])
def test_a_length_that_no_packet_has_ends_the_connection(length: int) -> None:
    lab = Lab()
    stream = lab.endpoint.secure()
    stream.dataReceived(PACKET + b"\2\7" + length.to_bytes(2, "big") + bytes(16) + PACKET)
    assert lab.end.packets == [PACKET]
    assert aborted(stream)
    lose(stream, ConnectionLost())
    assert lab.end.told[1:] == [f"what came is no RADIUS packet: its length would be {length} octets"]


def test_a_connection_that_ends_in_order_is_made_again_at_once() -> None:
    lab = Lab()
    for number in range(1, 6):
        lose(lab.endpoint.secure())
        lab.clock.advance(0.3)
        assert len(lab.endpoint.attempts) == 1 + number
    assert lab.end.told == ["connected"] * 5  # nothing is wrong with the server


def test_one_that_cannot_be_made_is_tried_more_and_more_seldom() -> None:
    lab = Lab()
    lab.endpoint.refuse()
    times = []
    for _ in range(3000):
        lab.clock.advance(0.1)
        if lab.endpoint.attempts[-1][1].called is False:
            times.append(lab.clock.seconds())
            lab.endpoint.refuse()
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits[0] < 1
    assert 20 < max(waits) <= 37.6
    assert lab.end.told[0] == "connection refused"


def test_who_does_not_like_our_certificate_says_so_after_the_handshake() -> None:
    lab = Lab()
    for _ in range(8):
        lose(lab.endpoint.secure(), TlsError([("SSL routines", "", "tlsv13 alert certificate required")]))
        before = len(lab.endpoint.attempts)
        lab.clock.advance(0.3)
        if len(lab.endpoint.attempts) == before:
            lab.clock.advance(60)
    why = "TLS: tlsv13 alert certificate required; nothing had come yet: does it take our certificate?"
    assert why in lab.end.told
    assert lab.clock.seconds() > 60  # it waits longer each time


def test_a_handshake_that_never_ends_is_given_up() -> None:
    lab = Lab()
    stream = lab.endpoint.make()
    lab.clock.advance(HANDSHAKE_SECONDS)
    assert aborted(stream)
    assert lab.end.told == ["no TLS connection within 10 s"]
    lab.clock.advance(1)
    assert len(lab.endpoint.attempts) == 2
    stream.handshakeCompleted()  # too late
    lose(stream)
    assert lab.end.told == ["no TLS connection within 10 s"]


def test_a_silent_server_gets_a_new_connection() -> None:
    lab = Lab()
    old = lab.endpoint.secure()
    lab.link.renew()
    assert aborted(old)
    lab.clock.advance(1)
    new = lab.endpoint.secure()
    lose(old, ConnectionLost())
    old.dataReceived(PACKET)
    new.dataReceived(PACKET)
    assert lab.end.told == ["connected", "connected"]
    assert lab.end.packets == [PACKET]


def test_without_a_certificate_of_ours_the_reason_is_told_and_it_is_tried_again() -> None:
    end, clock, tries = End(), Clock(), []

    def missing() -> IStreamClientEndpoint:
        tries.append(clock.seconds())
        raise CannotConnect("certs/nas.pem is no certificate that we have the key of")

    link = TlsLink(end, missing, clock, Random(1).randbytes)
    link.open()
    clock.pump([0.1] * 10)
    assert end.told[0] == "certs/nas.pem is no certificate that we have the key of"
    assert len(tries) > 1
    link.close()
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize("when", ["connecting", "shaking", "connected", "waiting"])
def test_closing_ends_everything_at_any_time(when: str) -> None:
    lab = Lab()
    if when == "shaking":
        lab.endpoint.make()
    elif when != "connecting":
        lab.endpoint.secure()
    if when == "waiting":
        lose(lab.endpoint.streams[0])
    told = list(lab.end.told)
    lab.link.close()
    assert not lab.clock.getDelayedCalls()
    assert lab.end.told == told
    if when == "connecting":
        assert lab.endpoint.cancelled == 1
    elif when != "waiting":
        assert aborted(lab.endpoint.streams[0])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (VerificationError(errors=[]), "its certificate has another name than server_name says"),
        (TlsError([("SSL routines", "", "certificate verify failed")]), "TLS: certificate verify failed"),
        (TlsError(), "TLS: the handshake failed"),
        (ConnectionLost(), "the connection broke"),
        (network_errors.ConnectionRefusedError("Connection refused"), "connection refused"),
    ],
)
def test_reasons_in_words(error: Exception, words: str) -> None:
    assert explain(Failure(error)) == words
