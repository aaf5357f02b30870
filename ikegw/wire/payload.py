"""What all payloads have in common (RFC 7296 §3.2): a type, and a body that is encoded and decoded."""

from abc import abstractmethod
from struct import Struct
from typing import ClassVar, Self

from ikegw.wire.registry import PayloadType

GENERIC_HEADER = Struct("!BBH")
"""Next payload, critical bit with seven reserved ones, length including these four octets."""

CRITICAL = 0x80


class Payload:
    """A frozen value for one payload; `TYPE` is its number, its body stands behind the generic header."""

    __slots__ = ()
    TYPE: ClassVar[PayloadType]

    @abstractmethod
    def encode(self) -> bytes:
        """The body. ValueError or struct.error if a field does not fit its place: our own mistake, never a peer's."""

    @classmethod
    @abstractmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """The value of a body that stands at `offset` in the octets being read; ParseError."""
