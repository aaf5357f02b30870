"""Who is asked about EAP logins in the simulation: it takes its time, and while there is trouble it is silent or says no."""

from random import Random as Generator

from attrs import define, field
from twisted.internet.defer import Deferred

from ikegw.ports import AaaAnswer, AaaSilent, Caller, Reject
from ikegw.testing.aaa import Account, FakeAaa, FakeDialogue

PASSWORD = b"everybody has the same"
SILENCE_SECONDS = 9.0
"""How long a RADIUS client asks before it gives up."""


@define(eq=False)
class Mood:
    """How often an answer is none, or a refusal; it outlives the gateway that asks."""

    random: Generator = field(repr=False)
    share: float = 0.0

    @property
    def is_bad(self) -> bool:
        """Is it this time?"""
        return self.random.random() < self.share


@define(eq=False)
class MoodyAaa(FakeAaa):
    """Knows everybody. `mood` is looked at for each answer."""

    mood: Mood = field(kw_only=True)

    def begin(self, caller: Caller) -> FakeDialogue:
        """See `ports.Aaa`."""
        self.callers.clear()
        self.heard.clear()
        return FakeDialogue(self, Account(PASSWORD))

    def deliver(self, answer: AaaAnswer | None) -> Deferred[AaaAnswer]:
        """The answer in its time, or trouble."""
        if not self.mood.is_bad:
            return super().deliver(answer)
        if self.mood.random.random() < 0.5:
            return super().deliver(Reject(None, "not today"))
        silent: Deferred[AaaAnswer] = Deferred(lambda _: timer.cancel())
        timer = self.clock.callLater(SILENCE_SECONDS, silent.errback, AaaSilent("nobody answers"))
        return silent
