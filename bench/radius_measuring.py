"""One measurement: a RADIUS server, a gateway and its clients, each a process, begun and ended here."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from attrs import define, frozen
from handshake_measuring import BenchFailed
from handshake_responders import BENCH, Ikegw
from laboratory.processes import Daemon
from radius_cases import STUB_ADDRESS, EapCase
from radius_probe import Answers, probe

from ikegw.testing.pki import DemoPki, write_directory

CLIENT_ADDRESS = "10.9.0.2"
STRANGER_ADDRESS = "10.9.0.4"
WARM_UP = 30
FIRST = -10
NICE = 19
"""Of the gateway: its clients are given seventy times as much of the CPU that both want."""

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@frozen
class Figures:
    """So many logins, the seconds that they took (but for those in which others had the gateway's CPU), and the seconds of CPU
    that they cost it.
    """

    logins: int = 0
    seconds: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(self.logins + other.logins, self.seconds + other.seconds, self.cpu + other.cpu)

    @property
    def per_second(self) -> float:
        """Logins a second."""
        return self.logins / self.seconds

    @property
    def at_work(self) -> float:
        """The part of that time in which the gateway computed: 1 if nothing but itself limits it."""
        return self.cpu / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of the gateway's CPU for one login."""
        return self.cpu * 1000 / self.logins


@define
class Clients:
    """The process that logs in."""

    process: "subprocess.Popen[str]"
    gateway: Ikegw

    def order(self, count: int) -> None:
        """Begin so many logins."""
        orders = cast(IO[str], self.process.stdin)
        orders.write(f"{count}\n")
        orders.flush()

    def log_in(self, count: int) -> Figures:
        """Log in so often, and give what it took; every login must succeed."""
        self.order(count)
        said = cast(IO[str], self.process.stdout).readline()
        answer: dict[str, Any] = json.loads(said) if said else {"up": 0, "failure": ["the clients died"]}
        if answer["up"] != count:
            why = f"{answer['up']} of {count} logins succeeded; why the first other did not: {answer['failure']}"
            raise BenchFailed(f"{why}\n{self.gateway.daemon.tail()}")
        return Figures(count, float(answer["seconds"]), float(answer["cpu"]))


def log_in(case: EapCase, pki: DemoPki, place: Path, logins: int, profile: str) -> Figures:
    """Figures for so many logins."""
    with _running(case, pki, place, str(case.delay_ms), profile) as (clients, stub):
        _have_work_for(clients.gateway.daemon.pid, clients.process.pid, stub.pid)
        clients.log_in(WARM_UP)
        return clients.log_in(logins)


def wait_for_a_dead_server(pki: DemoPki, place: Path, waiting: int) -> tuple[Answers, Answers, int]:
    """How soon strangers are answered before, and while so many logins wait; and how many did."""
    with _running(EapCase("mschapv2", 0, waiting, patience="2s"), pki, place, "never", "") as (clients, stub):
        calm = probe(STRANGER_ADDRESS, 100)
        clients.order(waiting)
        time.sleep(waiting / 50)  # until all of them have come so far
        busy = probe(STRANGER_ADDRESS, 100)
        stub.stop()
        asked = int(stub.wait_for(r"asked (\d+)")[1])
    if asked < waiting * 0.9:
        raise BenchFailed(f"only {asked} of {waiting} logins had come as far as the RADIUS server")
    return calm, busy, asked


def _have_work_for(gateway: int, clients: int, stub: int) -> None:
    """See to it that the gateway is never without work, though its clients need more CPU than it: they come first on one CPU."""
    shared, *others = sorted(os.sched_getaffinity(0))
    for pid in (gateway, clients):
        os.sched_setaffinity(pid, {shared})
    os.sched_setaffinity(stub, set(others or (shared,)))
    os.setpriority(os.PRIO_PROCESS, gateway, NICE)
    with suppress(PermissionError):  # as root, they come before whatever else runs here too
        for pid in (clients, stub):
            os.setpriority(os.PRIO_PROCESS, pid, FIRST)


@contextmanager
def _running(
    case: EapCase, pki: DemoPki, place: Path, delay: str, profile: str
) -> Iterator[tuple[Clients, Daemon]]:
    """All three processes."""
    write_directory(place / "clients", {}, {"ca": pki.root.certificate})
    command = [sys.executable, str(BENCH / "radius_stub.py"), STUB_ADDRESS, case.method, delay]
    stub = Daemon("RADIUS server", command, place / "stub.log", ENVIRONMENT)
    gateway = Ikegw(place / "ikegw", profile)
    load = [
        str(BENCH / "radius_client.py"),
        case.method,
        str(place / "clients"),
        str(case.in_flight),
        CLIENT_ADDRESS,
    ]
    process = None
    try:
        stub.start()
        stub.wait_for("^ready")
        gateway.start(case, pki)
        process = subprocess.Popen(
            [sys.executable, *load, str(gateway.daemon.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        yield Clients(process, gateway), stub
    finally:
        if process is not None:
            process.kill()
            process.wait()
        gateway.stop()
        stub.stop()
