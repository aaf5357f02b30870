"""Where DNS servers go that a gateway lends us."""

from typing import Final

from ikegw.config.kinds import one_of
from ikegw.config.resolver import ResolverKind
from ikegw.config.shape import Key, Table

RESOLVER: Final = Table(
    "resolver",
    "When we are a client (`connections.NAME.vips`), the gateway may lend us DNS servers, and say for which domains they are. "
    "They are handed to this host's resolver while the tunnel stands.",
    (
        Key(
            "kind",
            one_of(ResolverKind),
            "auto",
            "Who is told: `systemd-resolved` (by `resolvectl`), `resolvconf`, or `none`; `auto`: whichever of them is there.",
        ),
    ),
)
