"""Small programs that tests write and have run."""

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater


def program(directory: Path, *lines: str, name: str = "script") -> str:
    """Write a shell script that can be run; its path."""
    file = directory / name
    file.write_text("\n".join(("#!/bin/sh", *lines, "")))
    file.chmod(0o755)
    return str(file)


def runs(pid: int) -> bool:
    """Is there a process of that number that is no zombie?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


async def until(true, seconds=10.0):
    """Look until it is so."""
    for _ in range(int(seconds / 0.01)):
        if true():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("it never came to that")
