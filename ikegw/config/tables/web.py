"""What a browser or Prometheus may read."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.shape import Key, Table

WEB: Final = Table(
    "web",
    "A read-only HTTP server for those who watch. It asks nobody for a password: give it an address that only they reach.",
    (
        Key(
            "listen",
            kinds.ENDPOINT,
            "",
            'Address and TCP port, `"127.0.0.1:9440"`; `/metrics` is there for Prometheus. `""`: no server.',
        ),
    ),
)
