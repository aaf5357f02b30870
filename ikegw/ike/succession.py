"""Rekeying an IKE SA, rows Q-01 … Q-07, K-10 and K-16: who makes the next one, which of two survives, and what it inherits."""

from typing import TYPE_CHECKING

from attrs import define, field

from ikegw.ike import rekeying
from ikegw.ike.backoff import Backoff
from ikegw.ike.collision import redundant
from ikegw.ike.rekeying import IkeMade, Rekeying
from ikegw.ike.sa import IkeSa
from ikegw.ike.slot import Intent
from ikegw.session import EndCause
from ikegw.wire.message import Message
from ikegw.wire.registry import ExchangeType

if TYPE_CHECKING:
    from ikegw.ike.living import Living

GUARD_SECONDS = 30.0
"""How long a peer that rekeyed has to delete what it replaced (§10)."""


@define(eq=False)
class Succession:
    """What our rekeying of an IKE SA has come to, and the peer's, if both began at once."""

    living: "Living" = field(repr=False)
    _rekeying: Rekeying | None = field(default=None, init=False, repr=False)
    _made: IkeMade | None = field(default=None, init=False, repr=False)
    _rival: IkeMade | None = field(default=None, init=False, repr=False)
    _backoff: Backoff = field(factory=Backoff, init=False, repr=False)

    @property
    def sa(self) -> IkeSa:
        """The IKE SA that is being rekeyed."""
        return self.living.sa

    def request_rekey(self) -> None:
        """Rows Q-02 and Q-04."""
        if self._rekeying is None:
            self._rekeying = Rekeying(self.sa)
        self.living.send(ExchangeType.CREATE_CHILD_SA, self._rekeying.payloads(), self._rekey_answered)

    def _rekey_answered(self, message: Message) -> None:
        asked = self._rekeying
        if asked is None:
            return
        outcome = asked.read(message)
        if isinstance(outcome, rekeying.OtherGroup):
            self.living.machine.other_group()
            return
        self._rekeying = None
        self.living.slot.held = False
        if isinstance(outcome, IkeMade):
            self._judge(outcome)
        elif self.rival is not None:
            self.living.machine.rekey_redundant()
        elif isinstance(outcome, rekeying.Postponed):
            self.living.machine.rekey_postponed()
        else:
            self.sa.tell_refused(outcome.notify, outcome.why)
            self.living.machine.rekey_refused()

    def _judge(self, made: IkeMade) -> None:
        self._made = made
        rival = self.rival
        if self.sa.successor is not None or (rival is not None and redundant(made.nonces, rival.nonces)):
            self.living.machine.rekey_redundant()
        else:
            self.living.machine.rekeyed()

    def hand_over(self) -> None:
        """Row Q-03: ours survives; what the peer's rekeying made, if it did, the peer deletes."""
        if self._made is not None:
            self.living.give_all_to(self._made.sa)
        rival = self.rival
        if rival is not None:
            rival.sa.successor = self.sa.successor
            _expect_end(rival.sa, "redundant: both ends rekeyed at once")

    def yield_to_peers_rekey(self) -> None:
        """Row K-10: the peer's survives; what ours made, if it did, we delete."""
        self.take_rival()
        if self._made is not None:
            self._made.sa.successor = self.sa.successor
            self._made.sa.phase.told_to_end("redundant: both ends rekeyed at once")
        _expect_end(self.sa, "rekeyed")

    def rekeyed_by_peer(self, made: IkeMade) -> None:
        """Row P-07, answered: take over at once, unless we are rekeying too."""
        if self.sa.state == "SM_REKEY_WAIT":
            self._rival = made
        else:
            self.living.give_all_to(made.sa)
            _expect_end(self.sa, "rekeyed")

    def take_rival(self) -> None:
        """Row K-16: the peer deletes the old IKE SA, or goes on with its new one, and has not noticed that we rekey it too."""
        rival = self.rival
        if rival is not None and self.sa.successor is None:
            self.living.give_all_to(rival.sa)

    def retry_rekey(self) -> None:
        """Row Q-05."""
        wait = self._backoff.next(self.sa.surroundings.random)
        if wait is None:
            why = "the peer answered TEMPORARY_FAILURE for minutes: out of step"
            self.living.told_to_end(why, EndCause.NAS_ERROR)
        else:
            self.sa.arm("rekey", wait, lambda: self.living.slot.post(Intent.REKEY))

    # ------------------------------------------------------------ the end (row Q-24)

    def told_to_end(self) -> None:
        """What the peer's rekeying made has all that this IKE SA had, as the peer sees it: it ends, too.

        Unless that is decided already: what has taken this one's place lives on.
        """
        if self.rival is not None and self.sa.successor is None:
            self._end_with_this(self.rival)

    def answered_before_the_end(self, message: Message) -> None:
        """So does what ours made: the peer answered, and knows of it by now."""
        asked, self._rekeying = self._rekeying, None
        outcome = None if asked is None else asked.read(message)
        if isinstance(outcome, IkeMade):
            self._end_with_this(outcome)

    def _end_with_this(self, made: IkeMade) -> None:
        if self.sa.successor is None:
            self.living.slot.queue.clear()  # what is wanted of this one is not wanted of the other
            self.living.give_all_to(made.sa)
        else:
            made.sa.successor = self.sa.successor
        made.sa.phase.told_to_end(self.sa.ending, self.sa.cause)

    @property
    def rival(self) -> IkeMade | None:
        """What the peer's simultaneous rekeying made, unless the peer has deleted it already."""
        return None if self._rival is None or self._rival.sa.ended.called else self._rival


def _expect_end(sa: IkeSa, reason: str) -> None:
    """The peer is to delete it; if it does not, we do."""
    sa.arm("guard", GUARD_SECONDS, lambda: sa.phase.told_to_end(f"{reason}, and the peer did not delete it"))
