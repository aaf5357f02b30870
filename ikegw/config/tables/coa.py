"""CoA and Disconnect: where they are heard, and from whom."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.coa import COA_PORT
from ikegw.config.kinds import listed
from ikegw.config.shape import Key, Table

CLIENT: Final = Table(
    "clients",
    "Who may end and change sessions. The secret stands in `[secrets.coa.NAME]`, with the client's name.",
    (
        Key("addresses", listed(kinds.PEER), None, "Its addresses or networks.", required=True),
        Key(
            "old",
            kinds.BOOLEAN,
            False,
            "Take requests without Message-Authenticator: only from clients that cannot be updated.",
        ),
        Key(
            "require_timestamp",
            kinds.BOOLEAN,
            False,
            "Take only requests with an Event-Timestamp; without one, whoever saw a request may send it again later.",
        ),
        Key(
            "several",
            kinds.BOOLEAN,
            True,
            "What a request fits several sessions by is meant for all of them; else it is refused (Error-Cause 508).",
        ),
    ),
    named=True,
)

COA: Final = Table(
    "coa",
    "CoA and Disconnect (RFC 5176): RADIUS servers end and change sessions. Without clients nothing is heard.",
    (
        Key(
            "addresses", listed(kinds.ADDRESS), [], "Local addresses to listen on; none: all of this host's."
        ),
        Key("port", kinds.PORT, COA_PORT, "UDP port."),
    ),
    (CLIENT,),
)

COA_SECRET: Final = Table(
    "coa",
    "Secrets of those who may end and change sessions, by their names.",
    (
        Key(
            "secret",
            kinds.SECRET,
            None,
            'The key: `"text"`, `"0x…"` in hex or `"0s…"` in base64.',
            required=True,
        ),
    ),
    named=True,
)
