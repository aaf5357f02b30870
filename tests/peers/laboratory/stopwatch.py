"""A log of twistd with microseconds, so that two daemons' logs can be told as one story.

Used as `twistd --logger laboratory.stopwatch.observer`.
"""

import sys

from twisted.logger import FileLogObserver, LogEvent, formatEventAsClassicLogText


def observer() -> FileLogObserver:
    """Write each event to the standard output, its time in seconds since the epoch."""
    return FileLogObserver(sys.stdout, _line)


def _line(event: LogEvent) -> str | None:
    return formatEventAsClassicLogText(event, formatTime=lambda when: f"{when or 0:.6f}")
