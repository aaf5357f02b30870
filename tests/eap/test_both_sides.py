"""Our peer logs in at our authenticator, by every method that both have."""

import pytest
from attrs import evolve
from eap_world import (
    CAROL,
    USERS,
    Site,
    authority,
    client_certificate,
    log_in,
    make_login,
    make_settings,
    stranger,
)

from ikegw.eap import tls_fragments
from ikegw.policy.connections import EapMethod
from ikegw.policy.identities import parse_identity
from ikegw.ports import Accept, Keyed, Reject, SupplicantFailed
from ikegw.session import Grant
from ikegw.wire.eap import EapPacket
from ikegw.wire.registry import EapCode

PASSWORDS = (EapMethod.MSCHAPV2, EapMethod.GTC, EapMethod.MD5)


@pytest.mark.parametrize("method", PASSWORDS)
@pytest.mark.parametrize("name", ["carol", "zoë"])
def test_a_password(method, name):
    login = make_login(name, USERS.of(name))
    answer = log_in(login, Site(make_settings(method)).begin())
    assert isinstance(answer, Accept)
    assert answer.grant == Grant(user_name=name)
    keyed = login.complete()
    assert keyed.method == method.value
    assert keyed.msk == answer.msk
    assert (answer.msk is not None) == (method is EapMethod.MSCHAPV2)
    assert EapPacket.decode(answer.eap).code is EapCode.SUCCESS


@pytest.mark.parametrize("method", PASSWORDS)
def test_a_wrong_password_and_an_unknown_user_look_the_same(method):
    seen = []
    for name, password in (("carol", b"wrong"), ("nobody", b"wrong")):
        login, site = make_login(name, password), Site(make_settings(method))
        answer = log_in(login, site.begin())
        assert isinstance(answer, Reject)
        assert name in answer.message
        assert EapPacket.decode(answer.eap).code is EapCode.FAILURE
        if method is EapMethod.MSCHAPV2:
            assert login.complete() is None
            assert "691" in login.complaint
        seen.append(answer.eap)
    assert seen[0] == seen[1]


def test_tls(tls_version):
    login = make_login(CAROL, None, certificate=client_certificate())
    answer = log_in(login, Site(make_settings(EapMethod.TLS)).begin())
    assert isinstance(answer, Accept), answer
    assert answer.grant.user_name == CAROL
    assert len(answer.msk) == 64
    assert login.complete() == Keyed("tls", answer.msk, True)


def test_tls_with_fragments_both_ways(tls_version, monkeypatch):
    monkeypatch.setattr(tls_fragments, "FRAGMENT_OCTETS", 50)
    login = make_login(CAROL, None, certificate=client_certificate())
    answer = log_in(login, Site(make_settings(EapMethod.TLS)).begin(), rounds=190)
    assert isinstance(answer, Accept), answer
    assert login.complete().msk == answer.msk


@pytest.mark.parametrize(
    ("bearer", "issuer", "words"),
    [
        (CAROL, "nobody's", "none of the authorities"),
        ("mallory@ikegw.example", "ours", "mallory@ikegw.example"),
    ],
)
def test_tls_with_a_certificate_that_does_not_count(tls_version, bearer, issuer, words):
    login = make_login(CAROL, None, certificate=client_certificate(bearer, issuer))
    answer = log_in(login, Site(make_settings(EapMethod.TLS)).begin())
    assert isinstance(answer, Reject)
    assert words in answer.message
    assert login.complete() is None
    assert "alert" in login.complaint


def test_tls_by_a_client_that_hides_its_name():
    login = make_login("@ikegw.example", None, certificate=client_certificate())
    answer = log_in(login, Site(make_settings(EapMethod.TLS)).begin())
    assert answer.grant.user_name == CAROL


@pytest.mark.parametrize(
    ("server", "trusted", "words"),
    [
        ("other.test", authority, "'other.test'"),
        ("192.0.2.1", authority, "'192.0.2.1'"),
        ("aaa.test", stranger, "none of the authorities"),
    ],
)
def test_tls_with_another_server_than_the_one_meant(tls_version, server, trusted, words):
    login = make_login(
        CAROL,
        None,
        certificate=client_certificate(),
        server=parse_identity(server),
        trusted=(trusted().certificate,),
    )
    answer = log_in(login, Site(make_settings(EapMethod.TLS)).begin())
    assert isinstance(answer, Reject)
    assert "alert" in answer.message
    assert login.complete() is None
    assert words in login.complaint


def test_tls_with_no_authority_to_check_the_server_by():
    login = make_login(CAROL, None, certificate=client_certificate(), trusted=())
    with pytest.raises(SupplicantFailed, match="no authority"):
        log_in(login, Site(make_settings(EapMethod.TLS)).begin())


def test_a_tls_server_that_has_no_certificate():
    settings = evolve(make_settings(EapMethod.TLS), certificate=None)
    answer = log_in(make_login(CAROL, None, certificate=client_certificate()), Site(settings).begin())
    assert isinstance(answer, Reject)
    assert "eap.certs" in answer.message


def test_a_NAK_finds_the_method_that_both_have():
    login = make_login(methods=(EapMethod.GTC,))
    answer = log_in(login, Site(make_settings(EapMethod.MSCHAPV2, EapMethod.MD5, EapMethod.GTC)).begin())
    assert isinstance(answer, Accept)
    assert login.complete().method == "gtc"


def test_a_NAK_with_which_nothing_is_left():
    login = make_login(methods=(EapMethod.MD5,))
    answer = log_in(login, Site(make_settings(EapMethod.MSCHAPV2, EapMethod.GTC)).begin())
    assert isinstance(answer, Reject)
    assert "MD5_CHALLENGE" in answer.message
    assert "MSCHAPV2" in login.complaint


def test_no_password_is_given_to_a_gateway_that_has_proved_nothing():
    login = make_login(authentic=False, methods=(EapMethod.MSCHAPV2, EapMethod.GTC, EapMethod.MD5))
    with pytest.raises(SupplicantFailed, match="give the password away"):
        log_in(login, Site(make_settings(EapMethod.MSCHAPV2)).begin())
    login = make_login(CAROL, None, certificate=client_certificate(), authentic=False)
    assert isinstance(log_in(login, Site(make_settings(EapMethod.TLS)).begin()), Accept)


def test_a_login_that_has_neither_password_nor_certificate():
    with pytest.raises(SupplicantFailed, match=r"no password.*secrets\.eap.*|local\.certs"):
        log_in(make_login(password=None), Site().begin())
