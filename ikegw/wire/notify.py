"""Notify payload (RFC 7296 §3.10)."""

from struct import Struct
from typing import ClassVar, Self

from attrs import frozen

from ikegw.wire.errors import ParseError
from ikegw.wire.payload import Payload
from ikegw.wire.registry import Members, NotifyType, PayloadType, ProtocolId

_HEADER = Struct("!BBH")
_PROTOCOLS = Members(ProtocolId)
_TYPES = Members(NotifyType)

_DATA_OCTETS: dict[int, range | tuple[int, ...]] = {
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD: (1,),
    NotifyType.INVALID_KE_PAYLOAD: (2,),
    NotifyType.SET_WINDOW_SIZE: (4,),
    NotifyType.NAT_DETECTION_SOURCE_IP: (20,),
    NotifyType.NAT_DETECTION_DESTINATION_IP: (20,),
    NotifyType.COOKIE: range(1, 65),
    NotifyType.IPCOMP_SUPPORTED: (3,),
    NotifyType.ADDITIONAL_IP4_ADDRESS: (4,),
    NotifyType.ADDITIONAL_IP6_ADDRESS: (16,),
    NotifyType.COOKIE2: range(8, 65),
    NotifyType.AUTH_LIFETIME: (4,),
    NotifyType.SIGNATURE_HASH_ALGORITHMS: range(0, 0x10000, 2),
}
"""Types whose data is read by someone here, with the lengths that it may have; other types may carry anything."""

_CHILD_PROTOCOLS = frozenset((ProtocolId.AH, ProtocolId.ESP))


@frozen
class Notify(Payload):
    """An error or a status. `protocol` and `spi` are given where it speaks of a CHILD SA."""

    TYPE: ClassVar[PayloadType] = PayloadType.NOTIFY
    type: NotifyType
    data: bytes = b""
    protocol: ProtocolId = ProtocolId.NONE
    spi: bytes = b""

    def encode(self) -> bytes:
        """Body octets."""
        return _HEADER.pack(self.protocol, len(self.spi), self.type) + self.spi + self.data

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """Refuses data of a wrong length for its type, and a REKEY_SA that names no CHILD SA."""
        if len(body) < 4:
            raise ParseError("shorter than 4 octets", offset, cls.TYPE)
        protocol_number, spi_octets, number = _HEADER.unpack_from(body)
        protocol, kind = _PROTOCOLS[protocol_number], _TYPES[number]
        start = 4 + spi_octets
        if start > len(body):
            raise ParseError(f"SPI of {spi_octets} octets", offset, cls.TYPE)
        if kind in _DATA_OCTETS and len(body) - start not in _DATA_OCTETS[kind]:
            raise ParseError(f"{kind.name} with {len(body) - start} octets of data", offset + start, cls.TYPE)
        if kind is NotifyType.REKEY_SA and (spi_octets != 4 or protocol not in _CHILD_PROTOCOLS):
            raise ParseError(f"REKEY_SA of {protocol.name}, SPI of {spi_octets} octets", offset, cls.TYPE)
        return cls(kind, body[start:], protocol, body[4:start])
