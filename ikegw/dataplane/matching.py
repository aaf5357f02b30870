"""Which CHILD SA a packet belongs to, said plainly (RFC 4301 §4.4.1): the meaning that every data plane must have.

A kernel or a fast data plane finds the same answer another way; tests hold it to this one.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from attrs import frozen

from ikegw.policy.selectors import networks_of
from ikegw.ports import TunnelSa
from ikegw.wire.selectors import TrafficSelector

ANY_PORT: Final = (0, 65535)
OPAQUE: Final = (65535, 0)
"""Ports that cannot be seen, in a later fragment for instance (RFC 7296 §3.13.1)."""


@frozen
class InnerPacket:
    """What selectors look at. `ports` is (source, destination), or None where the packet shows none.

    For ICMP and ICMPv6 both are type and code, type × 256 + code (RFC 7296 §3.13.1).
    """

    source: IPv4Address | IPv6Address
    destination: IPv4Address | IPv6Address
    protocol: int = 17
    ports: tuple[int, int] | None = (0, 0)
    octets: int = 100


def selects(
    selector: TrafficSelector, address: IPv4Address | IPv6Address, protocol: int, port: int | None
) -> bool:
    """Whether one selector covers one end of a packet."""
    if selector.start.version != address.version or selector.protocol not in (0, protocol):
        return False
    if not int(selector.start) <= int(address) <= int(selector.end):
        return False
    ports = (selector.start_port, selector.end_port)
    if port is None:
        return ports in (ANY_PORT, OPAQUE)
    return selector.start_port <= port <= selector.end_port


Fit = tuple[int, int, int, int, int]
"""How well an SA fits: longest remote prefix, longest local prefix, protocol named, fewest remote ports, fewest local ports."""


def outbound_match(sa: TunnelSa, packet: InnerPacket) -> Fit | None:
    """How well `sa` fits a packet that leaves through it: greater is better, None: not at all."""
    return fit_of(sa.local_selectors, sa.remote_selectors, packet)


def fit_of(
    local_selectors: Sequence[TrafficSelector],
    remote_selectors: Sequence[TrafficSelector],
    packet: InnerPacket,
) -> Fit | None:
    """The same for bare selectors."""
    source, destination = packet.ports or (None, None)
    fits = [
        (
            _prefix(remote, packet.destination),
            _prefix(local, packet.source),
            1 if remote.protocol or local.protocol else 0,
            -_span(remote),
            -_span(local),
        )
        for remote in remote_selectors
        if selects(remote, packet.destination, packet.protocol, destination)
        for local in local_selectors
        if selects(local, packet.source, packet.protocol, source)
    ]
    return max(fits, default=None)


def led_by(remote_selectors: Sequence[TrafficSelector], address: IPv4Address | IPv6Address) -> int:
    """The longest prefix by which routes lead a packet for `address` to who has these selectors; -1: none does."""
    return max(
        (
            _prefix(selector, address)
            for selector in remote_selectors
            if selector.start.version == address.version
            and int(selector.start) <= int(address) <= int(selector.end)
        ),
        default=-1,
    )


def _prefix(selector: TrafficSelector, address: IPv4Address | IPv6Address) -> int:
    """The prefix length of that network among the selector's which holds the address: a range is cut into networks."""
    return next(network.prefixlen for network in networks_of(selector) if address in network)


def _span(selector: TrafficSelector) -> int:
    return max(selector.end_port - selector.start_port, 0)


def ends_of(packet: InnerPacket) -> tuple[TrafficSelector, TrafficSelector]:
    """The packet's own two ends as selectors, no wider: what a trap tells. Ports that cannot be seen are all ports."""
    source, destination = ((port, port) for port in packet.ports) if packet.ports else (ANY_PORT, ANY_PORT)
    return (
        TrafficSelector(packet.source, packet.source, packet.protocol, *source),
        TrafficSelector(packet.destination, packet.destination, packet.protocol, *destination),
    )


def inbound_allowed(sa: TunnelSa, packet: InnerPacket) -> bool:
    """Whether a packet that came through `sa` lies within its selectors (RFC 4301 §5.2, step 4)."""
    source, destination = packet.ports or (None, None)
    return any(selects(s, packet.source, packet.protocol, source) for s in sa.remote_selectors) and any(
        selects(s, packet.destination, packet.protocol, destination) for s in sa.local_selectors
    )
