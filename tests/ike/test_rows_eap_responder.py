"""An EAP login through the gateway: rows R-05…R-12 of Figure 4, and RE-06, RE-07, RE-10, RE-11 of Figure 5."""

from random import Random

import pytest
from attrs import evolve
from login_puppet import LoginPuppet, half_way, logging_in

from ikegw.events import AuthFailed, AuthFailure, Dropped, IkeDown, IkeUp
from ikegw.ike.relaying import LOGIN_SECONDS
from ikegw.policy.connections import AuthKind, EapIdentity, SendCertificate
from ikegw.policy.identities import ANY, parse_identity
from ikegw.ports import AaaSilent, Accept, Challenge, Reject
from ikegw.session import Grant
from ikegw.testing.aaa import Account, FakeAaa
from ikegw.testing.eap_method import Question, answer, failure, msk, success
from ikegw.testing.login import EAP_CLIENT, EAP_GATEWAY, PASSWORD, asking, login_pair
from ikegw.testing.supplicant import FakeSupplicants
from ikegw.wire.authentication import Authentication
from ikegw.wire.certificate import Certificate
from ikegw.wire.configuration import Configuration
from ikegw.wire.delete import Delete
from ikegw.wire.eap import Eap, EapPacket
from ikegw.wire.identification import Identity, IdInitiator, IdResponder
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import (
    AuthMethod,
    ConfigType,
    EapCode,
    EapType,
    ExchangeType,
    IdType,
    NotifyType,
    ProtocolId,
)
from ikegw.wire.selectors import SelectorsInitiator, SelectorsResponder
from ikegw.wire.unknown import UnknownPayload

REQUEST = Question(1, 1).packet(7)
FAILED = [NotifyType.AUTHENTICATION_FAILED]


def comes_up(pair, seconds=1.0):
    told = []
    pair.client.gateway.initiate("home").addBoth(told.append)
    pair.world.run(seconds)
    return bool(pair.gateway.heard(IkeUp))


def test_R_05_R_07_R_08_a_mail_address_is_the_EAP_identity():
    """IKE_AUTH { IDi, [IDr], SA, TSi, TSr } -->  <-- IKE_AUTH { IDr, CERT, AUTH, EAP request }"""
    puppet = logging_in(Challenge(REQUEST))
    answer = puppet.start()
    said = EapPacket.decode(puppet.aaa.heard[0])
    assert (said.code, said.type, said.data) == (EapCode.RESPONSE, EapType.IDENTITY, b"carol@test")
    kinds = {type(payload) for payload in answer.payloads}
    assert {IdResponder, Certificate, Authentication, Eap} <= kinds
    assert not kinds & {SecurityAssociation, Configuration, SelectorsInitiator}
    assert answer.need(Eap).packet == REQUEST
    assert puppet.states == [
        "SMR_AUTH",
        "SMR_AUTH_RESPONSE_ID",
        "SMR_AUTH_RESPONSE",
        "SMR_EAP_INITIATOR_REQUEST",
    ]
    (caller,) = puppet.aaa.callers
    assert (caller.name, caller.aaa, caller.connection) == ("carol@test", "staff", "road")
    assert caller.identity == parse_identity("carol@test")
    assert caller.path.remote.address == puppet.pair.client.address


@pytest.mark.parametrize("identity", ["198.51.100.4", "carol.test", "C=CH, CN=carol", "keyid:carol"])
def test_R_06_R_09_any_other_identity_is_asked_for_its_name(identity):
    """What Windows needs, whose IDi is its own address: <-- IKE_AUTH { IDr, CERT, AUTH, EAP-Request/Identity }"""
    gateway = evolve(
        EAP_GATEWAY,
        remote=evolve(EAP_GATEWAY.remote, identity=ANY),
    )
    puppet = logging_in(Challenge(REQUEST), gateway=gateway)
    asked = EapPacket.decode(puppet.start(parse_identity(identity)).need(Eap).packet)
    assert (asked.code, asked.type) == (EapCode.REQUEST, EapType.IDENTITY)
    assert not puppet.aaa.callers
    response = EapPacket(EapCode.RESPONSE, asked.identifier, EapType.IDENTITY, b"ACME\\carol").encode()
    answer = puppet.ask(Eap(response))
    assert answer.payloads == (Eap(REQUEST),)
    assert puppet.aaa.heard == [response]
    assert puppet.aaa.callers[0].name == "ACME\\carol"
    assert puppet.states[1:] == [
        "SMR_AUTH_RESPONSE", "SMR_EAP_INITIATOR_REQUEST", "SMR_EAP_AAA_REQUEST", "SMR_EAP_INITIATOR_REQUEST",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("where", "identity", "name"),
    [
        (EapIdentity.AUTO, parse_identity("carol@test"), "carol@test"),
        (EapIdentity.AUTO, Identity(IdType.RFC822_ADDR, b"\xff@test"), None),
        (EapIdentity.ASK, parse_identity("carol@test"), None),
        (EapIdentity.IDI, parse_identity("carol.test"), "carol.test"),
        (EapIdentity.IDI, parse_identity("198.51.100.4"), "198.51.100.4"),
        (EapIdentity.IDI, parse_identity("2001:db8::4"), "2001:db8::4"),
        (EapIdentity.IDI, parse_identity("keyid:carol"), "carol"),
        (EapIdentity.IDI, parse_identity("C=CH, CN=carol"), "C=CH, CN=carol"),
        (EapIdentity.IDI, Identity(IdType.KEY_ID, b"\xff\xfe"), None),
        (EapIdentity.IDI, Identity(IdType.FQDN, b"x" * 254), None),
        (EapIdentity.IDI, Identity(IdType.FQDN, b""), None),
    ],
)
def test_R_05_R_06_where_the_name_comes_from(where, identity, name):
    remote = evolve(EAP_GATEWAY.remote, identity=ANY, eap_identity=where)
    puppet = logging_in(Challenge(REQUEST), gateway=evolve(EAP_GATEWAY, remote=remote))
    puppet.start(identity)
    assert [caller.name for caller in puppet.aaa.callers] == ([] if name is None else [name])


@pytest.mark.parametrize("how", list(SendCertificate))
def test_R_08_the_certificate_goes_with_it_though_nobody_asked(how):
    """Apple's clients send no CERTREQ, and believe no gateway without a certificate."""
    puppet = logging_in(Challenge(REQUEST), gateway=evolve(EAP_GATEWAY, send_certificate=how))
    answer = puppet.start()
    assert bool(answer.every(Certificate)) is (how is not SendCertificate.NEVER)


def test_R_10_R_11_R_12_R_17_the_whole_login():
    """EAP rounds, EAP Success, { AUTH } -->  <-- { AUTH, CP, SA, TSi, TSr }"""
    grant = Grant(user_name="carol", classes=(b"staff",))
    puppet = logging_in(
        Challenge(REQUEST), Challenge(Question(2, 2).packet(8)), Accept(success(8), msk(PASSWORD), grant)
    )
    puppet.start()
    assert puppet.respond(b"one").payloads == (Eap(Question(2, 2).packet(8)),)
    assert puppet.respond(b"two").payloads == (Eap(success(8)),)
    answer = puppet.prove(msk(PASSWORD))
    assert [type(payload) for payload in answer.payloads if not isinstance(payload, Notify)] == [
        Authentication, Configuration, SecurityAssociation, SelectorsInitiator, SelectorsResponder,
    ]  # fmt: skip
    assert answer.need(Authentication) == puppet.expected(msk(PASSWORD))
    assert puppet.states[-4:] == ["SMR_EAP_DONE", "SMR_AUTH_FINALIZE", "SM_MATURE", "SA_MATURE"]
    (up,) = puppet.pair.gateway.heard(IkeUp)
    assert up.method == "eap-experimental"
    assert (puppet.sa.user, puppet.sa.grant) == ("carol", grant)
    assert len(puppet.pair.gateway.plane.installed) == 1


def test_R_11_a_method_without_a_key_leaves_SK_pi_and_SK_pr():
    puppet = logging_in(Challenge(REQUEST), Accept(success(7)))
    puppet.start()
    puppet.respond(b"")
    answer = puppet.prove(None)
    assert answer.need(Authentication) == puppet.expected(None)


@pytest.mark.parametrize("key", [msk(b"other"), None, b""])
def test_RE_05_AUTH_with_another_key(key):
    puppet = logging_in(Challenge(REQUEST), Accept(success(7), msk(PASSWORD)))
    puppet.start()
    puppet.respond(b"")
    assert puppet.told(puppet.prove(key)) == FAILED
    (failed,) = puppet.pair.gateway.heard(AuthFailed)
    assert failed.reason is AuthFailure.NOT_AUTHENTIC
    assert "the key that its AAA server told us" in failed.detail
    assert puppet.left_nothing


def test_RE_05_AUTH_by_another_method_than_a_shared_key():
    puppet = logging_in(Challenge(REQUEST), Accept(success(7), msk(PASSWORD)))
    puppet.start()
    puppet.respond(b"")
    right = puppet.proof(msk(PASSWORD))
    assert puppet.told(puppet.ask(evolve(right, method=AuthMethod.RSA_SIGNATURE))) == FAILED
    assert puppet.left_nothing


# ------------------------------------------------------------ the AAA server says no, nothing, or nonsense


@pytest.mark.parametrize("eap", [failure(7), None, b"rubbish"[:3], success(7)])
def test_RE_06_a_reject_in_the_middle(eap):
    """<-- IKE_AUTH { EAP Failure }; whatever comes after it <-- { N(AUTHENTICATION_FAILED) }"""
    puppet = logging_in(Challenge(REQUEST), Reject(eap, "account locked"))
    puppet.start()
    answer = puppet.respond(b"wrong")
    if eap != b"rub":
        assert answer.payloads == (Eap(failure(7)),)
        assert puppet.states[-1] == "SMR_EAP_FAILED"
        assert puppet.told(puppet.prove(None)) == FAILED
    else:
        assert puppet.told(answer) == FAILED
    (failed,) = puppet.pair.gateway.heard(AuthFailed)
    assert "carol@test" in failed.detail
    assert puppet.left_nothing


def test_RE_06_a_reject_of_the_mere_name():
    puppet = logging_in(Reject(failure(0), "who is that?"))
    answer = puppet.start()
    assert EapPacket.decode(answer.need(Eap).packet).code is EapCode.FAILURE
    assert puppet.states[-2:] == ["SMR_AUTH_RESPONSE_ID", "SMR_EAP_FAILED"]
    assert "who is that?" in puppet.pair.gateway.heard(AuthFailed)[0].detail
    puppet.pair.world.run(40.0, 1.0)
    assert puppet.left_nothing
    (down,) = puppet.pair.gateway.heard(IkeDown)
    assert "who is that?" in down.reason


@pytest.mark.parametrize("first", [True, False])
def test_RE_07_the_AAA_server_is_silent(first):
    silent = AaaSilent("asked radius1 three times in 9 s")
    puppet = logging_in(silent) if first else logging_in(Challenge(REQUEST), silent)
    answer = puppet.start() if first else (puppet.start(), puppet.respond(b""))[1]
    assert puppet.told(answer) == FAILED
    (failed,) = puppet.pair.gateway.heard(AuthFailed)
    assert failed.reason is AuthFailure.AAA_FAILED
    assert "asked radius1 three times in 9 s" in failed.detail
    assert puppet.left_nothing


def test_RE_07_a_door_that_never_tells_is_waited_for_no_longer_than_a_login_may_take():
    puppet = logging_in(Challenge(REQUEST), None)
    puppet.start()
    puppet.say(Eap(puppet.response(b"")))
    puppet.pair.world.run(LOGIN_SECONDS - 5.0, 1.0)
    assert puppet.states[-1] == "SMR_EAP_AAA_REQUEST"
    puppet.pair.world.run(6.0, 0.5)
    assert puppet.told(puppet.heard[-1]) == FAILED
    assert "180 s" in puppet.pair.gateway.heard(AuthFailed)[0].detail
    assert puppet.left_nothing


@pytest.mark.parametrize(
    "answer",
    [
        Accept(None, msk(PASSWORD)), Accept(failure(7), msk(PASSWORD)), Accept(REQUEST, msk(PASSWORD)),
        Accept(b"\3\1\0", msk(PASSWORD)), Challenge(success(7)), Challenge(b"\1\7\0\4"), Challenge(b""),
    ],
    ids=["no EAP", "EAP Failure", "an EAP request", "cut", "Challenge with Success", "no type", "nothing"],
)  # fmt: skip
def test_RE_10_an_answer_that_cannot_be_believed(answer):
    puppet = logging_in(Challenge(REQUEST), answer)
    puppet.start()
    assert puppet.told(puppet.respond(b"")) == FAILED
    (failed,) = puppet.pair.gateway.heard(AuthFailed)
    assert failed.reason is AuthFailure.AAA_FAILED
    assert "cannot be believed" in failed.detail
    assert puppet.left_nothing


def test_RE_10_an_accept_before_EAP_began():
    puppet = logging_in(Accept(success(0), msk(PASSWORD)))
    assert puppet.told(puppet.start()) == FAILED
    assert "before EAP began" in puppet.pair.gateway.heard(AuthFailed)[0].detail
    assert puppet.left_nothing


# ------------------------------------------------------------ the initiator out of turn


def test_RE_11_AUTH_while_EAP_is_unfinished():
    puppet = logging_in(Challenge(REQUEST))
    puppet.start()
    assert puppet.told(puppet.prove(None)) == FAILED
    assert puppet.pair.gateway.heard(AuthFailed)[0].reason is AuthFailure.NOT_AUTHENTIC
    assert puppet.left_nothing


def test_RE_11_EAP_after_EAP_success():
    puppet = logging_in(Challenge(REQUEST), Accept(success(7), msk(PASSWORD)))
    puppet.start()
    puppet.respond(b"")
    assert puppet.told(puppet.respond(b"once more")) == FAILED
    assert puppet.left_nothing


def test_RE_11_a_second_beginning_in_place_of_the_proof():
    puppet = logging_in(Challenge(REQUEST), Accept(success(7), msk(PASSWORD)))
    puppet.start()
    puppet.respond(b"")
    assert puppet.told(puppet.start()) == FAILED
    assert puppet.left_nothing


@pytest.mark.parametrize(
    ("kind", "offset", "name"),
    [
        (EapType.NAK, 0, b"\4"), (EapType.IDENTITY, 1, b"carol@test"), (EapType.IDENTITY, 0, b""),
        (EapType.IDENTITY, 0, b"\xff\xfe"), (EapType.IDENTITY, 0, b"a" * 254), (EapType.IDENTITY, 0, b"a\nb"),
    ],
    ids=["a NAK", "another identifier", "no name", "no text", "too long", "two lines"],
)  # fmt: skip
def test_RE_11_no_identity_though_we_asked(kind, offset, name):
    puppet = logging_in(gateway=asking())
    asked = EapPacket.decode(puppet.start().need(Eap).packet)
    response = EapPacket(EapCode.RESPONSE, (asked.identifier + offset) % 256, kind, name).encode()
    assert puppet.told(puppet.ask(Eap(response))) == FAILED
    assert not puppet.aaa.callers
    assert puppet.left_nothing


def test_RE_01_the_half_open_time_begins_anew_with_each_round():
    puppet = logging_in(Challenge(REQUEST), Challenge(REQUEST), Challenge(REQUEST))
    puppet.start()
    for _ in range(2):
        puppet.pair.world.run(25.0, 1.0)
        assert puppet.respond(b"").payloads == (Eap(REQUEST),)
    puppet.pair.world.run(29.0, 1.0)
    assert puppet.states[-1] == "SMR_EAP_INITIATOR_REQUEST"
    puppet.pair.world.run(2.0, 1.0)
    assert puppet.states[-1] == "SM_DEAD"
    assert puppet.left_nothing


def test_RE_01_but_a_login_takes_no_more_than_three_minutes():
    puppet = logging_in(*[Challenge(REQUEST)] * 10)
    puppet.start()
    for _ in range(7):
        puppet.pair.world.run(25.0, 1.0)
        assert puppet.respond(b"").payloads == (Eap(REQUEST),)
    puppet.pair.world.run(6.0, 1.0)
    assert puppet.states[-1] == "SM_DEAD"
    assert puppet.left_nothing


def test_RE_04_nothing_to_prove_ourselves_with_is_found_out_before_anybody_says_a_password():
    broken = evolve(EAP_GATEWAY, local=evolve(EAP_GATEWAY.local, certificates=("missing.pem",)))
    puppet = logging_in(Challenge(REQUEST), gateway=broken)
    assert puppet.told(puppet.start()) == FAILED
    assert puppet.pair.gateway.heard(AuthFailed)[0].reason is AuthFailure.NO_OWN_MATERIAL
    assert puppet.states[-2:] == ["SMR_AUTH_RESPONSE", "SM_DEAD"]


def test_RE_03_EAP_where_it_is_not_allowed():
    gateway = evolve(EAP_GATEWAY, remote=evolve(EAP_GATEWAY.remote, kind=AuthKind.PUBKEY))
    puppet = LoginPuppet(login_pair(gateway))
    assert puppet.told(puppet.start()) == FAILED
    assert "EAP (it sent no AUTH)" in puppet.pair.gateway.heard(AuthFailed)[0].detail


# ------------------------------------------------------------ every state of the login

STATES = [
    "SMR_AUTH_RESPONSE_ID", "SMR_EAP_INITIATOR_REQUEST", "SMR_EAP_AAA_REQUEST", "SMR_EAP_DONE", "SMR_EAP_FAILED",
]  # fmt: skip
ASKED = [state for state in STATES if state not in ("SMR_AUTH_RESPONSE_ID", "SMR_EAP_AAA_REQUEST")]


@pytest.mark.parametrize("state", ASKED)
@pytest.mark.parametrize(
    "payload",
    [Notify(NotifyType.AUTHENTICATION_FAILED), Delete(ProtocolId.IKE, ())],
    ids=["notify", "delete"],
)
def test_RE_14_the_initiator_rejects_us(state, payload):
    puppet = half_way(state)
    answer = puppet.ask(payload, exchange=ExchangeType.INFORMATIONAL)
    assert answer.payloads == ()
    assert puppet.left_nothing


def test_RE_14_an_initiator_that_leaves_when_it_is_told_that_it_will_be_refused():
    """IKE_AUTH { EAP request: wrong password }   INFORMATIONAL { N(AUTHENTICATION_FAILED) } -->"""
    puppet = logging_in(Challenge(REQUEST), Challenge(REQUEST, "wrong password"))
    puppet.start()
    puppet.ask(Eap(answer(EapPacket.decode(REQUEST), b"guessed")))
    puppet.ask(Notify(NotifyType.AUTHENTICATION_FAILED), exchange=ExchangeType.INFORMATIONAL)
    (failed,) = puppet.pair.gateway.heard(AuthFailed)
    assert "wrong password" in failed.detail
    assert puppet.left_nothing


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "exchange", [ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL, ExchangeType.IKE_SA_INIT]
)
def test_RE_15_another_exchange_is_dropped(state, exchange):
    puppet = half_way(state)
    heard = len(puppet.heard)
    puppet.say(exchange=exchange)
    puppet.pair.world.run(0.1)
    assert len(puppet.heard) == heard
    assert puppet.states[-1] == state
    assert puppet.pair.gateway.heard(Dropped)


@pytest.mark.parametrize("state", ASKED)
def test_RE_16_a_request_that_cannot_be_read(state):
    puppet = half_way(state)
    assert puppet.told(puppet.ask(Notify(NotifyType.INITIAL_CONTACT))) == [NotifyType.INVALID_SYNTAX]
    assert puppet.left_nothing


@pytest.mark.parametrize("state", ["SMR_AUTH_RESPONSE_ID", "SMR_EAP_AAA_REQUEST"])
def test_RE_17_a_repeated_request_asks_the_AAA_server_once(state):
    puppet = half_way(state)
    asked = len(puppet.aaa.heard)
    for _ in range(3):
        puppet.repeat()
    puppet.pair.world.run(0.1)
    assert len(puppet.aaa.heard) == asked
    (waiting,) = puppet.aaa.pending
    waiting.callback(Challenge(REQUEST))
    puppet.pair.world.run(0.1)
    assert puppet.heard[-1].need(Eap).packet == REQUEST


@pytest.mark.parametrize("state", ASKED)
def test_L_03_a_repeated_request_gets_the_same_answer(state):
    puppet = half_way(state)
    history = puppet.pair.world.wire.history
    answered = history[-1].octets
    puppet.repeat()
    assert history[-1].octets == answered
    assert puppet.states[-1] == state


@pytest.mark.parametrize("state", STATES)
def test_IE_20_an_operator_ends_it(state):
    puppet = half_way(state)
    puppet.pair.gateway.gateway.terminate(puppet.sa.number)
    puppet.pair.world.run(100.0, 1.0)
    assert all(waiting.called for waiting in puppet.aaa.pending), "still asked, though nobody wants to know"
    assert puppet.left_nothing


@pytest.mark.parametrize("state", STATES)
def test_a_client_that_falls_silent_leaves_nothing(state):
    puppet = half_way(state)
    puppet.pair.world.run(LOGIN_SECONDS + 5.0, 1.0)
    assert puppet.left_nothing


def test_the_gateway_stops_in_the_middle_of_logins():
    puppet = half_way("SMR_EAP_AAA_REQUEST")
    puppet.pair.gateway.gateway.shutdown()
    puppet.pair.world.run(5.0, 0.1)
    assert puppet.left_nothing


PARTS = [
    Eap(EapPacket(EapCode.RESPONSE, 7, EapType.EXPERIMENTAL, b"x").encode()), Eap(success(7)), Eap(failure(7)), Eap(REQUEST),
    Eap(EapPacket(EapCode.RESPONSE, 7, EapType.NAK, b"").encode()), Authentication(AuthMethod.SHARED_KEY, b""),
    Authentication(AuthMethod(200), bytes(40)), IdInitiator(parse_identity("mallory@test")),
    IdResponder(parse_identity("gw.test")),
    Notify(NotifyType.AUTHENTICATION_FAILED), Notify(NotifyType.INITIAL_CONTACT), Notify(NotifyType(12345)),
    Delete(ProtocolId.IKE, ()), Configuration(ConfigType.REQUEST, ()), UnknownPayload(200, True, b""),
    UnknownPayload(200, False, b""),
]  # fmt: skip


@pytest.mark.parametrize("state", ASKED)
def test_whatever_an_initiator_says_under_its_keys(state):
    """It is answered or dropped; nobody is let in by it, and nothing is left."""
    generator = Random(state)
    for _ in range(60):
        puppet = half_way(state)
        puppet.aaa.answers, puppet.aaa._left = (), [None, None]
        exchange = generator.choice([ExchangeType.IKE_AUTH] * 4 + [ExchangeType.INFORMATIONAL])
        puppet.say(*generator.sample(PARTS, generator.randrange(5)), exchange=exchange)
        puppet.pair.world.run(LOGIN_SECONDS + 5.0, 5.0)
        assert not puppet.pair.gateway.heard(IkeUp)
        assert puppet.left_nothing


# ------------------------------------------------------------ lost and doubled datagrams; other people


@pytest.mark.parametrize("gateway", [EAP_GATEWAY, asking()], ids=["named", "asked"])
def test_every_datagram_of_a_login_lost_once(gateway):
    for count in range(30):
        pair = login_pair(gateway)
        seen = []

        def lose(datagram, seen=seen, lost=count):
            seen.append(datagram)
            return [] if len(seen) == lost + 1 else [datagram]

        pair.world.wire.tap = lose
        assert comes_up(pair, 12.0), f"datagram {count} lost"
        if count >= len(seen):
            break
    assert 10 <= count < 29


def test_every_datagram_of_a_login_doubled_and_come_late():
    pair = login_pair(
        aaa=lambda clock: FakeAaa(clock, {"carol@test": Account(PASSWORD)}, rounds=3, seconds=0.02)
    )
    pair.world.wire.tap = lambda datagram: [datagram, datagram]
    old = []

    def with_an_old_one(datagram):
        old.append(datagram)
        return [datagram, datagram, *old[-3:-1]]

    pair.world.wire.tap = with_an_old_one
    assert comes_up(pair, 2.0)
    assert len(pair.gateway.gateway.aaa.heard) == 4


@pytest.mark.parametrize("password", [b"wrong", b""])
def test_a_wrong_password_and_no_password(password):
    pair = login_pair(supplicants=lambda clock: FakeSupplicants(clock, password))
    assert not comes_up(pair, 2.0)
    pair.world.run(40.0, 1.0)
    assert pair.is_empty


def test_one_who_waits_for_its_AAA_server_keeps_nobody_else_waiting():
    aaa = {}

    def door(clock):
        aaa["it"] = FakeAaa(
            clock, {"slow@test": Account(PASSWORD, silent=True), "carol@test": Account(PASSWORD)}
        )
        return aaa["it"]

    pair = login_pair(aaa=door)
    slow = evolve(
        EAP_CLIENT, name="slow", local=evolve(EAP_CLIENT.local, identity=parse_identity("slow@test"))
    )
    pair.client.gateway.connections = (EAP_CLIENT, slow)
    pair.client.gateway.initiate("slow").addErrback(lambda failure: None)
    pair.world.run(0.1)
    assert comes_up(pair)
    assert len(aaa["it"].waiting) == 1
