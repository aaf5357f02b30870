"""CP payload (RFC 7296 §3.15)."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from struct import Struct
from typing import ClassVar, Self

from attrs import frozen

from ikegw.wire.errors import ParseError
from ikegw.wire.payload import Payload
from ikegw.wire.registry import ConfigAttributeType, ConfigType, Members, PayloadType

Address = IPv4Address | IPv6Address

MAX_ATTRIBUTES = 256

_OCTETS_4, _OCTETS_6 = 4, 16
_LONGEST_NAME = 253
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_WORD = Struct("!H")

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
    _A.INTERNAL_ADDRESS_EXPIRY: (0, 4),
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

    @classmethod
    def of_address(cls, kind: ConfigAttributeType, address: Address, prefix: int | None = None) -> Self:
        """An address; of a host with `prefix`, the length that INTERNAL_IP6_ADDRESS has behind it."""
        return cls(kind, address.packed + (b"" if prefix is None else bytes((prefix,))))

    @classmethod
    def of_network(cls, network: IPv4Network | IPv6Network) -> Self:
        """A network to be reached through the tunnel."""
        first = network.network_address.packed
        if network.version == 4:
            return cls(ConfigAttributeType.INTERNAL_IP4_SUBNET, first + network.netmask.packed)
        return cls(ConfigAttributeType.INTERNAL_IP6_SUBNET, first + bytes((network.prefixlen,)))

    @classmethod
    def of_types(cls, types: Iterable[ConfigAttributeType]) -> Self:
        """SUPPORTED_ATTRIBUTES."""
        return cls(ConfigAttributeType.SUPPORTED_ATTRIBUTES, b"".join(map(_WORD.pack, types)))

    @property
    def address(self) -> Address | None:
        """The address that it gives or asks for; None if it is empty, 0.0.0.0 or ::."""
        if len(self.value) < _OCTETS_4:
            return None
        octets = self.value[:_OCTETS_4] if len(self.value) < _OCTETS_6 else self.value[:_OCTETS_6]
        address = ip_address(octets)
        return None if address.is_unspecified else address

    @property
    def network(self) -> IPv4Network | IPv6Network | None:
        """The network of INTERNAL_IP4_SUBNET and INTERNAL_IP6_SUBNET; None if it is empty or its netmask is none."""
        try:
            if self.type is ConfigAttributeType.INTERNAL_IP4_SUBNET and self.value:
                first, mask = IPv4Address(self.value[:_OCTETS_4]), IPv4Address(self.value[_OCTETS_4:])
                network = IPv4Network(f"{first}/{mask}", strict=False)
                return (
                    network if network.netmask == mask else None
                )  # 0.0.0.255 is none, whatever others make of it
            if self.type is ConfigAttributeType.INTERNAL_IP6_SUBNET and self.value:
                return IPv6Network((self.value[:_OCTETS_6], self.value[_OCTETS_6]), strict=False)
        except ValueError:
            return None
        return None

    @property
    def seconds(self) -> int:
        """The time of INTERNAL_ADDRESS_EXPIRY (RFC 4306 §3.15.1); 0 if it is empty."""
        return int.from_bytes(self.value, "big")

    @property
    def domain(self) -> str | None:
        """The name of INTERNAL_DNS_DOMAIN (RFC 8598 §3.1), without a dot at its end; None if it is no domain's."""
        try:
            name = self.value.decode("ascii").lower().removesuffix(".")
        except UnicodeDecodeError:
            return None
        return name if len(name) <= _LONGEST_NAME and all(map(_LABEL.fullmatch, name.split("."))) else None


@frozen
class Configuration(Payload):
    """Parameters asked for, given, set or acknowledged."""

    TYPE: ClassVar[PayloadType] = PayloadType.CP
    type: ConfigType
    attributes: tuple[ConfigAttribute, ...] = ()

    @property
    def types(self) -> frozenset[ConfigAttributeType]:
        """What is asked for, or told of."""
        return frozenset(attribute.type for attribute in self.attributes)

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
