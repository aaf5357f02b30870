"""A daemon as a process of ours: its log on disk, waited for line by line, always stopped by its own pid."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import define, field

PATIENCE = 6.0 if "KERNEL_LAB" in os.environ else 1.0
"""How many times longer everything may take: in a guest without KVM it does."""


class NeverHappened(Exception):
    """Something that was waited for did not come in time, or the process that should do it is gone."""


def until(condition: Callable[[], object], what: str, timeout: float = 15.0) -> None:
    """Wait until `condition()` is true; NeverHappened(what) after `timeout` seconds."""
    deadline = time.monotonic() + timeout * PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise NeverHappened(f"{what}, for {timeout:g} s")
        time.sleep(0.02)


@define
class Daemon:
    """One process whose output goes to `log`. It dies with us, however we die."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(factory=dict)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Start the process."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.environment),
                start_new_session=True,  # Ctrl-C is for us: we stop it in order
            )

    @property
    def pid(self) -> int:
        """The process's own id: every wrapper execs."""
        if self._process is None:
            raise NeverHappened(f"{self.name} was never started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def text(self, since: int = 0) -> str:
        """What it has logged, from character `since` on."""
        return self.log.read_text(errors="replace")[since:] if self.log.exists() else ""

    def mark(self) -> int:
        """Where the log ends now, to be given as `since` later."""
        return len(self.text())

    def wait_for(self, pattern: str, *, since: int = 0, timeout: float = 15.0) -> "re.Match[str]":
        """Wait for a line of the log that `pattern` is found in; NeverHappened if it does not come or the process ends."""
        expression = re.compile(pattern, re.MULTILINE)
        deadline = time.monotonic() + timeout * PATIENCE
        while True:
            ended, late = not self.running, time.monotonic() > deadline
            if match := expression.search(self.text(since)):
                return match
            if ended or late:
                why = "the process has ended" if ended else f"waited {timeout:g} s"
                raise NeverHappened(f"{self.name} never logged {pattern!r}: {why}\n{self.tail()}")
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        if self._process is not None and self.running:
            self._process.send_signal(number)

    def stop(self, timeout: float = 10.0) -> int:
        """End it with SIGTERM, after `timeout` with SIGKILL; the exit status (negative: the signal)."""
        if self._process is None:
            return 0
        self.signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def tail(self, lines: int = 80) -> str:
        """The log's last lines under a heading, for a failed test."""
        return "\n".join([f"---- {self.name}", *self.text().splitlines()[-lines:]])
