"""The CP payload of IKE_AUTH: what a client asks, what a gateway lends (RFC 7296 §2.19, §3.15)."""

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
)

from ikegw.paths import Address, Path
from ikegw.policy.connections import Connection
from ikegw.policy.selectors import networks_of
from ikegw.ports import AddressRequest, Lease
from ikegw.wire.configuration import ConfigAttribute, Configuration
from ikegw.wire.identification import Identity
from ikegw.wire.registry import ConfigAttributeType as Kind
from ikegw.wire.registry import ConfigType
from ikegw.wire.selectors import TrafficSelector


def wanted_by(
    request: Configuration, connection: Connection, identity: Identity, path: Path
) -> AddressRequest:
    """What a CFG_REQUEST asks of the address providers. Attributes that we do not know are passed over."""
    kinds = {attribute.type for attribute in request.attributes}
    return AddressRequest(
        connection.name,
        identity,
        connection.pools,
        wants_ip4=Kind.INTERNAL_IP4_ADDRESS in kinds,
        wants_ip6=Kind.INTERNAL_IP6_ADDRESS in kinds,
        requested=tuple(_addresses(request)),
        path=path,
    )


def reply(request: Configuration, lease: Lease, selectors: Iterable[TrafficSelector]) -> Configuration:
    """The CFG_REPLY: addresses, then DNS and subnets in so far as the client asked for their kind (§3.15.1).

    `selectors` are our side of the tunnel: the subnets, unless the lease has its own.
    """
    kinds = {attribute.type for attribute in request.attributes}
    attributes = []
    if lease.ip4 is not None:
        attributes.append(ConfigAttribute(Kind.INTERNAL_IP4_ADDRESS, lease.ip4.ip.packed))
        if Kind.INTERNAL_IP4_NETMASK in kinds:
            attributes.append(ConfigAttribute(Kind.INTERNAL_IP4_NETMASK, b"\xff\xff\xff\xff"))
    if lease.ip6 is not None:
        attributes.append(ConfigAttribute(Kind.INTERNAL_IP6_ADDRESS, lease.ip6.ip.packed + bytes([128])))
    for server in lease.dns:
        kind = Kind.INTERNAL_IP4_DNS if server.version == 4 else Kind.INTERNAL_IP6_DNS
        if kind in kinds:
            attributes.append(ConfigAttribute(kind, server.packed))
    subnets = lease.subnets or [network for selector in selectors for network in networks_of(selector)]
    attributes.extend(attribute for attribute in _subnets(subnets) if attribute.type in kinds)
    return Configuration(ConfigType.REPLY, tuple(attributes))


def _subnets(networks: Iterable[IPv4Network | IPv6Network]) -> Iterable[ConfigAttribute]:
    """Split-tunnel subnets as attributes; whole address families need no telling."""
    for network in networks:
        if not network.prefixlen:
            continue
        if network.version == 4:
            kind, rest = Kind.INTERNAL_IP4_SUBNET, network.netmask.packed
        else:
            kind, rest = Kind.INTERNAL_IP6_SUBNET, bytes([network.prefixlen])
        yield ConfigAttribute(kind, network.network_address.packed + rest)


def request_for(virtual: Sequence[Address]) -> Configuration:
    """The CFG_REQUEST of a client: 0.0.0.0 and :: ask for any address, others for that one."""
    attributes = []
    for address in virtual:
        if address.version == 4:
            value = b"" if address.is_unspecified else address.packed
            attributes.append(ConfigAttribute(Kind.INTERNAL_IP4_ADDRESS, value))
            attributes.append(ConfigAttribute(Kind.INTERNAL_IP4_DNS))
            attributes.append(ConfigAttribute(Kind.INTERNAL_IP4_SUBNET))
        else:
            value = b"" if address.is_unspecified else address.packed + bytes([128])
            attributes.append(ConfigAttribute(Kind.INTERNAL_IP6_ADDRESS, value))
            attributes.append(ConfigAttribute(Kind.INTERNAL_IP6_DNS))
            attributes.append(ConfigAttribute(Kind.INTERNAL_IP6_SUBNET))
    return Configuration(ConfigType.REQUEST, tuple(attributes))


def granted(answer: Configuration) -> Lease:
    """What a gateway lent us; the first address of each family counts."""
    addresses = list(_addresses(answer))
    ip4 = next((a for a in addresses if isinstance(a, IPv4Address)), None)
    ip6 = next((a for a in addresses if isinstance(a, IPv6Address)), None)
    servers = tuple(
        ip_address(attribute.value)
        for attribute in answer.attributes
        if attribute.type in (Kind.INTERNAL_IP4_DNS, Kind.INTERNAL_IP6_DNS) and attribute.value
    )
    return Lease(
        None if ip4 is None else IPv4Interface(ip4), None if ip6 is None else IPv6Interface(ip6), servers
    )


def addresses_of(lease: Lease | None) -> tuple[Address, ...]:
    """The bare addresses of a lease."""
    if lease is None:
        return ()
    return tuple(interface.ip for interface in (lease.ip4, lease.ip6) if interface is not None)


def _addresses(configuration: Configuration) -> Iterable[Address]:
    for attribute in configuration.attributes:
        if attribute.type == Kind.INTERNAL_IP4_ADDRESS and len(attribute.value) == 4:
            address: Address = IPv4Address(attribute.value)
        elif attribute.type == Kind.INTERNAL_IP6_ADDRESS and len(attribute.value) >= 16:
            address = IPv6Address(attribute.value[:16])
        else:
            continue
        if not address.is_unspecified:
            yield address
