"""RADIUS accounting (RFC 2866, RFC 2869): hears of sessions, and tells their servers, however long that takes.

No login waits for it: events are written down, sent from there, and forgotten once they are acknowledged. A session that
was up when we died is ended at the next start, with the last counts that were written down.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import ClassVar, Final

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.config.accounting import AccountingSettings
from ikegw.events import AaaServerBack, Event, SessionBegan, SessionChanged, SessionEnded
from ikegw.ports import Sessions, Usage
from ikegw.radius.accounting_ledger import Ledger, Slowly
from ikegw.radius.accounting_record import (
    Counts,
    OpenSession,
    Record,
    Status,
    attributes_of,
)
from ikegw.radius.accounting_sender import Ask, Sender
from ikegw.radius.accounting_store import AccountingStore, Change, Done, Forget, Keep, Queue
from ikegw.radius.packets import Attribute
from ikegw.radius.station import Station
from ikegw.session import EndCause, Session

QUEUE_FILE: Final = "accounting.sqlite"
SHORTEST_INTERIM: Final = 10.0
"""Seconds; whoever asks for more is asked to have mercy with his server."""

STOP_SECONDS: Final = 2.0
"""How long servers are given to acknowledge what is left when we stop; what they do not is sent at the next start."""


@define(eq=False)
class _Attended:
    """A session that is up. `told_at`: when its server heard of it last, by the clock."""

    session: Session
    open: OpenSession
    told_at: float
    timer: IDelayedCall | None = field(default=None, repr=False)

    def stop(self) -> None:
        """Look no more."""
        if self.timer is not None and self.timer.active():
            self.timer.cancel()


@define(eq=False)
class Accounting:
    """The subscriber (`events.Publish`). `now` is seconds since 1970; `ask` sends one record. A reload may change `station`."""

    HEARS: ClassVar[tuple[type[Event], ...]] = (SessionBegan, SessionChanged, SessionEnded, AaaServerBack)

    settings: AccountingSettings
    clock: IReactorTime = field(repr=False)
    now: Callable[[], float] = field(repr=False)
    slowly: Slowly = field(repr=False)
    ask: Ask = field(repr=False)
    station: Station
    _sessions: Sessions | None = field(default=None, init=False, repr=False)
    _realms: set[str] = field(factory=set, init=False)
    _opened: bool = field(default=False, init=False)
    _attended: dict[str, _Attended] = field(factory=dict, init=False, repr=False)
    _senders: dict[str, Sender] = field(factory=dict, init=False, repr=False)
    _store: AccountingStore = field(init=False, repr=False)
    _ledger: Ledger = field(init=False, repr=False)

    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._store = AccountingStore(self.settings.directory / QUEUE_FILE)
        self._ledger = Ledger(self._store, self.clock, self.slowly, self._written)

    # ------------------------------------------------------------ life

    def start(self, sessions: Sessions, realms: Iterable[str]) -> Deferred[None]:
        """Open the queue (errback Unopened), end the sessions of our last life, and tell each realm that we are on.

        Without realms, and without a queue of old, there is nothing to open until `configure` tells of some.
        """
        self._sessions = sessions
        fresh = self._fresh(realms)
        return self._open(fresh) if fresh or self._store.path.exists() else succeed(None)

    def configure(self, settings: AccountingSettings, realms: Iterable[str]) -> None:
        """Take over other settings; the directory stays what it was. Realms that are new are told that we are on."""
        self.settings = evolve(settings, directory=self.settings.directory)
        fresh = self._fresh(realms)
        if fresh and not self._opened:
            self._open(fresh).addErrback(self._not_opened)
        elif self._opened:
            self._ledger.add(*self._of_nas(fresh, Status.ON))
            self._send_to(fresh)
        for sender in self._senders.values():
            sender.keep_seconds = settings.keep_seconds
        for attended in self._attended.values():
            self._look_later(attended)
        self.wake()

    def _fresh(self, realms: Iterable[str]) -> list[str]:
        fresh = sorted(set(realms) - self._realms)
        self._realms.update(fresh)
        return fresh

    def _open(self, fresh: list[str]) -> Deferred[None]:
        self._opened = True
        on = self._of_nas(fresh, Status.ON)
        opened = self._ledger.open(partial(_left_by_our_last_life, on))
        known = opened.addCallback(lambda _: self._ledger.ask(self._store.realms))
        return known.addCallback(lambda waiting: self._send_to([*waiting, *sorted(self._realms)]))

    def _not_opened(self, failure: Failure) -> None:
        self._log.error("{why} No RADIUS server is told of sessions.", why=failure.getErrorMessage())

    def _send_to(self, realms: Iterable[str]) -> None:
        for realm in realms:
            if realm not in self._senders:
                self._senders[realm] = Sender(
                    realm, self.clock, self.now, self.ask, self._load, self._done, self.settings.keep_seconds
                )
                self._senders[realm].start()

    def wake(self) -> None:
        """A server is back, or others are configured."""
        for sender in self._senders.values():
            sender.wake()

    def status(self) -> list[str]:
        """A line for each realm."""
        return [
            f"of realm {sender.realm}: {sender.acknowledged} records acknowledged, {sender.waiting} wait"
            f"{' and more on disk' if sender.more_on_disk else ''}, {sender.dropped} dropped"
            for sender in self._senders.values()
        ]

    def stop(self) -> Deferred[None]:
        """Tell each realm that we are off, send what can be sent in short time, and close the queue."""
        for attended in self._attended.values():
            attended.stop()
        if not self._opened:
            return succeed(None)
        self._ledger.add(*self._of_nas(sorted(self._realms), Status.OFF))
        written = self._ledger.settled()
        return written.addCallback(lambda _: self._drain()).addCallback(lambda _: self._close())

    def _drain(self) -> Deferred[object]:
        idle = DeferredList([sender.idle() for sender in self._senders.values()], consumeErrors=True)
        return idle.addTimeout(STOP_SECONDS, self.clock).addErrback(lambda _: None)

    def _close(self) -> Deferred[None]:
        for sender in self._senders.values():
            sender.stop()
        return self._ledger.close()

    # ------------------------------------------------------------ what happens to sessions

    def publish(self, event: Event) -> None:
        """Hear of an event."""
        if isinstance(event, SessionBegan) and event.session.aaa:
            self._began(event.session)
        elif isinstance(event, SessionChanged) and event.session.id in self._attended:
            self._changed(self._attended[event.session.id], event.session)
        elif isinstance(event, SessionEnded) and event.session.aaa:
            self._ended(event)
        elif isinstance(event, AaaServerBack):
            self.wake()

    def _began(self, session: Session) -> None:
        now = self.now()
        open_session = OpenSession(session.id, session.aaa, now, now, Counts(), self._attributes(session))
        attended = _Attended(session, open_session, self.clock.seconds())
        self._attended[session.id] = attended
        self._ledger.add(Keep(open_session), Queue(open_session.record(Status.START)))
        self._look_later(attended)

    def _changed(self, attended: _Attended, session: Session) -> None:
        attended.session = session
        attended.open = evolve(attended.open, attributes=self._attributes(session))
        if self._interim_seconds(session):
            self._look(attended, tell=True)
        else:
            self._ledger.add(Keep(attended.open))
            self._look_later(attended)

    def _ended(self, event: SessionEnded) -> None:
        session, now = event.session, self.now()
        attended = self._attended.pop(session.id, None)
        if attended is not None:
            attended.stop()
        counts = Counts(
            event.inbound_octets, event.inbound_packets, event.outbound_octets, event.outbound_packets
        )
        over = OpenSession(
            session.id, session.aaa, now - event.seconds, now, counts, self._attributes(session)
        )
        self._ledger.add(Queue(over.stop(event.cause)), Forget(session.id))

    # ------------------------------------------------------------ interim counts

    def _interim_seconds(self, session: Session) -> float:
        granted = session.grant.interim_seconds
        seconds = self.settings.interim_seconds if granted is None else granted
        return max(seconds, SHORTEST_INTERIM) if seconds else 0.0

    def _look_later(self, attended: _Attended) -> None:
        attended.stop()
        interim = self._interim_seconds(attended.session)
        waits = [self.settings.counts_seconds] if self.settings.counts_seconds else []
        if interim:
            waits.append(max(attended.told_at + interim - self.clock.seconds(), 0.0))
        if waits:
            attended.timer = self.clock.callLater(min(waits), self._look, attended)

    def _look(self, attended: _Attended, *, tell: bool = False) -> None:
        interim = self._interim_seconds(attended.session)
        tell = tell or (bool(interim) and self.clock.seconds() >= attended.told_at + interim - 0.001)
        if tell:
            attended.told_at = self.clock.seconds()
        self._look_later(attended)
        if self._sessions is not None:
            asked = self._sessions.usage(attended.session.id)
            asked.addCallbacks(self._counted, _is_over, (attended, tell))

    def _counted(self, usage: Usage, attended: _Attended, tell: bool) -> None:
        if self._attended.get(attended.session.id) is not attended:
            return  # it ended meanwhile
        attended.open = attended.open.counted(Counts.of(usage), self.now())
        changes: list[Change] = [Keep(attended.open)]
        if tell:
            changes.append(Queue(attended.open.record(Status.INTERIM)))
        self._ledger.add(*changes)

    # ------------------------------------------------------------ records

    def _attributes(self, session: Session) -> tuple[Attribute, ...]:
        return attributes_of(session, self.station)

    def _of_nas(self, realms: Iterable[str], status: Status) -> list[Queue]:
        """On or Off, for each realm."""
        return [Queue(Record(realm, "", status, self.now(), self.station.ours())) for realm in realms]

    def _written(self, records: list[Record]) -> None:
        for record in records:
            sender = self._senders.get(record.realm)
            if sender is not None:
                sender.add(record)

    def _load(self, realm: str, after: int, most: int) -> Deferred[list[Record]]:
        return self._ledger.ask(lambda: self._store.waiting(realm, after, most))

    def _done(self, number: int) -> None:
        self._ledger.add(Done(number))


def _left_by_our_last_life(on: list[Queue], store: AccountingStore) -> list[Change]:
    """Sessions that nobody ended, for we died; their servers hear that before they hear that we are on again."""
    changes: list[Change] = []
    for left in store.left_open():
        changes += [Queue(left.stop(EndCause.NAS_REBOOT)), Forget(left.id)]
    return [*changes, *on]


def _is_over(failure: Failure) -> None:
    failure.trap(KeyError, CancelledError)  # type: ignore[no-untyped-call]
