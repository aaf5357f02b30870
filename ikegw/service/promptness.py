"""How each server of ours did when it was asked last: how long it took, or that it was silent."""

from collections import OrderedDict
from typing import ClassVar, Final

from attrs import define, field

from ikegw.events import Event, ServerAnswered, ServerSilent

MOST_SERVERS: Final = 256


@define(eq=False)
class Promptness:
    """Hears of servers by events; their names are those of the events."""

    HEARS: ClassVar[tuple[type[Event], ...]] = (ServerAnswered, ServerSilent)

    _latest: "OrderedDict[tuple[str, str], float | None]" = field(factory=OrderedDict, init=False, repr=False)

    def publish(self, event: Event) -> None:
        """Remember the latest of each."""
        if isinstance(event, ServerAnswered | ServerSilent):
            server = event.kind, event.server
            self._latest.pop(server, None)
            self._latest[server] = event.seconds if isinstance(event, ServerAnswered) else None
            if len(self._latest) > MOST_SERVERS:
                self._latest.popitem(last=False)

    def servers(self, kind: str) -> list[str]:
        """Those of a kind that were asked, by name."""
        return sorted(server for of, server in self._latest if of == kind)

    def is_silent(self, kind: str, server: str) -> bool:
        """Did it leave our latest request without an answer?"""
        return self._latest.get((kind, server), 0.0) is None

    def told(self, kind: str, server: str) -> str:
        """`12 ms`, `silent`, or nothing if it was not asked yet."""
        if (kind, server) not in self._latest:
            return ""
        seconds = self._latest[kind, server]
        if seconds is None:
            return "silent"
        return f"{1000 * seconds:.0f} ms" if seconds >= 0.0095 else f"{1000 * seconds:.1f} ms"
