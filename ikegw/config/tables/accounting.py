"""Accounting: where its queue is, and how often servers are told."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.shape import Key, Table

ACCOUNTING: Final = Table(
    "accounting",
    "What RADIUS servers are told of sessions (RFC 2866). Which realm is told, each connection says.",
    (
        Key(
            "directory",
            kinds.DIRECTORY,
            None,
            "Where what is not acknowledged yet is kept, through outages of servers and restarts of ours; without it in "
            "`state.directory`.",
        ),
        Key(
            "interim_time",
            kinds.DURATION,
            0,
            "How often servers are told what a session has carried by now, unless they said so at the login; 0 for never.",
        ),
        Key(
            "counts_time",
            kinds.DURATION,
            "1m",
            "How often that is written down, for the last record of a session that we did not live to end; 0 for never.",
        ),
        Key(
            "keep_time",
            kinds.DURATION,
            "7d",
            "How long a record is kept that no server acknowledges.",
        ),
    ),
)
