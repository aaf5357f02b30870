"""The CP payload of a client: what we ask of a gateway, and what it lends and tells us (RFC 7296 §2.19, §3.15; RFC 8598)."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Final

from ikegw.ike.configuration import WHOLE_ADDRESS, addresses_in
from ikegw.paths import Address
from ikegw.ports import Lease
from ikegw.wire.configuration import ConfigAttribute, Configuration
from ikegw.wire.registry import ConfigAttributeType as Kind
from ikegw.wire.registry import ConfigType

_BESIDES: Final = {
    4: (Kind.INTERNAL_IP4_NETMASK, Kind.INTERNAL_IP4_DNS, Kind.INTERNAL_IP4_NBNS, Kind.INTERNAL_IP4_SUBNET),
    6: (Kind.INTERNAL_IP6_DNS, Kind.INTERNAL_IP6_SUBNET),
}
"""What is asked for together with an address of each family."""


def request_for(virtual: Sequence[Address], *, expiry: bool = False) -> Configuration:
    """The CFG_REQUEST: 0.0.0.0 and :: ask for any address, others for that one; with `expiry` for how long (RFC 4306)."""
    attributes: dict[ConfigAttribute, None] = {}
    for address in virtual:
        attributes[_wish(address)] = None
        attributes.update(dict.fromkeys(map(ConfigAttribute, _BESIDES[address.version])))
    if virtual:
        attributes[ConfigAttribute(Kind.INTERNAL_DNS_DOMAIN)] = None
        if expiry:
            attributes[ConfigAttribute(Kind.INTERNAL_ADDRESS_EXPIRY)] = None
    return Configuration(ConfigType.REQUEST, tuple(attributes))


def _wish(address: Address) -> ConfigAttribute:
    kind = Kind.INTERNAL_IP4_ADDRESS if address.version == 4 else Kind.INTERNAL_IP6_ADDRESS
    if address.is_unspecified:
        return ConfigAttribute(kind)
    return ConfigAttribute.of_address(kind, address, None if address.version == 4 else WHOLE_ADDRESS)


def granted(answer: Configuration, *, expiry: bool = False) -> Lease:
    """What a gateway lent us; the first address of each family counts, and what makes no sense is passed over.

    With `expiry` the address is asked for again after half of the time for which it is lent.
    """
    ip4 = next((one for one in addresses_in(answer) if isinstance(one, IPv4Address)), None)
    ip6 = next((one for one in addresses_in(answer) if isinstance(one, IPv6Address)), None)
    dns = _addresses(answer, Kind.INTERNAL_IP4_DNS) + _addresses(answer, Kind.INTERNAL_IP6_DNS)
    nbns = _addresses(answer, Kind.INTERNAL_IP4_NBNS)
    networks = [attribute.network for attribute in answer.attributes]
    domains = [
        attribute.domain for attribute in answer.attributes if attribute.type is Kind.INTERNAL_DNS_DOMAIN
    ]
    ends = [
        one.seconds for one in answer.attributes if one.type is Kind.INTERNAL_ADDRESS_EXPIRY and one.value
    ]
    return Lease(
        None if ip4 is None else IPv4Interface(ip4),
        None if ip6 is None else IPv6Interface(ip6),
        dns,
        subnets=tuple(dict.fromkeys(network for network in networks if network is not None)),
        nbns=tuple(one for one in nbns if isinstance(one, IPv4Address)),
        domains=tuple(dict.fromkeys(one for one in domains if one)) if dns else (),
        renew_seconds=min(ends) / 2 if expiry and ends else None,
    )


def _addresses(answer: Configuration, kind: Kind) -> tuple[Address, ...]:
    found = [attribute.address for attribute in answer.attributes if attribute.type is kind]
    return tuple(dict.fromkeys(address for address in found if address is not None))
