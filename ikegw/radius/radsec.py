"""RADIUS over TLS (RFC 6614): connections that are made again whenever they end."""

from collections import deque
from collections.abc import Callable
from typing import Any

from attrs import define, field
from OpenSSL.SSL import Error as TlsError
from service_identity import VerificationError
from twisted.internet import error as network_errors
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed, ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ikegw.machines.tracing import state_of
from ikegw.ports import Random
from ikegw.radius.link import LinkEnd
from ikegw.radius.packets import LARGEST_PACKET
from ikegw.radius.reconnection import Reconnection, ReconnectionMachine

HANDSHAKE_SECONDS = 10.0
"""How long connecting may take, TLS included."""
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 30.0

_HEADER_OCTETS = 20


class CannotConnect(Exception):
    """We have not what it takes: no certificate, no authority; the text says which."""


@implementer(IHandshakeListener)
@define(eq=False)
class PacketStream(Protocol):
    """One connection: RADIUS packets one after the other. A length that cannot be ends it (RFC 6613 §2.6.4)."""

    _user: "TlsLink"
    _clock: IReactorTime
    _outgoing: deque[bytes] = field(factory=deque, init=False)
    _next: IDelayedCall | None = field(default=None, init=False)
    _buffer: bytearray = field(factory=bytearray, init=False)
    _fault: str = field(default="", init=False)
    packets: int = field(default=0, init=False)

    def handshakeCompleted(self) -> None:  # noqa: N802 - Twisted's name
        """TLS stands, and the server's certificate is good and has the right name."""
        self._user.secured(self)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Hand on each packet that is whole."""
        self._buffer += data
        while len(self._buffer) >= _HEADER_OCTETS:
            length = int.from_bytes(self._buffer[2:4], "big")
            if not _HEADER_OCTETS <= length <= LARGEST_PACKET:
                self._fault = f"what came is no RADIUS packet: its length would be {length} octets"
                self._buffer.clear()
                self.abort()
                return
            if len(self._buffer) < length:
                return
            packet = bytes(self._buffer[:length])
            del self._buffer[:length]
            self.packets += 1
            self._user.received(self, packet)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """Say why, in words; none for an end in order."""
        self._outgoing.clear()
        in_order = isinstance(reason.value, ConnectionDone) and not self._fault
        self._user.lost(self, "" if in_order else self._fault or explain(reason))

    def send(self, octets: bytes) -> None:
        """Send one packet, in its turn.

        Twisted puts what is written in one turn of the reactor into one TLS record, and FreeRADIUS 3.2 ends a connection with
        two packets in a record: so each has a turn of its own.
        """
        self._outgoing.append(octets)
        if self._next is None:
            self._send_next()

    def _send_next(self) -> None:
        self._next = None
        if self._outgoing and self.transport is not None:
            self.transport.write(self._outgoing.popleft())
            self._next = self._clock.callLater(0, self._send_next)

    def abort(self) -> None:
        """End it now."""
        self._outgoing.clear()
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()


@define(eq=False)
class TlsLink:
    """A connection that there is to be (`link.Link`). `_endpoint` gives what makes the next one, TLS included."""

    reliable = True

    _end: LinkEnd
    _endpoint: Callable[[], IStreamClientEndpoint]
    _clock: IReactorTime
    _random: Random
    _machine: Reconnection = field(init=False)
    _attempt: "Deferred[Any] | None" = field(default=None, init=False)
    _stream: PacketStream | None = field(default=None, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._machine = ReconnectionMachine(self)

    def open(self) -> None:
        """Begin to connect."""
        self._machine.begin()

    def send(self, octets: bytes) -> None:
        """See `Link`. What cannot be sent now is asked for again when there is a connection (`LinkEnd.connected`)."""
        if self._stream is not None and state_of(self._machine) == "CONNECTED":
            self._stream.send(octets)

    def renew(self) -> None:
        """See `Link`."""
        self._machine.renew()

    def close(self) -> None:
        """See `Link`."""
        self._machine.close()

    # ------------------------------------------------------------ what the machine has done (`reconnection.Driver`)

    def connect(self) -> None:
        """See `Driver`."""
        self._arm(HANDSHAKE_SECONDS, self._too_slow)
        factory = Factory.forProtocol(self._made)
        factory.noisy = False
        try:
            attempt = self._endpoint().connect(factory)
        except (CannotConnect, TlsError) as error:
            why = str(error)
            self._arm(0, lambda: self._not_connected(why))  # whoever opens us does not know us yet
            return
        self._attempt = attempt
        attempt.addErrback(lambda failure: self._refused(attempt, failure))

    def wait(self) -> None:
        """See `Driver`."""
        spread = int.from_bytes(self._random(2), "big") / 65535
        wait = min(FIRST_WAIT_SECONDS * 2.0 ** min(self._failures, 16), LONGEST_WAIT_SECONDS)
        self._failures += 1
        self._arm(wait * (0.75 + 0.5 * spread), self._machine.begin)

    def abort(self) -> None:
        """See `Driver`."""
        self._disarm()
        attempt, self._attempt = self._attempt, None
        stream, self._stream = self._stream, None
        if attempt is not None:
            attempt.cancel()
        if stream is not None:
            stream.abort()

    def carry(self) -> None:
        """See `Driver`."""
        self._disarm()
        self._end.connected()

    # ------------------------------------------------------------ what connections tell

    def secured(self, stream: PacketStream) -> None:
        """The handshake is complete."""
        if stream is self._stream:
            self._machine.secured()

    def received(self, stream: PacketStream, packet: bytes) -> None:
        """A packet. Only now the connection is good: that our certificate is not is told after the handshake (TLS 1.3)."""
        if stream is self._stream:
            self._failures = 0
            self._end.received(packet)

    def lost(self, stream: PacketStream, why: str) -> None:
        """It is over; without a reason if in order, as servers end what is idle."""
        if stream is not self._stream:
            return
        if state_of(self._machine) != "CONNECTED":
            self._not_connected(why or "it closed the connection before TLS was complete")
        elif why:
            hint = "" if stream.packets else "; nothing had come yet: does it take our certificate?"
            self._not_connected(why + hint)
        else:
            self._stream = None
            self._failures = 0
            self._machine.failed()

    # ------------------------------------------------------------ connecting

    def _made(self) -> PacketStream:
        self._stream = PacketStream(self, self._clock)
        return self._stream

    def _refused(self, attempt: "Deferred[Any]", failure: Failure) -> None:
        if attempt is self._attempt:
            self._not_connected(explain(failure))

    def _too_slow(self) -> None:
        self.abort()
        self._not_connected(f"no TLS connection within {HANDSHAKE_SECONDS:.0f} s")

    def _not_connected(self, why: str) -> None:
        self._attempt = self._stream = None
        self._machine.failed()
        self._end.unreachable(why)

    def _arm(self, seconds: float, elapsed: Callable[[], None]) -> None:
        self._disarm()

        def fired() -> None:
            self._timer = None
            elapsed()

        self._timer = self._clock.callLater(seconds, fired)

    def _disarm(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


def explain(failure: Failure) -> str:
    """Why there is no connection, in words for an operator."""
    error = failure.value
    if isinstance(error, VerificationError):
        return "its certificate has another name than server_name says"
    if isinstance(error, TlsError):
        return f"TLS: {_reasons(error)}"
    if isinstance(error, ConnectionDone):
        return "it closed the connection"
    if isinstance(error, network_errors.ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionClosed):
        return "the connection broke"
    return failure.getErrorMessage().rstrip(".")


def _reasons(error: TlsError) -> str:
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    texts = [str(entry[-1]) for entry in entries if entry]
    return ", ".join(texts) or "the handshake failed"
