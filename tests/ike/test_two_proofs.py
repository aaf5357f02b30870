"""An initiator that proves itself by certificate or key and then by EAP (RFC 4739): rows R-19…R-21, RE-18, RE-19.

IKE_SA_INIT                                                  <-- SA, KE, Nr, N(MULTIPLE_AUTH_SUPPORTED)
IKE_AUTH { IDi, CERT, AUTH, SA, TSi, TSr, N(MULTIPLE_AUTH_SUPPORTED), N(ANOTHER_AUTH_FOLLOWS) } -->  <-- { IDr, CERT, AUTH }
IKE_AUTH { IDi } -->                                         <-- { EAP request }, and on as in any EAP login
"""

import pytest
from attrs import evolve
from login_puppet import LoginPuppet

from ikegw.auth.certificates import X509
from ikegw.events import AuthFailed, AuthFailure, Dropped, IkeUp, RevocationUnknown, SessionBegan
from ikegw.policy.authorities import RevocationPolicy
from ikegw.policy.connections import AuthKind, EapIdentity, RemoteAuth
from ikegw.policy.identities import IdentityPattern, display, parse_identity
from ikegw.ports import AaaAnswer, Accept, Challenge, Reject
from ikegw.testing.aaa import ScriptedAaa
from ikegw.testing.eap_method import Question, failure, msk, success
from ikegw.testing.fetcher import FakeFetcher
from ikegw.testing.login import (
    LAPTOP,
    PASSWORD,
    TWO_CLIENT,
    TWO_GATEWAY,
    authority,
    gateway_credentials,
    laptop_credentials,
    two_proofs_pair,
)
from ikegw.testing.pair import GATEWAY, make_pair
from ikegw.testing.pki import crl_at
from ikegw.wire.authentication import Authentication
from ikegw.wire.certificate import Certificate
from ikegw.wire.delete import Delete
from ikegw.wire.eap import Eap, EapPacket
from ikegw.wire.identification import IdInitiator, IdResponder
from ikegw.wire.message import Message, Payload, decode_message
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import EapCode, EapType, ExchangeType, NotifyType, ProtocolId

REQUEST = Question(1, 1).packet(7)
CAROL = parse_identity("carol@test")
FAILED = [NotifyType.AUTHENTICATION_FAILED]
ANOTHER = Notify(NotifyType.ANOTHER_AUTH_FOLLOWS)
SEVERAL = Notify(NotifyType.MULTIPLE_AUTH_SUPPORTED)
GOOD = (Challenge(REQUEST), Accept(success(7), msk(PASSWORD)))


def machine(*answers: AaaAnswer | None, gateway=TWO_GATEWAY, client=TWO_CLIENT) -> LoginPuppet:
    aaa = ScriptedAaa(answers)
    return LoginPuppet(two_proofs_pair(gateway, client, aaa=lambda clock: aaa))


def proved_once(*answers: AaaAnswer | None, gateway=TWO_GATEWAY) -> LoginPuppet:
    """Its certificate has been accepted; from now on it is carol."""
    puppet = machine(*answers, gateway=gateway)
    puppet.start()
    assert puppet.states[-1] == "SMR_ANOTHER_AUTH"
    puppet.identity = CAROL
    return puppet


def go_on(puppet: LoginPuppet, *more: Payload) -> Message:
    return puppet.ask(IdInitiator(puppet.identity), *more)


def why(puppet: LoginPuppet) -> AuthFailed:
    (failed,) = puppet.pair.gateway.heard(AuthFailed)
    return failed


def is_refused(puppet: LoginPuppet, answer: Message, *said: str) -> None:
    assert puppet.told(answer) == FAILED
    assert all(each in why(puppet).detail for each in said), why(puppet).detail
    assert not puppet.pair.gateway.heard(IkeUp)
    assert puppet.left_nothing


def test_R_19_R_20_R_21_a_certificate_and_then_a_login():
    puppet = machine(*GOOD)
    history = puppet.pair.world.wire.history
    hello = [decode_message(each.octets) for each in history[:2]]
    assert [each.notify(NotifyType.MULTIPLE_AUTH_SUPPORTED) is not None for each in hello] == [False, True]
    first = puppet.start()
    assert {type(each) for each in first.payloads} == {IdResponder, Certificate, Authentication}
    puppet.identity = CAROL
    assert go_on(puppet).payloads == (Eap(REQUEST),)
    assert puppet.respond(b"").payloads == (Eap(success(7)),)
    last = puppet.prove(msk(PASSWORD))
    assert last.need(Authentication) == puppet.expected(msk(PASSWORD))
    assert last.one(SecurityAssociation) is not None
    assert last.one(IdResponder) is None
    assert puppet.pair.gateway.states("responder") == [
        "SMR_AUTH", "SMR_ROUND_FINALIZE", "SMR_ANOTHER_AUTH", "SMR_AUTH_RESPONSE_ID", "SMR_AUTH_RESPONSE",
        "SMR_EAP_INITIATOR_REQUEST", "SMR_EAP_AAA_REQUEST", "SMR_EAP_DONE", "SMR_AUTH_FINALIZE", "SM_MATURE",
    ]  # fmt: skip


def test_what_is_proved_stays_who_the_peer_is_and_the_login_is_its_user():
    puppet = proved_once(*GOOD)
    go_on(puppet)
    puppet.respond(b"")
    puppet.prove(msk(PASSWORD))
    (began,) = puppet.pair.gateway.heard(SessionBegan)
    session = began.session
    assert (display(session.remote), session.user) == (LAPTOP, "carol@test")
    assert session.method.endswith("+eap-experimental")
    assert session.method != "+eap-experimental"
    (caller,) = puppet.aaa.callers
    assert (caller.name, display(caller.identity), caller.aaa) == ("carol@test", "carol@test", "staff")


def test_R_21_the_EAP_identity_is_asked_for():
    second = evolve(TWO_GATEWAY.second_remote, eap_identity=EapIdentity.ASK)
    puppet = proved_once(Challenge(REQUEST), gateway=evolve(TWO_GATEWAY, second_remote=second))
    asked = EapPacket.decode(go_on(puppet).need(Eap).packet)
    assert (asked.code, asked.type) == (EapCode.REQUEST, EapType.IDENTITY)
    named = EapPacket(EapCode.RESPONSE, asked.identifier, EapType.IDENTITY, b"ACME\\carol").encode()
    assert puppet.ask(Eap(named)).payloads == (Eap(REQUEST),)
    assert [caller.name for caller in puppet.aaa.callers] == ["ACME\\carol"]


def test_a_shared_key_and_then_a_login():
    gateway = evolve(
        GATEWAY, remote=evolve(GATEWAY.remote, identity=IdentityPattern.parse("*.test")),
        second_remote=TWO_GATEWAY.second_remote, aaa="staff",
    )  # fmt: skip
    client = evolve(
        TWO_CLIENT, local=evolve(TWO_CLIENT.local, kind=AuthKind.PSK, certificates=()),
        remote=evolve(TWO_CLIENT.remote, kind=AuthKind.PSK),
    )  # fmt: skip
    whole = two_proofs_pair()
    pair = make_pair(
        gateway,
        client,
        aaa=lambda clock: whole.gateway.gateway.aaa,
        supplicants=lambda clock: whole.client.gateway.supplicants,
    )
    pair.client.gateway.initiate("home")
    pair.world.run()
    assert [up.method for up in pair.gateway.heard(IkeUp)] == ["psk+eap-experimental"]
    assert len(pair.client.plane.installed) == len(pair.gateway.plane.installed) == 1


# ------------------------------------------------------------ nobody is let in by the first proof alone


def without(puppet: LoginPuppet, *types: NotifyType) -> Message:
    kept = [each for each in puppet._request if not (isinstance(each, Notify) and each.type in types)]
    return puppet.ask(*kept)


def test_RE_03_one_proof_where_two_are_wanted():
    puppet = machine(*GOOD)
    answer = without(puppet, NotifyType.ANOTHER_AUTH_FOLLOWS)
    is_refused(puppet, answer, "ask for pubkey and then eap")
    assert why(puppet).reason is AuthFailure.METHOD_NOT_ALLOWED
    assert puppet.states == ["SMR_AUTH", "SM_DEAD"]


def test_RE_03_a_peer_that_knows_of_one_proof_only():
    puppet = machine(*GOOD)
    answer = without(puppet, NotifyType.ANOTHER_AUTH_FOLLOWS, NotifyType.MULTIPLE_AUTH_SUPPORTED)
    is_refused(puppet, answer, "it does not say that it can authenticate more than once (RFC 4739)")


def test_RE_03_another_proof_of_a_peer_that_did_not_announce_it():
    puppet = machine(*GOOD)
    is_refused(puppet, without(puppet, NotifyType.MULTIPLE_AUTH_SUPPORTED), "does not say that it can")


def test_RE_03_the_login_alone():
    puppet = machine(*GOOD)
    kept = [each for each in puppet._request if not isinstance(each, Authentication | Certificate)]
    answer = puppet.ask(*[each for each in kept if each != ANOTHER])
    is_refused(puppet, answer, "EAP (it sent no AUTH)", "pubkey and then eap")


def test_RE_03_two_proofs_where_one_is_wanted():
    """It is not even told that two could be given."""
    gateway = evolve(TWO_GATEWAY, second_remote=None)
    pair = two_proofs_pair(gateway, evolve(TWO_CLIENT, second_local=None))
    puppet = LoginPuppet(pair)
    hello = decode_message(pair.world.wire.history[1].octets)
    assert hello.notify(NotifyType.MULTIPLE_AUTH_SUPPORTED) is None
    is_refused(
        puppet, puppet.start(None, SEVERAL, ANOTHER), "and then once more", "ask for pubkey (remote.auth)"
    )


def test_one_connection_for_each_way_takes_each_as_it_comes():
    both = (TWO_GATEWAY, evolve(TWO_GATEWAY, name="machines", second_remote=None))
    for client, name in ((TWO_CLIENT, "road"), (evolve(TWO_CLIENT, second_local=None), "machines")):
        pair = two_proofs_pair(client=client)
        pair.gateway.gateway.connections = both
        pair.client.gateway.initiate("home")
        pair.world.run()
        assert [up.sa.connection for up in pair.gateway.heard(IkeUp)] == [name]


# ------------------------------------------------------------ everything out of turn


def whole_again(puppet: LoginPuppet) -> list[Payload]:
    return list(puppet._request)


def login_with_child(puppet: LoginPuppet) -> list[Payload]:
    others = (Authentication, Certificate, Notify)
    return [each for each in puppet._request if not isinstance(each, others)]


@pytest.mark.parametrize(
    "what",
    [
        whole_again,
        login_with_child,
        lambda puppet: [puppet.proof(None)],
        lambda puppet: [puppet.proof(msk(PASSWORD)), ANOTHER],
        lambda puppet: [IdInitiator(puppet.identity), puppet.proof(None)],
        lambda puppet: [Eap(EapPacket(EapCode.RESPONSE, 7, EapType.EXPERIMENTAL, b"").encode())],
    ],
    ids=["the first request", "a login with a child", "AUTH", "AUTH and another", "IDi with AUTH", "EAP"],
)
def test_RE_19_something_else_than_a_second_identity(what):
    puppet = proved_once(*GOOD)
    is_refused(puppet, puppet.ask(*what(puppet)), "expected IDi alone, with which its second proof begins")
    assert puppet.states[-2:] == ["SMR_ANOTHER_AUTH", "SM_DEAD"]
    assert not puppet.aaa.callers


@pytest.mark.parametrize("at", ["first", "second", "eap"])
def test_RE_16_N_ANOTHER_AUTH_FOLLOWS_where_it_means_nothing(at):
    puppet = machine(*GOOD)
    if at == "first":
        answer = puppet.start(None, ANOTHER)  # twice
    else:
        puppet.start()
        puppet.identity = CAROL
        answer = go_on(puppet, *([ANOTHER] if at == "second" else []))
        if at == "eap":
            answer = puppet.ask(Eap(puppet.response(b"")), ANOTHER)
    assert puppet.told(answer) == [NotifyType.INVALID_SYNTAX]
    assert puppet.left_nothing


def test_RE_11_a_third_proof():
    puppet = proved_once(*GOOD)
    go_on(puppet)
    puppet.respond(b"")
    answer = puppet.ask(puppet.proof(msk(PASSWORD)), ANOTHER)
    is_refused(puppet, answer, "expected AUTH alone")
    assert puppet.states[-2:] == ["SMR_EAP_DONE", "SM_DEAD"]


def test_RE_18_a_second_identity_that_nobody_expects():
    puppet = proved_once(*GOOD)
    puppet.identity = parse_identity("carol@elsewhere")
    is_refused(
        puppet, go_on(puppet), "laptop.test proved itself, but may not go on as carol@elsewhere", "*@test"
    )
    assert why(puppet).reason is AuthFailure.NO_CONFIGURATION
    assert not puppet.aaa.callers


# ------------------------------------------------------------ AUTH that does not hold


def test_RE_05_the_first_proof_does_not_hold():
    puppet = machine(*GOOD)
    false = [
        evolve(each, data=bytes(len(each.data))) if isinstance(each, Authentication) else each
        for each in puppet._request
    ]
    is_refused(puppet, puppet.ask(*false), "does not hold")
    assert puppet.states[-2:] == ["SMR_ROUND_FINALIZE", "SM_DEAD"]
    assert not puppet.aaa.callers


@pytest.mark.parametrize("wrong", ["the first identity", "another key", "SK_pi"])
def test_RE_05_the_second_proof_does_not_hold(wrong):
    puppet = proved_once(*GOOD)
    go_on(puppet)
    puppet.respond(b"")
    if wrong == "the first identity":
        puppet.identity = parse_identity(LAPTOP)
    key = {"the first identity": msk(PASSWORD), "another key": bytes(64), "SK_pi": None}[wrong]
    is_refused(puppet, puppet.prove(key), "its AUTH is not made with the key that its AAA server told us")


def test_RE_06_the_login_is_rejected():
    puppet = proved_once(Challenge(REQUEST), Reject(failure(7)))
    go_on(puppet)
    assert puppet.respond(b"").payloads == (Eap(failure(7)),)
    is_refused(puppet, puppet.prove(msk(PASSWORD)), "rejected 'carol@test'")


def test_RE_04_nothing_to_prove_ourselves_with():
    broken = evolve(TWO_GATEWAY, local=evolve(TWO_GATEWAY.local, certificates=("missing.pem",)))
    puppet = machine(*GOOD, gateway=broken)
    assert puppet.told(puppet.start()) == FAILED
    assert why(puppet).reason is AuthFailure.NO_OWN_MATERIAL
    assert puppet.states[-2:] == ["SMR_ROUND_FINALIZE", "SM_DEAD"]


# ------------------------------------------------------------ which connection it is


def second(pattern: str) -> RemoteAuth:
    return RemoteAuth(AuthKind.EAP, IdentityPattern.parse(pattern))


def test_the_second_identity_says_which_connection_it_is():
    """But only among those on which the first proof is worth as much."""
    narrower = evolve(TWO_GATEWAY.remote, identity=IdentityPattern.parse(LAPTOP))
    elsewhere = evolve(TWO_GATEWAY.remote, authorities=("other.pem",))
    puppet = machine(*GOOD)
    puppet.pair.gateway.gateway.connections = ()
    puppet.sa.phase.candidates = (
        evolve(TWO_GATEWAY, name="guests", second_remote=second("*@guests")),
        evolve(TWO_GATEWAY, name="elsewhere", remote=elsewhere, second_remote=second("carol@test")),
        evolve(TWO_GATEWAY, name="anybody", second_remote=second("%any")),
        evolve(TWO_GATEWAY, name="staff", remote=narrower, second_remote=second("*@test")),
    )
    puppet.start()
    puppet.identity = CAROL
    go_on(puppet)
    assert puppet.sa.connection.name == "staff"
    assert [caller.connection for caller in puppet.aaa.callers] == ["staff"]


# ------------------------------------------------------------ waiting


def test_RE_01_it_does_not_go_on_in_time():
    puppet = proved_once()
    puppet.pair.world.run(29.0, 1.0)
    assert puppet.states[-1] == "SMR_ANOTHER_AUTH"
    puppet.pair.world.run(2.0, 1.0)
    assert puppet.states[-1] == "SM_DEAD"
    assert puppet.left_nothing


@pytest.mark.parametrize("payload", [Notify(NotifyType.AUTHENTICATION_FAILED), Delete(ProtocolId.IKE, ())])
def test_RE_14_it_rejects_us_after_our_proof(payload):
    puppet = proved_once()
    assert puppet.ask(payload, exchange=ExchangeType.INFORMATIONAL).payloads == ()
    assert puppet.left_nothing


def test_RE_15_another_exchange_between_two_proofs():
    puppet = proved_once(*GOOD)
    puppet.say(exchange=ExchangeType.CREATE_CHILD_SA)
    puppet.pair.world.run(0.1)
    assert puppet.states[-1] == "SMR_ANOTHER_AUTH"
    assert puppet.pair.gateway.heard(Dropped)
    assert go_on(puppet).payloads == (Eap(REQUEST),)


def test_IE_20_an_operator_ends_it_between_two_proofs():
    puppet = proved_once()
    puppet.pair.gateway.gateway.terminate(puppet.sa.number)
    puppet.pair.world.run(100.0, 1.0)
    assert puppet.left_nothing


# ------------------------------------------------------------ what the first proof lacks

CRL = "http://pki.test/root.crl"


def listed(policy: RevocationPolicy, fetcher: FakeFetcher):
    """A laptop whose certificate names a revocation list."""
    root, _ = authority()
    party = root.issue(LAPTOP, "ed25519", [LAPTOP], extensions=(crl_at(CRL),))
    own = X509.of(party.certificate)
    credentials = evolve(
        laptop_credentials(), certificates={"laptop.pem": (own,)}, private_keys={own.key_hash: party.key}
    )
    gateway = evolve(TWO_GATEWAY, remote=evolve(TWO_GATEWAY.remote, revocation=policy))
    whole = two_proofs_pair()
    pair = make_pair(
        gateway,
        TWO_CLIENT,
        gateway_credentials(),
        credentials,
        aaa=lambda clock: whole.gateway.gateway.aaa,
        supplicants=lambda clock: whole.client.gateway.supplicants,
        fetcher=fetcher,
    )
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run()
    return pair


def test_R_13_R_14_a_crl_is_missing_and_comes():
    pair = listed(RevocationPolicy.STRICT, FakeFetcher({CRL: authority()[0].crl()}))
    states = pair.gateway.states("responder")
    assert states[1:5] == [
        "SMR_ROUND_FINALIZE",
        "SMR_ROUND_DL_PEER",
        "SMR_ROUND_FINALIZE",
        "SMR_ANOTHER_AUTH",
    ]
    assert states[-1] == "SM_MATURE"


def test_RE_08_policy_demands_what_cannot_be_had():
    pair = listed(RevocationPolicy.STRICT, FakeFetcher())
    assert pair.gateway.states("responder")[-2:] == ["SMR_ROUND_DL_PEER", "SM_DEAD"]
    assert [failed.reason for failed in pair.gateway.heard(AuthFailed)] == [AuthFailure.DOWNLOAD_FAILED]
    assert not pair.gateway.heard(IkeUp)


def test_RE_09_policy_can_do_without():
    pair = listed(RevocationPolicy.IF_AVAILABLE, FakeFetcher())
    assert pair.gateway.heard(RevocationUnknown)
    assert pair.gateway.states("responder")[-1] == "SM_MATURE"
