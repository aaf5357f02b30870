"""The CP payload of a gateway: what a client asks, what it is lent and told (RFC 7296 §2.19, §3.15; RFC 8598)."""

from collections.abc import Iterable, Iterator
from typing import Final

from ikegw import __version__
from ikegw.paths import Address, Path
from ikegw.policy.connections import Connection
from ikegw.policy.selectors import from_network, networks_of, within
from ikegw.ports import AddressRequest, Lease
from ikegw.wire.configuration import ConfigAttribute, Configuration
from ikegw.wire.identification import Identity
from ikegw.wire.registry import ConfigAttributeType as Kind
from ikegw.wire.registry import ConfigType
from ikegw.wire.selectors import TrafficSelector

WHOLE_ADDRESS: Final = 128
"""The prefix length that goes with an IPv6 address: a client has the one, and no link with others."""

SUPPORTED: Final = (
    Kind.INTERNAL_IP4_ADDRESS,
    Kind.INTERNAL_IP4_NETMASK,
    Kind.INTERNAL_IP4_DNS,
    Kind.INTERNAL_IP4_NBNS,
    Kind.INTERNAL_IP4_DHCP,
    Kind.APPLICATION_VERSION,
    Kind.INTERNAL_IP6_ADDRESS,
    Kind.INTERNAL_IP6_DNS,
    Kind.INTERNAL_IP6_DHCP,
    Kind.INTERNAL_IP4_SUBNET,
    Kind.SUPPORTED_ATTRIBUTES,
    Kind.INTERNAL_IP6_SUBNET,
    Kind.INTERNAL_DNS_DOMAIN,
)
"""What we may have an answer to. All else is passed over: INTERNAL_DNSSEC_TA too, for we have no trust anchors to tell."""


def wanted_by(
    request: Configuration, connection: Connection, identity: Identity, path: Path
) -> AddressRequest:
    """What a CFG_REQUEST asks of the address providers."""
    kinds = request.types
    return AddressRequest(
        connection.name,
        identity,
        connection.pools,
        wants_ip4=Kind.INTERNAL_IP4_ADDRESS in kinds,
        wants_ip6=Kind.INTERNAL_IP6_ADDRESS in kinds,
        requested=tuple(addresses_in(request)),
        path=path,
    )


def reply(
    request: Configuration,
    lease: Lease | None,
    selectors: Iterable[TrafficSelector],
    domains: Iterable[str] = (),
) -> Configuration | None:
    """The CFG_REPLY: the addresses, and what else of the kinds that were asked for (§3.15.1). None if there is nothing to tell.

    `selectors` are our side of the tunnel: the subnets, unless the lease has its own. `domains` are told besides the lease's.
    """
    told = [*_of_ourselves(request.types)]
    if lease is not None:
        told = [*_of_the_lease(request.types, lease, tuple(selectors), domains), *told]
    return Configuration(ConfigType.REPLY, tuple(told)) if told or lease is not None else None


def _of_ourselves(asked: frozenset[Kind]) -> Iterator[ConfigAttribute]:
    if Kind.APPLICATION_VERSION in asked:
        yield ConfigAttribute(Kind.APPLICATION_VERSION, f"ikegw {__version__}".encode())
    if Kind.SUPPORTED_ATTRIBUTES in asked:
        yield ConfigAttribute.of_types(SUPPORTED)


def _of_the_lease(
    asked: frozenset[Kind], lease: Lease, selectors: tuple[TrafficSelector, ...], domains: Iterable[str]
) -> Iterator[ConfigAttribute]:
    if lease.ip4 is not None:
        yield ConfigAttribute.of_address(Kind.INTERNAL_IP4_ADDRESS, lease.ip4.ip)
        if Kind.INTERNAL_IP4_NETMASK in asked:
            yield ConfigAttribute(Kind.INTERNAL_IP4_NETMASK, _netmask(lease, selectors))
    if lease.ip6 is not None:
        yield ConfigAttribute.of_address(Kind.INTERNAL_IP6_ADDRESS, lease.ip6.ip, WHOLE_ADDRESS)
    servers = [(_dns_kind(server), server) for server in lease.dns]
    servers += [(Kind.INTERNAL_IP4_NBNS, server) for server in lease.nbns]
    servers += [
        (Kind.INTERNAL_IP4_DHCP if server.version == 4 else Kind.INTERNAL_IP6_DHCP, server)
        for server in lease.dhcp
        if within((TrafficSelector(server, server),), selectors)  # of no use to the client outside the tunnel
    ]
    yield from (ConfigAttribute.of_address(kind, server) for kind, server in servers if kind in asked)
    # RFC 8598 §3.2: domains mean nothing without a server to ask about them.
    if Kind.INTERNAL_DNS_DOMAIN in asked and any(_dns_kind(server) in asked for server in lease.dns):
        for domain in dict.fromkeys((*lease.domains, *domains)):
            yield ConfigAttribute(Kind.INTERNAL_DNS_DOMAIN, domain.encode())
    networks = lease.subnets or [network for selector in selectors for network in networks_of(selector)]
    subnets = [ConfigAttribute.of_network(network) for network in networks if network.prefixlen]
    yield from (subnet for subnet in subnets if subnet.type in asked)  # a whole family needs no telling


def _dns_kind(server: Address) -> Kind:
    return Kind.INTERNAL_IP4_DNS if server.version == 4 else Kind.INTERNAL_IP6_DNS


def _netmask(lease: Lease, selectors: tuple[TrafficSelector, ...]) -> bytes:
    """It tells the client to send its network through the tunnel (§3.15.1): if that may not go there, the address is alone."""
    network = None if lease.ip4 is None else lease.ip4.network
    reached = network is not None and within((from_network(network),), selectors)
    return network.netmask.packed if network is not None and reached else b"\xff\xff\xff\xff"


def addresses_of(lease: Lease | None) -> tuple[Address, ...]:
    """The bare addresses of a lease."""
    if lease is None:
        return ()
    return tuple(interface.ip for interface in (lease.ip4, lease.ip6) if interface is not None)


def addresses_in(configuration: Configuration) -> Iterator[Address]:
    """The addresses of hosts that a CP payload asks for or gives."""
    for attribute in configuration.attributes:
        if attribute.type in (Kind.INTERNAL_IP4_ADDRESS, Kind.INTERNAL_IP6_ADDRESS):
            address = attribute.address
            if address is not None:
                yield address
