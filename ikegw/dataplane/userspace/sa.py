"""A pair of ESP SAs as the packet loops see it: plain slots, numbers, and functions that are ready to call."""

import math
from struct import Struct
from typing import Final

from attrs import define, field

from ikegw.dataplane.prefixes import Selector
from ikegw.dataplane.userspace.carriers import Carrier, SocketName, path_mtu
from ikegw.dataplane.userspace.ciphers import Open, Seal, Shape
from ikegw.dataplane.userspace.inner import Inner
from ikegw.dataplane.userspace.replay import ReplayWindow

IPV4_IN, IPV6_IN = 4, 41
"""ESP's next header for each inner version."""

LAST_SEQUENCE: Final = {False: (1 << 32) - 1, True: (1 << 64) - 1}
"""By ESN: no number is sent twice (RFC 4303 §3.3.3)."""

_ASK_FOR_REKEY_AT: Final = 15 / 16
"""How much of the numbers may be used up before a new SA is asked for."""

_LEAST_MTU: Final = {4: 576, 6: 1280}
_MOST_FLOWS: Final = 4096


def _trailers(align: int, next_header: int) -> tuple[bytes, ...]:
    """What goes behind a packet, by its length modulo `align`: padding 1, 2, 3…, its length, the next header."""
    found = []
    for remainder in range(align):
        padding = -(remainder + 2) % align
        found.append(bytes(range(1, padding + 1)) + bytes((padding, next_header)))
    return tuple(found)


TRAILERS: Final = {(a, n): _trailers(a, n) for a in (4, 16) for n in (IPV4_IN, IPV6_IN)}


@define
class Thresholds:
    """Limits in one unit: `soft` and `hard`, infinite where there is none."""

    soft: float = math.inf
    hard: float = math.inf


@define(eq=False)
class Sa:
    """Both directions of one CHILD SA; our inbound SPI names it. Octets are of inner packets."""

    name: str
    spi: int
    carrier: Carrier
    remote: SocketName
    shape: Shape
    extended: bool
    seal: Seal
    open: Open
    window: ReplayWindow
    local: tuple[Selector, ...]
    remotes: tuple[Selector, ...]
    octet_limits: Thresholds
    packet_limits: Thresholds

    sequence: int = 0
    sent_octets: int = 0
    received_octets: int = 0
    received_packets: int = 0
    replays: int = 0
    forgeries: int = 0
    heard_at: float | None = None
    told_remote: SocketName | None = None
    soft_told: bool = False
    expired: bool = False
    sends: bool = False
    retired: bool = False
    octet_alarm: float = math.inf
    packet_alarm: float = math.inf
    mtu: int = 1400
    tails4: tuple[bytes, ...] = field(init=False)
    tails6: tuple[bytes, ...] = field(init=False)
    mask: int = field(init=False)
    fixed: int = field(init=False)
    flows: set[tuple[int, bytes]] = field(init=False, factory=set)

    def __attrs_post_init__(self) -> None:
        align = self.shape.align
        self.tails4, self.tails6 = TRAILERS[align, IPV4_IN], TRAILERS[align, IPV6_IN]
        self.mask = align - 1
        self.fixed = self.shape.prefix + self.shape.icv
        last = LAST_SEQUENCE[self.extended]
        self.packet_limits.soft = min(self.packet_limits.soft, int(last * _ASK_FOR_REKEY_AT))
        self.packet_limits.hard = min(self.packet_limits.hard, last)
        self.set_alarms()

    def set_alarms(self) -> None:
        """The counts at which the loops call for `passed`."""
        if self.expired:
            self.octet_alarm = self.packet_alarm = math.inf
        elif self.soft_told:
            self.octet_alarm, self.packet_alarm = self.octet_limits.hard, self.packet_limits.hard
        else:
            self.octet_alarm = min(self.octet_limits.soft, self.octet_limits.hard)
            self.packet_alarm = min(self.packet_limits.soft, self.packet_limits.hard)

    def passed(self) -> tuple[bool, bool]:
        """Whether the greater direction has passed a soft and a hard limit."""
        octets = max(self.sent_octets, self.received_octets)
        packets = max(self.sequence, self.received_packets)
        return (
            octets >= self.octet_limits.soft or packets >= self.packet_limits.soft,
            octets >= self.octet_limits.hard or packets >= self.packet_limits.hard,
        )

    def follow(self, remote: SocketName, carrier: Carrier, most: int) -> None:
        """Send to `remote` from now on; inner packets may be as long as path and TUN (`most`) allow."""
        self.remote, self.carrier, self.told_remote = remote, carrier, None
        room = path_mtu(remote) - carrier.overhead - self.fixed
        self.mtu = max(min(room - room % self.shape.align - 2, most), _LEAST_MTU[4])

    def least_mtu(self, version: int) -> int:
        """What an inner sender may be asked to keep to: IPv6 need not go below 1280, outer fragments carry the rest."""
        return max(self.mtu, _LEAST_MTU[version])

    def permits(self, inner: Inner) -> bool:
        """Whether a packet that came through it lies within its selectors (RFC 4301 §5.2)."""
        source, destination = inner.ports or (None, None)
        return any(
            s.version == inner.version and s.covers(inner.source, inner.protocol, source)
            for s in self.remotes
        ) and any(
            s.version == inner.version and s.covers(inner.destination, inner.protocol, destination)
            for s in self.local
        )

    def remember(self, flow: tuple[int, bytes]) -> None:
        """A flow (protocol; addresses and ports) whose packets need not be looked at again."""
        if len(self.flows) >= _MOST_FLOWS:
            self.flows.clear()
        self.flows.add(flow)


FLOW4: Final = Struct("!xBHxxHxBxx12s")
"""IPv4 without options: TOS, total length, fragment, protocol, addresses and ports."""

FLOW6: Final = Struct("!4xHBx36s")
"""IPv6: payload length, next header, addresses and ports."""
