"""Our own EAP login: rows I-10, I-13…I-17 of Figure 2, IE-10…IE-12 of Figure 3, and what IE-01, IE-07, IE-08 say of it."""

from collections.abc import Callable

import pytest
from attrs import define, evolve, field
from between import Between, begin, with_answer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ikegw.auth.authenticator import Examination, Verified
from ikegw.events import AuthFailed, AuthFailure, IkeDown, IkeUp, Refused
from ikegw.ike.logging_in import SUPPLICANT_SECONDS
from ikegw.policy.connections import AuthKind, Connection
from ikegw.policy.identities import IdentityPattern
from ikegw.testing.aaa import Account, FakeAaa
from ikegw.testing.eap_method import failure, success
from ikegw.testing.login import EAP_CLIENT, EAP_GATEWAY, PASSWORD, asking, login_pair
from ikegw.testing.pair import Pair
from ikegw.testing.supplicant import FakeSupplicants
from ikegw.wire.authentication import Authentication
from ikegw.wire.certificate import Certificate
from ikegw.wire.eap import Eap, EapPacket
from ikegw.wire.identification import IdResponder
from ikegw.wire.message import Message, Payload, decode_header
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import EapCode, ExchangeType, NotifyType

CLIENT, GATEWAY = (evolve(each, fragmentation=False) for each in (EAP_CLIENT, EAP_GATEWAY))
REFUSAL = (Notify(NotifyType.AUTHENTICATION_FAILED),)


def states(pair: Pair) -> list[str]:
    return pair.client.states("initiator")


def test_I_10_I_13_I_14_I_16_I_17_the_whole_login():
    pair = login_pair(asking(GATEWAY), CLIENT)
    between = Between(pair)
    pair.world.run()
    assert between.ended == ["it came up"]
    assert states(pair) == [
        "SMI_AUTH", "SMI_AUTH_WAIT", "SMI_AUTH_PEER", "SMI_EAP", "SMI_EAP", "SMI_EAP", "SMI_INSTALLCSA", "SM_MATURE",
    ]  # fmt: skip
    first, *rounds, last = between.requests
    assert first.one(Authentication) is None
    assert not first.every(Certificate)
    assert first.notify(NotifyType.EAP_ONLY_AUTHENTICATION) is None
    assert all(each.payloads == (each.need(Eap),) for each in rounds)
    assert last.payloads == (last.need(Authentication),)
    ((local, responder, authentic),) = pair.client.gateway.supplicants.begun
    assert (local, responder.data, authentic) == (CLIENT.local, b"gw.test", True)
    assert [up.method for up in pair.client.heard(IkeUp)] == ["eap-test"]
    assert len(pair.client.plane.installed) == 1


def test_I_15_a_supplicant_that_needs_time():
    pair = login_pair(
        GATEWAY, CLIENT, supplicants=lambda clock: FakeSupplicants(clock, PASSWORD, seconds=5.0)
    )
    between = Between(pair)
    pair.world.run(4.0)
    assert states(pair)[-2:] == ["SMI_EAP", "SMI_EAP_WAIT"]
    pair.world.run(10.0)
    assert between.ended == ["it came up"]
    assert states(pair)[-7:] == [
        "SMI_EAP_WAIT", "SMI_EAP", "SMI_EAP", "SMI_EAP_WAIT", "SMI_EAP", "SMI_INSTALLCSA", "SM_MATURE",
    ]  # fmt: skip


def test_I_16_I_17_a_method_without_a_key():
    pair = login_pair(
        GATEWAY,
        CLIENT,
        aaa=lambda clock: FakeAaa(clock, {"carol@test": Account(PASSWORD, keyed=False)}),
        supplicants=lambda clock: FakeSupplicants(clock, PASSWORD, keyed=False),
    )
    between = Between(pair)
    pair.world.run()
    assert between.ended == ["it came up"]
    assert len(pair.client.heard(IkeUp)) == len(pair.gateway.heard(IkeUp)) == 1


@pytest.mark.parametrize("keep", [True, False])
def test_I_18_IE_13_the_child_is_refused_after_EAP(keep):
    pair = login_pair(GATEWAY, evolve(CLIENT, keep_ike=keep))

    def refuse(number, answer):
        if answer.one(SecurityAssociation) is None:
            return answer.payloads
        return (answer.need(Authentication), Notify(NotifyType.TS_UNACCEPTABLE))

    Between(pair, refuse)
    pair.world.run()
    assert states(pair)[-2:] == ["SMI_INSTALLCSA", "SM_MATURE" if keep else "SM_TERMINATE"]
    assert not pair.client.plane.installed
    assert "TS_UNACCEPTABLE" in [refused.notify for refused in pair.client.heard(Refused)]


# ------------------------------------------------------------ the responder first (row I-10, IE-08)


def without(*kinds: type) -> Callable[[int, Message], tuple[Payload, ...]]:
    return lambda number, answer: tuple(each for each in answer.payloads if not isinstance(each, kinds))


def with_false_proof(number: int, answer: Message) -> tuple[Payload, ...]:
    return tuple(
        evolve(each, data=each.data[:-1] + bytes([each.data[-1] ^ 1]))
        if isinstance(each, Authentication)
        else each
        for each in answer.payloads
    )


@pytest.mark.parametrize(
    ("twist", "said"),
    [
        (without(Authentication), "without having proved itself"),
        (without(Certificate), "sent no certificate"),
        (with_false_proof, "does not hold"),
    ],
)
def test_IE_08_not_a_word_of_the_login_before_the_gateway_proved_itself(twist, said):
    """INFORMATIONAL { N(AUTHENTICATION_FAILED) } -->"""
    pair = login_pair(GATEWAY, CLIENT)
    between = Between(pair, twist)
    pair.world.run()
    assert said in between.ended[0]
    assert not pair.client.gateway.supplicants.begun
    assert len(between.requests) == 1
    assert states(pair)[-2:] == ["SMI_AUTH_PEER", "SM_TERMINATE"]
    assert [failed.reason for failed in pair.client.heard(AuthFailed)] == [AuthFailure.NOT_AUTHENTIC]
    assert [down.reason for down in pair.gateway.heard(IkeDown)] == ["the initiator rejected us"]
    assert pair.is_empty


def test_IE_08_a_gateway_of_another_name():
    remote = evolve(CLIENT.remote, identity=IdentityPattern.parse("*.example"))
    pair = login_pair(GATEWAY, evolve(CLIENT, remote=remote))
    between = Between(pair)
    pair.world.run()
    assert "expected *.example, the peer says it is gw.test" in between.ended[0]
    assert not pair.client.gateway.supplicants.begun
    assert pair.is_empty


def test_IE_08_a_gateway_that_lets_us_in_without_EAP():
    pair = login_pair(GATEWAY, CLIENT)
    whole = Between(login_pair(GATEWAY, CLIENT))
    whole.pair.world.run()
    child = whole.answers[-1].payloads

    def open_door(number, answer):
        return (answer.need(IdResponder), *child)

    between = Between(pair, open_door)
    pair.world.run()
    assert "before EAP did" in between.ended[0]
    assert pair.is_empty


def test_IE_08_a_gateway_that_does_not_know_the_MSK():
    pair = login_pair(GATEWAY, CLIENT)
    last = []

    def false_end(number, answer):
        if answer.one(SecurityAssociation) is None:
            return answer.payloads
        last.append(number)
        return with_false_proof(number, answer)

    between = Between(pair, false_end)
    pair.world.run()
    assert last
    assert "does not know the key of our EAP login" in between.ended[0]
    assert states(pair)[-2:] == ["SMI_INSTALLCSA", "SM_TERMINATE"]
    assert not pair.client.plane.installed
    assert pair.is_empty


# ------------------------------------------------------------ how EAP may end


@pytest.mark.parametrize("number", [1, 2])
def test_IE_10_EAP_failure(number):
    pair = login_pair(GATEWAY, CLIENT)
    between = Between(pair, with_answer(number, Eap(failure(1))))
    pair.world.run()
    assert "refused our EAP login" in between.ended[0]
    assert states(pair)[-2:] == ["SMI_AUTH_WAIT" if number == 1 else "SMI_EAP", "SM_DEAD"]
    assert len(between.requests) == number
    pair.world.run(40.0, 1.0)
    assert pair.is_empty


def test_RE_06_IE_10_a_wrong_password():
    pair = login_pair(GATEWAY, CLIENT, supplicants=lambda clock: FakeSupplicants(clock, b"wrong"))
    between = Between(pair)
    pair.world.run()
    assert EapPacket.decode(between.answers[-1].need(Eap).packet).code is EapCode.FAILURE
    assert states(pair)[-1] == "SM_DEAD"
    assert "wrong name or password" in pair.gateway.heard(AuthFailed)[0].detail
    pair.world.run(40.0, 1.0)
    assert pair.is_empty


@pytest.mark.parametrize("number", [1, 2])
def test_IE_12_an_early_success_is_never_believed(number):
    """The class of CVE-2021-45079: Success before the method is complete. The peer hears nothing more."""
    pair = login_pair(GATEWAY, CLIENT)
    between = Between(pair, with_answer(number, Eap(success(1))))
    pair.world.run()
    assert "before our EAP method was complete" in between.ended[0]
    assert states(pair)[-2:] == ["SMI_AUTH_WAIT" if number == 1 else "SMI_EAP", "SM_DEAD"]
    assert len(between.requests) == number
    assert not pair.client.heard(IkeUp)
    pair.world.run(40.0, 1.0)
    assert pair.is_empty


def test_IE_11_our_method_fails():
    """INFORMATIONAL { D(IKE) } -->  <-- INFORMATIONAL { }"""
    pair = login_pair(GATEWAY, CLIENT, supplicants=FakeSupplicants)
    between = Between(pair)
    pair.world.run()
    assert "no password is configured for this login" in between.ended[0]
    assert states(pair)[-2:] == ["SMI_EAP", "SM_TERMINATE"]
    assert [down.reason for down in pair.gateway.heard(IkeDown)] == ["the initiator rejected us"]
    assert pair.is_empty


def test_IE_11_our_method_never_answers():
    slow = SUPPLICANT_SECONDS + 5.0
    gateway = evolve(GATEWAY, half_open_seconds=SUPPLICANT_SECONDS + 30.0)
    pair = login_pair(
        gateway, CLIENT, supplicants=lambda clock: FakeSupplicants(clock, PASSWORD, seconds=slow)
    )
    between = Between(pair)
    pair.world.run(SUPPLICANT_SECONDS + 2.0, 0.05)
    assert "no answer within 60 s" in between.ended[0]
    assert states(pair)[-2:] == ["SMI_EAP_WAIT", "SM_TERMINATE"]
    assert pair.is_empty


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_IE_07_N_AUTHENTICATION_FAILED_at_any_time(number):
    pair = login_pair(GATEWAY, CLIENT)
    between = Between(pair, with_answer(number, *REFUSAL))
    pair.world.run()
    assert "AUTHENTICATION_FAILED" in between.ended[0]
    before = {1: "SMI_AUTH_WAIT", 4: "SMI_INSTALLCSA"}.get(number, "SMI_EAP")
    assert states(pair)[-2:] == [before, "SM_DEAD"]
    assert pair.client.is_empty


@pytest.mark.parametrize(("number", "state"), [(1, "SMI_AUTH_WAIT"), (2, "SMI_EAP"), (4, "SMI_INSTALLCSA")])
def test_IE_01_the_gateway_falls_silent(number, state):
    pair = login_pair(GATEWAY, CLIENT)
    heard = set()

    def silence(datagram):
        header = decode_header(datagram.octets)[0]
        if header.exchange is ExchangeType.IKE_AUTH and header.is_response:
            heard.add(header.message_id)
        return [] if len(heard) >= number else [datagram]

    pair.world.wire.tap = silence
    ended = begin(pair)
    pair.world.run(100.0, 0.05)
    assert "no answer from" in ended[0]
    assert states(pair)[-2:] == [state, "SM_DEAD"]
    assert pair.client.is_empty


@pytest.mark.parametrize("state", ["SMI_AUTH_PEER", "SMI_EAP", "SMI_EAP_WAIT", "SMI_INSTALLCSA"])
def test_IE_20_told_to_end(state):
    pair = login_pair(
        GATEWAY, CLIENT, supplicants=lambda clock: FakeSupplicants(clock, PASSWORD, seconds=0.1)
    )
    if state == "SMI_AUTH_PEER":
        hold_verification(pair)
    ended = begin(pair)
    for _ in range(5000):
        if states(pair)[-1:] == [state]:
            break
        pair.world.clock.advance(0.001)
    assert states(pair)[-1:] == [state]
    pair.client.gateway.terminate(1)
    pair.world.run(30.0, 0.01)
    assert "the operator ended it" in ended[0]
    assert states(pair)[-2:] == [state, "SM_TERMINATE"]
    assert pair.client.is_empty


def hold_verification(pair: Pair) -> None:
    """The client takes its time to look at the gateway's certificate."""
    authenticator, clock = pair.client.gateway.authenticator, pair.world.clock
    examine = authenticator.examine
    authenticator.examine = lambda *arguments: SlowExamination(examine(*arguments), clock)


@define(eq=False)
class SlowExamination:
    """Fetches for half a second what it does not need."""

    real: Examination
    clock: IReactorTime
    lacks: bool = field(default=True, init=False)

    def obtain(self) -> Deferred[tuple[str, ...]]:
        """See `Examination`."""
        return deferLater(self.clock, 0.5, self._obtained)

    def _obtained(self) -> tuple[str, ...]:
        self.lacks = False
        return ()

    def verdict(self) -> Verified:
        """See `Examination`."""
        return self.real.verdict()


def test_a_login_of_one_connection_goes_through_again_and_again():
    pair = login_pair(GATEWAY, CLIENT)
    for _ in range(5):
        ended = begin(pair)
        pair.world.run(0.5)
        assert ended == ["it came up"]
        pair.client.gateway.terminate(len(pair.client.heard(IkeUp)))
        pair.world.run(0.5)
    assert pair.is_empty


# ------------------------------------------------------------ the EAP method alone (RFC 5998)


def alone(connection: Connection) -> Connection:
    """Both sides by one EAP method."""
    return evolve(
        connection,
        local=evolve(connection.local, kind=AuthKind.EAP),
        remote=evolve(connection.remote, kind=AuthKind.EAP),
    )


def mutual(clock):
    return FakeSupplicants(clock, PASSWORD, mutual=True)


def test_I_13_R_08_the_method_proves_both_sides():
    """IKE_AUTH { IDi, N(EAP_ONLY_AUTHENTICATION), … } -->  <-- IKE_AUTH { IDr, EAP request }"""
    pair = login_pair(alone(GATEWAY), alone(CLIENT), supplicants=mutual)
    between = Between(pair)
    pair.world.run()
    assert between.ended == ["it came up"]
    assert between.requests[0].notify(NotifyType.EAP_ONLY_AUTHENTICATION) is not None
    assert [type(each) for each in between.answers[0].payloads] == [IdResponder, Eap]
    assert pair.client.gateway.supplicants.begun[0][2] is False


def test_IE_08_not_with_a_method_that_proves_only_us():
    pair = login_pair(alone(GATEWAY), alone(CLIENT))
    between = Between(pair)
    pair.world.run()
    assert "does not prove that the peer is gw.test" in between.ended[0]
    assert states(pair)[-2:] == ["SMI_EAP", "SM_TERMINATE"]
    assert pair.is_empty


def test_RE_04_not_for_one_who_did_not_offer_it():
    pair = login_pair(alone(GATEWAY), CLIENT, supplicants=mutual)
    between = Between(pair)
    pair.world.run()
    assert "AUTHENTICATION_FAILED" in between.ended[0]
    (failed,) = pair.gateway.heard(AuthFailed)
    assert failed.reason is AuthFailure.NO_OWN_MATERIAL
    assert "EAP_ONLY_AUTHENTICATION" in failed.detail
    assert pair.is_empty


def test_RE_10_not_with_a_method_that_makes_no_key():
    pair = login_pair(
        alone(GATEWAY),
        alone(CLIENT),
        aaa=lambda clock: FakeAaa(clock, {"carol@test": Account(PASSWORD, keyed=False)}),
        supplicants=mutual,
    )
    between = Between(pair)
    pair.world.run()
    assert "AUTHENTICATION_FAILED" in between.ended[0]
    assert "makes no key" in pair.gateway.heard(AuthFailed)[0].detail
    assert pair.is_empty


def test_a_gateway_with_a_certificate_shows_it_all_the_same():
    """What Apple's clients offer is taken up only where it is configured."""
    pair = login_pair(GATEWAY, alone(CLIENT), supplicants=mutual)
    between = Between(pair)
    pair.world.run()
    assert between.ended == ["it came up"]
    assert between.answers[0].one(Authentication) is not None
    assert pair.client.gateway.supplicants.begun[0][2] is True


def test_IE_08_and_if_it_shows_one_it_must_be_good():
    pair = login_pair(GATEWAY, alone(CLIENT), supplicants=mutual)
    between = Between(pair, with_false_proof)
    pair.world.run()
    assert "does not hold" in between.ended[0]
    assert pair.is_empty
