"""EAP packets (RFC 3748 §4) and the payload that carries one (RFC 7296 §3.16)."""

from struct import Struct
from typing import ClassVar, Self

from attrs import field, frozen

from ikegw.wire.errors import ParseError
from ikegw.wire.payload import Payload
from ikegw.wire.registry import EapCode, EapType, Members, PayloadType

_HEADER = Struct("!BBH")
_CODES = Members(EapCode)
_TYPES = Members(EapType)
_TYPED = frozenset((EapCode.REQUEST, EapCode.RESPONSE))
_BARE = frozenset((EapCode.SUCCESS, EapCode.FAILURE))


@frozen
class EapPacket:
    """One EAP packet. Requests and responses have a type, others None; data is what follows."""

    code: EapCode
    identifier: int
    type: EapType | None = None
    data: bytes = field(default=b"", repr=lambda data: f"<{len(data)} octets>")

    def encode(self) -> bytes:
        """The packet with its length; ValueError where a type is missing or stands where none may."""
        if (self.code in _TYPED) != (self.type is not None):
            raise ValueError(f"EAP {self.code.name} with type {self.type}")
        kind = b"" if self.type is None else bytes((self.type,))
        return _HEADER.pack(self.code, self.identifier, 4 + len(kind) + len(self.data)) + kind + self.data

    @classmethod
    def decode(cls, octets: bytes, offset: int = 0) -> Self:
        """Refuses a length other than the octets', a request without a type, a success or failure with data."""
        if len(octets) < 4:
            raise ParseError("EAP packet shorter than 4 octets", offset, PayloadType.EAP)
        code_number, identifier, length = _HEADER.unpack_from(octets)
        if length != len(octets):
            raise ParseError(f"EAP length {length} in {len(octets)} octets", offset, PayloadType.EAP)
        code = _CODES[code_number]
        if code in _BARE and length != 4:
            raise ParseError(f"EAP {code.name} of {length} octets", offset, PayloadType.EAP)
        if code not in _TYPED:
            return cls(code, identifier, None, octets[4:])
        if length < 5:
            raise ParseError(f"EAP {code.name} without a type", offset, PayloadType.EAP)
        return cls(code, identifier, _TYPES[octets[4]], octets[5:])


@frozen
class Eap(Payload):
    """An EAP packet as octets, for a method or a RADIUS server to read. Decoded ones are well-formed."""

    TYPE: ClassVar[PayloadType] = PayloadType.EAP
    packet: bytes = field(repr=lambda packet: f"<{len(packet)} octets>")

    def encode(self) -> bytes:
        """Body octets."""
        return self.packet

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """Refuses what `EapPacket.decode` refuses."""
        EapPacket.decode(body, offset)
        return cls(body)
