"""Traffic selectors as the packet loops want them: numbers and prefixes."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, summarize_address_range
from typing import Final

from attrs import frozen

from ikegw.wire.selectors import TrafficSelector

Prefix = tuple[int, int]
"""A network's first address as a number, and its prefix length."""

ANY: Final = (0, 65535)
OPAQUE: Final = (65535, 0)


@frozen
class Selector:
    """One traffic selector (RFC 7296 §3.13.1); addresses are numbers, `prefixes` the networks that make up its range."""

    version: int
    start: int
    end: int
    protocol: int
    ports: tuple[int, int]
    prefixes: tuple[Prefix, ...]

    @classmethod
    def of(cls, start: str, end: str, protocol: int, start_port: int, end_port: int) -> "Selector":
        """As it stands in a control message; ValueError if it is no range of one family."""
        low, high = ip_address(start), ip_address(end)
        return cls(low.version, int(low), int(high), protocol, (start_port, end_port), _prefixes(low, high))

    @classmethod
    def like(cls, selector: TrafficSelector) -> "Selector":
        """The same as a traffic selector of IKE's."""
        return _like(selector)

    def covers(self, address: int, protocol: int, port: int | None) -> bool:
        """Whether it covers one end of a packet of its own address family."""
        if not self.start <= address <= self.end or self.protocol not in (0, protocol):
            return False
        if port is None:
            return self.ports in (ANY, OPAQUE)
        return self.ports[0] <= port <= self.ports[1]


@lru_cache(4096)
def _like(selector: TrafficSelector) -> Selector:
    start, end = selector.start, selector.end
    ports = (selector.start_port, selector.end_port)
    return Selector(start.version, int(start), int(end), selector.protocol, ports, _prefixes(start, end))


def _prefixes(low: IPv4Address | IPv6Address, high: IPv4Address | IPv6Address) -> tuple[Prefix, ...]:
    size = int(high) - int(low)
    if low.version == high.version and size >= 0 and not size & (size + 1) and not int(low) & size:
        return ((int(low), low.max_prefixlen - size.bit_length()),)  # one network, as nearly always
    if isinstance(low, IPv4Address) and isinstance(high, IPv4Address):
        return tuple((int(n.network_address), n.prefixlen) for n in summarize_address_range(low, high))
    if isinstance(low, IPv6Address) and isinstance(high, IPv6Address):
        return tuple((int(n.network_address), n.prefixlen) for n in summarize_address_range(low, high))
    raise ValueError(f"a selector from {low} to {high} mixes address families")
