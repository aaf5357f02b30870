"""Files that are either as they were or wholly new, and that nobody reads who should not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from secrets import token_hex
from typing import Final

from ikegw.pki.errors import Refused

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644


def write(file: Path, octets: bytes, mode: int) -> None:
    """Put `octets` in place of what is in `file`, all at once, also if the machine stops in the middle; OSError.

    `mode` holds from the first octet on.
    """
    new = file.with_name(f".{file.name}.{token_hex(4)}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            stream.write(octets)
            stream.flush()
            os.fsync(descriptor)
        new.replace(file)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    _sync(file.parent)


def _sync(directory: Path) -> None:
    """Have the directory itself on the disk: a renaming is a change of it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Be the only one who works on `directory`; Refused if somebody else does."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"{directory}: another ikegwctl pki works on it; try again when it is done"
            ) from None
        yield
    finally:
        os.close(descriptor)
