"""A payload of a type that we do not know (RFC 7296 §2.5, §3.2)."""

from typing import ClassVar, Self

from attrs import frozen

from ikegw.wire.payload import Payload
from ikegw.wire.registry import PayloadType


@frozen
class UnknownPayload(Payload):
    """Kept for the record and to be skipped. A received one is never critical: decoding refuses those (ParseError)."""

    TYPE: ClassVar[PayloadType] = PayloadType.NONE
    type: PayloadType
    critical: bool
    data: bytes

    def encode(self) -> bytes:
        """Body octets."""
        return self.data

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """The chain makes these, because it alone knows the type."""
        raise NotImplementedError
