"""Between the reactor and the disk: what is to be written is gathered while the last writing goes on, in a thread."""

from collections.abc import Callable
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.radius.accounting_record import Record
from ikegw.radius.accounting_store import AccountingStore, Change

Slowly = Callable[..., Deferred[Any]]
"""Runs a function that blocks elsewhere (`deferToThread`)."""

AGAIN_SECONDS: Final = 5.0
"""After the disk refused; everything is kept in memory meanwhile."""


@define(eq=False)
class Ledger:
    """Writes changes in their order, many at once; `written` hears of the records that are safe on disk, in their order."""

    store: AccountingStore
    clock: IReactorTime = field(repr=False)
    slowly: Slowly = field(repr=False)
    written: Callable[[list[Record]], None] = field(repr=False)
    _changes: list[Change] = field(factory=list, init=False, repr=False)
    _writing: bool = field(default=False, init=False)
    _opened: bool = field(default=False, init=False)
    _closing: bool = field(default=False, init=False)
    _disk: DeferredLock = field(factory=DeferredLock, init=False, repr=False)
    _again: IDelayedCall | None = field(default=None, init=False, repr=False)
    _waiting: list[Deferred[None]] = field(factory=list, init=False, repr=False)
    _complained: bool = field(default=False, init=False)

    _log = Logger()

    def add(self, *changes: Change) -> None:
        """To be written soon; before `open`, it waits for that."""
        self._changes.extend(changes)
        self._write()

    def open(self, first: Callable[[AccountingStore], list[Change]]) -> Deferred[None]:
        """Open the store (errback Unopened); what `first` finds to change in it is written before all else."""

        def opening() -> list[Change]:
            self.store.open()
            return first(self.store)

        def opened(changes: list[Change]) -> Deferred[None]:
            self._opened = True
            self._changes[:0] = changes
            return self.settled()

        return self.ask(opening).addCallback(opened)

    def ask(self, blocking: Callable[[], Any]) -> Deferred[Any]:
        """Run what asks the store, when nothing else does."""
        return self._disk.run(self.slowly, blocking)

    def settled(self) -> Deferred[None]:
        """Fires when all that was added by now is on disk."""
        settled: Deferred[None] = Deferred()
        self._waiting.append(settled)
        self._write()
        return settled

    def close(self) -> Deferred[None]:
        """Write what is left, once more if need be, and close the store."""
        self._closing = True
        if self._again is not None:
            self._again.cancel()
            self._again = None
        return self.ask(_nothing).addCallback(lambda _: self._close())

    def _close(self) -> Deferred[None]:
        left, self._changes = self._changes, []

        def closing() -> None:
            try:
                self.store.write(left)
            finally:
                self.store.close()

        return self.ask(closing if self._opened else _nothing)

    def _write(self) -> None:
        if self._writing or not self._opened or self._closing or self._again is not None:
            return
        if not self._changes:
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.callback(None)
            return
        changes, self._changes = self._changes, []
        self._writing = True
        self.ask(lambda: self.store.write(changes)).addCallbacks(
            self._written, self._not_written, errbackArgs=(changes,)
        )

    def _written(self, records: list[Record]) -> None:
        self._writing, self._complained = False, False
        if records:
            self.written(records)
        self._write()

    def _not_written(self, failure: Failure, changes: list[Change]) -> None:
        self._writing = False
        self._changes[:0] = changes
        if self._closing:
            return
        if not self._complained:
            self._complained = True
            why = "the accounting queue cannot be written: {why}; it is kept in memory, and tried again"
            self._log.error(why, why=failure.getErrorMessage())
        self._again = self.clock.callLater(AGAIN_SECONDS, self._write_again)

    def _write_again(self) -> None:
        self._again = None
        self._write()


def _nothing() -> None:
    """Only to wait one's turn."""
