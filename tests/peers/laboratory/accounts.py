"""What FreeRADIUS wrote down of accounting (its detail file), and radclient, which asks us to end and change sessions."""

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from laboratory.namespaces import Namespace


@frozen
class Booked:
    """One Accounting-Request as the server has it; of several attributes of one name, the last."""

    attributes: Mapping[str, str]

    @property
    def status(self) -> str:
        """Start, Stop, Interim-Update, Accounting-On, Accounting-Off."""
        return self.attributes["Acct-Status-Type"]

    @property
    def user(self) -> str:
        """User-Name; empty for On and Off."""
        return self.attributes.get("User-Name", "")

    def number(self, name: str) -> int:
        """An attribute that is a number."""
        return int(self.attributes[name])


def booked(detail: Path) -> list[Booked]:
    """Every record of a detail file that is written to its end, in order."""
    text = detail.read_text() if detail.exists() else ""
    records = []
    for block in text.split("\n\n"):
        found = dict(re.findall(r'^\t([\w-]+) = "?(.*?)"?$', block, re.MULTILINE))
        if "Timestamp" in found:
            records.append(Booked(found))
    return records


def kept_octets(queue: Path) -> tuple[int, int]:
    """What ikegw has written down of the sessions that are up, input and output of all together; from a copy, for it has the file
    to itself. Zeros if the copy was made in the middle of a change.
    """
    with TemporaryDirectory() as place:
        copy = Path(place) / queue.name
        for end in ("", "-wal"):
            shutil.copy(f"{queue}{end}", f"{copy}{end}")
        with closing(sqlite3.connect(copy)) as database:
            try:
                octets = database.execute(
                    "SELECT sum(input_octets), sum(output_octets) FROM session"
                ).fetchone()
            except sqlite3.DatabaseError:
                return 0, 0
    return octets[0] or 0, octets[1] or 0


@frozen
class Answer:
    """What radclient was answered: `code` as it writes it (CoA-ACK, Disconnect-NAK, …), empty if nothing came."""

    code: str
    error: str


def radclient(place: Namespace, address: str, verb: str, secret: str, **attributes: str | int) -> Answer:
    """Send a request (`coa` or `disconnect`), signed; attributes are written with _ for -."""
    pairs = [f"{name.replace('_', '-')} = {_quoted(value)}" for name, value in attributes.items()]
    pairs.append("Message-Authenticator = 0x00")
    command = ["radclient", "-x", "-r", "1", "-t", "2", f"{address}:3799", verb, secret]
    done = subprocess.run(
        place.within(*command), input=", ".join(pairs), capture_output=True, text=True, timeout=10
    )
    code = re.search(r"^Received (\S+) Id", done.stdout, re.MULTILINE)
    error = re.search(r"Error-Cause = (\S+)", done.stdout)
    return Answer(code[1] if code else "", error[1] if error else "")


def _quoted(value: str | int) -> str:
    return str(value) if isinstance(value, int) else f'"{value}"'
