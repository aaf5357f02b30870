"""Limits of SAs: told once each, the kernel's and those in time, which are ours."""

from collections.abc import Callable

from attrs import define
from twisted.internet.interfaces import IReactorTime

from ikegw.dataplane.xfrm import encoding
from ikegw.dataplane.xfrm.carried import Entry
from ikegw.dataplane.xfrm.reading import learn
from ikegw.dataplane.xfrm.requests import Requests
from ikegw.dataplane.xfrm.values import StateReport
from ikegw.ports import DataPlaneEvent, HardExpired, SoftExpired


@define(eq=False)
class Expiry:
    """What becomes of an SA at its limits; `tell` hears of it."""

    clock: IReactorTime
    requests: Requests
    tell: Callable[[DataPlaneEvent], None]

    def keep_time(self, entry: Entry) -> None:
        """Keep its limits in time."""
        limits = entry.sa.limits
        for seconds, expire in ((limits.soft_seconds, self.soften), (limits.hard_seconds, self.harden)):
            if seconds is not None and not entry.hard:
                entry.timers.append(self.clock.callLater(seconds, expire, entry))

    def soften(self, entry: Entry) -> None:
        """It passed a soft limit; one that is being removed is not to be renewed."""
        if not entry.soft and not entry.hard and entry.lingering is None:
            entry.soft = True
            self.tell(SoftExpired(entry.sa.inbound_spi))

    def harden(self, entry: Entry) -> None:
        """It carries nothing any more: of the two SAs that may be left, neither stays."""
        if entry.hard:
            return
        entry.hard = True
        if entry.lingering is None:
            entry.stop_timers()
        which = (entry.inbound, entry.outbound)
        asked = self.requests.ask([*map(encoding.get_state, which), *map(encoding.delete_state, which)])
        asked.addCallback(lambda outcomes: learn(entry, outcomes[:2], self.clock.seconds()))
        self.tell(HardExpired(entry.sa.inbound_spi))

    def compare(self, entry: Entry, there: dict[tuple[int, bytes], StateReport]) -> None:
        """Tell what was missed of it. `there` is what the kernel has, by reqid and SPI."""
        now, limits = self.clock.seconds(), entry.sa.limits
        inbound = there.get((entry.sender.inbound_reqid, entry.sa.inbound_spi))
        outbound = there.get((entry.sender.template.reqid, entry.sa.outbound_spi))
        for report in (inbound, outbound):
            if report is not None:
                entry.learn(report, now, inbound=report is inbound)
        if inbound is None or outbound is None:
            self.harden(entry)
            return
        octets = max(entry.last_in.octets, entry.last_out.octets)
        packets = max(entry.last_in.packets, entry.last_out.packets)
        if _reached(octets, limits.soft_octets) or _reached(packets, limits.soft_packets):
            self.soften(entry)


def _reached(count: int, limit: int | None) -> bool:
    return limit is not None and count >= limit
