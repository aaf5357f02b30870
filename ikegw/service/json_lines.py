"""A log observer that writes JSON, a line for each event, to standard output.

twistd -n --logger ikegw.service.json_lines.observer ikegw --config /etc/ikegw/ikegw.toml
"""

import json
import sys
from datetime import UTC, datetime
from typing import TextIO

from attrs import define, field
from twisted.logger import ILogObserver, LogEvent
from zope.interface import implementer

from ikegw.service.fields import fields_of
from ikegw.service.journald import text_of


@implementer(ILogObserver)
@define(eq=False)
class JsonObserver:
    """Writes to `stream`."""

    stream: TextIO = field(factory=lambda: sys.stdout)

    def __call__(self, event: LogEvent) -> None:
        """Write one event."""
        happened = event.get("happened")
        fields = {} if happened is None else fields_of(happened)
        line = {
            "time": datetime.fromtimestamp(event.get("log_time", 0.0), UTC).isoformat(),
            "level": getattr(event.get("log_level"), "name", "info"),
            "namespace": event.get("log_namespace", ""),
            "message": text_of(event),
            **{name.removeprefix("IKEGW_").lower(): value for name, value in fields.items()},
        }
        self.stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.stream.flush()


def observer() -> JsonObserver:
    """What `twistd --logger` calls."""
    return JsonObserver()
