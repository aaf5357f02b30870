"""What waits for one realm's accounting servers, in its order, until it is acknowledged (RFC 2866 §2).

Many records at a time, but one of each session, so that no Stop overtakes its Start; On and Off go alone, for a server may close
whatever is open when it hears them.
"""

from collections.abc import Callable
from typing import Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.radius.accounting_record import Record, Status
from ikegw.radius.packets import Attribute

MOST_IN_FLIGHT: Final = 64
MOST_IN_MEMORY: Final = 1024
"""The rest waits on disk alone."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds until servers that did not answer are asked again, one record at first."""

Ask = Callable[[str, tuple[Attribute, ...]], Deferred[None]]
"""Send a record's attributes to a realm; fires when it is acknowledged, fails with NotAcknowledged or NeverAccepted."""
Load = Callable[[str, int, int], Deferred[list[Record]]]
"""The waiting records of a realm: after that number, so many at most."""

_ALONE = (Status.ON, Status.OFF)


class NotAcknowledged(Exception):
    """Nobody answered: to be sent again later. The text says who was asked, and how often."""


class NeverAccepted(Exception):
    """Sending it again would change nothing: it cannot be sent at all. The text says why."""


@define(eq=False)
class Sender:
    """Sends. `done` hears of each record that needs no more sending."""

    realm: str
    clock: IReactorTime = field(repr=False)
    now: Callable[[], float] = field(repr=False)
    ask: Ask = field(repr=False)
    load: Load = field(repr=False)
    done: Callable[[int], None] = field(repr=False)
    keep_seconds: float
    acknowledged: int = field(default=0, init=False)
    dropped: int = field(default=0, init=False)
    _pending: dict[int, Record] = field(factory=dict, init=False, repr=False)
    _in_flight: dict[int, Record] = field(factory=dict, init=False, repr=False)
    _last: int = field(default=0, init=False)
    """The highest number that was in memory; `_more`: there are, or may be, higher ones on disk that are not."""

    _more: bool = field(default=True, init=False)
    _loading: bool = field(default=False, init=False)
    _window: int = field(default=1, init=False)
    _pause: float = field(default=FIRST_PAUSE, init=False)
    _resting: IDelayedCall | None = field(default=None, init=False, repr=False)
    _pumping: bool = field(default=False, init=False)
    _stopped: bool = field(default=False, init=False)
    _idle: list[Deferred[None]] = field(factory=list, init=False, repr=False)

    _log = Logger()

    # ------------------------------------------------------------ what waits

    def start(self) -> None:
        """Begin with what the disk has."""
        self._load()

    def add(self, record: Record) -> None:
        """One more, the newest; it is on disk already."""
        if self._more or self._loading or len(self._pending) >= MOST_IN_MEMORY:
            self._more = True
            return
        self._take(record)
        self._pump()

    def _take(self, record: Record) -> None:
        self._last = record.number
        if record.status in (Status.INTERIM, Status.STOP):
            self._forget_interims(record.session)
        self._pending[record.number] = record

    def _forget_interims(self, session: str) -> None:
        """The disk has forgotten them, too."""
        older = [
            n for n, one in self._pending.items() if one.session == session and one.status is Status.INTERIM
        ]
        for number in older:
            del self._pending[number]

    def _load(self) -> None:
        if self._loading or not self._more or len(self._pending) > MOST_IN_MEMORY // 2:
            return
        self._loading, self._more = True, False
        self.load(self.realm, self._last, MOST_IN_MEMORY).addCallbacks(self._loaded, self._not_loaded)

    def _loaded(self, records: list[Record]) -> None:
        self._loading = False
        self._more = self._more or len(records) == MOST_IN_MEMORY
        for record in records:
            self._take(record)
        self._pump()

    def _not_loaded(self, failure: Failure) -> None:
        self._loading, self._more = False, True
        why = "the accounting queue cannot be read: {why}; it is tried again"
        self._log.error(why, why=failure.getErrorMessage())
        self._rest()

    # ------------------------------------------------------------ sending

    def wake(self) -> None:
        """A server is back, or others are configured: do not wait any longer."""
        if self._resting is not None:
            self._resting.cancel()
            self._rested()

    def stop(self) -> None:
        """Send nothing more; what is in flight may still be acknowledged."""
        self._stopped = True
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None

    def idle(self) -> Deferred[None]:
        """Fires when nothing waits."""
        idle: Deferred[None] = Deferred()
        self._idle.append(idle)
        self._pump()
        return idle

    @property
    def waiting(self) -> int:
        """How many wait in memory or are in flight."""
        return len(self._pending) + len(self._in_flight)

    @property
    def more_on_disk(self) -> bool:
        """Do more wait than memory is to hold?"""
        return self._more

    def _pump(self) -> None:
        if self._resting is None and not self._pumping and not self._stopped:
            self._pumping = True  # what is answered at once comes back here
            while self._may_launch and (record := self._next()) is not None:
                self._launch(record)
            self._pumping = False
            self._load()
        if not (self._pending or self._in_flight or self._more or self._loading):
            idle, self._idle = self._idle, []
            for each in idle:
                each.callback(None)

    @property
    def _may_launch(self) -> bool:
        """Not any more as soon as one has failed at once: it would be the next one again, for ever."""
        return self._resting is None and not self._stopped and len(self._in_flight) < self._window

    def _next(self) -> Record | None:
        busy = {record.session for record in self._in_flight.values()}
        if "" in busy:
            return None
        for record in self._pending.values():
            if record.status in _ALONE:
                return None if busy else record
            if record.session not in busy:
                return record
        return None

    def _launch(self, record: Record) -> None:
        del self._pending[record.number]
        age = self.now() - record.at
        if age > self.keep_seconds:
            self._drop(record, f"nobody acknowledged it for {age / 3600:.0f} hours")
            return
        self._in_flight[record.number] = record
        asked = self.ask(self.realm, record.request(self.now()))
        asked.addCallbacks(self._acknowledged, self._failed, (record,), errbackArgs=(record,))
        asked.addErrback(self._broke)

    def _acknowledged(self, _: None, record: Record) -> None:
        del self._in_flight[record.number]
        self.acknowledged += 1
        self._window, self._pause = min(self._window * 2, MOST_IN_FLIGHT), FIRST_PAUSE
        self.done(record.number)
        self._pump()

    def _failed(self, failure: Failure, record: Record) -> None:
        del self._in_flight[record.number]
        if isinstance(failure.value, NeverAccepted):
            self._drop(record, str(failure.value))
            self._pump()
            return
        failure.trap(NotAcknowledged)  # type: ignore[no-untyped-call]
        self._pending = dict(sorted({**self._pending, record.number: record}.items()))
        self._window = 1
        self._rest()

    def _drop(self, record: Record, why: str) -> None:
        self.dropped += 1
        self.done(record.number)
        self._log.error(
            "accounting record {status} of session {session} for realm {realm} is dropped: {why}",
            status=record.status.name,
            session=record.session or "-",
            realm=self.realm,
            why=why,
        )

    def _rest(self) -> None:
        if self._resting is None and not self._stopped:
            self._resting = self.clock.callLater(self._pause, self._rested)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _rested(self) -> None:
        self._resting = None
        self._pump()

    def _broke(self, failure: Failure) -> None:
        self._log.failure("internal error in accounting for realm {realm}", failure, realm=self.realm)
