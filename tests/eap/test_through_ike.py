"""Our methods on both sides of a whole IKE_AUTH: the key of the method proves both ends, and a refusal is told in its words."""

import pytest
from attrs import evolve
from eap_world import (
    CAROL,
    USERS,
    FakeCertificates,
    authority,
    client_certificate,
    make_settings,
    stranger,
)

from ikegw.eap.credentials import Passwords
from ikegw.eap.peer.supplicants import EapSupplicants
from ikegw.eap.server.authenticator import EmbeddedAuthenticator
from ikegw.events import AuthFailed, IkeUp, Refused
from ikegw.policy.connections import EapMethod
from ikegw.testing.login import EAP_CLIENT, asking, login_pair
from ikegw.testing.wire import seeded


def make(method, name="carol", password=b"carol's secret", trusted=None):
    """A gateway with the embedded authenticator, and a client with our peer."""
    certificates = FakeCertificates(
        client_certificate(CAROL), ((authority() if trusted is None else trusted).certificate,)
    )
    local = evolve(EAP_CLIENT.local, eap_identity=name, eap_methods=(method,), aaa_identity="aaa.test")
    return login_pair(
        asking(),
        evolve(EAP_CLIENT, local=local),
        lambda clock: EmbeddedAuthenticator(clock, seeded(1), make_settings(method)),
        lambda clock: EapSupplicants(seeded(2), Passwords({name: password}), certificates),
    )


def comes_up(pair):
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(2.0)
    return pair.gateway.heard(IkeUp)


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (EapMethod.MSCHAPV2, "carol"),
        (EapMethod.MSCHAPV2, "SITE\\carol"),
        (EapMethod.GTC, "carol"),
        (EapMethod.MD5, "carol"),
        (EapMethod.TLS, CAROL),
    ],
)
def test_a_login(method, name):
    pair = make(method, name)
    assert comes_up(pair)
    assert pair.client.heard(IkeUp)
    assert pair.client.states("initiator")[-2:] == ["SMI_INSTALLCSA", "SM_MATURE"]


def test_a_wrong_password_reads_the_same_whoever_it_was():
    for name, password in (("carol", b"wrong"), ("nobody", USERS.of("carol"))):
        pair = make(EapMethod.MSCHAPV2, name, password)
        assert not comes_up(pair)
        (failed,) = pair.gateway.heard(AuthFailed)
        assert name in failed.detail
        assert any("E=691" in event.detail for event in pair.client.heard(Refused))
        pair.world.run(200.0)
        assert pair.is_empty


def test_an_EAP_server_that_our_authorities_do_not_know():
    pair = make(EapMethod.TLS, CAROL, trusted=stranger())
    assert not comes_up(pair)
    assert any("none of the authorities" in event.detail for event in pair.client.heard(Refused))
    pair.world.run(200.0)
    assert pair.is_empty
