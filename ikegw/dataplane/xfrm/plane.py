"""`ports.DataPlane` by the kernel: what an operation needs of SAs, policies, routes, and in which order."""

import socket
from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.python.failure import Failure

from ikegw.dataplane.admission import check_installable
from ikegw.dataplane.prefixes import Selector
from ikegw.dataplane.spis import SpiSpace
from ikegw.dataplane.xfrm import encoding
from ikegw.dataplane.xfrm.carried import Entry
from ikegw.dataplane.xfrm.entries import Entries
from ikegw.dataplane.xfrm.events import Events
from ikegw.dataplane.xfrm.expiry import Expiry
from ikegw.dataplane.xfrm.foundation import Foundation
from ikegw.dataplane.xfrm.larvae import Larvae
from ikegw.dataplane.xfrm.moving import changes_only_ports, counters_after, taking_over
from ikegw.dataplane.xfrm.ours import IF_ID
from ikegw.dataplane.xfrm.policies import PolicyBook
from ikegw.dataplane.xfrm.reading import learn, readable
from ikegw.dataplane.xfrm.refusals import is_gone, refused
from ikegw.dataplane.xfrm.requests import Outcome
from ikegw.dataplane.xfrm.traps import Traps
from ikegw.dataplane.xfrm.values import Direction, Policy, PolicyReport, StateReport, Told
from ikegw.paths import Endpoint, Path
from ikegw.policy.carriage import Offload
from ikegw.policy.shunts import Shunt
from ikegw.ports import DataPlaneError, DataPlaneEvent, Random, Selectors, TunnelSa, Usage

_ASKED_POLICIES: Final = 8
"""Of so many policies it is asked when they last let something in."""


class PlaneReactor(IReactorFDSet, IReactorTime):
    """What the plane needs of a reactor."""


@define(eq=False)
class _Run:
    """What there is between start and stop."""

    foundation: Foundation
    events: Events


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
        make_foundation: Callable[..., Foundation] = Foundation,
    ) -> None:
        self.description = "kernel: ESP by Linux, through netlink"
        self.device = ""
        self._reactor, self._note, self._make_foundation = reactor, note, make_foundation
        every, nat_t = [each for _, each in ike_sockets], [each for _, each in nat_t_sockets]
        self._ground = (device, mtu, every, nat_t)
        self._entries = Entries(SpiSpace(random, worker))
        self._book = PolicyBook()
        self._run: _Run | None = None
        self._listener: Callable[[DataPlaneEvent], None] | None = None

    # ------------------------------------------------------------ begin and end

    def start(self, listener: Callable[[DataPlaneEvent], None]) -> Deferred[None]:
        """Remove what a killed gateway left, make the device; errback with DataPlaneError if the kernel will not have it."""
        if self._run is not None:
            return fail(DataPlaneError("the data plane runs already"))
        foundation = self._make_foundation(self._reactor, *self._ground)
        try:
            foundation.open(self._heard, self._overrun, self._addresses_changed)
        except DataPlaneError as error:
            return fail(error)
        self._listener = listener
        larvae = Larvae(self._reactor, foundation.requests)
        traps = Traps(foundation, self._book, self._entries.reqids, larvae, self._tell)
        expiry = Expiry(self._reactor, foundation.requests, self._tell)
        self._run = _Run(foundation, Events(self._entries, expiry, larvae, traps))

        def ready(_: object) -> None:
            notes = "".join(f"; {note}" for note in (*foundation.notes, self._note) if note)
            self.device = foundation.device.name
            self.description = f"kernel: ESP by Linux, led into by the device {self.device}{notes}"

        def not_ready(failure: Failure) -> Deferred[None]:
            return self.stop().addCallback(lambda _: failure)

        return foundation.clean().addCallbacks(ready, not_ready)

    def stop(self) -> Deferred[None]:
        """See `ports.DataPlane`."""
        run, self._run = self._run, None
        if run is None:
            return succeed(None)
        self._listener = None
        run.events.larvae.give_up_all()
        requests = self._book.everything()
        now = self._reactor.seconds()
        ending = [(one.lingering, one.usage(now)) for one in self._entries if one.lingering is not None]
        for entry in self._entries:
            requests += [encoding.delete_state(each) for each in (entry.inbound, entry.outbound)]
        self._entries.clear()
        run.events.traps.clear()

        def close(_: object) -> None:
            run.foundation.close()
            for deferred, usage in ending:
                deferred.callback(usage)

        return run.foundation.requests.ask(requests).addCallback(close)

    def _running(self) -> _Run:
        if self._run is None:
            raise DataPlaneError("the data plane is not running: start it first")
        return self._run

    def counts(self) -> Deferred[dict[str, int]]:
        """See `ports.DataPlane`: of netlink, `request_…` and `event_…`."""
        if self._run is None:
            return succeed({})
        foundation = self._run.foundation
        both = (("request", foundation.requests.counts), ("event", foundation.hearing.counts))
        return succeed({f"{what}_{word}": count for what, counts in both for word, count in counts.items()})

    # ------------------------------------------------------------ SPIs

    def allocate_spi(self, path: Path) -> Deferred[bytes]:
        """See `ports.DataPlane`; SPIs are chosen here, so nobody waits."""
        try:
            self._running()
            return succeed(self._entries.spis.reserve())
        except DataPlaneError as error:
            return fail(error)

    def release_spi(self, spi: bytes) -> None:
        """See `ports.DataPlane`; the SPI of an installed SA stays taken."""
        if self._entries.get(spi) is None:
            self._entries.spis.free(spi)

    # ------------------------------------------------------------ SAs come and go

    def install(self, sa: TunnelSa) -> Deferred[None]:
        """See `ports.DataPlane`. Cancelled: what is installed all the same is removed."""
        try:
            run = self._running()
            check_installable(sa)
            entry = self._add(run.foundation, sa)
        except DataPlaneError as error:
            return fail(error)
        states = entry.states(self._reactor.seconds())
        requests = [encoding.add_state(state) for state in states] + self._book.accept(entry.sender)
        if not sa.standby:
            requests += self._book.lead(entry.sender)

        def cancelled(_: object) -> None:
            if self._entries.has(entry):
                self.remove(sa.inbound_spi)

        installed: Deferred[None] = Deferred(cancelled)

        def answered(outcomes: list[Outcome]) -> None:
            said = [outcome.refusal for outcome in outcomes]
            bad = next((each for each in said if each is not None), None)
            if bad is None:
                run.events.expiry.keep_time(entry)
                installed.callback(None)
                return
            self._undo(entry, [each is None for each in said[:2]])
            wanted = "the kernel's SA" if bad in said[:2] else "its policies"
            installed.errback(refused(f"{sa.name}: {wanted}", bad, sa))

        run.foundation.requests.ask(requests).addCallback(answered)
        return installed

    def _add(self, foundation: Foundation, sa: TunnelSa) -> Entry:
        """Its numbers, and its routes, unless the operator has an interface of its own or the peer is the very host."""
        offloads = sa.carriage.offload is not Offload.NO
        device = foundation.index_of(sa.path.local.address) if offloads else 0
        entry = self._entries.add(sa, self._book, self._reactor.seconds(), device)
        if entry.if_id != IF_ID:
            return entry
        try:
            entry.lead = foundation.lead(sa.name, *_selectors(sa), sa.virtual)
        except DataPlaneError:
            self._entries.forget(entry)
            raise
        return entry

    def _undo(self, entry: Entry, made: list[bool]) -> None:
        """Nothing of it stays; what another program has of the same SPI does."""
        self._entries.forget(entry)
        requests = self._book.withdraw(entry.sender) + self._book.refuse(entry.sender)
        for which, ours in zip((entry.inbound, entry.outbound), made, strict=True):
            if ours:
                requests.append(encoding.delete_state(which))
        if self._run is not None:
            self._run.foundation.unlead(entry.lead)
            self._run.foundation.requests.ask(requests)

    def activate(self, inbound_spi: bytes) -> Deferred[None]:
        """See `ports.DataPlane`."""
        entry = self._entries.get(inbound_spi)
        if entry is None or not entry.sa.standby or entry.lingering is not None:
            return succeed(None)
        entry.sa = evolve(entry.sa, standby=False)
        return self._do(self._book.lead(entry.sender), f"{entry.sa.name}: activate")

    def remove(self, inbound_spi: bytes, linger: float = 0.0) -> Deferred[Usage]:
        """See `ports.DataPlane`. Removing an SA that lingers ends that at once; both Deferreds fire."""
        entry = self._entries.get(inbound_spi)
        if entry is None:
            self._entries.spis.free(inbound_spi)
            return succeed(Usage())
        entry.stop_timers()
        if not linger or entry.lingering is not None:
            return self._removed(entry)
        lingering: Deferred[Usage] = Deferred()
        entry.lingering = lingering
        entry.timers.append(self._reactor.callLater(linger, self._removed, entry))
        self._do(self._book.withdraw(entry.sender), f"{entry.sa.name}: linger").addErrback(lambda _: None)
        return lingering

    def _removed(self, entry: Entry) -> Deferred[Usage]:
        foundation = self._running().foundation
        self._entries.forget(entry)
        which = (entry.inbound, entry.outbound)
        requests = [encoding.get_state(each) for each in which]
        requests += self._book.withdraw(entry.sender) + self._book.refuse(entry.sender)
        requests += [encoding.delete_state(each) for each in which]
        lingering, entry.lingering = entry.lingering, None

        def gone(outcomes: list[Outcome]) -> Usage:
            learn(entry, outcomes[:2], self._reactor.seconds())
            foundation.unlead(entry.lead)
            usage = entry.usage(self._reactor.seconds())
            if lingering is not None:
                lingering.callback(usage)
            return usage

        return foundation.requests.ask(requests).addCallback(gone)

    # ------------------------------------------------------------ SAs that are there

    def move(self, inbound_spi: bytes, path: Path, udp_encapsulated: bool | None = None) -> Deferred[None]:
        """See `ports.DataPlane`."""
        entry = self._entries.get(inbound_spi)
        if entry is None:
            return fail(DataPlaneError(f"no SA with inbound SPI {inbound_spi.hex()} to move"))
        udp = entry.sa.udp_encapsulated if udp_encapsulated is None else udp_encapsulated
        before, entry.told_path = entry.sa, None
        if (before.path, before.udp_encapsulated) == (path, udp) or entry.hard:
            return succeed(None)
        moved = evolve(before, path=path, udp_encapsulated=udp)
        if not changes_only_ports(before, moved):
            return self._move_elsewhere(entry, moved)
        entry.sa = moved
        states = entry.states(self._reactor.seconds())
        return self._do([encoding.update_state(state) for state in states], f"{moved.name}: move")

    def _move_elsewhere(self, entry: Entry, moved: TunnelSa) -> Deferred[None]:
        """Other SAs take the place of those that are, and go on where these left off."""
        old = (entry.inbound, entry.outbound)
        entry.moves += 1
        number = entry.moves

        def asked() -> Deferred[list[StateReport]]:
            return (
                self._running()
                .foundation.requests.ask([encoding.get_state(each) for each in old])
                .addCallback(lambda outcomes: learn(entry, outcomes, self._reactor.seconds()))
            )

        def known(reports: list[StateReport], before: list[StateReport]) -> Deferred[None]:
            if entry.moves != number or entry.hard or not self._entries.has(entry):
                return succeed(None)
            if not len(before) == len(reports) == len(old):
                raise DataPlaneError(f"{moved.name}: the kernel has no SA any more that could be moved")
            entry.sa = moved
            entry.sender.template = entry.template(moved.path)
            counters = counters_after(reports[0].replay, reports[1].replay, before[1].replay.sent)
            states = entry.states(self._reactor.seconds(), *counters)
            wanted = taking_over(old, states, self._book.moved(entry.sender))
            return self._do(wanted, f"{moved.name}: move", heard=taken_over)

        def taken_over(outcomes: list[Outcome]) -> None:
            """Their last counts, asked for in the same piece."""
            learn(entry, outcomes[: len(old)], self._reactor.seconds())
            entry.before_in, entry.before_out = entry.last_in, entry.last_out

        # Twice, for how fast packets leave.
        return asked().addCallback(lambda before: asked().addCallback(known, before))

    def usage(self, inbound_spi: bytes) -> Deferred[Usage]:
        """See `ports.DataPlane`."""
        entry = self._entries.get(inbound_spi)
        if entry is None:
            return fail(DataPlaneError(f"no SA with inbound SPI {inbound_spi.hex()} is installed"))
        policies = [
            encoding.get_policy(Policy(direction, way.packets.reversed(), 0, if_id=way.if_id, mark=way.mark))
            for way in entry.sender.ways[:_ASKED_POLICIES]
            for direction in (Direction.IN, Direction.FORWARD)
        ]
        states = [encoding.get_state(entry.inbound), encoding.get_state(entry.outbound)]

        def answered(outcomes: list[Outcome]) -> Usage:
            policies = [each for each in readable(outcomes[2:]) if isinstance(each, PolicyReport)]
            now = self._reactor.seconds()
            learn(entry, outcomes[:2], now, max((each.last_used for each in policies), default=0))
            return entry.usage(now)

        return self._running().foundation.requests.ask([*states, *policies]).addCallback(answered)

    # ------------------------------------------------------------ traps

    def trap(self, name: str, local_selectors: Selectors, remote_selectors: Selectors) -> Deferred[None]:
        """See `ports.DataPlane`."""
        try:
            requests = self._running().events.traps.lay(name, local_selectors, remote_selectors)
        except DataPlaneError as error:
            return fail(error)
        return self._do(requests, f"{name}: trap", lambda: self.untrap(name))

    def untrap(self, name: str) -> Deferred[None]:
        """See `ports.DataPlane`."""
        if self._run is None:
            return succeed(None)
        return self._do(self._run.events.traps.lift(name), f"{name}: untrap")

    # ------------------------------------------------------------ shunts

    def shunt(self, shunt: Shunt) -> Deferred[None]:
        """See `ports.DataPlane`; what passes or is dropped never comes near our policies."""
        try:
            self._running().foundation.shunts.lay(shunt)
        except OSError as error:
            return fail(DataPlaneError(f"shunt {shunt.name}: {error}"))
        except DataPlaneError as error:
            return fail(error)
        return succeed(None)

    def unshunt(self, name: str) -> Deferred[None]:
        """See `ports.DataPlane`."""
        try:
            if self._run is not None:
                self._run.foundation.shunts.lift(name)
        except OSError as error:
            return fail(DataPlaneError(f"shunt {name}: {error}"))
        return succeed(None)

    # ------------------------------------------------------------ what comes unasked

    def _heard(self, told: Told) -> None:
        if self._run is not None:
            self._run.events.heard(told)

    def _overrun(self) -> None:
        if self._run is not None:
            self._run.events.resynchronise()

    def _tell(self, event: DataPlaneEvent) -> None:
        if self._listener is not None:
            self._listener(event)

    def _addresses_changed(self) -> None:
        """Packets of this host's own may have to come from another address now."""
        if self._run is None:
            return
        for entry in self._entries:
            if entry.lead is not None and not entry.sa.virtual:
                entry.lead = self._run.foundation.lead_anew(entry.lead, *_selectors(entry.sa))
        self._run.events.traps.addresses_changed()

    # ------------------------------------------------------------ inside

    def _do(
        self,
        requests: list[encoding.Request],
        wanted: str,
        undo: Callable[[], object] | None = None,
        heard: Callable[[list[Outcome]], None] = lambda outcomes: None,
    ) -> Deferred[None]:
        """All of it, or DataPlaneError; what is gone already may be. `heard` gets all answers first."""
        if self._run is None:
            return fail(DataPlaneError("the data plane is not running: start it first"))

        def answered(outcomes: list[Outcome]) -> None:
            heard(outcomes)
            for (kind, _, _), outcome in zip(requests, outcomes, strict=True):
                removes = kind in (encoding.DELSA, encoding.DELPOLICY)
                if outcome.refusal is not None and not (removes and is_gone(outcome.refusal)):
                    if undo is not None:
                        undo()
                    raise refused(wanted, outcome.refusal)

        return self._run.foundation.requests.ask(requests).addCallback(answered)


def _selectors(sa: TunnelSa) -> tuple[tuple[Selector, ...], tuple[Selector, ...]]:
    """Local and remote selectors as routing wants them."""
    local, remote = map(Selector.like, sa.local_selectors), map(Selector.like, sa.remote_selectors)
    return tuple(local), tuple(remote)
