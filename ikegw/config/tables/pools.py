"""Addresses to lend."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.kinds import listed
from ikegw.config.shape import Key, Table

POOL: Final = Table(
    "pools",
    "Addresses to lend to peers.",
    (
        Key(
            "addrs",
            listed(kinds.RANGE),
            None,
            "The addresses: networks or ranges, IPv4 and IPv6 as you like.",
            required=True,
        ),
        Key("dns", listed(kinds.ADDRESS), [], "DNS servers that clients are told."),
        Key(
            "subnet",
            listed(kinds.NETWORK),
            [],
            "Networks that clients are told to send through the tunnel, in place of the tunnel's `local_ts`.",
        ),
    ),
    named=True,
)
