"""What selectors look at in an inner packet: addresses, protocol, ports. The way for a packet whose flow is not known yet."""

from struct import Struct
from typing import Final

from attrs import frozen

TCP: Final = 6
UDP: Final = 17
ICMP: Final = 1
ICMPV6: Final = 58
_WITH_PORTS: Final = frozenset((TCP, UDP, 33, 132, 136))  # and DCCP, SCTP, UDP-Lite
_FRAGMENT: Final = 44
_AUTHENTICATION: Final = 51
_EXTENSIONS: Final = frozenset((0, 43, 60, _FRAGMENT, _AUTHENTICATION))  # RFC 8200 §4

_IP4: Final = Struct("!BxHxxHxBxxLL")
_IP6: Final = Struct("!BxxxHBx16s16s")
_PORTS: Final = Struct("!HH")


@frozen
class Inner:
    """One inner packet; addresses are numbers. `ports` is (source, destination) or None where they cannot be seen.

    `length` is what its header says it is: octets beyond are not its own. `may_fragment` is False for IPv6 and with DF set;
    `transport` is where its transport header begins, counted from the packet's start.
    """

    version: int
    source: int
    destination: int
    protocol: int
    ports: tuple[int, int] | None
    length: int
    may_fragment: bool
    transport: int


def parse(octets: memoryview, start: int, stop: int) -> Inner | None:
    """The packet at octets[start:stop], or None if it is none: too short, of no known version, or lying about its length."""
    if stop - start < 20:
        return None
    version = octets[start] >> 4
    if version == 4:
        return _parse_4(octets, start, stop)
    if version == 6 and stop - start >= 40:
        return _parse_6(octets, start, stop)
    return None


def _parse_4(octets: memoryview, start: int, stop: int) -> Inner | None:
    first, length, fragment, protocol, source, destination = _IP4.unpack_from(octets, start)
    header = (first & 15) * 4
    if header < 20 or length < header or start + length > stop:
        return None
    transport = start + header
    ports = None if fragment & 0x1FFF else _ports(octets, transport, start + length, protocol)
    return Inner(4, source, destination, protocol, ports, length, not fragment & 0x4000, header)


def _parse_6(octets: memoryview, start: int, stop: int) -> Inner | None:
    _first, payload, following, source, destination = _IP6.unpack_from(octets, start)
    end = start + 40 + payload
    if end > stop:
        return None
    at, first_fragment = start + 40, True
    while following in _EXTENSIONS:
        if at + 8 > end:
            return None
        if following == _FRAGMENT:
            first_fragment = not (octets[at + 2] << 8 | octets[at + 3]) & 0xFFF8
            size = 8
        elif following == _AUTHENTICATION:
            size = (octets[at + 1] + 2) * 4
        else:
            size = (octets[at + 1] + 1) * 8
        following, at = octets[at], at + size
        if not first_fragment:
            break
    ports = _ports(octets, at, end, following) if first_fragment else None
    addresses = int.from_bytes(source, "big"), int.from_bytes(destination, "big")
    return Inner(6, *addresses, following, ports, end - start, False, at - start)


def _ports(octets: memoryview, at: int, end: int, protocol: int) -> tuple[int, int] | None:
    if at + 4 > end:
        return None
    if protocol in _WITH_PORTS:
        source, destination = _PORTS.unpack_from(octets, at)
        return source, destination
    if protocol in (ICMP, ICMPV6):
        kind = octets[at] << 8 | octets[at + 1]
        return kind, kind
    return None
