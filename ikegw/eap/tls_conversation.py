"""EAP-TLS as both sides speak it: packets to messages, messages through TLS, and what comes of it back into packets."""

from collections.abc import Callable
from typing import Final

from attrs import define, field

from ikegw.eap.errors import BadEap, LoginFailed
from ikegw.eap.tls_engine import Broken, TlsEngine
from ikegw.eap.tls_fragments import Fragments
from ikegw.eap.tls_packet import TlsPacket

MOST_ROUNDS: Final = 200
"""More packets than the two longest messages need in fragments of a size that anybody uses."""

Advance = Callable[[TlsEngine], None]
"""Called after each message of the other side: what it says by `engine.say` goes out in the same flight."""


@define(eq=False)
class TlsConversation:
    """One side of it. `broken` is why TLS failed, once it has; then the alert is the last that is said."""

    engine: TlsEngine = field(repr=False)
    broken: str = field(default="", init=False)
    _fragments: Fragments = field(factory=Fragments, init=False)
    _rounds: int = field(default=0, init=False)
    _flight: bytes = field(default=b"", init=False, repr=False)

    def begin(self) -> TlsPacket:
        """The client's first message."""
        self.engine.take(b"")
        return self._fragments.send(self.engine.flight())

    def receive(self, packet: TlsPacket, advance: Advance) -> TlsPacket | None:
        """What to send for what came. None: nothing came and nothing is left to be sent. BadEap."""
        self._rounds += 1
        if self._rounds > MOST_ROUNDS:
            raise BadEap(f"TLS that is not done after {MOST_ROUNDS} packets")
        message = self._fragments.receive(packet)
        if message is None:
            return self._fragments.next()
        if not message:
            return None
        if self.broken:
            raise BadEap("TLS after an alert that ended it")
        return self._fragments.send(self._flight_for(message, advance))

    def add(self, plain: bytes) -> TlsPacket:
        """Say this too in the flight that `receive` gave and that was not sent yet: its first packet. LoginFailed."""
        try:
            self.engine.say(plain)
        except Broken as error:
            raise LoginFailed(f"TLS failed: {error}") from None
        self._flight += self.engine.flight()
        return self._fragments.send(self._flight)

    def _flight_for(self, message: bytes, advance: Advance) -> bytes:
        try:
            self.engine.take(message)
            advance(self.engine)
        except Broken as error:
            self.broken = str(error)
            return error.alert
        self._flight = self.engine.flight()
        return self._flight

    @property
    def sending(self) -> bool:
        """Is a message of ours not wholly sent?"""
        return self._fragments.sending
