"""Traffic selectors (RFC 7296 §2.9): what both peers allow, what lies within it, and how an operator writes it."""

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)
from typing import Final

from attrs import frozen

from ikegw.wire.selectors import TrafficSelector

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MOST_SELECTORS: Final = 255
"""How many selectors a TS payload can carry: their number is one octet (RFC 7296 §3.13)."""

_PROTOCOLS: Final = {
    "any": 0, "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "dccp": 33, "ipv6": 41, "gre": 47,
    "icmpv6": 58, "ipv6-icmp": 58, "ospf": 89, "l2tp": 115, "sctp": 132, "udplite": 136,
}  # fmt: skip
_ANY_PORT: Final = (0, 65535)
_OPAQUE: Final = (
    65535,
    0,
)  # RFC 7296 §3.13.1: the ports of a packet are hidden, for instance in a later fragment


@frozen
class Dynamic:
    """A selector whose address is only known at run time: the virtual address, or the tunnel's own endpoint."""

    protocol: int = 0
    start_port: int = 0
    end_port: int = 65535

    def at(self, address: Address) -> TrafficSelector:
        """The selector of this one address."""
        return TrafficSelector(address, address, self.protocol, self.start_port, self.end_port)


DYNAMIC: Final = Dynamic()


def from_network(network: Network | Address) -> TrafficSelector:
    """Every protocol and port of a network, or of a single address."""
    if isinstance(network, IPv4Address | IPv6Address):
        return TrafficSelector(network, network)
    return TrafficSelector(network.network_address, network.broadcast_address)


def networks_of(selector: TrafficSelector) -> tuple[Network, ...]:
    """The fewest networks that make up the selector's address range: what a routing table wants."""
    start, end = selector.start, selector.end
    if isinstance(start, IPv4Address) and isinstance(end, IPv4Address):
        return tuple(summarize_address_range(start, end))
    if isinstance(start, IPv6Address) and isinstance(end, IPv6Address):
        return tuple(summarize_address_range(start, end))
    raise ValueError(f"a selector from {start} to {end} mixes address families")


def resolve(
    selectors: Iterable[TrafficSelector | Dynamic], addresses: Sequence[Address]
) -> tuple[TrafficSelector, ...]:
    """Put each of `addresses` where the configuration says dynamic; all else stays. No addresses: nothing there."""
    resolved: list[TrafficSelector] = []
    for selector in selectors:
        if isinstance(selector, Dynamic):
            resolved.extend(selector.at(address) for address in addresses)
        else:
            resolved.append(selector)
    return tuple(dict.fromkeys(resolved))


def behind(
    selectors: Iterable[TrafficSelector | Dynamic], networks: Iterable[Network]
) -> tuple[TrafficSelector, ...]:
    """What else is at an end that the policy leaves open: `networks`, with the protocols and ports that dynamic has there."""
    dynamic = [selector for selector in selectors if isinstance(selector, Dynamic)]
    return tuple(
        TrafficSelector(
            network.network_address,
            network.broadcast_address,
            selector.protocol,
            selector.start_port,
            selector.end_port,
        )
        for selector in dynamic
        for network in networks
    )


def narrow(
    offered: Sequence[TrafficSelector], allowed: Sequence[TrafficSelector]
) -> tuple[TrafficSelector, ...]:
    """What both sides allow: the responder's narrowing of one TS payload (RFC 7296 §2.9).

    Every intersection is kept, in the initiator's order, so that its first choice — the packet that made it ask —
    is always covered when we allow it at all. What another result already contains is left out. Empty: TS_UNACCEPTABLE.
    """
    kept: list[TrafficSelector] = []
    for mine in offered:
        for theirs in allowed:
            both = _intersection(mine, theirs)
            if both is None or any(_contains(outer, both) for outer in kept):
                continue
            kept = [selector for selector in kept if not _contains(both, selector)]
            kept.append(both)
            if len(kept) == MOST_SELECTORS:
                return tuple(kept)
    return tuple(kept)


def within(inner: Sequence[TrafficSelector], outer: Sequence[TrafficSelector]) -> bool:
    """Whether all that `inner` selects is selected by `outer` too, be it by several of its ranges together."""
    return all(_covered(selector, outer) for selector in inner)


def _covered(selector: TrafficSelector, outer: Sequence[TrafficSelector]) -> bool:
    """Whether the ranges of `outer` that allow this selector's protocol and ports leave no gap in its addresses."""
    version = selector.start.version
    ranges = sorted(
        (int(other.start), int(other.end))
        for other in outer
        if other.start.version == version and _ports_contain(other, selector)
    )
    wanted, last = int(selector.start), int(selector.end)
    for start, end in ranges:
        if start > wanted:
            return False
        wanted = max(wanted, end + 1)
        if wanted > last:
            return True
    return False


def _intersection(one: TrafficSelector, other: TrafficSelector) -> TrafficSelector | None:
    if one.start.version != other.start.version:
        return None
    if one.protocol and other.protocol and one.protocol != other.protocol:
        return None
    start = one.start if int(one.start) >= int(other.start) else other.start
    end = one.end if int(one.end) <= int(other.end) else other.end
    if int(start) > int(end):
        return None
    ports = _common_ports((one.start_port, one.end_port), (other.start_port, other.end_port))
    if ports is None:
        return None
    return TrafficSelector(start, end, one.protocol or other.protocol, *ports)


def _common_ports(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int] | None:
    """ANY contains OPAQUE; a range does not (RFC 4301 §4.4.1.1)."""
    if one in (other, _ANY_PORT):
        return other
    if other == _ANY_PORT:
        return one
    low, high = max(one[0], other[0]), min(one[1], other[1])
    if _OPAQUE in (one, other) or low > high:
        return None
    return low, high


def _contains(outer: TrafficSelector, inner: TrafficSelector) -> bool:
    return (
        outer.start.version == inner.start.version
        and int(outer.start) <= int(inner.start)
        and int(inner.end) <= int(outer.end)
        and _ports_contain(outer, inner)
    )


def _ports_contain(outer: TrafficSelector, inner: TrafficSelector) -> bool:
    if outer.protocol not in (0, inner.protocol):
        return False
    ports, inside = (outer.start_port, outer.end_port), (inner.start_port, inner.end_port)
    return _common_ports(ports, inside) == inside


def parse_selector(text: str) -> TrafficSelector | Dynamic:
    """Read swanctl's spelling: `10.1.0.0/16`, `10.0.0.1-10.0.0.9`, `fd00::1`, `dynamic`, each also with `[tcp/80]`.

    In the brackets stand a protocol (name or number) and a port, a range `1024-2048`, `any` or `opaque`; for ICMP the port
    is `type` or `type(code)` as strongSwan writes it. ValueError says what is wrong.
    """
    body, bracket, rest = text.strip().partition("[")
    protocol, ports = 0, _ANY_PORT
    if bracket:
        if not rest.endswith("]"):
            raise ValueError("it has no closing bracket")
        protocol, ports = _protocol_and_ports(rest[:-1])
    if body == "dynamic":
        return Dynamic(protocol, *ports)
    start, end = parse_range(body)
    return TrafficSelector(start, end, protocol, *ports)


def parse_range(text: str) -> tuple[Address, Address]:
    """First and last address of `10.1.0.0/16`, `10.0.0.1-10.0.0.9` or `fd00::1`; ValueError says what is wrong with it."""
    low, dash, high = text.partition("-")
    if not dash:
        network = parse_network(text.strip())
        return network.network_address, network.broadcast_address
    try:
        start, end = ip_address(low.strip()), ip_address(high.strip())
    except ValueError:
        raise ValueError("it is no range of addresses") from None
    if start.version != end.version:
        raise ValueError("it mixes IPv4 and IPv6")
    if int(start) > int(end):
        raise ValueError("it ends before it begins")
    return start, end


def parse_network(text: str) -> Network:
    """A network, or an address as the network of itself; ValueError says what is wrong with it."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        raise ValueError("it is no address and no network") from None
    raise ValueError(f"it has host bits set; did you mean {meant}?")


def _protocol_and_ports(text: str) -> tuple[int, tuple[int, int]]:
    name, _, ports = text.partition("/")
    protocol = _PROTOCOLS.get(name.lower(), int(name) if name.isdecimal() else -1)
    if not 0 <= protocol <= 255:
        raise ValueError(f"{name!r} is no protocol: write tcp, udp, icmp … or a number up to 255")
    if ports in ("", "any"):
        return protocol, _ANY_PORT
    if not protocol:
        raise ValueError(f"a port needs a protocol: write [tcp/{ports}] or [udp/{ports}]")
    if ports == "opaque":
        return protocol, _OPAQUE
    if protocol in (1, 58):
        return protocol, _icmp(ports)
    low, dash, high = ports.partition("-")
    first = _number(low, 65535, "a port")
    last = _number(high, 65535, "a port") if dash else first
    if first > last:
        raise ValueError(f"the port range {ports!r} ends before it begins")
    return protocol, (first, last)


def _icmp(text: str) -> tuple[int, int]:
    """Type in the upper octet, code in the lower (RFC 7296 §3.13.1); a type alone means every code."""
    kind, parenthesis, code = text.partition("(")
    upper = _number(kind, 255, "an ICMP type") << 8
    if not parenthesis:
        return upper, upper | 255
    lower = _number(code.removesuffix(")"), 255, "an ICMP code")
    return upper | lower, upper | lower


def _number(text: str, largest: int, what: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > largest:
        raise ValueError(f"{text!r} is not {what}, a number up to {largest}")
    return int(text)
