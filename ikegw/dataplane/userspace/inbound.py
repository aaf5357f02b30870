"""ESP comes in, inner packets go to the TUN (RFC 4303 §3.4, RFC 3948 §3.4). Whatever comes, a loop here never raises.

All datagrams of one train (UDP_GRO) are of one peer and one size; SA and source are looked at when they change.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final

from attrs import define

from ikegw.dataplane.userspace.carriers import Carrier, SocketName
from ikegw.dataplane.userspace.ciphers import HEADROOM, TAILROOM, Forged
from ikegw.dataplane.userspace.coalesce import Coalescer
from ikegw.dataplane.userspace.ecn import CONGESTION, decapsulated
from ikegw.dataplane.userspace.inner import TCP, UDP, parse
from ikegw.dataplane.userspace.replay import extended
from ikegw.dataplane.userspace.sa import FLOW4, FLOW6, IPV4_IN, IPV6_IN, Sa

_HEADER: Final = Struct("!LL")
_PADDING: Final = tuple(bytes(range(1, n + 1)) for n in range(256))
_NO_NEXT_HEADER: Final = 59
_FLOWING: Final = frozenset((TCP, UDP))
_MARKER: Final = 4
_ROOM: Final = 1 << 18
_DATAGRAM: Final = 1 << 16
_TRAINS_PER_TURN: Final = 8


@define
class InboundCounts:
    """What was dropped before or after an SA was found, and why."""

    unknown: int = 0
    malformed: int = 0
    outside: int = 0
    not_ect: int = 0


class Inbound:
    """One for the process. `sas` is by inbound SPI.

    `ike(carrier, source, octets)` gets what has a non-ESP marker; `alarm(sa)` is called when a count has reached an alarm, and
    `moved(sa, carrier, source)` when authentic ESP came from elsewhere than we send to.
    """

    def __init__(
        self,
        tun: int,
        sas: dict[int, Sa],
        ike: Callable[[Carrier, SocketName, bytes], None],
        alarm: Callable[[Sa], None],
        moved: Callable[[Sa, Carrier, SocketName], None],
        clock: Callable[[], float],
    ) -> None:
        self.counts = InboundCounts()
        self._sas, self._ike, self._alarm, self._moved, self._clock = sas, ike, alarm, moved, clock
        self._datagrams = memoryview(bytearray(_DATAGRAM))
        self._packets = memoryview(bytearray(_ROOM))
        self.coalescer = Coalescer(tun, self._packets)
        self._at = HEADROOM

    def pump(self, carrier: Carrier) -> None:
        """Take what a socket has, some trains at most, so that the other directions get their turn."""
        for _ in range(_TRAINS_PER_TURN):
            try:
                octets, size, source, ecn = carrier.receive(self._datagrams)
            except BlockingIOError:
                break
            except OSError:  # an ICMP error that belongs to something sent before
                continue
            self.train(carrier, octets, size, source, ecn)
        self.coalescer.flush()
        self._at = HEADROOM

    def train(  # noqa: C901 - one loop: a call costs a packet more than a branch
        self, carrier: Carrier, octets: int, size: int, source: SocketName, ecn: int
    ) -> None:
        """Datagrams of `size` octets each but the last, in the buffer; `flush` of the coalescer is the caller's."""
        datagrams, packets, sas, now = self._datagrams, self._packets, self._sas, self._clock()
        header_at, joins = _HEADER.unpack_from, self.coalescer.joins
        last_spi, sa = -1, None
        for start in range(0, octets, size or 1):
            stop = start + size
            if stop > octets:
                stop = octets
            if stop - start < 8:
                self._short(stop - start, start)
                continue
            spi, low = header_at(datagrams, start)
            if spi != last_spi:
                last_spi, sa = spi, sas.get(spi)
            if sa is None or sa.expired:
                self._not_ours(carrier, source, spi, start, stop)
                continue
            length = stop - start - sa.fixed
            if length <= 0 or length & sa.mask:
                self.counts.malformed += 1
                continue
            window = sa.window
            sequence = extended(low, window.top, window.size) if sa.extended else low
            if sequence <= window.top and not window.fresh(sequence):
                sa.replays += 1
                continue
            at = self._at
            if at + length + TAILROOM > _ROOM:
                self.coalescer.flush()
                at = self._at = HEADROOM
            try:
                sa.open(datagrams, start, stop, sequence, packets, at)
            except (Forged, ValueError):
                sa.forgeries += 1
                continue
            window.mark(sequence)
            sa.heard_at = now
            if source != sa.remote or carrier is not sa.carrier:
                if sequence == window.top and window.size:  # an older one may have been under way for long
                    self._moved(sa, carrier, source)
            elif sa.told_remote is not None:
                sa.told_remote = None  # it is back: should it move once more, that is news again
            if ecn != CONGESTION and (inner := joins(at, at + length)):
                self._at = at + length + HEADROOM
            else:
                inner = self._deliver(sa, length, ecn)
                if not inner:
                    continue
            sa.received_octets += inner
            sa.received_packets += 1
            if sa.received_octets >= sa.octet_alarm or sa.received_packets >= sa.packet_alarm:
                self._alarm(sa)

    @property
    def datagrams(self) -> memoryview:
        """Where the datagrams of a train lie."""
        return self._datagrams

    def _short(self, length: int, start: int) -> None:
        if length != 1 or self._datagrams[start] != 0xFF:  # a NAT keepalive (RFC 3948 §2.3) is nothing wrong
            self.counts.malformed += 1

    def _not_ours(self, carrier: Carrier, source: SocketName, spi: int, start: int, stop: int) -> None:
        if spi == 0:
            self._ike(carrier, source, bytes(self._datagrams[start + _MARKER : stop]))
        else:
            self.counts.unknown += 1

    def _deliver(self, sa: Sa, length: int, ecn: int) -> int:
        """Take trailer and padding off, look whether the packet may come through this SA, and pass it on.

        Gives its length, 0 if it was dropped.
        """
        packets, start = self._packets, self._at
        end = start + length
        padding, next_header = packets[end - 2], packets[end - 1]
        stop = end - 2 - padding
        if stop < start or (padding and packets[stop : end - 2] != _PADDING[padding]):
            self.counts.malformed += 1
            return 0
        first, whole, flow, octets, ip_header = packets[start], stop - start, None, 0, 0
        if first == 0x45 and whole >= 40 and next_header == IPV4_IN:
            octets, fragment, protocol, ends = FLOW4.unpack_from(packets, start)[1:]
            if not fragment & 0x3FFF and protocol in _FLOWING:
                flow, ip_header = (protocol, ends), 20
        elif first >> 4 == 6 and whole >= 60 and next_header == IPV6_IN:
            payload, protocol, ends = FLOW6.unpack_from(packets, start)
            if protocol in _FLOWING:
                flow, ip_header, octets = (protocol, ends), 40, payload + 40
        if flow is None or flow not in sa.flows or octets > whole or octets < ip_header + 8:
            octets = self._look_at(sa, start, stop, next_header, flow)
            if not octets:
                return 0
        if ecn == CONGESTION and not decapsulated(packets, start):
            self.counts.not_ect += 1
            return 0
        self._at = end + HEADROOM  # what the next one's cipher scribbles there must not touch this one
        if flow is not None and flow[0] == TCP:
            self.coalescer.take(start, start + octets, ip_header, end)
        else:
            self.coalescer.write(start, start + octets)
        return octets

    def _look_at(
        self, sa: Sa, start: int, stop: int, next_header: int, flow: tuple[int, bytes] | None
    ) -> int:
        """The first packet of a flow, or one without ports: its real length if it may pass, else 0."""
        if next_header == _NO_NEXT_HEADER:  # a dummy packet (RFC 4303 §2.6)
            return 0
        inner = parse(self._packets, start, stop)
        if inner is None or next_header != (IPV4_IN if inner.version == 4 else IPV6_IN):
            self.counts.malformed += 1
            return 0
        if not sa.permits(inner):
            self.counts.outside += 1
            return 0
        if flow is not None and inner.transport in (20, 40):
            sa.remember(flow)
        return inner.length
