"""Delete payload (RFC 7296 §3.11)."""

from struct import Struct
from typing import ClassVar, Self

from attrs import frozen

from ikegw.wire.errors import ParseError
from ikegw.wire.payload import Payload
from ikegw.wire.registry import Members, PayloadType, ProtocolId

_HEADER = Struct("!BBH")
_PROTOCOLS = Members(ProtocolId)
_CHILD_PROTOCOLS = frozenset((ProtocolId.AH, ProtocolId.ESP))


@frozen
class Delete(Payload):
    """What the sender gave up: this IKE SA (protocol IKE, no SPIs), or the CHILD SAs that it receives on `spis`."""

    TYPE: ClassVar[PayloadType] = PayloadType.DELETE
    protocol: ProtocolId
    spis: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """Body octets."""
        spi_octets = 4 if self.protocol in _CHILD_PROTOCOLS else 0
        if any(len(spi) != spi_octets or not spi for spi in self.spis):
            raise ValueError("an SPI of AH or ESP has 4 octets, of IKE none is named")
        return _HEADER.pack(self.protocol, spi_octets, len(self.spis)) + b"".join(self.spis)

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """Refuses other protocols than IKE, AH and ESP, and SPIs that are not as the protocol has them."""
        if len(body) < 4:
            raise ParseError("shorter than 4 octets", offset, cls.TYPE)
        number, spi_octets, count = _HEADER.unpack_from(body)
        protocol = _PROTOCOLS[number]
        if protocol in _CHILD_PROTOCOLS:
            if spi_octets != 4 or len(body) != 4 + 4 * count:
                raise ParseError(f"{count} SPIs of {spi_octets} octets", offset, cls.TYPE)
            return cls(protocol, tuple([body[at : at + 4] for at in range(4, len(body), 4)]))
        if protocol is not ProtocolId.IKE:
            raise ParseError(f"protocol {protocol.name}", offset, cls.TYPE)
        if spi_octets or len(body) != 4:
            raise ParseError("an IKE SA is deleted without naming an SPI", offset, cls.TYPE)
        return cls(protocol)
