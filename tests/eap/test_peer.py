"""The EAP peer and servers that are not as they should be."""

import pytest
from eap_world import IDENTITY_REQUEST, Site, log_in, make_login, make_settings, now

from ikegw.eap import mschap, nak
from ikegw.eap.challenge_md5 import Md5Value
from ikegw.eap.mschapv2 import Challenge, Failure, Response, Success, decode_response
from ikegw.eap.peer.login import MOST_REQUESTS
from ikegw.policy.connections import EapMethod
from ikegw.ports import Keyed, SupplicantFailed
from ikegw.wire.eap import EapPacket
from ikegw.wire.registry import EapCode, EapType

CHALLENGE = bytes(range(16))
SECRET = b"carol's secret"


def request(kind, data=b"", identifier=1):
    return EapPacket(EapCode.REQUEST, identifier, kind, data).encode()


def ask(login, kind, data=b"", identifier=1):
    return EapPacket.decode(now(login.respond(request(kind, data, identifier))))


def success_for(response: EapPacket, password=SECRET, identifier=9) -> bytes:
    """What a server says that knows `password`."""
    said = decode_response(response.data)
    assert isinstance(said, Response)
    hashed = mschap.nt_password_hash(password)
    proof = mschap.authenticator_response(CHALLENGE, said.peer_challenge, said.name, hashed, said.nt_response)
    return Success(identifier, proof, "OK").encode()


def test_the_identity_is_told_as_often_as_it_is_asked_before_a_method():
    login = make_login()
    for identifier in (0, 3, 255):
        answer = ask(login, EapType.IDENTITY, b"who?", identifier)
        assert answer == EapPacket(EapCode.RESPONSE, identifier, EapType.IDENTITY, b"carol")
    assert login.complete() is None


def test_a_notification_is_acknowledged_at_any_time_before_the_end():
    login = make_login()
    assert ask(login, EapType.NOTIFICATION, b"your password expires soon").data == b""
    ask(login, EapType.MSCHAPV2, Challenge(1, CHALLENGE).encode())
    assert ask(login, EapType.NOTIFICATION, "\u0007schlüpfrig".encode()).type is EapType.NOTIFICATION
    assert login.complete() is None


def test_what_we_do_not_take_part_in_is_declined():
    login = make_login(methods=(EapMethod.MSCHAPV2, EapMethod.MD5))
    answer = ask(login, EapType.AKA, b"\1\2\3", 77)
    assert (answer.type, answer.identifier) == (EapType.NAK, 77)
    assert answer.data == bytes([EapType.MSCHAPV2, EapType.MD5_CHALLENGE])
    assert ask(login, EapType.GTC).type is EapType.NAK


def test_an_expanded_request_is_declined_in_the_same_form():
    login = make_login(methods=(EapMethod.MSCHAPV2,))
    answer = ask(login, EapType.EXPANDED, bytes.fromhex("00372a00000001"))
    assert answer.type is EapType.EXPANDED
    assert answer.data == bytes.fromhex("00000000000003fe0000000000001a")


def test_a_method_once_begun_is_the_only_one():
    for kind, data in (
        (EapType.MD5_CHALLENGE, Md5Value(CHALLENGE).encode()),
        (EapType.IDENTITY, b""),
        (EapType.AKA, b""),
    ):
        login = make_login()
        ask(login, EapType.MSCHAPV2, Challenge(1, CHALLENGE).encode())
        with pytest.raises(SupplicantFailed, match=r"when it may not.*mschapv2"):
            ask(login, kind, data)
        with pytest.raises(SupplicantFailed):
            ask(login, EapType.IDENTITY)
        assert login.complete() is None


def test_success_is_believed_when_the_method_is_complete_and_not_before():
    login = make_login()
    assert login.complete() is None
    ask(login, EapType.IDENTITY)
    assert login.complete() is None
    response = ask(login, EapType.MSCHAPV2, Challenge(1, CHALLENGE).encode())
    assert login.complete() is None
    ask(login, EapType.MSCHAPV2, success_for(response))
    assert isinstance(login.complete(), Keyed)


def test_no_request_may_follow_a_complete_method():
    login = make_login()
    response = ask(login, EapType.MSCHAPV2, Challenge(1, CHALLENGE).encode())
    success = success_for(response)
    ask(login, EapType.MSCHAPV2, success)
    with pytest.raises(SupplicantFailed, match="when it may not"):
        ask(login, EapType.MSCHAPV2, success)
    assert login.complete() is None


def test_a_server_that_does_not_know_the_password_is_not_believed():
    login = make_login()
    response = ask(login, EapType.MSCHAPV2, Challenge(1, CHALLENGE).encode())
    with pytest.raises(SupplicantFailed, match="not the server it should be") as failed:
        ask(login, EapType.MSCHAPV2, success_for(response, b"another secret"))
    assert "secret" not in str(failed.value)
    assert login.complete() is None


def test_a_success_or_failure_before_the_challenge():
    for said in (Success(1, bytes(20)).encode(), Failure(1, 691, False, CHALLENGE).encode()):
        login = make_login()
        with pytest.raises(SupplicantFailed, match="before the server has sent a challenge"):
            ask(login, EapType.MSCHAPV2, said)
        assert login.complete() is None


def test_a_second_challenge():
    login = make_login()
    challenge = Challenge(1, CHALLENGE).encode()
    ask(login, EapType.MSCHAPV2, challenge)
    with pytest.raises(SupplicantFailed, match="another MSCHAPv2 challenge"):
        ask(login, EapType.MSCHAPV2, challenge)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"E",
        b"E=691",
        b"E=691 R=2",
        b"E=691R=0",
        b"E=x R=0",
        b"E=691 R=0 C=00",
        b"E=99999999999 R=0",
        b"S=00",
        b"E=691 R=0 V=3 C=" + b"0" * 32,
    ],
)
@pytest.mark.parametrize("code", [3, 4])
def test_a_verdict_that_is_not_in_its_form(code, text):
    """CVE-2025-62291: a Failure Request shorter than its own header and text."""
    login = make_login()
    ask(login, EapType.MSCHAPV2, Challenge(1, CHALLENGE).encode())
    with pytest.raises(SupplicantFailed, match=r"MSCHAPv2 (success|failure) that is not"):
        ask(login, EapType.MSCHAPV2, bytes([code, 1]) + (4 + len(text)).to_bytes(2, "big") + text)
    assert login.complete() is None


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 20, 22, 65535])
def test_a_length_that_is_not_that_of_the_data(length):
    data = bytearray(Challenge(1, CHALLENGE).encode())
    data[2:4] = length.to_bytes(2, "big")
    with pytest.raises(SupplicantFailed, match="MSCHAPv2 packet of 21 octets that says"):
        ask(make_login(), EapType.MSCHAPV2, bytes(data))


def test_a_refusal_is_acknowledged_and_remembered_for_the_operator():
    login = make_login()
    ask(login, EapType.MSCHAPV2, Challenge(1, CHALLENGE).encode())
    answer = ask(login, EapType.MSCHAPV2, Failure(1, 648, True, CHALLENGE, "change it").encode())
    assert answer.data == b"\4"
    assert login.complete() is None
    assert "expired" in login.complaint
    assert "change it" in login.complaint


def test_what_is_no_request():
    for packet in (b"", b"\3\1\0\4", b"\2\1\0\5\1", b"\1\1\0\4", b"\1\1\0\6\1", b"\7\1\0\4"):
        with pytest.raises(SupplicantFailed):
            now(make_login().respond(packet))


def test_a_server_that_never_ends():
    login = make_login()
    for _ in range(MOST_REQUESTS):
        now(login.respond(IDENTITY_REQUEST))
    with pytest.raises(SupplicantFailed, match="not over after"):
        now(login.respond(IDENTITY_REQUEST))


def test_a_NAK_reads_as_it_was_written():
    assert nak.wanted(nak.legacy([EapType.TLS, EapType.GTC])) == (EapType.TLS, EapType.GTC)
    assert nak.wanted(nak.legacy([])) == ()


def test_nothing_that_is_shown_holds_the_password():
    login = make_login()
    log_in(login, Site(make_settings(EapMethod.MSCHAPV2)).begin())
    shown = f"{login!r} {login.account!r} {login.complete()!r} {login.methods!r}"
    assert "secret" not in shown
    assert login.complete().msk.hex() not in shown
    assert repr(login.complete().msk) not in shown
