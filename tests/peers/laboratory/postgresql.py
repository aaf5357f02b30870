"""PostgreSQL as Debian has it: a cluster of its own in a directory, reached by its socket there and by nothing else."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any, Final

import psycopg
from attrs import define, field

from laboratory.processes import Daemon, until

PROGRAMS: Final = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/lib/postgresql"))
# It refuses to be root: here it is not, though its files are those of whoever runs the tests.
_NOT_ROOT: Final = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
_DIES_WITH_US: Final = ("setpriv", "--pdeathsig", "INT", "--")
# What a test writes need not outlive the machine.
_QUICK: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=50")


@define
class Postgresql:
    """One server, with one empty database for each test that makes one."""

    directory: Path
    daemon: Daemon = field(init=False)

    @daemon.default
    def _daemon(self) -> Daemon:
        settings = [part for one in (*_QUICK, "listen_addresses=") for part in ("-c", one)]
        server = (str(PROGRAMS / "postgres"), "-D", str(self._data), "-k", str(self.directory), *settings)
        log = self.directory / "postgresql.log"
        return Daemon("postgresql", (*_NOT_ROOT, *_DIES_WITH_US, *server), log, dict(os.environ))

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def dsn(self) -> str:
        """How it is reached."""
        return f"host={self.directory} user=ikegw dbname=postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if not self._data.exists():
            initdb = (str(PROGRAMS / "initdb"), "-D", str(self._data), "-U", "ikegw", "-A", "trust", "-N")
            locale = ("--no-locale", "-E", "UTF8")
            subprocess.run((*_NOT_ROOT, *initdb, *locale), check=True, capture_output=True)
        self.daemon.start()
        until(self._answers, "PostgreSQL does not answer")

    def _answers(self) -> bool:
        if not self.daemon.running:
            raise AssertionError(self.daemon.text())
        try:
            psycopg.connect(self.dsn).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop it at once, cutting off whoever is connected."""
        if self.daemon.running:
            self.daemon.signal(signal.SIGINT)
            self.daemon.stop()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(query).fetchall()
