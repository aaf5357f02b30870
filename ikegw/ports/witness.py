"""Who is told the keys of IKE SAs as they are made: nobody, unless an operator captures what is said."""

from collections.abc import Callable

from attrs import field, frozen

from ikegw.crypto.keymat import IkeKeys
from ikegw.crypto.suites import IkeSuite
from ikegw.paths import Path


@frozen
class MadeKeys:
    """The keys of one IKE SA, by its SPIs; `path` is where it is spoken."""

    path: Path
    spi_initiator: bytes
    spi_responder: bytes
    suite: IkeSuite
    keys: IkeKeys = field(repr=False)


Witness = Callable[[MadeKeys], None]
"""Called as soon as there are keys; raises nothing."""


def nobody(_: MadeKeys) -> None:
    """Nobody is told."""
