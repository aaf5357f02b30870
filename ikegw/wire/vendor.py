"""Vendor ID payload (RFC 7296 §3.12)."""

from typing import ClassVar, Self

from attrs import frozen

from ikegw.wire.payload import Payload
from ikegw.wire.registry import PayloadType


@frozen
class VendorId(Payload):
    """Octets that someone chose to name a product; any length."""

    TYPE: ClassVar[PayloadType] = PayloadType.VENDOR
    octets: bytes

    def encode(self) -> bytes:
        """Body octets."""
        return self.octets

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """Refuses nothing."""
        return cls(body)
