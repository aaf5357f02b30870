"""A realm: servers that know the same users. One of them is asked, and if it is dead, the next (RFC 2865 §2.4)."""

from collections.abc import Sequence

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from ikegw.config.radius import RadiusRealm, Strategy
from ikegw.radius.association import Association
from ikegw.radius.flight import Unanswered
from ikegw.radius.packets import Attribute, Code, Reply

_RANKS = {"ALIVE": 0, "SUSPECT": 1}
_DEAD = 2


@frozen
class Answered:
    """What was answered, and by whom: whatever belongs to the same dialogue goes there, too."""

    reply: Reply
    association: Association


@define(eq=False)
class Realm:
    """The servers of a realm for one service, as they are configured."""

    settings: RadiusRealm
    associations: Sequence[Association]
    _turn: int = field(default=0, init=False)

    def ask(self, code: Code, attributes: tuple[Attribute, ...]) -> Deferred[Answered]:
        """Ask one server after the other until one answers.

        Errback Unanswered, which tells what became of each; BadReply; ValueError for attributes that no packet can hold.
        """
        return Deferred.fromCoroutine(self._ask(code, attributes))

    async def _ask(self, code: Code, attributes: tuple[Attribute, ...]) -> Answered:
        untried, failures = self._in_turn(), []
        while untried:
            # Anew each time: who was dead at first may be back by now.
            association = min(untried, key=lambda each: _RANKS.get(each.standing, _DEAD))
            untried.remove(association)
            try:
                reply = await association.request(code, attributes, elsewhere=bool(untried))
            except Unanswered as silence:
                failures.append(str(silence))
            else:
                return Answered(reply, association)
        raise Unanswered("; ".join(failures) or f"realm {self.settings.name} has no servers")

    def _in_turn(self) -> list[Association]:
        """The servers in the order in which they are to be preferred, if they live."""
        listed = list(self.associations)
        if self.settings.strategy is Strategy.BALANCED and listed:
            self._turn = (self._turn + 1) % len(listed)
            listed = sorted(listed[self._turn :] + listed[: self._turn], key=lambda each: each.load)
        return listed
