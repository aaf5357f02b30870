"""SK and SKF payloads as they stand on the wire, still sealed (RFC 7296 §3.14, RFC 7383 §2.5)."""

from struct import Struct
from typing import ClassVar, Self

from attrs import field, frozen

from ikegw.wire.errors import ParseError
from ikegw.wire.payload import Payload
from ikegw.wire.registry import PayloadType

FRAGMENT_HEADER = Struct("!HH")


@frozen
class Encrypted(Payload):
    """IV, ciphertext and ICV. `first` is the type of the first payload inside, from the generic header."""

    TYPE: ClassVar[PayloadType] = PayloadType.SK
    first: PayloadType
    body: bytes = field(repr=lambda body: f"<{len(body)} octets>")

    def encode(self) -> bytes:
        """Body octets."""
        return self.body

    @classmethod
    def decode(cls, body: bytes, offset: int, first: PayloadType = PayloadType.NONE) -> Self:
        """Refuses nothing: how much IV and ICV there must be, only the cipher knows."""
        return cls(first, body)


@frozen
class EncryptedFragment(Payload):
    """One fragment of a message: `number` counts from 1 to `total`; `first` means something in number 1 alone."""

    TYPE: ClassVar[PayloadType] = PayloadType.SKF
    first: PayloadType
    number: int
    total: int
    body: bytes = field(repr=lambda body: f"<{len(body)} octets>")

    def encode(self) -> bytes:
        """Body octets."""
        return FRAGMENT_HEADER.pack(self.number, self.total) + self.body

    @classmethod
    def decode(cls, body: bytes, offset: int, first: PayloadType = PayloadType.NONE) -> Self:
        """Refuses a number of 0 or above the total."""
        if len(body) < 4:
            raise ParseError("shorter than 4 octets", offset, cls.TYPE)
        number, total = FRAGMENT_HEADER.unpack_from(body)
        if not 1 <= number <= total:
            raise ParseError(f"fragment {number} of {total}", offset, cls.TYPE)
        return cls(first, number, total, body[4:])
