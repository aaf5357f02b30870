"""Passwords come out of files, not out of command lines, which everybody on the host can read."""

from pathlib import Path
from typing import Final

from ikegw.pki.errors import Refused

LONGEST: Final = 1024


def first_line(file: Path) -> str:
    """The first line of a file that an operator names (/dev/stdin too); Refused, OSError."""
    with file.open("rb") as stream:
        line = stream.readline(LONGEST + 1)
    try:
        text = line.rstrip(b"\r\n").decode()
    except UnicodeDecodeError:
        text = ""
    if not text or len(line) > LONGEST:
        raise Refused(f"{file}: its first line is no password")
    return text
