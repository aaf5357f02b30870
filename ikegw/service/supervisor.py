"""What systemd is told of us, as sd_notify(3) has it: ready, reloading, stopping, alive, and how much there is to do.

Without systemd (NOTIFY_SOCKET is not set) nothing is told to anybody.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

STATUS_SECONDS: Final = 10.0


@define(eq=False)
class Supervisor:
    """Tells systemd. `status` gives the line that `systemctl status` shows; it is asked for now and then.

    The watchdog is fed by the reactor itself: what blocks that for too long has us started anew.
    """

    clock: IReactorTime
    status: Callable[[], str]
    environment: Mapping[str, str] = field(factory=lambda: os.environ, repr=False)
    _timer: IDelayedCall | None = field(default=None, init=False)

    def ready(self) -> None:
        """Everything works; whoever waits for us may go on."""
        self._tell("READY=1", f"STATUS={self.status()}")
        self._again()

    def reloading(self) -> None:
        """The configuration is being read; `ready` is to follow."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """We end in order."""
        self.rest()
        self._tell("STOPPING=1", "STATUS=deleting every SA")

    def rest(self) -> None:
        """Tell nothing more by ourselves."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    @property
    def _interval(self) -> float:
        """Twice as often as the watchdog wants it, and often enough for the status line."""
        watchdog = self.environment.get("WATCHDOG_USEC", "")
        wanted = int(watchdog) / 2_000_000 if watchdog.isdecimal() else STATUS_SECONDS
        return min(wanted, STATUS_SECONDS)

    def _again(self) -> None:
        self.rest()
        if "NOTIFY_SOCKET" in self.environment:
            self._timer = self.clock.callLater(self._interval, self._alive)

    def _alive(self) -> None:
        self._tell("WATCHDOG=1", f"STATUS={self.status()}")
        self._again()

    def _tell(self, *lines: str) -> None:
        address = self.environment.get("NOTIFY_SOCKET", "")
        if not address:
            return
        if address.startswith("@"):
            address = "\0" + address[1:]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
            try:
                notify.sendto("\n".join(lines).encode(), address)
            except OSError:  # systemd does not listen: it will notice by itself, and nobody else is told so
                return
