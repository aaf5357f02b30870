"""A numbered stream through tunnels, both ways, and what became of every datagram."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import define, frozen

from laboratory.namespaces import Namespace

_COUNTED = str(Path(__file__).with_name("counted.py"))


@frozen
class Tally:
    """Datagrams of both ways together; `holes` tells of each way what is missing: (from, to, number, about when)."""

    sent: int
    lost: int
    twice: int
    holes: tuple[tuple[str, str, int, float], ...]


@define
class Counting:
    """A stream that runs; `stop` ends it."""

    _ends: "list[subprocess.Popen[str]]"
    _pairs: Sequence[tuple[str, str]]

    def stop(self) -> Tally:
        """Send no more, wait for what is under way, and compare what each end saw."""
        _tell(self._ends, "stop")
        accounts = [json.loads(end.communicate(timeout=30)[0]) for end in self._ends]
        sent = lost = twice = 0
        holes = []
        for senders, receivers in (accounts, reversed(accounts)):
            for pair, out, into in zip(self._pairs, senders, receivers, strict=True):
                sent += out["sent"]
                lost += out["sent"] - into["came"]
                twice += into["twice"]
                ends = pair if senders is accounts[0] else pair[::-1]
                holes += [(*ends, number, when) for number, when in into["missing"]]
        return Tally(sent, lost, twice, tuple(holes))


@contextmanager
def counting(
    client: Namespace, gateway: Namespace, pairs: Sequence[tuple[str, str]], per_second: float
) -> Iterator[Counting]:
    """Count datagrams between `pairs` of (client's, gateway's) addresses while the block runs, so many a second each way."""
    ends = [
        _start(client, [f"{mine}={peer}" for mine, peer in pairs], per_second),
        _start(gateway, [f"{peer}={mine}" for mine, peer in pairs], per_second),
    ]
    try:
        for end in ends:
            assert end.stdout is not None
            assert end.stdout.readline() == "ready\n"
        _tell(ends, "go")
        yield Counting(ends, pairs)
    finally:
        for end in ends:
            end.kill()
            end.communicate()


def _tell(ends: "list[subprocess.Popen[str]]", word: str) -> None:
    for end in ends:
        assert end.stdin is not None
        end.stdin.write(f"{word}\n")
        end.stdin.flush()


def _start(place: Namespace, pairs: list[str], per_second: float) -> "subprocess.Popen[str]":
    command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, _COUNTED, str(per_second), *pairs]
    return subprocess.Popen(place.within(*command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
