"""What a browser or Prometheus may read."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.kinds import listed
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
        Key(
            "status_page",
            kinds.BOOLEAN,
            False,
            "Show a browser, at `/`, who is connected, in which state everything is, and what failed. It names your users.",
        ),
        Key(
            "hosts",
            listed(kinds.DOMAIN),
            [],
            "Names of this host that browsers may ask for the status page by, besides `localhost` and addresses: another name is "
            "refused, since it may be a trap that somebody's web page has set (DNS rebinding).",
        ),
    ),
)
