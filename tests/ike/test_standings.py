"""A session of two proofs stands as long as both do: rows Q-11 … Q-13, RFC 4739."""

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed

from ikegw.auth.errors import AuthenticationError
from ikegw.events import AuthFailed, AuthFailure, IkeDown, IkeUp
from ikegw.ike.standings import Together
from ikegw.testing.aaa import Account, FakeAaa
from ikegw.testing.login import PASSWORD, two_proofs_pair


@define
class Proof:
    """It is asked about after `seconds`, says each of `told` in its turn, and is revoked after them."""

    seconds: float | None
    told: list[tuple[str, ...]] = field(factory=list)
    asked: int = 0

    def renew(self) -> Deferred[tuple[str, ...]]:
        self.asked += 1
        if self.told:
            return succeed(self.told.pop(0))
        return fail(AuthenticationError(AuthFailure.REVOKED, "the user's certificate was revoked"))

    def due(self) -> float | None:
        return self.seconds


def test_Q_13_the_second_proof_is_asked_about_too():
    user = Proof(5.0, [()])
    pair = two_proofs_pair(aaa=lambda clock: FakeAaa(clock, {"carol@test": Account(PASSWORD, standing=user)}))
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(1.0, 0.01)
    assert pair.gateway.heard(IkeUp)
    pair.world.run(5.0, 0.1)
    assert user.asked == 1
    assert not pair.gateway.heard(IkeDown)
    pair.world.run(6.0, 0.1)
    assert pair.gateway.heard(AuthFailed)[0].reason is AuthFailure.REVOKED
    assert pair.is_empty


def test_what_neither_knows_is_told_of_both_and_the_earlier_decides_when():
    first, second = Proof(30.0, [("the machine",)]), Proof(20.0, [("the user",)])
    both = Together((first, second))
    assert both.due() == 20.0
    told: list[tuple[str, ...]] = []
    both.renew().addCallback(told.append)
    assert told == [("the machine", "the user")]


def test_the_first_that_holds_no_more_is_enough():
    first, second = Proof(30.0), Proof(None, [()])
    both = Together((first, second))
    assert both.due() == 30.0
    errors: list[object] = []
    both.renew().addErrback(lambda failure: errors.append(failure.value))
    assert isinstance(errors[0], AuthenticationError)
    assert second.asked == 0
    assert Together((Proof(None), Proof(None))).due() is None
