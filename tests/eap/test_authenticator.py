"""The embedded authenticator and clients that are not as they should be."""

from os import urandom

import pytest
from attrs import evolve
from eap_world import USERS, Site, log_in, make_login, make_settings, now

from ikegw.eap import mschap
from ikegw.eap.credentials import Passwords
from ikegw.eap.mschapv2 import Challenge as MsChallenge
from ikegw.eap.mschapv2 import Failure, Response, decode_request
from ikegw.eap.server.attempts import Attempts
from ikegw.policy.connections import EapMethod
from ikegw.ports import Accept, Challenge, Reject
from ikegw.wire.eap import EapPacket
from ikegw.wire.registry import EapCode, EapType


def response(kind, data=b"", identifier=0):
    return EapPacket(EapCode.RESPONSE, identifier, kind, data).encode()


def challenged(dialogue, name=b"carol"):
    """The first request after the client said who it is."""
    answer = now(dialogue.respond(response(EapType.IDENTITY, name, 41)))
    assert isinstance(answer, Challenge)
    return EapPacket.decode(answer.eap)


def rejected(answer):
    assert isinstance(answer, Reject), answer
    assert EapPacket.decode(answer.eap).code is EapCode.FAILURE
    return answer.message


def proof(request: EapPacket, password: bytes, name=b"carol") -> bytes:
    """A right response to our MSCHAPv2 challenge."""
    challenge = decode_request(request.data)
    assert isinstance(challenge, MsChallenge)
    peers, hashed = urandom(16), mschap.nt_password_hash(password)
    said = mschap.nt_response(challenge.challenge, peers, name, hashed)
    return response(EapType.MSCHAPV2, Response(challenge.id, peers, said, name).encode(), request.identifier)


def test_a_refused_client_is_told_691_without_retry_and_then_gets_failure():
    dialogue = Site().begin()
    request = challenged(dialogue)
    answer = now(dialogue.respond(proof(request, b"wrong")))
    told = EapPacket.decode(answer.eap)
    failure = decode_request(told.data)
    assert isinstance(failure, Failure)
    assert (failure.error, failure.retry, len(failure.challenge)) == (691, False, 16)
    assert b"E=691 R=0 C=" in told.data
    assert "wrong password for 'carol'" in rejected(
        now(dialogue.respond(response(EapType.MSCHAPV2, b"\4", told.identifier)))
    )


@pytest.mark.parametrize("said", [b"\3", b"\4"])
def test_success_cannot_be_acknowledged_before_it_was_earned(said):
    """CVE-2015-8023: a peer that answers the challenge with the acknowledgement of success."""
    dialogue = Site().begin()
    request = challenged(dialogue)
    message = rejected(now(dialogue.respond(response(EapType.MSCHAPV2, said, request.identifier))))
    assert "where the response to our challenge was expected" in message


def test_a_refused_client_that_acknowledges_success_stays_refused():
    dialogue = Site().begin()
    told = EapPacket.decode(now(dialogue.respond(proof(challenged(dialogue), b"wrong"))).eap)
    rejected(now(dialogue.respond(response(EapType.MSCHAPV2, b"\3", told.identifier))))


def test_a_client_that_does_not_believe_us():
    dialogue = Site().begin()
    told = EapPacket.decode(now(dialogue.respond(proof(challenged(dialogue), USERS.of("carol")))).eap)
    message = rejected(now(dialogue.respond(response(EapType.MSCHAPV2, b"\4", told.identifier))))
    assert "does not believe" in message


def test_a_domain_is_no_part_of_the_user():
    dialogue = Site().begin()
    request = challenged(dialogue, b"SITE\\carol")
    told = EapPacket.decode(now(dialogue.respond(proof(request, USERS.of("carol"), b"SITE\\carol"))).eap)
    answer = now(dialogue.respond(response(EapType.MSCHAPV2, b"\3", told.identifier)))
    assert isinstance(answer, Accept)
    assert answer.grant.user_name == "SITE\\carol"


def test_a_password_of_another_user_than_the_one_that_logs_in():
    dialogue = Site(evolve(make_settings(), passwords=Passwords({"carol": b"x", "dave": b"x"}))).begin()
    request = challenged(dialogue)
    told = EapPacket.decode(now(dialogue.respond(proof(request, b"x", b"dave"))).eap)
    assert isinstance(decode_request(told.data), Failure)


def test_a_response_to_another_request():
    dialogue = Site().begin()
    request = challenged(dialogue)
    wrong = evolve(EapPacket.decode(proof(request, USERS.of("carol"))), identifier=request.identifier + 1)
    assert "to request 42" in rejected(now(dialogue.respond(wrong.encode())))


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"\2\1\0\4",
        b"\1\1\0\5\1",
        b"\3\1\0\4",
        response(EapType.MSCHAPV2, b"\3"),
        response(EapType.NAK, b"\4"),
        response(EapType.IDENTITY, bytes(254)),
    ],
)
def test_a_login_that_does_not_begin_with_an_identity(first):
    dialogue = Site().begin()
    rejected(now(dialogue.respond(first)))
    rejected(now(dialogue.respond(response(EapType.IDENTITY, b"carol"))))


def test_no_NAK_once_a_method_is_under_way():
    dialogue = Site(make_settings(EapMethod.MSCHAPV2, EapMethod.MD5)).begin()
    told = EapPacket.decode(now(dialogue.respond(proof(challenged(dialogue), b"wrong"))).eap)
    rejected(now(dialogue.respond(response(EapType.NAK, bytes([EapType.MD5_CHALLENGE]), told.identifier))))


def test_nobody_declines_for_ever():
    dialogue = Site(make_settings(EapMethod.MSCHAPV2, EapMethod.MD5, EapMethod.GTC)).begin()
    request = challenged(dialogue)
    for wanted in (EapType.MD5_CHALLENGE, EapType.GTC):
        both = bytes([EapType.MD5_CHALLENGE, EapType.GTC]) if wanted is EapType.MD5_CHALLENGE else b"\6"
        answer = now(dialogue.respond(response(EapType.NAK, both, request.identifier)))
        request = EapPacket.decode(answer.eap)
        assert request.type is wanted
    rejected(now(dialogue.respond(response(EapType.NAK, b"\4\6\x1a", request.identifier))))


def test_a_NAK_without_a_method_in_it():
    dialogue = Site().begin()
    request = challenged(dialogue)
    assert "names no method" in rejected(
        now(dialogue.respond(response(EapType.NAK, b"", request.identifier)))
    )


def failing(site, name="carol", source="192.0.2.7"):
    return log_in(make_login(name, b"wrong"), site.begin(source)).message


def right(site, name="carol", source="192.0.2.7"):
    return log_in(make_login(name, USERS.of(name)), site.begin(source))


def test_who_failed_too_often_may_not_even_be_right_until_time_has_passed():
    site = Site(make_settings(EapMethod.MSCHAPV2, user_failures=3, address_failures=0, failure_seconds=60.0))
    for _ in range(3):
        assert "wrong password" in failing(site)
    assert "too many logins as 'carol'" in failing(site)
    assert isinstance(right(site), Reject)
    assert isinstance(right(site, "zoë"), Accept)
    site.clock.advance(45.0)
    assert isinstance(right(site), Accept)


def test_an_address_that_tries_many_names():
    site = Site(make_settings(EapMethod.MD5, user_failures=0, address_failures=4, failure_seconds=60.0))
    for number in range(4):
        failing(site, f"user{number}")
    assert "from 192.0.2.7" in failing(site)
    assert isinstance(right(site), Reject)
    assert isinstance(right(site, source="192.0.2.8"), Accept)


def test_a_refusal_counts_before_the_client_has_heard_of_it():
    site = Site(make_settings(EapMethod.MSCHAPV2, user_failures=2, address_failures=0))
    for _ in range(2):
        dialogue = site.begin()
        now(dialogue.respond(proof(challenged(dialogue), b"wrong")))
    assert isinstance(right(site), Reject)


def test_counting_is_bounded():
    attempts = Attempts(most=10)
    for number in range(100):
        attempts.failed(number, 3, 60.0, 0.0)
    assert len(attempts) == 10
    assert attempts.exhausted(99, 1, 60.0, 0.0)
    assert not attempts.exhausted(1, 1, 60.0, 0.0)


def test_nothing_that_is_shown_holds_a_secret():
    site = Site()
    dialogue = site.begin()
    challenged(dialogue)
    assert "secret" not in f"{site.settings!r} {dialogue!r} {site.aaa!r} {USERS!r}"
    assert right(site).msk.hex() not in repr(right(site))
