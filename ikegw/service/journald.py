"""A log observer for systemd's journal, with fields to filter by: `journalctl IKEGW_CONN=road IKEGW_PEER=198.51.100.9`.

    twistd --logger ikegw.service.journald.observer ikegw --config /etc/ikegw/ikegw.toml

The journal's native protocol is datagrams of NAME=value lines (systemd's JOURNAL_NATIVE_PROTOCOL).
"""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attrs import define, field
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, formatTime
from zope.interface import implementer

from ikegw.service.fields import fields_of

JOURNAL: Final = Path("/run/systemd/journal/socket")
LONGEST: Final = 48 * 1024
"""Octets of one datagram's value; a traceback may be longer than what a datagram takes."""

_PRIORITIES: Final = {
    LogLevel.critical: 2,
    LogLevel.error: 3,
    LogLevel.warn: 4,
    LogLevel.info: 6,
    LogLevel.debug: 7,
}


@implementer(ILogObserver)
@define(eq=False)
class JournalObserver:
    """Sends every event to the journal; if that cannot be reached, to standard error."""

    path: Path = JOURNAL
    _socket: socket.socket = field(init=False, repr=False)

    @_socket.default
    def _open(self) -> socket.socket:
        return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def __call__(self, event: LogEvent) -> None:
        """Send one event."""
        text = text_of(event)
        octets = b"".join(_field(name, value) for name, value in _entry(event, text))
        try:
            self._socket.sendto(octets, str(self.path))
        except OSError:
            sys.stderr.write(f"{formatTime(event.get('log_time'))} {text}\n")


def observer() -> JournalObserver:
    """What `twistd --logger` calls."""
    return JournalObserver()


def text_of(event: LogEvent) -> str:
    """The line of an event, and the traceback if it tells of a failure."""
    text = formatEvent(event)
    failure = event.get("log_failure")
    return text if failure is None else f"{text}\n{failure.getTraceback()}"


def _entry(event: LogEvent, text: str) -> Iterator[tuple[str, str]]:
    yield "MESSAGE", text
    yield "PRIORITY", str(_PRIORITIES.get(event.get("log_level"), 6))
    yield "SYSLOG_IDENTIFIER", "ikegw"
    yield "IKEGW_NAMESPACE", str(event.get("log_namespace", ""))
    happened: Any = event.get("happened")
    if happened is not None:
        yield from fields_of(happened).items()


def _field(name: str, value: str) -> bytes:
    octets = value.encode("utf-8", "surrogateescape")[:LONGEST]
    if b"\n" not in octets:
        return name.encode() + b"=" + octets + b"\n"
    return name.encode() + b"\n" + len(octets).to_bytes(8, "little") + octets + b"\n"
