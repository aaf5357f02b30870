"""TLS messages cut into EAP packets and put together again, the same way in both directions (RFC 5216 §2.1.5)."""

from typing import Final

from attrs import define, field

from ikegw.eap.errors import BadEap
from ikegw.eap.tls_packet import TlsPacket

FRAGMENT_OCTETS: Final = 1000
"""Of TLS in one packet: with all headers it stays under the 1,020 octets that every lower layer carries (RFC 3748 §3.1)."""
LARGEST_MESSAGE: Final = 65536
"""A chain of certificates fits; what is longer is an attack on our memory (RFC 5216 §2.1.5 asks for a limit)."""


@define(eq=False)
class Fragments:
    """What is left to send of our message, and what we have of theirs; never both."""

    _left: bytes = field(default=b"", init=False, repr=False)
    _total: int | None = field(default=None, init=False)
    _held: bytearray = field(factory=bytearray, init=False, repr=False)

    def receive(self, packet: TlsPacket) -> bytes | None:
        """A whole message of theirs; None while fragments go to and fro, and `next` is what to send. BadEap."""
        if self._left:
            if packet.data or packet.more:
                raise BadEap("EAP-TLS data in place of the empty packet that asks for our next fragment")
            return None
        if not self._held:
            self._total = packet.total
        elif packet.total not in (None, self._total):
            raise BadEap(
                f"EAP-TLS fragment of a message of {packet.total} octets amid one of {self._total or 'no known length'}"
            )
        self._held += packet.data
        expected = LARGEST_MESSAGE if self._total is None else self._total
        if max(expected, len(self._held)) > LARGEST_MESSAGE:
            raise BadEap(f"TLS message longer than {LARGEST_MESSAGE} octets")
        if len(self._held) > expected:
            raise BadEap(f"TLS message longer than the {expected} octets announced")
        if packet.more:
            return None
        message, total, self._held, self._total = bytes(self._held), self._total, bytearray(), None
        if total is not None and len(message) != total:
            raise BadEap(f"TLS message of {len(message)} octets where {total} were announced")
        return message

    def send(self, message: bytes) -> TlsPacket:
        """The first packet of our message, or all of it; empty if there is nothing to say."""
        piece, self._left = message[:FRAGMENT_OCTETS], message[FRAGMENT_OCTETS:]
        return TlsPacket(piece, bool(self._left), len(message) if self._left else None)

    def next(self) -> TlsPacket:
        """What follows when `receive` gave None: our next fragment, or the empty packet that asks for theirs."""
        piece, self._left = self._left[:FRAGMENT_OCTETS], self._left[FRAGMENT_OCTETS:]
        return TlsPacket(piece, bool(self._left))

    @property
    def sending(self) -> bool:
        """Is there more of our message?"""
        return bool(self._left)
