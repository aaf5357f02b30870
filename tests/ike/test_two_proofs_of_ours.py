"""We prove ourselves by certificate and then by EAP (RFC 4739): rows I-19…I-22, IE-22, and what others say of these states."""

from collections.abc import Callable

import pytest
from attrs import evolve
from between import Between, with_answer

from ikegw.auth.certificates import X509
from ikegw.auth.credentials import Credentials
from ikegw.events import AuthFailed, AuthFailure, IkeDown, IkeUp, Refused
from ikegw.policy.authorities import RevocationPolicy
from ikegw.policy.identities import IdentityPattern
from ikegw.testing.eap_method import failure, success
from ikegw.testing.fetcher import FakeFetcher
from ikegw.testing.login import (
    LAPTOP,
    TWO_CLIENT,
    TWO_GATEWAY,
    authority,
    laptop_credentials,
    two_proofs_pair,
)
from ikegw.testing.pair import Pair, make_pair
from ikegw.testing.pki import GATEWAY_USAGES, crl_at
from ikegw.wire.authentication import Authentication
from ikegw.wire.certificate import Certificate
from ikegw.wire.eap import Eap
from ikegw.wire.identification import IdInitiator
from ikegw.wire.message import Message, Payload
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import NotifyType

CLIENT, GATEWAY = (evolve(each, fragmentation=False) for each in (TWO_CLIENT, TWO_GATEWAY))
REFUSAL = (Notify(NotifyType.AUTHENTICATION_FAILED),)


def states(pair: Pair) -> list[str]:
    return pair.client.states("initiator")


def test_I_19_I_20_I_21_I_22_both_proofs():
    pair = two_proofs_pair(GATEWAY, CLIENT)
    between = Between(pair)
    pair.world.run()
    assert between.ended == ["it came up"]
    assert states(pair) == [
        "SMI_AUTH", "SMI_ROUND_WAIT", "SMI_ROUND_PEER", "SMI_ANOTHER_AUTH", "SMI_EAP", "SMI_EAP", "SMI_INSTALLCSA", "SM_MATURE",
    ]  # fmt: skip
    first, second, *_, last = between.requests
    assert first.one(Authentication) is not None
    assert first.every(Certificate)
    assert {each.type for each in first.every(Notify)} >= {
        NotifyType.MULTIPLE_AUTH_SUPPORTED,
        NotifyType.ANOTHER_AUTH_FOLLOWS,
    }
    assert second.payloads == (IdInitiator(CLIENT.second_local.identity),)
    assert last.payloads == (last.need(Authentication),)
    assert all(each.notify(NotifyType.ANOTHER_AUTH_FOLLOWS) is None for each in between.requests[1:])
    ((local, responder, authentic),) = pair.client.gateway.supplicants.begun
    assert (local, responder.data, authentic) == (CLIENT.second_local, b"gw.test", True)
    (ours,), (theirs,) = pair.client.heard(IkeUp), pair.gateway.heard(IkeUp)
    assert (ours.local.data, theirs.remote.data) == (LAPTOP.encode(), LAPTOP.encode())
    assert ours.method.endswith("+eap-test")
    assert len(pair.client.plane.installed) == len(pair.gateway.plane.installed) == 1


def test_the_same_identity_twice_if_the_second_has_none():
    client = evolve(
        CLIENT, second_local=evolve(CLIENT.second_local, identity=None, eap_identity="carol@test")
    )
    gateway = evolve(
        GATEWAY, second_remote=evolve(GATEWAY.second_remote, identity=IdentityPattern.parse(LAPTOP))
    )
    pair = two_proofs_pair(gateway, client)
    between = Between(pair)
    pair.world.run()
    assert between.ended == ["it came up"]
    assert between.requests[1].payloads == (IdInitiator(CLIENT.local.identity),)


def test_one_proof_alone_says_nothing_of_others():
    gateway, client = evolve(GATEWAY, second_remote=None), evolve(CLIENT, second_local=None)
    pair = two_proofs_pair(gateway, client)
    between = Between(pair)
    pair.world.run()
    assert between.ended == ["it came up"]
    said = {each.type for each in between.requests[0].every(Notify)}
    assert not said & {NotifyType.MULTIPLE_AUTH_SUPPORTED, NotifyType.ANOTHER_AUTH_FOLLOWS}


def test_IE_22_a_gateway_that_takes_one_proof_only():
    """INFORMATIONAL { D(IKE) } -->"""
    pair = two_proofs_pair(evolve(GATEWAY, second_remote=None), CLIENT)
    between = Between(pair)
    pair.world.run()
    assert "does not say that it takes more than one proof (RFC 4739)" in between.ended[0]
    assert states(pair) == ["SMI_AUTH", "SM_TERMINATE"]
    assert not between.requests
    assert "MULTIPLE_AUTH_SUPPORTED" in [refused.notify for refused in pair.client.heard(Refused)]
    assert [down.reason for down in pair.gateway.heard(IkeDown)] == ["the initiator rejected us"]
    assert pair.is_empty


# ------------------------------------------------------------ the answer to the first proof


def with_false_proof(number: int, answer: Message) -> tuple[Payload, ...]:
    return tuple(
        evolve(each, data=bytes(len(each.data))) if isinstance(each, Authentication) else each
        for each in answer.payloads
    )


def and_another(number: int, answer: Message) -> tuple[Payload, ...]:
    return (*answer.payloads, Notify(NotifyType.ANOTHER_AUTH_FOLLOWS))


def and_EAP(number: int, answer: Message) -> tuple[Payload, ...]:
    return (*answer.payloads, Eap(success(1)[:0] + bytes([1, 1, 0, 5, 1])))


@pytest.mark.parametrize(
    ("twist", "said", "state"),
    [
        (with_false_proof, "does not hold", "SMI_ROUND_PEER"),
        (and_another, "our second proof is still to come", "SMI_ROUND_WAIT"),
        (and_EAP, "our second proof is still to come", "SMI_ROUND_WAIT"),
    ],
)
def test_IE_08_not_a_word_of_the_login(twist, said, state):
    """INFORMATIONAL { N(AUTHENTICATION_FAILED) } -->"""
    pair = two_proofs_pair(GATEWAY, CLIENT)
    between = Between(pair, twist)
    pair.world.run()
    assert said in between.ended[0]
    assert not pair.client.gateway.supplicants.begun
    assert len(between.requests) == 1
    assert states(pair)[-2:] == [state, "SM_TERMINATE"]
    assert [failed.reason for failed in pair.client.heard(AuthFailed)] == [AuthFailure.NOT_AUTHENTIC]
    assert pair.is_empty


def test_IE_08_a_gateway_that_lets_us_in_after_one_proof():
    """It is right, and yet not what we are to do: whoever took it for the real one would go in with half a proof."""
    once = two_proofs_pair(evolve(GATEWAY, second_remote=None), evolve(CLIENT, second_local=None))
    whole = Between(once)
    once.world.run()
    child = [each for each in whole.answers[-1].payloads if isinstance(each, SecurityAssociation)]
    selectors = [each for each in whole.answers[-1].payloads if type(each).__name__.startswith("Selectors")]
    pair = two_proofs_pair(GATEWAY, CLIENT)
    between = Between(pair, lambda number, answer: (*answer.payloads, *child, *selectors))
    pair.world.run()
    assert "expected IDr and AUTH alone" in between.ended[0]
    assert not pair.client.plane.installed
    assert pair.is_empty


# ------------------------------------------------------------ the answer to the second identity


def test_IE_08_a_gateway_that_ends_the_login_before_it_began():
    pair = two_proofs_pair(GATEWAY, CLIENT)
    whole = Between(two_proofs_pair(GATEWAY, CLIENT))
    whole.pair.world.run()
    between = Between(pair, with_answer(2, *whole.answers[-1].payloads))
    pair.world.run()
    assert "before EAP did" in between.ended[0]
    assert states(pair)[-2:] == ["SMI_ANOTHER_AUTH", "SM_TERMINATE"]
    assert not pair.client.plane.installed


def test_IE_10_EAP_failure_at_once():
    pair = two_proofs_pair(GATEWAY, CLIENT)
    between = Between(pair, with_answer(2, Eap(failure(1))))
    pair.world.run()
    assert "refused our EAP login" in between.ended[0]
    assert states(pair)[-2:] == ["SMI_ANOTHER_AUTH", "SM_DEAD"]


def test_IE_12_an_early_success_is_never_believed():
    pair = two_proofs_pair(GATEWAY, CLIENT)
    between = Between(pair, with_answer(2, Eap(success(1))))
    pair.world.run()
    assert "before our EAP method was complete" in between.ended[0]
    assert states(pair)[-2:] == ["SMI_ANOTHER_AUTH", "SM_DEAD"]
    assert not pair.client.heard(IkeUp)


@pytest.mark.parametrize(("number", "state"), [(1, "SMI_ROUND_WAIT"), (2, "SMI_ANOTHER_AUTH")])
def test_IE_07_N_AUTHENTICATION_FAILED(number, state):
    pair = two_proofs_pair(GATEWAY, CLIENT)
    between = Between(pair, with_answer(number, *REFUSAL))
    pair.world.run()
    assert "AUTHENTICATION_FAILED" in between.ended[0]
    assert states(pair)[-2:] == [state, "SM_DEAD"]
    assert pair.client.is_empty


@pytest.mark.parametrize(("number", "state"), [(1, "SMI_ROUND_WAIT"), (2, "SMI_ANOTHER_AUTH")])
def test_IE_01_the_gateway_falls_silent(number, state):
    pair = two_proofs_pair(GATEWAY, CLIENT)
    between = Between(pair, lambda which, answer: None if which >= number else answer.payloads)
    pair.world.run(100.0, 0.05)
    assert "no answer from" in between.ended[0]
    assert states(pair)[-2:] == [state, "SM_DEAD"]
    assert pair.client.is_empty


@pytest.mark.parametrize(("number", "state"), [(1, "SMI_ROUND_WAIT"), (2, "SMI_ANOTHER_AUTH")])
def test_IE_20_an_operator_ends_it(number, state):
    pair = two_proofs_pair(GATEWAY, CLIENT)
    between = Between(pair, lambda which, answer: None if which >= number else answer.payloads)
    pair.world.run(0.5)
    assert states(pair)[-1] == state
    pair.client.gateway.terminate(1)
    pair.world.run(100.0, 1.0)
    assert "the operator ended it" in between.ended[0]
    assert pair.is_empty


# ------------------------------------------------------------ the gateway's certificate lacks something

CRL = "http://pki.test/gw.crl"


def listed(fetcher: FakeFetcher, act: Callable[[Pair], None] = lambda pair: None) -> Pair:
    root, _ = authority()
    party = root.issue("gw.test", "ed25519", ["gw.test"], usages=GATEWAY_USAGES, extensions=(crl_at(CRL),))
    own = X509.of(party.certificate)
    credentials = Credentials(
        certificates={"own.pem": (own,)},
        authorities={"ca.pem": (X509.of(root.certificate),)},
        private_keys={own.key_hash: party.key},
    )
    whole = two_proofs_pair()
    pair = make_pair(
        GATEWAY,
        evolve(CLIENT, remote=evolve(CLIENT.remote, revocation=RevocationPolicy.STRICT)),
        credentials,
        laptop_credentials(),
        aaa=lambda clock: whole.gateway.gateway.aaa,
        supplicants=lambda clock: whole.client.gateway.supplicants,
        fetcher=fetcher,
    )
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(0.2)
    act(pair)
    pair.world.run()
    return pair


def test_I_11_I_12_what_is_missing_is_fetched_before_the_login():
    pair = listed(FakeFetcher({CRL: authority()[0].crl()}))
    assert states(pair)[1:5] == ["SMI_ROUND_WAIT", "SMI_ROUND_PEER", "SMI_ROUND_PEER", "SMI_ANOTHER_AUTH"]
    assert states(pair)[-1] == "SM_MATURE"


def test_IE_09_or_not_at_all():
    pair = listed(FakeFetcher())
    assert states(pair)[-2:] == ["SMI_ROUND_PEER", "SM_TERMINATE"]
    assert [failed.reason for failed in pair.client.heard(AuthFailed)] == [AuthFailure.DOWNLOAD_FAILED]
    assert pair.is_empty


def test_IE_20_an_operator_ends_it_while_that_is_fetched():
    fetcher = FakeFetcher({CRL: authority()[0].crl()}, holding=True)
    pair = listed(fetcher, lambda pair: pair.client.gateway.terminate(1) and None)
    assert "SMI_ROUND_PEER" in states(pair)
    assert states(pair)[-1] == "SM_TERMINATE"
    pair.world.run(40.0, 1.0)
    assert pair.is_empty


def test_we_do_not_open_what_the_peer_must_log_in_for():
    pair = two_proofs_pair()
    remote = CLIENT.remote_addresses
    pair.gateway.gateway.connections = (evolve(GATEWAY, remote_addresses=remote),)
    said: list[str] = []
    pair.gateway.gateway.initiate("road").addErrback(lambda failure: said.append(failure.getErrorMessage()))
    assert said == ["road: who opens it logs in by EAP (remote-2), so the peer must"]


def test_both_proofs_over_a_wire_that_loses_every_third_datagram():
    pair = two_proofs_pair(GATEWAY, CLIENT)
    count = iter(range(10_000))
    pair.world.wire.tap = lambda datagram: [] if next(count) % 3 == 1 else [datagram]
    told: list[object] = []
    pair.client.gateway.initiate("home").addBoth(told.append)
    pair.world.run(120.0, 0.05)
    assert len(pair.client.heard(IkeUp)) == len(pair.gateway.heard(IkeUp)) == 1
