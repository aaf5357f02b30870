"""What a benchmark reads of this machine: who else is using it, and what a process has cost."""

import os
import time
from pathlib import Path

from attrs import frozen

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SCHEDULER_CLOCK = 2  # Linux: CPUCLOCK_SCHED, what a process has used in all, by the scheduler's account


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process, user and system, ended threads too; in nanosecond steps, not ticks."""
    return time.clock_gettime(~pid << 3 | _SCHEDULER_CLOCK)


def waited_seconds(pid: int) -> float:
    """How long the main thread of a process would have run in all, had others not had the CPU just then."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def resident_octets(pid: int) -> int:
    """Memory that a process holds now (RSS)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


@frozen
class Busy:
    """A process that is not ours, and the part of one CPU that it used."""

    pid: int
    command: str
    part: float

    def __str__(self) -> str:
        return f"{self.command} [{self.pid}] {self.part:.0%}"


class Bystanders:
    """Watches, from its making to `report`, what else the machine was doing; our own descendants do not count."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._before = {pid: used for pid, _, _, used in _processes()}

    def report(self, at_least: float = 0.03) -> tuple[Busy, ...]:
        """The strangers that used at least this part of a CPU, the busiest first."""
        seconds = max(time.monotonic() - self._since, 0.01)
        rows = {pid: (parent, name, used) for pid, parent, name, used in _processes()}
        found = [
            Busy(pid, name, (used - self._before.get(pid, 0.0)) / seconds)
            for pid, (_, name, used) in rows.items()
            if not _is_ours(pid, {pid: parent for pid, (parent, _, _) in rows.items()})
        ]
        busy = [each for each in found if each.part >= at_least]
        return tuple(sorted(busy, key=lambda each: -each.part))


def load_average() -> tuple[float, float, float]:
    """Processes that wanted to run, on average over 1, 5 and 15 minutes."""
    return os.getloadavg()


def _is_ours(pid: int, parents: dict[int, int]) -> bool:
    while pid and pid != os.getpid():
        pid = parents.get(pid, 0)
    return pid != 0


def _processes() -> list[tuple[int, int, str, float]]:
    """Every process: pid, parent, name, CPU seconds."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (directory / "stat").read_text().partition(" (")[2].rpartition(") ")
        except OSError:
            continue  # it ended while we looked
        fields = rest.split()
        found.append(
            (int(directory.name), int(fields[1]), name, (int(fields[11]) + int(fields[12])) / _TICKS)
        )
    return found
