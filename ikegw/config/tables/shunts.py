"""What no tunnel is for."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.kinds import listed, one_of
from ikegw.config.shape import Key, Table
from ikegw.policy.shunts import Fate

SHUNT: Final = Table(
    "shunts",
    "Packets that no tunnel is for: they pass in the clear though a tunnel would take them, or are dropped in any case. "
    "Of shunts and tunnels that overlap, the longest remote prefix decides; at the same length what passes comes first, then "
    "tunnels, then what is dropped. It goes for what leaves, of this host's own or forwarded; ikegw's own packets always pass.",
    (
        Key(
            "action",
            one_of(Fate),
            None,
            "Let them `pass` in the clear, as without ikegw, or `drop` them, which senders are told by ICMP.",
            required=True,
        ),
        Key(
            "remote_ts",
            listed(kinds.SELECTOR),
            None,
            "Where they go: networks, each also with protocol and ports, `10.2.0.0/16[tcp/25]`.",
            required=True,
        ),
        Key("local_ts", listed(kinds.SELECTOR), ["0.0.0.0/0", "::/0"], "Where they come from."),
    ),
    named=True,
)
