"""`ports.DataPlane` by the kernel: what an operation needs of SAs, policies, routes, and in which order."""

import socket
from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.python.failure import Failure

from ikegw.dataplane.admission import QUIET_SECONDS, check_installable
from ikegw.dataplane.prefixes import Selector
from ikegw.dataplane.routing import Lead
from ikegw.dataplane.spis import SpiSpace
from ikegw.dataplane.xfrm import encoding
from ikegw.dataplane.xfrm.carried import Entry
from ikegw.dataplane.xfrm.cutting import cut
from ikegw.dataplane.xfrm.foundation import Foundation, readable
from ikegw.dataplane.xfrm.larvae import Larvae
from ikegw.dataplane.xfrm.moving import changes_only_ports, counters_after
from ikegw.dataplane.xfrm.ours import IF_ID, REQIDS, Reqids
from ikegw.dataplane.xfrm.policies import PolicyBook, Sender, Way
from ikegw.dataplane.xfrm.refusals import is_gone, refused
from ikegw.dataplane.xfrm.requests import Outcome, Requests
from ikegw.dataplane.xfrm.traps import Traps
from ikegw.dataplane.xfrm.values import (
    Acquire,
    Direction,
    Expired,
    Mapping,
    Policy,
    PolicyReport,
    StateReport,
    Template,
    Told,
)
from ikegw.paths import Endpoint, Path
from ikegw.policy.carriage import Mode, Offload
from ikegw.ports import (
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

_ASKED_POLICIES: Final = 8
"""Of so many policies it is asked when they last let something in."""


class PlaneReactor(IReactorFDSet, IReactorTime):
    """What the plane needs of a reactor."""


@define(eq=False)
class _Run:
    """What there is between start and stop."""

    foundation: Foundation
    larvae: Larvae
    traps: Traps

    @property
    def requests(self) -> Requests:
        """The socket to the kernel."""
        return self.foundation.requests


class XfrmPlane:
    """`ports.DataPlane` by the kernel of this network namespace; `ike_sockets` pass, ESP of `nat_t_sockets` is its."""

    def __init__(
        self,
        reactor: PlaneReactor,
        ike_sockets: Sequence[tuple[Endpoint, socket.socket]],
        nat_t_sockets: Sequence[tuple[Endpoint, socket.socket]],
        random: Random,
        device: str = "ikegw%d",
        mtu: int = 1400,
        worker: int = 0,
        note: str = "",
    ) -> None:
        self.description = "kernel: ESP by Linux, through netlink"
        self.device = ""
        self._reactor, self._device, self._mtu, self._note = reactor, device, mtu, note
        self._ike_sockets = [each for _, each in ike_sockets]
        self._nat_t_sockets = [each for _, each in nat_t_sockets]
        self._spis = SpiSpace(random, worker)
        self._reqids = Reqids()
        self._entries: dict[bytes, Entry] = {}
        self._by_reqid: dict[int, Entry] = {}
        self._book = PolicyBook()
        self._run: _Run | None = None
        self._listener: Callable[[DataPlaneEvent], None] | None = None

    # ------------------------------------------------------------ begin and end

    def start(self, listener: Callable[[DataPlaneEvent], None]) -> Deferred[None]:
        """Remove what a killed gateway left, make the device; errback with DataPlaneError if the kernel will not have it."""
        if self._run is not None:
            return fail(DataPlaneError("the data plane runs already"))
        foundation = Foundation(
            self._reactor, self._device, self._mtu, self._ike_sockets, self._nat_t_sockets
        )
        try:
            foundation.open(self._heard, self._resynchronise, self._addresses_changed)
        except DataPlaneError as error:
            return fail(error)
        self._book, self._reqids, self._listener = PolicyBook(), Reqids(), listener
        larvae = Larvae(self._reactor, foundation.requests)
        traps = Traps(foundation, self._book, self._reqids, larvae, self._tell)
        self._run = _Run(foundation, larvae, traps)

        def ready(_: object) -> None:
            notes = "".join(f"; {note}" for note in (*foundation.notes, self._note) if note)
            self.description = f"kernel: ESP by Linux, led into by the device {foundation.device.name}{notes}"
            self.device = foundation.device.name

        return foundation.clean().addCallbacks(ready, self._not_ready)

    def _not_ready(self, failure: Failure) -> Deferred[None]:
        return self.stop().addCallback(lambda _: failure)

    def stop(self) -> Deferred[None]:
        """See `ports.DataPlane`."""
        run, self._run = self._run, None
        if run is None:
            return succeed(None)
        run.larvae.give_up_all()
        requests = self._book.everything()
        lingering = []
        for entry in self._entries.values():
            entry.stop_timers()
            requests += [encoding.delete_state(each) for each in (entry.inbound, entry.outbound)]
            if entry.lingering is not None:
                lingering.append((entry.lingering, entry.usage(self._reactor.seconds())))
        for everything in (self._entries, self._by_reqid, self._spis.taken):
            everything.clear()
        self._listener = None

        def close(_: object) -> None:
            run.foundation.close()
            for deferred, usage in lingering:
                deferred.callback(usage)

        return run.requests.ask(requests).addCallback(close)

    # ------------------------------------------------------------ SPIs

    def allocate_spi(self, path: Path) -> Deferred[bytes]:
        """See `ports.DataPlane`; SPIs are chosen here, so nobody waits."""
        try:
            self._running()
            return succeed(self._spis.reserve())
        except DataPlaneError as error:
            return fail(error)

    def release_spi(self, spi: bytes) -> None:
        """See `ports.DataPlane`; the SPI of an installed SA stays taken."""
        if spi not in self._entries:
            self._spis.free(spi)

    # ------------------------------------------------------------ SAs

    def install(self, sa: TunnelSa) -> Deferred[None]:
        """See `ports.DataPlane`. Cancelled: what is installed all the same is removed."""
        try:
            run = self._running()
            check_installable(sa)
            if sa.inbound_spi in self._entries:
                raise DataPlaneError(
                    f"{sa.name}: an SA with inbound SPI {sa.inbound_spi.hex()} is installed already"
                )
            entry = self._entry(sa)
        except DataPlaneError as error:
            return fail(error)
        self._spis.taken.add(sa.inbound_spi)
        self._entries[sa.inbound_spi] = self._by_reqid[entry.sender.template.reqid] = entry
        try:
            entry.lead = self._lead(entry)
        except DataPlaneError as error:
            self._forget(entry)
            return fail(error)
        states = entry.states(self._reactor.seconds())
        requests = [encoding.add_state(state) for state in states] + self._book.accept(entry.sender)
        if not sa.standby:
            requests += self._book.lead(entry.sender)
        asked = run.requests.ask(requests)
        installed: Deferred[None] = Deferred(lambda _: self._cancelled(entry))

        def answered(outcomes: list[Outcome]) -> None:
            bad = next((outcome.refusal for outcome in outcomes if outcome.refusal is not None), None)
            if bad is not None:
                self._undo(entry, [outcome.refusal is None for outcome in outcomes[:2]])
                wanted = "the kernel's SA" if bad in [o.refusal for o in outcomes[:2]] else "its policies"
                _errback(installed, refused(f"{sa.name}: {wanted}", bad, sa.suite))
                return
            self._keep_time(entry)
            if not installed.called:
                installed.callback(None)

        asked.addCallback(answered)
        return installed

    def activate(self, inbound_spi: bytes) -> Deferred[None]:
        """See `ports.DataPlane`."""
        entry = self._entries.get(inbound_spi)
        if entry is None or not entry.sa.standby or entry.lingering is not None:
            return succeed(None)
        entry.sa = evolve(entry.sa, standby=False)
        return self._do(self._book.lead(entry.sender), f"{entry.sa.name}: activate")

    def move(self, inbound_spi: bytes, path: Path, udp_encapsulated: bool | None = None) -> Deferred[None]:
        """See `ports.DataPlane`."""
        entry = self._entries.get(inbound_spi)
        if entry is None or self._run is None:
            return fail(DataPlaneError(f"no SA with inbound SPI {inbound_spi.hex()} to move"))
        udp = entry.sa.udp_encapsulated if udp_encapsulated is None else udp_encapsulated
        before, entry.told_path = entry.sa, None
        if (before.path, before.udp_encapsulated) == (path, udp) or entry.hard:
            return succeed(None)
        moved = evolve(before, path=path, udp_encapsulated=udp)
        if changes_only_ports(before, moved):
            entry.sa = moved
            states = entry.states(self._reactor.seconds())
            return self._do([encoding.update_state(state) for state in states], f"{moved.name}: move")
        return self._move_elsewhere(entry, moved)

    def remove(self, inbound_spi: bytes, linger: float = 0.0) -> Deferred[Usage]:
        """See `ports.DataPlane`. Removing an SA that lingers ends that at once; both Deferreds fire."""
        entry = self._entries.get(inbound_spi)
        if entry is None or self._run is None:
            self._spis.free(inbound_spi)
            return succeed(Usage())
        entry.stop_timers()
        if linger and entry.lingering is None:
            return self._linger(entry, linger)
        return self._removed(entry)

    def usage(self, inbound_spi: bytes) -> Deferred[Usage]:
        """See `ports.DataPlane`."""
        entry = self._entries.get(inbound_spi)
        if entry is None or self._run is None:
            return fail(DataPlaneError(f"no SA with inbound SPI {inbound_spi.hex()} is installed"))
        policies = [
            encoding.get_policy(Policy(direction, way.packets.reversed(), 0, if_id=way.if_id, mark=way.mark))
            for way in entry.sender.ways[:_ASKED_POLICIES]
            for direction in (Direction.IN, Direction.FORWARD)
        ]
        states = [encoding.get_state(entry.inbound), encoding.get_state(entry.outbound)]
        asked = self._run.requests.ask([*states, *policies])

        def answered(outcomes: list[Outcome]) -> Usage:
            used = max(
                (each.last_used for each in readable(outcomes[2:]) if isinstance(each, PolicyReport)),
                default=0,
            )
            self._learn(entry, outcomes[:2], used)
            return entry.usage(self._reactor.seconds())

        return asked.addCallback(answered)

    # ------------------------------------------------------------ traps

    def trap(self, name: str, local_selectors: Selectors, remote_selectors: Selectors) -> Deferred[None]:
        """See `ports.DataPlane`."""
        try:
            requests = self._running().traps.lay(name, local_selectors, remote_selectors)
        except DataPlaneError as error:
            return fail(error)
        return self._do(requests, f"{name}: trap", lambda: self.untrap(name))

    def untrap(self, name: str) -> Deferred[None]:
        """See `ports.DataPlane`."""
        run = self._run
        return succeed(None) if run is None else self._do(run.traps.lift(name), f"{name}: untrap")

    # ------------------------------------------------------------ what the kernel tells

    def _heard(self, told: Told) -> None:
        if isinstance(told, Expired):
            self._expired(told)
        elif isinstance(told, Acquire):
            self._acquired(told)
        elif isinstance(told, Mapping):
            self._mapping(told)

    def _expired(self, told: Expired) -> None:
        entry = self._by_reqid.get(told.state.reqid)
        if entry is None:
            entry = self._entries.get(told.state.id.spi)
            if entry is None or told.state.reqid != entry.sender.inbound_reqid:
                return
        inbound = (
            told.state.id.spi == entry.sa.inbound_spi
            and told.state.id.destination == entry.inbound.destination
        )
        entry.learn(told.state, self._reactor.seconds(), inbound=inbound)
        if told.hard:
            self._harden(entry)
        else:
            self._soften(entry)

    def _soften(self, entry: Entry) -> None:
        if not entry.soft and not entry.hard and entry.lingering is None:
            entry.soft = True
            self._tell(SoftExpired(entry.sa.inbound_spi))

    def _harden(self, entry: Entry) -> None:
        """It carries nothing any more: of the two SAs that may be left, neither stays."""
        if entry.hard or self._run is None:
            return
        entry.hard = True
        if entry.lingering is None:
            entry.stop_timers()
        which = (entry.inbound, entry.outbound)
        asked = self._run.requests.ask([*map(encoding.get_state, which), *map(encoding.delete_state, which)])
        asked.addCallback(lambda outcomes: self._learn(entry, outcomes[:2], 0))
        self._tell(HardExpired(entry.sa.inbound_spi))

    def _acquired(self, told: Acquire) -> None:
        if self._run is not None and told.reqid in REQIDS:
            self._run.larvae.told(told)
            self._run.traps.met(told)

    def _mapping(self, told: Mapping) -> None:
        entry = self._entries.get(told.spi)
        if entry is None or not entry.sa.replay_window or not entry.sa.udp_encapsulated:
            return
        path, now = Path(entry.sa.path.local, Endpoint(told.remote, told.port)), self._reactor.seconds()
        if path == entry.sa.path or (path == entry.told_path and now < entry.told_at + QUIET_SECONDS):
            return
        entry.told_path, entry.told_at = path, now
        self._tell(MappingChanged(told.spi, path))

    def _resynchronise(self) -> None:
        """Events were lost: look at what they would have told."""
        run = self._run
        if run is None:
            return
        asked = run.requests.ask([encoding.dump_states()])

        def listed(outcomes: list[Outcome]) -> None:
            if outcomes[0].refusal is not None:
                return
            reports = [each for each in readable(outcomes) if isinstance(each, StateReport)]
            there = {(each.reqid, each.id.spi): each for each in reports}
            for entry in tuple(self._entries.values()):
                self._compare(entry, there)
            for each in reports:
                if not any(each.id.spi) and each.selector is not None:
                    ends = (each.id.source, each.id.destination)
                    self._acquired(Acquire(each.reqid, each.selector, 0, *ends))

        asked.addCallback(listed)

    def _compare(self, entry: Entry, there: dict[tuple[int, bytes], StateReport]) -> None:
        now, limits = self._reactor.seconds(), entry.sa.limits
        inbound = there.get((entry.sender.inbound_reqid, entry.sa.inbound_spi))
        outbound = there.get((entry.sender.template.reqid, entry.sa.outbound_spi))
        for report in (inbound, outbound):
            if report is not None:
                entry.learn(report, now, inbound=report is inbound)
        if inbound is None or outbound is None:
            self._harden(entry)
            return
        octets = max(entry.last_in.octets, entry.last_out.octets)
        packets = max(entry.last_in.packets, entry.last_out.packets)
        if _reached(octets, limits.soft_octets) or _reached(packets, limits.soft_packets):
            self._soften(entry)

    def _tell(self, event: DataPlaneEvent) -> None:
        if self._listener is not None:
            self._listener(event)

    # ------------------------------------------------------------ inside

    def _running(self) -> _Run:
        if self._run is None:
            raise DataPlaneError("the data plane is not running: start it first")
        return self._run

    def _entry(self, sa: TunnelSa) -> Entry:
        special, foundation = sa.carriage, self._running().foundation
        transport = special.mode is Mode.TRANSPORT
        if_id = special.if_id or (0 if transport else IF_ID)
        packets = cut(sa.name, sa.local_selectors, sa.remote_selectors)
        ways = tuple(Way(one, if_id, special.mark) for one in packets)
        shared = self._book.reqid_for(ways)
        inbound = self._reqids.take() if shared is None else self._reqids.share(shared)
        sender = Sender(ways, Template(self._reqids.take()), inbound)
        device = 0 if special.offload is Offload.NO else foundation.index_of(sa.path.local.address)
        entry = Entry(sa, sender, if_id, device, since=self._reactor.seconds())
        sender.template = entry.template(sa.path)
        return entry

    def _lead(self, entry: Entry) -> Lead | None:
        """Routes and virtual addresses, but where the operator has an interface of its own, or the peer is the very host."""
        if entry.if_id != IF_ID:
            return None
        sa = entry.sa
        local = tuple(Selector.like(one) for one in sa.local_selectors)
        remote = tuple(Selector.like(one) for one in sa.remote_selectors)
        return self._running().foundation.lead(sa.name, local, remote, sa.virtual)

    def _unled(self, lead: Lead | None) -> None:
        if lead is not None and self._run is not None:
            self._run.foundation.unlead(lead)

    def _keep_time(self, entry: Entry) -> None:
        limits = entry.sa.limits
        for seconds, expire in ((limits.soft_seconds, self._soften), (limits.hard_seconds, self._harden)):
            if seconds is not None and not entry.hard:
                entry.timers.append(self._reactor.callLater(seconds, expire, entry))

    def _cancelled(self, entry: Entry) -> None:
        if self._entries.get(entry.sa.inbound_spi) is entry:
            self.remove(entry.sa.inbound_spi)

    def _undo(self, entry: Entry, made: list[bool]) -> None:
        """Nothing of it stays; what another program has of the same SPI does."""
        self._forget(entry)
        requests = self._book.withdraw(entry.sender) + self._book.refuse(entry.sender)
        for which, ours in zip((entry.inbound, entry.outbound), made, strict=True):
            if ours:
                requests.append(encoding.delete_state(which))
        self._unled(entry.lead)
        if self._run is not None:
            self._run.requests.ask(requests)

    def _forget(self, entry: Entry) -> None:
        entry.stop_timers()
        spi = entry.sa.inbound_spi
        if self._entries.get(spi) is entry:
            del self._entries[spi]
            self._spis.free(spi)
        self._give_back(entry)

    def _give_back(self, entry: Entry) -> None:
        if self._by_reqid.pop(entry.sender.template.reqid, None) is not None:
            self._reqids.give_back(entry.sender.template.reqid)
            self._reqids.give_back(entry.sender.inbound_reqid)

    def _linger(self, entry: Entry, seconds: float) -> Deferred[Usage]:
        lingering: Deferred[Usage] = Deferred()
        entry.lingering = lingering
        entry.timers.append(self._reactor.callLater(seconds, self._removed, entry))
        self._do(self._book.withdraw(entry.sender), f"{entry.sa.name}: linger").addErrback(lambda _: None)
        return lingering

    def _removed(self, entry: Entry) -> Deferred[Usage]:
        run = self._run
        if run is None:
            return succeed(entry.usage(self._reactor.seconds()))
        self._forget(entry)
        which = (entry.inbound, entry.outbound)
        requests = [encoding.get_state(each) for each in which]
        requests += self._book.withdraw(entry.sender) + self._book.refuse(entry.sender)
        requests += [encoding.delete_state(each) for each in which]
        lingering, entry.lingering = entry.lingering, None

        def gone(outcomes: list[Outcome]) -> Usage:
            self._learn(entry, outcomes[:2], 0)
            self._unled(entry.lead)
            usage = entry.usage(self._reactor.seconds())
            if lingering is not None:
                lingering.callback(usage)
            return usage

        return run.requests.ask(requests).addCallback(gone)

    def _move_elsewhere(self, entry: Entry, moved: TunnelSa) -> Deferred[None]:
        """Other SAs take the place of those that are, and go on where these left off."""
        requests = self._running().requests
        old = (entry.inbound, entry.outbound)
        entry.moves += 1
        number = entry.moves
        asked = requests.ask([encoding.get_state(each) for each in old])

        def known(outcomes: list[Outcome]) -> Deferred[None]:
            if entry.moves != number or entry.hard or self._entries.get(moved.inbound_spi) is not entry:
                return succeed(None)
            reports = self._learn(entry, outcomes, 0)
            if len(reports) != len(old):
                raise DataPlaneError(f"{moved.name}: the kernel has no SA any more that could be moved")
            entry.sa = moved
            entry.before_in, entry.before_out = entry.last_in, entry.last_out
            entry.sender.template = entry.template(moved.path)
            states = entry.states(
                self._reactor.seconds(), *counters_after(reports[0].replay, reports[1].replay)
            )
            wanted = [encoding.delete_state(each) for each in old]
            wanted += [encoding.add_state(state) for state in states]
            return self._do(wanted + self._book.moved(entry.sender), f"{moved.name}: move")

        return asked.addCallback(known)

    def _learn(self, entry: Entry, outcomes: list[Outcome], used_at: float) -> list[StateReport]:
        """What the kernel said of both SAs, inbound first."""
        reports = []
        for inbound, outcome in zip((True, False), outcomes, strict=True):
            for each in readable([outcome]):
                if isinstance(each, StateReport):
                    entry.learn(each, self._reactor.seconds(), inbound=inbound, used_at=used_at)
                    reports.append(each)
        return reports

    def _do(
        self,
        requests: list[encoding.Request],
        wanted: str,
        undo: Callable[[], object] | None = None,
    ) -> Deferred[None]:
        """All of it, or DataPlaneError; what is gone already may be."""
        run = self._run
        if run is None:
            return fail(DataPlaneError("the data plane is not running: start it first"))

        def answered(outcomes: list[Outcome]) -> None:
            for (kind, _, _), outcome in zip(requests, outcomes, strict=True):
                removes = kind in (encoding.DELSA, encoding.DELPOLICY)
                if outcome.refusal is not None and not (removes and is_gone(outcome.refusal)):
                    if undo is not None:
                        undo()
                    raise refused(wanted, outcome.refusal)

        return run.requests.ask(requests).addCallback(answered)

    def _addresses_changed(self) -> None:
        """Packets of this host's own may have to come from another address now."""
        run = self._run
        if run is None:
            return
        for entry in self._entries.values():
            if entry.lead is not None and not entry.sa.virtual:
                local = tuple(Selector.like(one) for one in entry.sa.local_selectors)
                remote = tuple(Selector.like(one) for one in entry.sa.remote_selectors)
                entry.lead = run.foundation.lead_anew(entry.lead, local, remote)
        run.traps.addresses_changed()


def _reached(count: int, limit: int | None) -> bool:
    return limit is not None and count >= limit


def _errback(deferred: "Deferred[None]", error: DataPlaneError) -> None:
    if not deferred.called:
        deferred.errback(error)
