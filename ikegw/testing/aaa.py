"""`ports.Aaa` in memory: accounts, delays and silence; or answers as a test writes them down."""

from collections.abc import Sequence

from attrs import Factory, define, field, frozen
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime

from ikegw.ports import AaaAnswer, AaaSilent, Accept, Caller, Challenge, Reject, Standing
from ikegw.session import NOTHING_GRANTED, Grant
from ikegw.testing.eap_method import Question, failure, msk, success
from ikegw.wire.eap import EapPacket
from ikegw.wire.registry import EapType


@frozen
class Account:
    """A user. `keyed`: the method makes a key. `silent`: nobody ever answers for it. `standing` is as in `ports.Accept`."""

    password: bytes = field(repr=False)
    grant: Grant = NOTHING_GRANTED
    keyed: bool = True
    silent: bool = False
    standing: Standing | None = None


@define(eq=False)
class FakeAaa:
    """Accounts by EAP identity, with the method of `eap_method`. Each answer takes `seconds`, each login `rounds`.

    `callers` are all who logged in, `heard` all that clients said; `waiting` are answers under way, `cancelled` counts those that
    were no longer wanted.
    """

    clock: IReactorTime
    accounts: dict[str, Account] = field(factory=dict)
    rounds: int = 2
    seconds: float = 0.0
    callers: list[Caller] = field(factory=list, init=False)
    heard: list[bytes] = field(factory=list, init=False)
    waiting: set[Deferred[AaaAnswer]] = field(factory=set, init=False)
    cancelled: int = field(default=0, init=False)

    def begin(self, caller: Caller) -> "FakeDialogue":
        """See `ports.Aaa`."""
        self.callers.append(caller)
        return FakeDialogue(self, self.accounts.get(caller.name))

    def deliver(self, answer: AaaAnswer | None) -> Deferred[AaaAnswer]:
        """The answer in its time; None: never."""
        if answer is not None and not self.seconds:
            return succeed(answer)
        result: Deferred[AaaAnswer] = Deferred(self._no_longer_wanted)
        self.waiting.add(result)

        def answered(value: AaaAnswer) -> None:
            if result in self.waiting:
                self.waiting.discard(result)
                result.callback(value)

        if answer is not None:
            self.clock.callLater(self.seconds, answered, answer)
        return result

    def _no_longer_wanted(self, result: Deferred[AaaAnswer]) -> None:
        self.waiting.discard(result)
        self.cancelled += 1


@define(eq=False)
class FakeDialogue:
    """One login with the method of `eap_method`."""

    aaa: FakeAaa
    account: Account | None
    _round: int = field(default=0, init=False)
    _right: bool = field(default=True, init=False)

    def respond(self, eap: bytes) -> Deferred[AaaAnswer]:
        """See `ports.AaaDialogue`."""
        self.aaa.heard.append(eap)
        return self.aaa.deliver(self._answer(EapPacket.decode(eap)))

    def _answer(self, response: EapPacket) -> AaaAnswer | None:
        account, following = self.account, (response.identifier + 1) % 256
        if account is not None and account.silent:
            return None
        if response.type is not EapType.IDENTITY:
            self._right = self._right and account is not None and response.data == account.password
        if self._round < self.aaa.rounds:
            self._round += 1
            return Challenge(Question(self._round, self.aaa.rounds).packet(following))
        if account is None or not self._right:
            return Reject(failure(response.identifier), "wrong name or password")
        key = msk(account.password) if account.keyed else None
        return Accept(success(response.identifier), key, account.grant, account.standing)


@define(eq=False)
class ScriptedAaa:
    """Gives `answers` in their order, whatever is said to it; an exception fails, None never fires."""

    answers: Sequence[AaaAnswer | AaaSilent | None]
    callers: list[Caller] = field(factory=list, init=False)
    heard: list[bytes] = field(factory=list, init=False)
    pending: list[Deferred[AaaAnswer]] = field(factory=list, init=False)
    """Those that never fire by themselves: a test may."""

    _left: list[AaaAnswer | AaaSilent | None] = field(
        init=False, default=Factory(lambda self: list(self.answers), takes_self=True)
    )

    def begin(self, caller: Caller) -> "ScriptedAaa":
        """See `ports.Aaa`."""
        self.callers.append(caller)
        return self

    def respond(self, eap: bytes) -> Deferred[AaaAnswer]:
        """See `ports.AaaDialogue`."""
        self.heard.append(eap)
        answer = self._left.pop(0)
        if isinstance(answer, AaaSilent):
            return fail(answer)
        if answer is not None:
            return succeed(answer)
        self.pending.append(Deferred())
        return self.pending[-1]
