"""The process's start: requests come on standard input, answers go where standard output was; only the log keeps its place."""

import gc
import os
import signal
import sys

from ikegw.dataplane.userspace.process import Process


def main() -> None:
    """Run until the gateway is gone. Signals for the group, such as ^C, are the gateway's to answer."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, stack: sys.exit(0))  # our routes and rules go as ever
    answers = os.dup(1)
    os.dup2(2, 1)
    gc.freeze()
    Process(0, answers, os.urandom).run()


if __name__ == "__main__":
    main()
