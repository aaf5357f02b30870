"""The process's start: requests come on standard input, answers go where standard output was; only the log keeps its place."""

import gc
import os
import signal
import sys
from contextlib import suppress
from typing import Final

from ikegw.dataplane.userspace.process import Process

_NICE: Final = -5
"""Packets go before handshakes: one thread of ours would else get as little of a busy CPU as any other."""


def main() -> None:
    """Run until the gateway is gone. Signals for the group, such as ^C, are the gateway's to answer."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, stack: sys.exit(0))  # our routes and rules go as ever
    answers = os.dup(1)
    os.dup2(2, 1)
    gc.freeze()
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    try:
        Process(0, answers, os.urandom).run()
    except OSError as error:
        sys.exit(f"{error}; is the TUN device gone?")


if __name__ == "__main__":
    main()
