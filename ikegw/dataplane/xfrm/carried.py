"""One CHILD SA as the kernel carries it: two SAs of its own, and what they have carried, also before they were moved."""

import math
from typing import Final

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from ikegw.dataplane.marks import SOCKET_MARK
from ikegw.dataplane.routing import Lead
from ikegw.dataplane.xfrm.policies import Sender
from ikegw.dataplane.xfrm.values import (
    UNLIMITED,
    Lifetime,
    Replay,
    State,
    StateId,
    StateReport,
    Template,
)
from ikegw.paths import Path
from ikegw.policy.carriage import Mark, Mode
from ikegw.ports import TunnelSa, Usage

_OWN_MARK: Final = Mark(SOCKET_MARK)
_SMALLEST_ESN_WINDOW: Final = 32
"""The kernel has no ESN without a replay window."""

_LAST_SEQUENCE: Final = (1 << 32) - 2
_MAPPING_SECONDS: Final = 1
_FRESH: Final = Replay()


@frozen
class Carried:
    """Counts of one direction."""

    octets: int = 0
    packets: int = 0
    replays: int = 0
    forgeries: int = 0

    def plus(self, report: StateReport) -> "Carried":
        """With what the kernel counts of the SA that it has now."""
        return Carried(
            self.octets + report.octets,
            self.packets + report.packets,
            self.replays + report.replays,
            self.forgeries + report.forgeries,
        )


@define(eq=False)
class Entry:
    """What is known of one CHILD SA. `before_*` is what was carried before it moved, `last_*` all, when it was last asked."""

    sa: TunnelSa
    sender: Sender
    if_id: int
    device: int = 0
    lead: Lead | None = None
    since: float = 0.0
    moves: int = 0
    before_in: Carried = Carried()
    before_out: Carried = Carried()
    last_in: Carried = Carried()
    last_out: Carried = Carried()
    heard_at: float | None = None
    asked_at: float = 0.0
    told_path: Path | None = None
    told_at: float = 0.0
    soft: bool = False
    hard: bool = False
    timers: list[IDelayedCall] = field(factory=list)
    lingering: "Deferred[Usage] | None" = None

    @property
    def inbound(self) -> StateId:
        """The kernel's SA for what we receive."""
        path = self.sa.path
        return StateId(path.remote.address, path.local.address, self.sa.inbound_spi)

    @property
    def outbound(self) -> StateId:
        """The one for what we send."""
        path = self.sa.path
        return StateId(path.local.address, path.remote.address, self.sa.outbound_spi)

    def states(self, now: float, received: Replay = _FRESH, sent: Replay = _FRESH) -> tuple[State, State]:
        """Inbound and outbound SA as the kernel is to be told; the counters are those of the SAs that they follow, if any."""
        follows = (received, sent) != (_FRESH, _FRESH)
        carried = (self.last_in, self.last_out) if follows else (self.before_in, self.before_out)
        sa, path, special = self.sa, self.sa.path, self.sa.carriage
        ports = (path.remote.port, path.local.port) if sa.udp_encapsulated else None
        esn = sa.suite.esn
        inbound = State(
            self.inbound,
            self.sender.inbound_reqid,
            sa.suite,
            sa.inbound_keys,
            special.mode,
            max(sa.replay_window, _SMALLEST_ESN_WINDOW if esn else 0),
            received,
            self._lifetime(now, carried[0]),
            ports,
            _MAPPING_SECONDS if ports else 0,
            self.if_id,
            offload=special.offload,
            device=self.device,
            inbound=True,
        )
        outbound = State(
            self.outbound,
            self.sender.template.reqid,
            sa.suite,
            sa.outbound_keys,
            special.mode,
            _SMALLEST_ESN_WINDOW if esn else 0,
            evolve(sent, bitmap=b""),
            self._lifetime(now, carried[1]),
            ports and (ports[1], ports[0]),
            0,
            self.if_id,
            special.output_mark or _OWN_MARK,
            special.tfc_padding,
            special.offload,
            self.device,
        )
        return inbound, outbound

    def _lifetime(self, now: float, before: Carried) -> Lifetime:
        """What is left. Time is kept by us, to the fraction of a second; the kernel ends it should we not live so long."""
        limits = self.sa.limits
        soft_packets, hard_packets = limits.soft_packets, limits.hard_packets
        if not self.sa.suite.esn:
            hard_packets = min(hard_packets or _LAST_SEQUENCE, _LAST_SEQUENCE)
            soft_packets = min(soft_packets or hard_packets, _LAST_SEQUENCE * 15 // 16)
        seconds = limits.hard_seconds
        return Lifetime(
            UNLIMITED if self.soft else _left(limits.soft_octets, before.octets),
            _left(limits.hard_octets, before.octets),
            UNLIMITED if self.soft else _left(soft_packets, before.packets),
            _left(hard_packets, before.packets),
            0 if seconds is None else max(math.ceil(seconds - (now - self.since)) + 1, 1),
        )

    def template(self, path: Path) -> Template:
        """What a policy has to ask for to get the outbound SA."""
        transport = self.sa.carriage.mode is Mode.TRANSPORT
        ends = (None, None) if transport else (path.local.address, path.remote.address)
        return Template(self.sender.template.reqid, self.sa.carriage.mode, *ends)

    def learn(self, report: StateReport, now: float, *, inbound: bool, used_at: float = 0.0) -> None:
        """Take over what the kernel counts. `used_at`: when its policies last let something in, as far as is known."""
        if not inbound:
            self.last_out = self.before_out.plus(report)
            return
        found = self.before_in.plus(report)
        if found.packets != self.last_in.packets:
            # Policies are also touched by what they refuse, so they only count if the SA itself received something.
            at = float(report.last_used or used_at)
            self.heard_at = min(max(at, self.asked_at), now) if at else now
        self.last_in, self.asked_at = found, now

    def usage(self, now: float) -> Usage:
        """All that it has carried, as far as is known."""
        since = None if self.heard_at is None else max(now - self.heard_at, 0.0)
        received, sent = self.last_in, self.last_out
        return Usage(
            received.octets,
            received.packets,
            sent.octets,
            sent.packets,
            since,
            received.replays,
            received.forgeries,
        )

    def stop_timers(self) -> None:
        """No limit of time is told any more, and nothing lingers."""
        for timer in self.timers:
            if timer.active():
                timer.cancel()
        self.timers.clear()


def _left(limit: int | None, used: int) -> int:
    return UNLIMITED if limit is None else max(limit - used, 1)
