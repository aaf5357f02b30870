"""The accounting queue on disk (SQLite): records until they are acknowledged, and the sessions that are up.

Everything here blocks: it is called in threads, one call at a time.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import astuple, define, evolve, field, frozen

from ikegw.radius.accounting_record import Counts, OpenSession, Record, Status
from ikegw.radius.packets import Attribute

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE record (
    number INTEGER PRIMARY KEY AUTOINCREMENT, realm TEXT NOT NULL, session TEXT NOT NULL, status INTEGER NOT NULL,
    at REAL NOT NULL, attributes TEXT NOT NULL);
CREATE INDEX record_by_realm ON record (realm, number);
CREATE INDEX record_by_session ON record (session);
CREATE TABLE session (
    id TEXT PRIMARY KEY, realm TEXT NOT NULL, began REAL NOT NULL, seen REAL NOT NULL, input_octets INTEGER NOT NULL,
    input_packets INTEGER NOT NULL, output_octets INTEGER NOT NULL, output_packets INTEGER NOT NULL,
    attributes TEXT NOT NULL) WITHOUT ROWID;
"""


class Unopened(Exception):
    """The queue cannot be used; the text says where it is, why, and what to do."""


@frozen
class Queue:
    """A record is to be sent; an Interim or Stop makes the session's Interims that wait still worthless."""

    record: Record


@frozen
class Keep:
    """A session that is up, with what it has carried by now."""

    session: OpenSession


@frozen
class Forget:
    """A session is over."""

    session: str


@frozen
class Done:
    """A record needs no more sending."""

    number: int


Change = Queue | Keep | Forget | Done


@define(eq=False)
class AccountingStore:
    """One file, of which this process is the only user."""

    path: Path
    _database: sqlite3.Connection = field(init=False, repr=False)

    def open(self) -> None:
        """Open it, or make it; Unopened."""
        try:
            os.close(
                os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
            )  # who was connected, nobody else reads
            self._database = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, timeout=0.5
            )
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise Unopened(
                f"the accounting queue {self.path} cannot be used: {error}. "
                "Is its directory there, ours to write, and used by one gateway alone?"
            ) from None

    def _prepare(self) -> None:
        # EXCLUSIVE: a second gateway on the same file would send every record once more.
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
            self._database.execute(f"PRAGMA {pragma}")
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={_VERSION}; COMMIT;")
        elif version != _VERSION:
            raise Unopened(f"the accounting queue {self.path} is of another version of ikegw ({version})")
        self._database.execute("BEGIN IMMEDIATE")
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Nothing more will be asked."""
        self._database.close()

    def write(self, changes: Sequence[Change]) -> list[Record]:
        """All of it, or nothing, is on disk when this returns; the records that were queued, with their numbers."""
        with _Transaction(self._database) as database:
            return list(_written(database, changes))

    def waiting(self, realm: str, after: int, most: int) -> list[Record]:
        """The oldest records of a realm that were not acknowledged, of those with higher numbers than `after`."""
        rows = self._database.execute(
            "SELECT session, status, at, attributes, number FROM record WHERE realm = ? AND number > ? ORDER BY number LIMIT ?",
            (realm, after, most),
        )
        return [
            Record(realm, session, Status(status), at, _attributes(text), number)
            for session, status, at, text, number in rows
        ]

    def realms(self) -> list[str]:
        """Those for which something waits."""
        return [realm for (realm,) in self._database.execute("SELECT DISTINCT realm FROM record")]

    def left_open(self) -> list[OpenSession]:
        """The sessions that are up, or were when we last died."""
        rows = self._database.execute(
            "SELECT id, realm, began, seen, attributes, input_octets, input_packets, output_octets, output_packets "
            "FROM session ORDER BY began"
        )
        return [
            OpenSession(name, realm, began, seen, Counts(*counts), _attributes(text))
            for name, realm, began, seen, text, *counts in rows
        ]


@define
class _Transaction:
    database: sqlite3.Connection

    def __enter__(self) -> sqlite3.Connection:
        self.database.execute("BEGIN IMMEDIATE")
        return self.database

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.database.in_transaction:
            self.database.execute("COMMIT" if kind is None else "ROLLBACK")


def _written(database: sqlite3.Connection, changes: Iterable[Change]) -> Iterator[Record]:
    for change in changes:
        if isinstance(change, Queue):
            yield _queue(database, change.record)
        elif isinstance(change, Keep):
            _keep(database, change.session)
        elif isinstance(change, Forget):
            database.execute("DELETE FROM session WHERE id = ?", (change.session,))
        else:
            database.execute("DELETE FROM record WHERE number = ?", (change.number,))


def _queue(database: sqlite3.Connection, record: Record) -> Record:
    if record.status in (Status.INTERIM, Status.STOP):
        database.execute(
            "DELETE FROM record WHERE session = ? AND status = ?", (record.session, int(Status.INTERIM))
        )
    cursor = database.execute(
        "INSERT INTO record (realm, session, status, at, attributes) VALUES (?, ?, ?, ?, ?)",
        (record.realm, record.session, int(record.status), record.at, _text(record.attributes)),
    )
    return evolve(record, number=cursor.lastrowid or 0)


def _keep(database: sqlite3.Connection, session: OpenSession) -> None:
    database.execute(
        "INSERT OR REPLACE INTO session (id, realm, began, seen, input_octets, input_packets, output_octets, output_packets, "
        "attributes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            session.id,
            session.realm,
            session.began,
            session.seen,
            *astuple(session.counts),
            _text(session.attributes),
        ),
    )


def _text(attributes: Sequence[Attribute]) -> str:
    """As JSON: octets as hex in a list of one."""
    return json.dumps(
        [(name, [value.hex()] if isinstance(value, bytes) else value) for name, value in attributes]
    )


def _attributes(text: str) -> tuple[Attribute, ...]:
    return tuple(
        (name, bytes.fromhex(value[0]) if isinstance(value, list) else value)
        for name, value in json.loads(text)
    )
