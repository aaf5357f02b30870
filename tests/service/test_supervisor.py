"""What systemd hears over its notify socket: ready, alive and counting, reloading, stopping."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from ikegw.service.supervisor import STATUS_SECONDS, Supervisor


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    def heard(self) -> list[list[str]]:
        found = []
        try:
            while True:
                found.append(self.socket.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return found


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listening = Systemd(tmp_path / "notify")
    yield listening
    listening.socket.close()


def supervisor(clock: Clock, **environment: str) -> Supervisor:
    return Supervisor(clock, lambda: "3 IKE SAs up, 0 half open", environment)


def test_ready_alive_reloading_and_stopping(systemd: Systemd) -> None:
    clock = Clock()
    told = supervisor(clock, NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="8000000")
    told.ready()
    assert systemd.heard() == [["READY=1", "STATUS=3 IKE SAs up, 0 half open"]]
    clock.pump([1.0] * 8)
    assert systemd.heard() == [["WATCHDOG=1", "STATUS=3 IKE SAs up, 0 half open"]] * 2
    told.reloading()
    ((reloading, since),) = systemd.heard()
    assert reloading == "RELOADING=1"
    assert since.startswith("MONOTONIC_USEC=")
    told.ready()
    told.stopping()
    assert [lines[0] for lines in systemd.heard()] == ["READY=1", "STOPPING=1"]
    assert not clock.getDelayedCalls()


def test_without_a_watchdog_the_status_is_told_all_the_same(systemd: Systemd) -> None:
    clock = Clock()
    told = supervisor(clock, NOTIFY_SOCKET=str(systemd.path))
    told.ready()
    clock.advance(STATUS_SECONDS)
    assert len(systemd.heard()) == 2


def test_without_systemd_nothing_is_told_and_no_timer_runs() -> None:
    clock = Clock()
    told = supervisor(clock)
    told.ready()
    told.reloading()
    assert not clock.getDelayedCalls()
    told.stopping()


def test_a_systemd_that_does_not_listen_does_no_harm(tmp_path: Path) -> None:
    clock = Clock()
    told = supervisor(clock, NOTIFY_SOCKET=str(tmp_path / "nobody"))
    told.ready()
    clock.advance(STATUS_SECONDS)
    told.stopping()
