"""What the status page shows: sessions, machines, pools, servers and what failed, as JSON, taken from their holders."""

import socket
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from ikegw import __version__
from ikegw.control.protocol import Json
from ikegw.control.stories import Story
from ikegw.control.why import cause_of, told
from ikegw.events import StateEntered
from ikegw.ike.listing import Row
from ikegw.service.assembly import Assembled
from ikegw.service.lines import text_of
from ikegw.web.snapshot import Snapshot

MOST_SESSIONS: Final = 2000
"""More than that are counted, and not shown: nobody reads them, and a flood must not cost us the time to write them down."""

MOST_FAILURES: Final = 12


@define(eq=False)
class Overview:
    """Looks at one gateway. Times are seconds since the epoch, so that what stands still is told once."""

    assembled: Assembled
    clock: IReactorTime
    _epoch: float = field(init=False)
    _began: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = time.time()
        self._epoch = self._began - self.clock.seconds()

    def look(self) -> Snapshot:
        """Everything, now."""
        assembled = self.assembled
        rows = assembled.gateway.listing(MOST_SESSIONS)
        states = assembled.gateway.states() + assembled.addresses.lease_states()
        parts = {
            "gateway": self._gateway(),
            "totals": self._totals(states, len(rows)),
            "machines": _by_machine(states),
            "pools": [
                {"pool": use.pool, "family": use.family, "size": use.size, "lent": use.lent}
                for use in assembled.addresses.usage()
            ],
            "servers": list(self._servers()),
            "failures": [_failure(story) for story in islice(assembled.stories.failed(), MOST_FAILURES)],
        }
        # While an IKE SA is rekeyed, there are two of its number: the newer, which comes later, is shown.
        return Snapshot(parts, {row.name.number: self._session(row) for row in rows})

    def story(self, number: int) -> dict[str, Json] | None:
        """What happened to one IKE SA, and `path`, its transitions as (machine, state before, input, state after)."""
        story = self.assembled.stories.numbered(number)
        if story is None:
            return None
        path: list[Any] = [
            [event.machine.partition(" ")[0], event.before, event.cause, event.state]
            for _, event in story.events
            if isinstance(event, StateEntered)
        ]
        return told(story, text_of) | {"path": path}

    def _gateway(self) -> dict[str, Json]:
        assembled = self.assembled
        return {
            "host": socket.gethostname(),
            "version": __version__,
            "since": round(self._began, 3),
            "data_plane": assembled.plane.plane.description,
            "listening": [str(each) for each in assembled.transport.endpoints()],
        }

    def _totals(self, states: Mapping[tuple[str, str], int], shown: int) -> dict[str, Json]:
        gateway, counts = self.assembled.gateway, self.assembled.counters.counts
        ike = sum(count for (machine, _), count in states.items() if machine not in ("child", "lease"))
        return {
            "ike": ike,
            "up": states.get(("mature", "SM_MATURE"), 0),
            "half_open": gateway.half_open_total,
            "children": sum(count for (machine, _), count in states.items() if machine == "child"),
            "logins": counts["ike-up"],
            "failed": counts["ike-never-up"],
            "not_shown": max(0, ike - shown),
        }

    def _session(self, row: Row) -> dict[str, Json]:
        return {
            "number": row.name.number,
            "name": str(row.name),
            "machine": row.stage,
            "state": row.state,
            "initiator": row.initiator,
            "since": None if row.up_since is None else int(self._epoch + row.up_since),
            "peer": row.remote,
            "at": str(row.path.remote),
            "suite": row.suite,
            "addresses": list(row.addresses),
            "children": [
                {"name": name, "state": state, "local": local, "remote": remote}
                for name, state, _, _, local, remote in row.children
            ],
            "octets": list(self.assembled.traffic.carried(child[2] for child in row.children)),
        }

    def _servers(self) -> Iterator[Json]:
        promptness = self.assembled.promptness
        for each in self.assembled.radius.associations():
            load = f"{each.load} under way" if each.load else ""
            yield {
                "name": each.server.name,
                "kind": f"RADIUS {each.service.value}",
                "good": each.is_alive,
                "notes": [
                    each.standing.lower().replace("_", ", "),
                    promptness.told("radius", each.server.name),
                    load,
                ],
            }
        for name, leases in self.assembled.addresses.dhcp_leases().items():
            yield {"name": name, "kind": "DHCP", "good": True, "notes": [f"{leases} leases"]}
        for name in promptness.servers("dhcp"):
            silent = promptness.is_silent("dhcp", name)
            yield {
                "name": name,
                "kind": "DHCP server",
                "good": not silent,
                "notes": [promptness.told("dhcp", name)],
            }


def _by_machine(states: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    machines: dict[str, dict[str, int]] = {}
    for (machine, state), count in states.items():
        machines.setdefault(machine, {})[state] = count
    return machines


def _failure(story: Story) -> dict[str, Json]:
    return {
        "number": story.name.number,
        "name": str(story.name),
        "who": story.who[0] if story.who else "",
        "at": str(story.path.remote),
        "when": int(story.ended or story.began),
        "cause": cause_of(story),
    }
