"""Traps: what no SA takes and they select is told to the gateway, and waits for an SA, one packet for each (RFC 4301 §4.4.1)."""

from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from attrs import define, field

from ikegw.dataplane.prefixes import ANY, Selector
from ikegw.dataplane.routing import Lead, Routing
from ikegw.dataplane.userspace.control import Json
from ikegw.dataplane.userspace.inner import Inner
from ikegw.dataplane.userspace.policy import OutboundPolicy

_KEPT_SECONDS: Final = 5.0
"""How long a packet may wait for its SA: what comes later than that, its sender has sent again."""


@define(eq=False)
class _Trap:
    name: str
    local: tuple[Selector, ...]
    remotes: tuple[Selector, ...]
    lead: Lead
    quiet_seconds: float
    quiet_until: float = 0.0
    kept: tuple[float, Inner, bytes] | None = field(default=None, repr=False)


class Traps:
    """Those of the process. `tell(event)` sends an event to the gateway."""

    def __init__(self, routing: Routing, clock: Callable[[], float], tell: Callable[[Json], None]) -> None:
        self._routing, self._clock, self._tell = routing, clock, tell
        self._traps: dict[str, _Trap] = {}
        self._policies: dict[int, OutboundPolicy[_Trap]] = {4: OutboundPolicy(32), 6: OutboundPolicy(128)}
        self._keeping: set[_Trap] = set()

    def lay(self, wanted: Json) -> None:
        """Lay a trap, in place of one of that name; an OSError of the kernel's if its routes cannot be had."""
        local = tuple(Selector.of(*each) for each in wanted["local_ts"])
        remotes = tuple(Selector.of(*each) for each in wanted["remote_ts"])
        lead = self._routing.lead(local, remotes)
        self.remove(wanted["name"])
        trap = _Trap(wanted["name"], local, remotes, lead, wanted["quiet_seconds"])
        self._traps[trap.name] = trap
        for remote, local_one in _pairs(trap):
            self._policies[remote.version].add(remote, local_one, trap)

    def remove(self, name: str) -> None:
        """Take a trap away, if there is one of that name."""
        trap = self._traps.pop(name, None)
        if trap is None:
            return
        for remote, local in _pairs(trap):
            self._policies[remote.version].remove(remote, local, trap)
        self._keeping.discard(trap)
        trap.lead.undo()

    def addresses_changed(self) -> None:
        """Packets of this host's own may have to come from another address now. If it is gone again, the next change tells."""
        for trap in self._traps.values():
            with suppress(OSError):
                trap.lead = self._routing.lead_anew(trap.lead, trap.local, trap.remotes)

    def meet(self, inner: Inner, packet: memoryview) -> bool:
        """A packet that no SA takes: whether there is a trap for it."""
        trap = self._policies[inner.version].find(
            inner.source, inner.destination, inner.protocol, inner.ports
        )
        if trap is None:
            return False
        now = self._clock()
        if now >= trap.quiet_until:
            trap.quiet_until = now + trap.quiet_seconds
            source, destination = inner.ports or (None, None)
            self._tell(
                {
                    "event": "acquired",
                    "name": trap.name,
                    "local": _end(inner.version, inner.source, inner.protocol, source),
                    "remote": _end(inner.version, inner.destination, inner.protocol, destination),
                }
            )
            if trap.kept is None or trap.kept[0] < now:
                trap.kept = (now + _KEPT_SECONDS, inner, bytes(packet))
                self._keeping.add(trap)
        return True

    def released(self, is_taken: Callable[[Inner], bool]) -> list[bytes]:
        """The packets that waited for an SA and are taken by one now; those that waited too long are dropped."""
        found, now = [], self._clock()
        for trap in tuple(self._keeping):
            kept = trap.kept
            if kept is not None and kept[0] >= now:
                if not is_taken(kept[1]):
                    continue
                found.append(kept[2])
            trap.kept = None
            self._keeping.discard(trap)
        return found


def _pairs(trap: _Trap) -> list[tuple[Selector, Selector]]:
    return [(r, one) for r in trap.remotes for one in trap.local if r.version == one.version]


def _end(version: int, number: int, protocol: int, port: int | None) -> list[str | int]:
    address = str(IPv4Address(number) if version == 4 else IPv6Address(number))
    return [address, address, protocol, *(ANY if port is None else (port, port))]
