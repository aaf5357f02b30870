"""KE payload (RFC 7296 §3.4)."""

from struct import Struct
from typing import ClassVar, Self

from attrs import field, frozen

from ikegw.wire.errors import ParseError
from ikegw.wire.payload import Payload
from ikegw.wire.registry import KeGroup, Members, PayloadType

_GROUP = Struct("!Hxx")
_GROUPS = Members(KeGroup)


@frozen
class KeyExchange(Payload):
    """A public value, as its group writes it; whether it is a good one is for `crypto` to say."""

    TYPE: ClassVar[PayloadType] = PayloadType.KE
    group: KeGroup
    public: bytes = field(repr=lambda public: f"<{len(public)} octets>")

    def encode(self) -> bytes:
        """Body octets."""
        return _GROUP.pack(self.group) + self.public

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """Refuses a body too short to name a group."""
        if len(body) < 4:
            raise ParseError("shorter than 4 octets", offset, cls.TYPE)
        return cls(_GROUPS[_GROUP.unpack_from(body)[0]], body[4:])
