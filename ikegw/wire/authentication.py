"""AUTH payload (RFC 7296 §3.8)."""

from typing import ClassVar, Self

from attrs import field, frozen

from ikegw.wire.errors import ParseError
from ikegw.wire.payload import Payload
from ikegw.wire.registry import AuthMethod, Members, PayloadType

_METHODS = Members(AuthMethod)


@frozen
class Authentication(Payload):
    """A signature or a MAC; with DIGITAL_SIGNATURE the data begins with the algorithm (RFC 7427 §3)."""

    TYPE: ClassVar[PayloadType] = PayloadType.AUTH
    method: AuthMethod
    data: bytes = field(repr=lambda data: f"<{len(data)} octets>")

    def encode(self) -> bytes:
        """Body octets."""
        return bytes((self.method, 0, 0, 0)) + self.data

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """Refuses a body too short to name a method."""
        if len(body) < 4:
            raise ParseError("shorter than 4 octets", offset, cls.TYPE)
        return cls(_METHODS[body[0]], body[4:])
