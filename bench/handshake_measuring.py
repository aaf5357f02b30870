"""One case: every responder does the same work in turns, so that whatever else the machine does meets all of them alike."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

from attrs import define, field, frozen
from handshake_cases import Case
from handshake_responders import Responder
from machine import cpu_seconds, resident_octets

from ikegw.testing.pki import DemoPki, write_directory

WARM_UP = 60
"""IKE SAs before the count begins: both sides have loaded and cached what they load and cache once."""

TURN = 50
"""IKE SAs of one turn."""

IN_FLIGHT = 8
"""Logins that a client has under way at a time."""

PATIENCE = 2.0
"""Seconds that a client waits for an answer before it asks again."""

_CLIENT = str(Path(__file__).with_name("handshake_client.py"))


@frozen
class Work:
    """How it is done: IKE SAs of one turn, logins under way at a time, and the client's patience.

    Responders run on that `cpu`, if one is named: whoever else is busy is to be elsewhere.
    """

    turn: int = TURN
    in_flight: int = IN_FLIGHT
    patience: float = PATIENCE
    cpu: int | None = None


@frozen
class Figures:
    """What one IKE SA cost its responder: CPU in milliseconds, memory in kB (1000 octets); and how many came a second."""

    cpu_ms: float
    kb: float
    per_second: float


class BenchFailed(Exception):
    """Not every IKE SA came up; the text says why."""


@define
class Track:
    """A responder with a client of its own."""

    responder: Responder
    client: "subprocess.Popen[str]"
    seconds: float = field(default=0.0, init=False)

    def order(self, count: int) -> None:
        """Begin to set up so many IKE SAs."""
        orders = cast(IO[str], self.client.stdin)
        orders.write(f"{count}\n")
        orders.flush()

    def connect(self, count: int) -> None:
        """Set up so many IKE SAs, all of which must come up."""
        self.order(count)
        said = cast(IO[str], self.client.stdout).readline()
        answer: dict[str, Any] = json.loads(said) if said else {"up": 0, "failure": ["the client died"]}
        if answer["up"] != count:
            why = (
                f"{answer['up']} of {count} IKE SAs came up; why the first other did not: {answer['failure']}"
            )
            raise BenchFailed(f"{why}\n{self.responder.daemon.tail()}")
        self.seconds += answer["seconds"]

    def used(self) -> tuple[float, int]:
        """The responder's CPU seconds and memory so far."""
        pid = self.responder.daemon.pid
        return cpu_seconds(pid), resident_octets(pid)


def measure(
    case: Case,
    responders: Sequence[Responder],
    pki: DemoPki | None,
    clients: Path,
    sas: int,
    work: Work = Work(),
) -> list[Figures]:
    """Figures of each responder for `sas` IKE SAs; `clients` is a directory for the clients' credentials."""
    if pki is not None:
        write_directory(clients, dict(pki.clients), {"ca": pki.root.certificate})
    with ExitStack() as stack:
        tracks = [stack.enter_context(serving(case, each, pki, clients, work)) for each in responders]
        for track in tracks:
            track.connect(WARM_UP)
            track.seconds = 0.0
        before = [track.used() for track in tracks]
        for done in range(0, sas, work.turn):
            for track in tracks:
                track.connect(min(work.turn, sas - done))
        after = [track.used() for track in tracks]
        return [
            Figures((cpu - cpu_0) * 1000 / sas, (held - held_0) / 1000 / sas, sas / track.seconds)
            for track, (cpu_0, held_0), (cpu, held) in zip(tracks, before, after, strict=True)
        ]


@contextmanager
def serving(
    case: Case, responder: Responder, pki: DemoPki | None, clients: Path, work: Work
) -> Iterator[Track]:
    """A responder that runs, with its client."""
    responder.start(case, pki)
    if work.cpu is not None:
        os.sched_setaffinity(responder.daemon.pid, {work.cpu})
    try:
        client = subprocess.Popen(
            [
                sys.executable,
                _CLIENT,
                case.name,
                str(clients),
                str(work.in_flight),
                responder.address,
                str(responder.port),
                responder.client_address,
                str(work.patience),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        try:
            yield Track(responder, client)
        finally:
            client.kill()
            client.wait()
    finally:
        responder.stop()
