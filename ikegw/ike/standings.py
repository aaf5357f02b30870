"""A peer that proved itself in more than one way stands as long as each of its proofs does (rows Q-11 … Q-15, RFC 4739)."""

from attrs import frozen
from twisted.internet.defer import Deferred, succeed

from ikegw.ports import Standing


@frozen
class Together:
    """Implements `ports.Standing` for all of them."""

    standings: tuple[Standing, ...]

    def renew(self) -> Deferred[tuple[str, ...]]:
        """Ask one after the other; the first that does not hold any more is told."""
        return _renew(self.standings, ())

    def due(self) -> float | None:
        """When the first of them is to be asked."""
        return min((due for each in self.standings if (due := each.due()) is not None), default=None)


def _renew(left: tuple[Standing, ...], unknown: tuple[str, ...]) -> Deferred[tuple[str, ...]]:
    if not left:
        return succeed(unknown)
    return left[0].renew().addCallback(lambda more: _renew(left[1:], (*unknown, *more)))
