"""The data plane as a model: the whole contract of `ports.DataPlane`, and packets that are only described.

Two models joined by a test show what a real pair would do: `right.receive(left.send(packet))` gives the packet if and
only if both ends agree on SPIs, suite, keys and selectors. Nothing waits: every Deferred has fired.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ikegw.crypto.keymat import ChildKeys
from ikegw.crypto.suites import EspSuite
from ikegw.dataplane.admission import QUIET_SECONDS, check_installable, check_trap
from ikegw.dataplane.matching import (
    Fit,
    InnerPacket,
    ends_of,
    fit_of,
    inbound_allowed,
    led_by,
    outbound_match,
)
from ikegw.dataplane.shunts import check_shunt
from ikegw.dataplane.spis import SpiSpace
from ikegw.paths import Path
from ikegw.policy.shunts import Fate, Shunt
from ikegw.ports import (
    Acquired,
    DataPlaneError,
    DataPlaneEvent,
    HardExpired,
    MappingChanged,
    Random,
    Selectors,
    SoftExpired,
    TunnelSa,
    Usage,
)


@frozen
class EspDatagram:
    """One ESP packet as the sender made it; `path` is the sender's. The keys stand for the octets they would make."""

    path: Path
    spi: bytes
    sequence: int
    suite: EspSuite
    keys: ChildKeys = field(repr=False)
    packet: InnerPacket

    def reversed_path(self) -> Path:
        """The same path as the receiver sees it."""
        return Path(self.path.remote, self.path.local)


@define(eq=False)
class _Installed:
    sa: TunnelSa
    age: int
    usage: Usage = field(factory=Usage)
    sent: int = 0
    heard_at: float | None = None
    seen: set[int] = field(factory=set)
    highest: int = 0
    told_path: Path | None = None
    soft: bool = False
    hard: bool = False
    timers: list[IDelayedCall] = field(factory=list)
    removed: Deferred[Usage] | None = None


@define(eq=False)
class _Trap:
    local_selectors: Selectors
    remote_selectors: Selectors
    quiet_until: float = 0.0


class MemoryPlane:
    """`ports.DataPlane` without packets. `clock` is a reactor's time; `worker` is the first octet of its SPIs.

    A test may set `refusing` to a sentence: then `install` fails with it, wholly.
    """

    def __init__(self, clock: IReactorTime, random: Random, worker: int = 0) -> None:
        self.description = "memory: a model that carries no packets"
        self.device = ""
        self.refusing: str | None = None
        self.spis = SpiSpace(random, worker)
        self._clock = clock
        self._listener: Callable[[DataPlaneEvent], None] | None = None
        self._installed: dict[bytes, _Installed] = {}
        self._traps: dict[str, _Trap] = {}
        self._shunts: dict[str, Shunt] = {}
        self._age = 0

    # ------------------------------------------------------------ the contract

    def start(self, listener: Callable[[DataPlaneEvent], None]) -> Deferred[None]:
        """Ready at once."""
        self._listener = listener
        return succeed(None)

    def allocate_spi(self, path: Path) -> Deferred[bytes]:
        """See `ports.DataPlane`."""
        try:
            self._running()
            return succeed(self.spis.reserve())
        except DataPlaneError as error:
            return fail(error)

    def release_spi(self, spi: bytes) -> None:
        """See `ports.DataPlane`; the SPI of an installed SA stays taken."""
        if spi not in self._installed:
            self.spis.free(spi)

    def install(self, sa: TunnelSa) -> Deferred[None]:
        """See `ports.DataPlane`."""
        try:
            self._running()
            check_installable(sa)
            if sa.inbound_spi in self._installed:
                raise DataPlaneError(
                    f"{sa.name}: an SA with inbound SPI {sa.inbound_spi.hex()} is installed already"
                )
            if self.refusing is not None:
                raise DataPlaneError(self.refusing)
        except DataPlaneError as error:
            return fail(error)
        self._age += 1
        self.spis.taken.add(sa.inbound_spi)
        self._installed[sa.inbound_spi] = entry = _Installed(sa, self._age)
        for seconds, expire in (
            (sa.limits.soft_seconds, self._soften),
            (sa.limits.hard_seconds, self._harden),
        ):
            if seconds is not None:
                entry.timers.append(self._clock.callLater(seconds, expire, entry))
        return succeed(None)

    def move(self, inbound_spi: bytes, path: Path, udp_encapsulated: bool | None = None) -> Deferred[None]:
        """See `ports.DataPlane`."""
        entry = self._installed.get(inbound_spi)
        if entry is None:
            return fail(DataPlaneError(f"no SA with inbound SPI {inbound_spi.hex()} to move"))
        udp = entry.sa.udp_encapsulated if udp_encapsulated is None else udp_encapsulated
        entry.sa = evolve(entry.sa, path=path, udp_encapsulated=udp)
        entry.told_path = None
        return succeed(None)

    def activate(self, inbound_spi: bytes) -> Deferred[None]:
        """See `ports.DataPlane`."""
        entry = self._installed.get(inbound_spi)
        if entry is not None and entry.sa.standby:
            self._age += 1
            entry.sa, entry.age = evolve(entry.sa, standby=False), self._age
        return succeed(None)

    def remove(self, inbound_spi: bytes, linger: float = 0.0) -> Deferred[Usage]:
        """See `ports.DataPlane`."""
        entry = self._installed.get(inbound_spi)
        if entry is None:
            self.spis.free(inbound_spi)
            return succeed(Usage())
        self._stop_timers(entry)
        if not linger:
            return succeed(self._take_out(inbound_spi, entry))
        entry.sa = evolve(entry.sa, standby=True)
        removed: Deferred[Usage] = Deferred()
        entry.removed = removed
        entry.timers.append(self._clock.callLater(linger, self._take_out, inbound_spi, entry))
        return removed

    def _take_out(self, inbound_spi: bytes, entry: _Installed) -> Usage:
        self._installed.pop(inbound_spi, None)
        self.spis.free(inbound_spi)
        usage, removed = self._usage(entry), entry.removed
        if removed is not None:
            entry.removed = None
            removed.callback(usage)
        return usage

    def usage(self, inbound_spi: bytes) -> Deferred[Usage]:
        """See `ports.DataPlane`."""
        entry = self._installed.get(inbound_spi)
        if entry is None:
            return fail(DataPlaneError(f"no SA with inbound SPI {inbound_spi.hex()} is installed"))
        return succeed(self._usage(entry))

    def trap(self, name: str, local_selectors: Selectors, remote_selectors: Selectors) -> Deferred[None]:
        """See `ports.DataPlane`."""
        try:
            self._running()
            check_trap(name, local_selectors, remote_selectors)
        except DataPlaneError as error:
            return fail(error)
        self._traps[name] = _Trap(local_selectors, remote_selectors)
        return succeed(None)

    def untrap(self, name: str) -> Deferred[None]:
        """See `ports.DataPlane`."""
        self._traps.pop(name, None)
        return succeed(None)

    def shunt(self, shunt: Shunt) -> Deferred[None]:
        """See `ports.DataPlane`."""
        try:
            self._running()
            check_shunt(shunt)
        except DataPlaneError as error:
            return fail(error)
        self._shunts[shunt.name] = shunt
        return succeed(None)

    def unshunt(self, name: str) -> Deferred[None]:
        """See `ports.DataPlane`."""
        self._shunts.pop(name, None)
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """See `ports.DataPlane`."""
        self._traps.clear()
        self._shunts.clear()
        for entry in self._installed.values():
            self._stop_timers(entry)
            if entry.removed is not None:
                entry.removed.callback(self._usage(entry))
        self._installed.clear()
        self.spis.taken.clear()
        self._listener = None
        return succeed(None)

    # ------------------------------------------------------------ what a test looks at

    @property
    def installed(self) -> tuple[TunnelSa, ...]:
        """Every SA, oldest first."""
        return tuple(entry.sa for entry in self._installed.values())

    @property
    def traps(self) -> frozenset[str]:
        """The names of the traps that are laid."""
        return frozenset(self._traps)

    @property
    def shunts(self) -> frozenset[str]:
        """The names of the shunts that are laid."""
        return frozenset(self._shunts)

    @property
    def addresses(self) -> frozenset[IPv4Address | IPv6Address]:
        """The virtual addresses on our own end."""
        return frozenset(address for sa in self.installed for address in sa.virtual)

    # ------------------------------------------------------------ described packets

    def send(self, packet: InnerPacket) -> EspDatagram | None:
        """The ESP packet that would leave, or None where no SA takes it (it is dropped, or `passes` in the clear)."""
        if self._fate(packet) is not None:
            return None
        best: tuple[tuple[Fit, int], _Installed] | None = None
        for entry in self._installed.values():
            fit = None if entry.sa.standby else outbound_match(entry.sa, packet)
            if fit is not None and (best is None or (fit, entry.age) > best[0]):
                best = ((fit, entry.age), entry)
        if best is None:
            self._meet(packet)
        if best is None or best[1].hard:
            return None
        entry = best[1]
        sa = entry.sa
        entry.sent += 1
        entry.usage = evolve(
            entry.usage,
            outbound_octets=entry.usage.outbound_octets + packet.octets,
            outbound_packets=entry.usage.outbound_packets + 1,
        )
        self._check_limits(entry)
        return EspDatagram(sa.path, sa.outbound_spi, entry.sent, sa.suite, sa.outbound_keys, packet)

    def passes(self, packet: InnerPacket) -> bool:
        """Whether it would leave in the clear."""
        return self._fate(packet) is Fate.PASS

    def _fate(self, packet: InnerPacket) -> Fate | None:
        """What a shunt decides, None if none does: a tunnel's or a trap's remote prefix may be longer."""
        led = [entry.sa.remote_selectors for entry in self._installed.values()]
        led += [trap.remote_selectors for trap in self._traps.values()]
        tunnels = max((led_by(selectors, packet.destination) for selectors in led), default=-1)
        found: list[tuple[int, int, Fate | None]] = [(tunnels, 1, None)]
        for shunt in self._shunts.values():
            fit = fit_of(shunt.local_selectors, shunt.remote_selectors, packet)
            if fit is not None:
                found.append((fit[0], 2 if shunt.fate is Fate.PASS else 0, shunt.fate))
        return max(found, key=lambda each: each[:2])[2]

    def _meet(self, packet: InnerPacket) -> None:
        fits = [
            (fit, name, trap)
            for name, trap in self._traps.items()
            if (fit := fit_of(trap.local_selectors, trap.remote_selectors, packet)) is not None
        ]
        if not fits:
            return
        _, name, trap = max(fits, key=lambda each: each[0])
        now = self._clock.seconds()
        if now >= trap.quiet_until:
            trap.quiet_until = now + QUIET_SECONDS
            self._tell(Acquired(name, *ends_of(packet)))

    def receive(self, datagram: EspDatagram | None, path: Path | None = None) -> InnerPacket | None:
        """What comes out of our TUN for a datagram of the peer's, or None; `path` if it reached us another way."""
        entry = None if datagram is None else self._installed.get(datagram.spi)
        if datagram is None or entry is None or entry.hard:
            return None
        sa, usage, packet = entry.sa, entry.usage, datagram.packet
        if self._replayed(entry, datagram.sequence):
            entry.usage = evolve(usage, replays=usage.replays + 1)
            return None
        if (datagram.suite, datagram.keys) != (sa.suite, sa.inbound_keys):
            entry.usage = evolve(usage, forgeries=usage.forgeries + 1)
            return None
        newest = datagram.sequence > entry.highest
        entry.seen.add(datagram.sequence)
        entry.highest = max(entry.highest, datagram.sequence)
        entry.heard_at = self._clock.seconds()
        if newest and sa.replay_window:
            self._notice_path(entry, path or datagram.reversed_path())
        if not inbound_allowed(sa, packet):
            return None
        entry.usage = evolve(
            usage,
            inbound_octets=usage.inbound_octets + packet.octets,
            inbound_packets=usage.inbound_packets + 1,
        )
        self._check_limits(entry)
        return packet

    # ------------------------------------------------------------ inside

    def _running(self) -> None:
        if self._listener is None:
            raise DataPlaneError("the data plane is not running: start it first")

    def _tell(self, event: DataPlaneEvent) -> None:
        if self._listener is not None:
            self._listener(event)

    def _replayed(self, entry: _Installed, sequence: int) -> bool:
        window = entry.sa.replay_window
        return bool(window) and (sequence in entry.seen or sequence + window <= entry.highest)

    def counts(self) -> Deferred[dict[str, int]]:
        """See `ports.DataPlane`."""
        return succeed({})

    def _notice_path(self, entry: _Installed, path: Path) -> None:
        if path == entry.sa.path:
            entry.told_path = None
        elif path != entry.told_path:
            entry.told_path = path
            self._tell(MappingChanged(entry.sa.inbound_spi, path))

    def _usage(self, entry: _Installed) -> Usage:
        since = None if entry.heard_at is None else self._clock.seconds() - entry.heard_at
        return evolve(entry.usage, last_inbound=since)

    def _check_limits(self, entry: _Installed) -> None:
        limits, usage = entry.sa.limits, entry.usage
        octets = max(usage.inbound_octets, usage.outbound_octets)
        packets = max(usage.inbound_packets, usage.outbound_packets)
        if _reached(octets, limits.soft_octets) or _reached(packets, limits.soft_packets):
            self._soften(entry)
        if _reached(octets, limits.hard_octets) or _reached(packets, limits.hard_packets):
            self._harden(entry)

    def _soften(self, entry: _Installed) -> None:
        if not entry.soft and not entry.hard:
            entry.soft = True
            self._tell(SoftExpired(entry.sa.inbound_spi))

    def _harden(self, entry: _Installed) -> None:
        if not entry.hard:
            entry.hard = True
            self._stop_timers(entry)
            self._tell(HardExpired(entry.sa.inbound_spi))

    def _stop_timers(self, entry: _Installed) -> None:
        for timer in entry.timers:
            if timer.active():
                timer.cancel()
        entry.timers.clear()


def _reached(count: int, limit: int | None) -> bool:
    return limit is not None and count >= limit
