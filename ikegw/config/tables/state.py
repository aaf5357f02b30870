"""Where is kept what is to outlive ikegw."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.shape import Key, Table

STATE: Final = Table(
    "state",
    "What ikegw keeps for when it is started anew: who has which address, what no RADIUS server has acknowledged yet, "
    "downloaded CRLs.",
    (
        Key(
            "directory",
            kinds.DIRECTORY,
            "/var/lib/ikegw",
            "Where all of it is, but for what `store.path`, `accounting.directory` and `downloads.directory` put elsewhere.",
        ),
    ),
)
