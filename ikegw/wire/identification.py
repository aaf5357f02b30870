"""IDi and IDr payloads (RFC 7296 §3.5)."""

from typing import ClassVar, Self

from attrs import frozen

from ikegw.wire.errors import ParseError
from ikegw.wire.payload import Payload
from ikegw.wire.registry import IdType, Members, PayloadType

_TYPES = Members(IdType)
_ADDRESS_OCTETS = {IdType.IPV4_ADDR: 4, IdType.IPV6_ADDR: 16}


@frozen
class Identity:
    """Who someone says to be: a type and its octets (an address packed, a name as text, a DN in DER)."""

    type: IdType
    data: bytes

    def encode(self) -> bytes:
        """The body of an ID payload, which AUTH covers (§2.15)."""
        return bytes((self.type, 0, 0, 0)) + self.data

    @classmethod
    def decode(cls, body: bytes, offset: int, payload: PayloadType) -> Self:
        """Refuses addresses of a wrong length; names are not judged here."""
        if len(body) < 4:
            raise ParseError("shorter than 4 octets", offset, payload)
        kind, data = _TYPES[body[0]], body[4:]
        if kind in _ADDRESS_OCTETS and len(data) != _ADDRESS_OCTETS[kind]:
            raise ParseError(f"{kind.name} of {len(data)} octets", offset + 4, payload)
        return cls(kind, data)


@frozen
class _Identification(Payload):
    identity: Identity

    def encode(self) -> bytes:
        """Body octets."""
        return self.identity.encode()

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """As `Identity.decode`."""
        return cls(Identity.decode(body, offset, cls.TYPE))


@frozen
class IdInitiator(_Identification):
    """IDi: who the initiator is."""

    TYPE: ClassVar[PayloadType] = PayloadType.IDI


@frozen
class IdResponder(_Identification):
    """IDr: who the responder is, or whom the initiator wants to speak with."""

    TYPE: ClassVar[PayloadType] = PayloadType.IDR
