"""Addresses to lend, to whom, and where is kept who has which."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.kinds import integer, listed, one_of
from ikegw.config.lending import Store
from ikegw.config.shape import Key, Table

RESERVATION: Final = Table(
    "reservations",
    "Addresses of the pool that only these peers get. A peer that finds all of its own taken gets another of the pool.",
    (
        Key(
            "id",
            listed(kinds.PATTERN, commas=False),
            [],
            "Whose they are: identities, or names of EAP users.",
        ),
        Key(
            "groups",
            listed(kinds.TEXT),
            [],
            "Or who is in one of these `[groups.NAME]`, or of whom an AAA server says so itself (`Class`, `Filter-Id`).",
        ),
        Key("addrs", listed(kinds.RANGE), None, "The addresses, all of them in the pool.", required=True),
    ),
    named=True,
)

POOL: Final = Table(
    "pools",
    "Addresses to lend to peers.",
    (
        Key(
            "addrs",
            listed(kinds.RANGE),
            None,
            "The addresses: networks or ranges, IPv4 and IPv6 as you like. Apple's clients use an IPv6 address only if "
            "`local_ts` has `::/0`.",
            required=True,
        ),
        Key("exclude", listed(kinds.RANGE), [], "Addresses among them that are never lent."),
        Key("dns", listed(kinds.ADDRESS), [], "DNS servers that clients are told."),
        Key("nbns", listed(kinds.ADDRESS), [], "NetBIOS name servers (WINS) that clients are told."),
        Key(
            "domains",
            listed(kinds.DOMAIN),
            [],
            "Domains whose names clients are to look up at `dns`, and others elsewhere (split DNS, RFC 8598).",
        ),
        Key(
            "subnet",
            listed(kinds.NETWORK),
            [],
            "Networks that clients are told to send through the tunnel, in place of the tunnel's `local_ts`.",
        ),
        Key(
            "quarantine",
            kinds.DURATION,
            "1m",
            "How long an address that was given back is only for the peer that had it.",
        ),
        Key(
            "store",
            one_of(Store),
            "sqlite",
            "Where is kept who has which address, so that each gets its own again: in a file, or in a database that several "
            "gateways share; `memory` forgets it at the end.",
        ),
    ),
    (RESERVATION,),
    named=True,
)

ADDRESSES: Final = Table(
    "addresses",
    "Addresses for peers, whoever provides them.",
    (
        Key(
            "provider_timeout",
            kinds.DURATION,
            "16s",
            "How long one of a connection's `pools` may take before the next is asked. A login waits 20 seconds for all of them.",
        ),
    ),
)

STORE: Final = Table(
    "store",
    "Where is kept who has which address.",
    (
        Key(
            "path",
            kinds.PATH,
            None,
            'The file of pools with `store = "sqlite"`; without it `addresses.db` in `state.directory`.',
        ),
        Key(
            "reclaim_time",
            kinds.DURATION,
            "5m",
            "How long a gateway that shares pools may not be heard of before its addresses go to others (PostgreSQL). "
            "A gateway that cannot reach the database ends its sessions before that.",
        ),
        Key(
            "connections",
            integer(1, 64),
            4,
            "How many connections to the database are used at once (PostgreSQL).",
        ),
    ),
)

STORE_SECRET: Final = Table(
    "store",
    "How the database that gateways share is reached.",
    (
        Key(
            "dsn",
            kinds.DSN,
            None,
            'PostgreSQL\'s connection string, like `"host=db.example.org dbname=ikegw user=ikegw password=…"`.',
        ),
    ),
)
