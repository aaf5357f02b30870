"""Files of what was downloaded, so that a gateway that starts anew knows it without its servers."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure

MOST_FILES: Final = 1024
MOST_OCTETS: Final = 64 << 20
"""Of one file."""

_UNFINISHED: Final = ".part"


T = TypeVar("T")

Read = Callable[[bytes, float], T | None]
"""Makes something of a file's octets and of when it was put there (seconds since 1970), in a thread."""


@define(eq=False)
class Shelf:
    """`directory` may change at any time; it is made when first needed. `slow` runs a function where it blocks nobody.

    Nothing depends on it: what cannot be kept is told in the log, and downloaded again next time.
    """

    directory: Path
    _slow: Callable[..., Deferred[Any]] = field(repr=False)
    _lock: DeferredLock = field(factory=DeferredLock, init=False, repr=False)
    _log: Logger = field(factory=Logger, init=False, repr=False)

    def put(self, name: str, octets: bytes) -> Deferred[None]:
        """Keep it in place of what had that name, a plain file name; never fails."""
        return self._alone(_write, self.directory, name, octets)

    def read(self, make: Read[T]) -> Deferred[list[T]]:
        """What `make` makes of all that is there, the newest first; what it makes nothing of is thrown away. Never fails."""
        return self._alone(_read, self.directory, make).addCallback(lambda found: found or [])

    def _alone(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """One after the other: the newest of a name is to be the last that is written."""
        done: Deferred[Any] = self._lock.run(self._slow, function, *arguments)
        return done.addErrback(self._complain)

    def _complain(self, failure: Failure) -> None:
        self._log.warn(
            "{directory}: what was downloaded cannot be kept there (downloads.directory): {why}",
            directory=self.directory,
            why=failure.getErrorMessage(),
        )


def _write(directory: Path, name: str, octets: bytes) -> None:
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    part = directory / f"{name}{_UNFINISHED}"
    with part.open("wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    part.replace(directory / name)
    for file_ in _newest_first(directory)[MOST_FILES:]:
        file_.unlink(missing_ok=True)


def _newest_first(directory: Path) -> list[Path]:
    """The files that are whole."""
    if not directory.is_dir():
        return []
    files = [file for file in directory.iterdir() if file.is_file() and file.suffix != _UNFINISHED]
    return sorted(files, key=lambda file: file.stat().st_mtime, reverse=True)


def _read(directory: Path, make: Read[T]) -> list[T]:
    made = []
    for file in _newest_first(directory):
        found = None if file.stat().st_size > MOST_OCTETS else make(file.read_bytes(), file.stat().st_mtime)
        if found is None:
            file.unlink()
        else:
            made.append(found)
    return made
