"""Groups of users, and what their members get."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.kinds import integer, listed
from ikegw.config.shape import Key, Table

GROUP: Final = Table(
    "groups",
    "Users of whom a RADIUS server says that they belong together, for connections that name them in `groups`.",
    (
        Key(
            "class",
            listed(kinds.TEXT, commas=False),
            [],
            "Members are those whose Access-Accept has a `Class` like one of these; `*` stands for anything.",
        ),
        Key(
            "filter_id",
            listed(kinds.TEXT, commas=False),
            [],
            "Or a `Filter-Id`, which CoA may change. With neither `class` nor `filter_id` everybody is a member.",
        ),
        Key(
            "pools",
            listed(kinds.POOL_NAME),
            [],
            "Who lends members their addresses, in place of the connection's `pools`.",
        ),
        Key(
            "dns",
            listed(kinds.ADDRESS),
            [],
            "DNS servers that members are told, unless the Access-Accept names others.",
        ),
        Key(
            "domains", listed(kinds.DOMAIN), [], "Domains for these, in place of the connection's `domains`."
        ),
        Key(
            "local_ts",
            listed(kinds.SELECTOR),
            [],
            "What members reach of the `local_ts` of each child; without it, all.",
        ),
        Key(
            "session_timeout",
            kinds.DURATION,
            None,
            "When a member's session ends, unless the Access-Accept has a Session-Timeout.",
        ),
        Key(
            "idle_timeout",
            kinds.DURATION,
            None,
            "When it ends if it carried nothing, unless the Access-Accept has an Idle-Timeout.",
        ),
        Key(
            "port_limit",
            integer(1, 65535),
            None,
            "How many sessions a member may have at once, unless the Access-Accept has a Port-Limit.",
        ),
    ),
    named=True,
)
