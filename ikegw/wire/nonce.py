"""Ni and Nr payloads (RFC 7296 §3.9)."""

from typing import ClassVar, Self

from attrs import frozen

from ikegw.wire.errors import ParseError
from ikegw.wire.payload import Payload
from ikegw.wire.registry import PayloadType

SHORTEST, LONGEST = 16, 256


@frozen
class Nonce(Payload):
    """Random octets, 16 to 256 of them."""

    TYPE: ClassVar[PayloadType] = PayloadType.NONCE
    octets: bytes

    def encode(self) -> bytes:
        """Body octets."""
        return self.octets

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """Refuses fewer than 16 octets or more than 256."""
        if not SHORTEST <= len(body) <= LONGEST:
            raise ParseError(f"nonce of {len(body)} octets", offset, cls.TYPE)
        return cls(body)
