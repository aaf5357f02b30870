"""The log: one line for each event, and of those that come in floods no more than are worth reading."""

from collections import Counter
from collections.abc import Callable

from attrs import frozen
from twisted.logger import Logger, LogLevel

from ikegw.events import (
    AuthFailed,
    Dropped,
    Event,
    IkeBegun,
    IkeDown,
    Refused,
    RevocationUnknown,
    StateEntered,
)
from ikegw.gate.limits import RateLimit, source_of
from ikegw.paths import Path
from ikegw.service.lines import level_of, text_of
from ikegw.service.subjects import subject_of

_SOURCES = 1024


@frozen
class _Rate:
    """Lines a second of one kind: to everybody together, from one source, and at once from one source."""

    in_all: float
    per_source: float
    burst: float


_LIMITED: dict[type, _Rate] = {
    # Nobody reads more, and a line costs as much as the key exchange of an IKE SA.
    StateEntered: _Rate(500.0, 500.0, 500.0),
    IkeBegun: _Rate(20.0, 1.0, 20.0),
    AuthFailed: _Rate(50.0, 1.0, 20.0),
    RevocationUnknown: _Rate(20.0, 1.0, 20.0),
    Refused: _Rate(20.0, 1.0, 20.0),
    IkeDown: _Rate(20.0, 1.0, 20.0),
    Dropped: _Rate(5.0, 0.1, 5.0),
}


class Journal:
    """Logs events (`events.Publish`). What it leaves out is counted, and told with the next line of the same kind.

    `states` tells every state that a machine enters, whatever `level` is: for who watches or debugs.
    """

    def __init__(
        self, log: Logger, now: Callable[[], float], level: LogLevel = LogLevel.info, states: bool = False
    ) -> None:
        self._log = log
        self._now = now
        self._rates = {
            kind: RateLimit(rate.in_all, rate.per_source, _SOURCES, now(), rate.burst)
            for kind, rate in _LIMITED.items()
        }
        self._left_out: Counter[type] = Counter()
        self._levels: dict[str, LogLevel] = {}
        self.configure(level, states)

    def configure(self, level: LogLevel, states: bool) -> None:
        """Take over the settings of a reloaded configuration; what an operator had set meanwhile is forgotten."""
        self._level = level
        self._states = states
        self._levels.clear()

    def set_level(self, level: LogLevel, subject: str | None = None) -> None:
        """Log from another level on: what is about `subject` (see `subjects`), or everything."""
        if subject is None:
            self._level = level
            self._levels.clear()
        else:
            self._levels[subject] = level

    def publish(self, event: Event) -> None:
        """Log one event."""
        kind = type(event)
        level = LogLevel.info if kind is StateEntered and self._states else level_of(event)
        if level < (self._levels.get(subject_of(event), self._level) if self._levels else self._level):
            return
        if not self._worth_a_line(kind, event):
            self._left_out[kind] += 1
            return
        text = text_of(event)
        if more := self._left_out.pop(kind, 0):
            text += f" (and {more} more of this kind, not logged)"
        self._log.emit(level, "{line}", line=text, happened=event)

    def _worth_a_line(self, kind: type, event: Event) -> bool:
        rate = self._rates.get(kind)
        if rate is None or (isinstance(event, IkeDown) and event.was_up):
            return True
        if isinstance(event, StateEntered):
            return rate.allows(b"", self._now())
        path: Path = event.path  # type: ignore[union-attr]
        return rate.allows(source_of(path.remote.address), self._now())
