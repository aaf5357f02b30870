"""Which life of this gateway was the last one: the living one holds a file locked, so whoever gets it knows the other dead."""

import fcntl
import os
from pathlib import Path


def hold(path: Path) -> int:
    """Lock the file as long as this process lives, and give its descriptor; OSError if another holds it."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise OSError(f"another ikegw has {path}") from None
    return descriptor


class Life:
    """The id under which the last life of this gateway lent shared addresses, and ours in its place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def previous(self) -> str:
        """The dead one's id; empty if there was none, or if it may not be dead: then others will find out in time."""
        if self._descriptor is None:
            try:
                self._descriptor = hold(self._path)
            except OSError:
                return ""
        return os.pread(self._descriptor, 64, 0).decode("ascii", "replace")

    def record(self, life: str) -> None:
        """This is ours."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, life.encode(), 0)

    def end(self) -> None:
        """Let go of it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
