"""What the status page shows at a moment, and the difference of two moments: what a browser need be told."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

Json = Any


@frozen
class Snapshot:
    """`parts` are told whole when anything in them changed; `sessions`, of which there are many, one by one."""

    parts: Mapping[str, Json] = field(factory=dict)
    sessions: Mapping[int, Json] = field(factory=dict)

    def whole(self) -> dict[str, Json]:
        """For one who knows nothing."""
        return {**self.parts, "sessions": list(self.sessions.values())}


def difference(before: Snapshot, after: Snapshot) -> dict[str, Json]:
    """The parts that changed, `sessions` that are new or changed, and the numbers of those that are `gone`; {} for nothing."""
    told = {name: part for name, part in after.parts.items() if before.parts.get(name) != part}
    changed = [row for number, row in after.sessions.items() if before.sessions.get(number) != row]
    gone = [number for number in before.sessions if number not in after.sessions]
    if changed:
        told["sessions"] = changed
    if gone:
        told["gone"] = gone
    return told
