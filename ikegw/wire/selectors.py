"""TSi and TSr payloads (RFC 7296 §3.13)."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import ClassVar, Self

from attrs import frozen

from ikegw.wire.errors import ParseError
from ikegw.wire.payload import Payload
from ikegw.wire.registry import PayloadType, SelectorType

_COUNT = Struct("!B3x")
_SELECTOR = Struct("!BBHHH")
_KINDS: dict[int, tuple[int, Callable[[bytes], IPv4Address | IPv6Address]]] = {
    SelectorType.IPV4_ADDR_RANGE: (4, IPv4Address),
    SelectorType.IPV6_ADDR_RANGE: (16, IPv6Address),
}


@frozen
class TrafficSelector:
    """A range of addresses, one IP protocol (0: any), a range of ports, all inclusive.

    Ports 0–65535 are any port; 65535–0 is OPAQUE (RFC 4301 §4.4.1.1): packets whose ports cannot be seen. For ICMP and
    MIPv6 the ports are types and codes (RFC 7296 §3.13.1).
    """

    start: IPv4Address | IPv6Address
    end: IPv4Address | IPv6Address
    protocol: int = 0
    start_port: int = 0
    end_port: int = 65535

    def encode(self) -> bytes:
        """One selector of a TS payload."""
        first, last = self.start.packed, self.end.packed
        if len(first) != len(last):
            raise ValueError("a selector runs from IPv4 to IPv6")
        kind = SelectorType.IPV4_ADDR_RANGE if len(first) == 4 else SelectorType.IPV6_ADDR_RANGE
        length = _SELECTOR.size + 2 * len(first)
        return _SELECTOR.pack(kind, self.protocol, length, self.start_port, self.end_port) + first + last


@frozen
class _Selectors(Payload):
    selectors: tuple[TrafficSelector, ...]

    def encode(self) -> bytes:
        """Body octets."""
        return _COUNT.pack(len(self.selectors)) + b"".join([one.encode() for one in self.selectors])

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """Refuses wrong counts and lengths, and ranges that run backwards.

        Selectors of other types than IPv4 and IPv6 ranges are left out (§3.13.1 leaves open what to do with them): no
        packet that we know matches them, so that narrowing (§2.9) goes on with the rest. None at all is a value too,
        for with nothing to narrow the answer is TS_UNACCEPTABLE and not the end of the IKE SA.
        """
        if len(body) < 4:
            raise ParseError("shorter than 4 octets", offset, cls.TYPE)
        count, position, end = body[0], 4, len(body)
        found: list[TrafficSelector] = []
        for _ in range(count):
            if position + 8 > end:
                raise ParseError(f"{count} selectors announced", offset + position, cls.TYPE)
            kind, protocol, length, start_port, end_port = _SELECTOR.unpack_from(body, position)
            after = position + length
            if length < 8 or after > end:
                raise ParseError(f"selector length {length}", offset + position, cls.TYPE)
            if kind in _KINDS:
                start, stop = cls._range(kind, body[position + 8 : after], offset + position)
                if start_port > end_port and (start_port, end_port) != (65535, 0):
                    raise ParseError(f"ports {start_port}–{end_port}", offset + position, cls.TYPE)
                found.append(TrafficSelector(start, stop, protocol, start_port, end_port))
            position = after
        if position != end:
            raise ParseError("octets after the last selector", offset + position, cls.TYPE)
        return cls(tuple(found))

    @classmethod
    def _range(
        cls, kind: int, octets: bytes, offset: int
    ) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]:
        size, address = _KINDS[kind]
        if len(octets) != 2 * size:
            raise ParseError(f"selector type {kind} with {len(octets)} octets", offset, cls.TYPE)
        first, last = octets[:size], octets[size:]
        if first > last:
            raise ParseError("addresses run backwards", offset, cls.TYPE)
        return address(first), address(last)


@frozen
class SelectorsInitiator(_Selectors):
    """TSi: what lies behind the initiator."""

    TYPE: ClassVar[PayloadType] = PayloadType.TSI


@frozen
class SelectorsResponder(_Selectors):
    """TSr: what lies behind the responder."""

    TYPE: ClassVar[PayloadType] = PayloadType.TSR
