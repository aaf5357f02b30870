"""CP payload (RFC 7296 §3.15)."""

from struct import Struct
from typing import ClassVar, Self

from attrs import frozen

from ikegw.wire.errors import ParseError
from ikegw.wire.payload import Payload
from ikegw.wire.registry import ConfigAttributeType, ConfigType, Members, PayloadType

MAX_ATTRIBUTES = 256

_WORDS = Struct("!HH")
_TYPES = Members(ConfigType)
_ATTRIBUTES = Members(ConfigAttributeType)

_A = ConfigAttributeType
_VALUE_OCTETS: dict[int, range | tuple[int, ...]] = {
    _A.INTERNAL_IP4_ADDRESS: (0, 4),
    _A.INTERNAL_IP4_NETMASK: (0, 4),
    _A.INTERNAL_IP4_DNS: (0, 4),
    _A.INTERNAL_IP4_NBNS: (0, 4),
    _A.INTERNAL_IP4_DHCP: (0, 4),
    _A.INTERNAL_IP4_SUBNET: (0, 8),
    _A.INTERNAL_IP6_ADDRESS: (0, 16, 17),  # 16: some clients ask without a prefix length
    _A.INTERNAL_IP6_DNS: (0, 16),
    _A.INTERNAL_IP6_DHCP: (0, 16),
    _A.INTERNAL_IP6_SUBNET: (0, 17),
    _A.SUPPORTED_ATTRIBUTES: range(0, 0x10000, 2),
    _A.P_CSCF_IP4_ADDRESS: (0, 4),
    _A.P_CSCF_IP6_ADDRESS: (0, 16),
}
"""The lengths of RFC 7296 §3.15.1 and RFC 7651; attributes that nobody here reads may have any."""


@frozen
class ConfigAttribute:
    """One parameter; an empty value asks for it."""

    type: ConfigAttributeType
    value: bytes = b""


@frozen
class Configuration(Payload):
    """Parameters asked for, given, set or acknowledged."""

    TYPE: ClassVar[PayloadType] = PayloadType.CP
    type: ConfigType
    attributes: tuple[ConfigAttribute, ...] = ()

    def encode(self) -> bytes:
        """Body octets."""
        parts = [bytes((self.type, 0, 0, 0))]
        for attribute in self.attributes:
            if attribute.type > 0x7FFF:
                raise ValueError(f"{attribute.type} does not fit the 15 bits of an attribute's type")
            parts.append(_WORDS.pack(attribute.type, len(attribute.value)))
            parts.append(attribute.value)
        return b"".join(parts)

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """Refuses attributes that run past the end or whose value is not as long as its kind demands."""
        end, position = len(body), 4
        if end < 4:
            raise ParseError("shorter than 4 octets", offset, cls.TYPE)
        attributes: list[ConfigAttribute] = []
        while position < end:
            if position + 4 > end:
                raise ParseError("attribute runs past the end", offset + position, cls.TYPE)
            if len(attributes) == MAX_ATTRIBUTES:
                raise ParseError("too many attributes", offset + position, cls.TYPE)
            number, length = _WORDS.unpack_from(body, position)
            kind = _ATTRIBUTES[number & 0x7FFF]  # the first bit is reserved
            after = position + 4 + length
            if after > end or (kind in _VALUE_OCTETS and length not in _VALUE_OCTETS[kind]):
                raise ParseError(f"{kind.name} of {length} octets", offset + position, cls.TYPE)
            attributes.append(ConfigAttribute(kind, body[position + 4 : after]))
            position = after
        return cls(_TYPES[body[0]], tuple(attributes))
