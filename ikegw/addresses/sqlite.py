"""The journal of addresses in an SQLite file: a thread writes it, many entries in one transaction."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.addresses.journal import Address, Entry
from ikegw.addresses.life import hold

Slowly = Callable[..., Deferred[Any]]
"""Runs a function with its arguments in a thread."""

FORMAT: Final = 1

_TABLE: Final = """
create table if not exists address (
    address text primary key,  -- as people write it
    owner text not null,       -- whose it is or was: a hash, the same for every spelling of the name
    name text not null,        -- the same for people
    free_since real            -- when it was given back, in seconds since 1970; null: it is lent
) without rowid
"""
_WRITE: Final = """
insert into address values (?, ?, ?, ?)
on conflict (address) do update set owner = excluded.owner, name = excluded.name, free_since = excluded.free_since
"""


class SqliteJournal:
    """`Journal` in the file at `path`, which is this gateway's alone as long as it runs; others may read it.

    While a transaction is being written, what comes gathers for the next: the disk decides how many there are in each, and
    the reactor never waits for it.
    """

    _log = Logger()

    def __init__(self, path: Path, slowly: Slowly) -> None:
        self._path = path
        self._slowly = slowly
        self._turn = DeferredLock()  # one thread at a time has the file
        self._connection: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._gathered: dict[Address, Entry | None] = {}
        self._waiting: list[Deferred[None]] = []  # for the transaction of what has gathered
        self._left: dict[Address, Entry | None] = {}  # of transactions that failed: for the next
        self._writing: list[Deferred[None]] | None = None  # who waits for the transaction under way
        self._healthy = True

    def open(self) -> Deferred[tuple[Entry, ...]]:
        """See `Journal`."""
        opened: Deferred[tuple[Entry, ...]] = self._turn.run(
            lambda: self._slowly(self._open).addCallback(self._opened)
        )
        return opened

    def _opened(self, opened: "_Opened") -> tuple[Entry, ...]:
        self._connection, self._lock = opened.connection, opened.lock
        self._go_on()
        return opened.entries

    def write(self, entry: Entry) -> None:
        """See `Journal`."""
        self._gathered[entry.address] = entry
        self._go_on()

    def erase(self, address: Address) -> None:
        """See `Journal`."""
        self._gathered[address] = None
        self._go_on()

    def written(self) -> Deferred[None]:
        """See `Journal`."""
        waiting: Deferred[None] = Deferred()
        if (
            self._connection is None
        ):  # it could not be opened, which the log tells: addresses are lent all the same
            waiting.callback(None)
        elif self._gathered:
            self._waiting.append(waiting)
        elif self._writing is not None:
            self._writing.append(waiting)
        else:
            waiting.callback(None)
        return waiting

    def close(self) -> Deferred[None]:
        """See `Journal`."""
        return self.written().addCallback(lambda _: self._close())

    def _close(self) -> Deferred[None]:
        if self._connection is not None and (self._gathered or self._writing is not None):
            return self.close()  # more has come meanwhile
        closed: Deferred[None] = self._turn.run(self._shut)
        return closed

    def _shut(self) -> Deferred[None]:
        connection, self._connection = self._connection, None
        lock, self._lock = self._lock, None
        return self._slowly(_shut, connection, lock)

    # ------------------------------------------------------------ one transaction after the other

    def _go_on(self) -> None:
        if self._writing is not None or self._connection is None or not self._gathered:
            return
        batch, self._gathered, self._left = {**self._left, **self._gathered}, {}, {}
        self._writing, self._waiting = self._waiting, []
        done = self._turn.run(self._slowly, _commit, self._connection, tuple(batch.items()))
        done.addCallbacks(self._committed, self._not_committed, errbackArgs=(batch,))
        done.addCallback(self._next)

    def _next(self, _: object) -> None:
        waiting, self._writing = self._writing or [], None
        self._go_on()
        for one in waiting:
            one.callback(None)

    def _committed(self, _: object) -> None:
        if not self._healthy:
            self._healthy = True
            self._log.info("{path}: addresses are written down again", path=str(self._path))

    def _not_committed(self, failure: Failure, batch: dict[Address, Entry | None]) -> None:
        """Nobody is kept out for that: the addresses are right all the same, as long as we run."""
        self._left = batch
        if self._healthy:
            self._healthy = False
            self._log.error(
                "{path}: cannot write down who has which address: {why}; addresses are lent all the same, but clients "
                "may get others after a restart. Is the disk full?",
                path=str(self._path),
                why=failure.getErrorMessage(),
            )

    # ------------------------------------------------------------ in the thread

    def _open(self) -> "_Opened":
        lock, connection = None, None
        try:
            lock = _lock(self._path.with_name(self._path.name + ".lock"))
            connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            return _Opened(connection, lock, _read(connection))
        except (OSError, sqlite3.Error) as error:
            _shut(connection, lock)
            raise OSError(f"{self._path}: addresses cannot be kept there: {error}") from None


@frozen
class _Opened:
    connection: sqlite3.Connection
    lock: int
    entries: tuple[Entry, ...]


def _commit(connection: sqlite3.Connection, gathered: Sequence[tuple[Address, Entry | None]]) -> None:
    kept = [
        (str(entry.address), entry.owner, entry.name, entry.free_since)
        for _, entry in gathered
        if entry is not None
    ]
    gone = [(str(address),) for address, entry in gathered if entry is None]
    connection.execute("begin immediate")
    try:
        connection.executemany(_WRITE, kept)
        connection.executemany("delete from address where address = ?", gone)
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def _shut(connection: sqlite3.Connection | None, lock: int | None) -> None:
    if connection is not None:
        connection.close()
    if lock is not None:
        os.close(lock)


def _lock(path: Path) -> int:
    try:
        return hold(path)
    except OSError as error:
        raise OSError(
            f"{error}; give each gateway a file of its own, or share pools through PostgreSQL"
        ) from None


def _read(connection: sqlite3.Connection) -> tuple[Entry, ...]:
    (found,) = connection.execute("pragma user_version").fetchone()
    if found not in (0, FORMAT):
        raise OSError(f"it has format {found}, of a later version of ikegw; this one knows format {FORMAT}")
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute(_TABLE)
    connection.execute(f"pragma user_version = {FORMAT}")
    rows = connection.execute("select * from address order by coalesce(free_since, 1e300)").fetchall()
    return tuple(Entry(ip_address(address), *rest) for address, *rest in rows)
