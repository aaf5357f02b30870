"""Shared keys through the authenticator: the five reasons told apart, and no secret in any of them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred

from ikegw.auth import authenticator as module
from ikegw.auth.authenticator import AuthenticationError, Authenticator, PeerHints, Proof, Verified
from ikegw.auth.credentials import Credentials
from ikegw.auth.shared_keys import SharedKey
from ikegw.crypto.transforms import Prf
from ikegw.events import AuthFailure
from ikegw.policy.connections import AuthKind, LocalAuth, RemoteAuth
from ikegw.policy.identities import ANY, IdentityPattern, parse_identity
from ikegw.wire.authentication import Authentication
from ikegw.wire.registry import AuthMethod, PrfId

PRF = Prf("prfsha256", PrfId.HMAC_SHA2_256, "sha256", 32)
GW, CAROL = parse_identity("gw.ikegw.example"), parse_identity("carol@ikegw.example")
PSK = LocalAuth(AuthKind.PSK)
SECRET = b"correct horse battery"


def result(deferred: Deferred[Any]) -> Any:
    """What a Deferred that has fired holds."""
    found: list[Any] = []
    deferred.addBoth(found.append)
    return found[0]


def side(**secrets: bytes) -> Authenticator:
    keys = tuple(
        SharedKey(
            ()
            if name == "anybody"
            else (IdentityPattern.parse(name.replace("_at_", "@").replace("_", ".")),),
            secret,
        )
        for name, secret in secrets.items()
    )
    return Authenticator(Credentials(keys), lambda: datetime(2026, 1, 19, tzinfo=UTC), maybeDeferred)


def proof_of_carol(secret: bytes = SECRET, octets: bytes = b"octets") -> Authentication:
    proof = result(side(anybody=secret).prove(PSK, CAROL, octets, PRF, PeerHints(GW)))
    assert isinstance(proof, Proof)
    return proof.authentication


def verify(
    gateway: Authenticator,
    authentication: Authentication,
    remote: IdentityPattern = ANY,
    octets: bytes = b"octets",
) -> Any:
    auth = RemoteAuth(AuthKind.PSK, remote)
    return result(gateway.verify(auth, CAROL, octets, PRF, (), authentication, GW))


def refusal(outcome: Any) -> tuple[AuthFailure, str]:
    assert outcome.check(AuthenticationError), outcome
    for secret in (SECRET, b"wrong horse"):
        assert secret.decode() not in str(outcome.value)
        assert secret.hex() not in str(outcome.value)
    return outcome.value.reason, outcome.value.detail


def test_both_sides_with_the_same_secret() -> None:
    proof = result(side(anybody=SECRET).prove(PSK, CAROL, b"octets", PRF, PeerHints(GW)))
    assert proof.certificates == ()
    assert proof.authentication.method == AuthMethod.SHARED_KEY
    assert proof.method == "psk"
    assert verify(side(anybody=SECRET), proof.authentication) == Verified(
        "psk", "shared key of carol@ikegw.example"
    )


@pytest.mark.parametrize(
    "data",
    [
        lambda mac: b"",
        lambda mac: mac[:-1],
        lambda mac: mac + b"\0",
        lambda mac: bytes(32),
        lambda mac: mac[::-1],
    ],
)
def test_another_mac_is_not_authentic(data: Any) -> None:
    mac = proof_of_carol().data
    outcome = verify(side(carol_at_ikegw_example=SECRET), Authentication(AuthMethod.SHARED_KEY, data(mac)))
    assert refusal(outcome)[0] is AuthFailure.NOT_AUTHENTIC


def test_another_secret_and_other_octets_are_not_authentic() -> None:
    gateway = side(carol_at_ikegw_example=SECRET)
    for authentication, octets in ((proof_of_carol(b"wrong horse"), b"octets"), (proof_of_carol(), b"other")):
        assert refusal(verify(gateway, authentication, octets=octets)) == (
            AuthFailure.NOT_AUTHENTIC,
            "carol@ikegw.example uses another shared key than the one that we have for it; compare the secrets on both sides",
        )


def test_an_unknown_user_of_a_connection_for_many_is_not_authentic() -> None:
    assert refusal(verify(side(dave=SECRET), proof_of_carol(), IdentityPattern.parse("*@ikegw.example"))) == (
        AuthFailure.NOT_AUTHENTIC,
        "there is no shared key for carol@ikegw.example; if it is to connect, add one under secrets",
    )


@pytest.mark.parametrize("remote", ["carol@ikegw.example", "%any"])
def test_a_peer_configured_without_a_secret_is_our_own_lack(remote: str) -> None:
    gateway = side(dave=SECRET) if remote != "%any" else side()
    assert refusal(verify(gateway, proof_of_carol(), IdentityPattern.parse(remote))) == (
        AuthFailure.NO_OWN_MATERIAL,
        "the connection expects carol@ikegw.example with a shared key, but none is configured; add one under secrets",
    )


def test_an_unknown_identity_costs_the_same_macs(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bytes] = []
    mac = module.psk_mac

    def counted(prf: Prf, key: bytes, octets: bytes) -> bytes:
        calls.append(octets)
        return mac(prf, key, octets)

    monkeypatch.setattr(module, "psk_mac", counted)
    authentication = Authentication(AuthMethod.SHARED_KEY, bytes(32))
    for gateway in (side(carol_at_ikegw_example=SECRET), side(dave=SECRET)):
        calls.clear()
        refusal(verify(gateway, authentication))
        assert calls == [b"octets"]


def test_nobody_knows_the_key_of_nobody() -> None:
    """Whoever guesses what stands in for a missing secret has guessed nothing."""
    for secret in (bytes(32), b"\0"):
        assert refusal(verify(side(dave=SECRET), proof_of_carol(secret)))[0] is AuthFailure.NOT_AUTHENTIC


def test_no_secret_to_prove_ourselves_with() -> None:
    outcome = result(side(dave=SECRET).prove(PSK, GW, b"octets", PRF, PeerHints(CAROL)))
    assert refusal(outcome) == (
        AuthFailure.NO_OWN_MATERIAL,
        "there is no shared key between gw.ikegw.example (us) and carol@ikegw.example; add one under secrets",
    )
    assert "any peer" in refusal(result(side().prove(PSK, GW, b"octets", PRF, PeerHints())))[1]


@pytest.mark.parametrize(
    ("kind", "method", "text"),
    [
        (AuthKind.PSK, AuthMethod.DIGITAL_SIGNATURE, "is to prove itself by psk, but used DIGITAL_SIGNATURE"),
        (AuthKind.PSK, AuthMethod(200), "is to prove itself by psk, but used 200"),
        (AuthKind.PUBKEY, AuthMethod.SHARED_KEY, "is to prove itself by pubkey, but used SHARED_KEY"),
        (AuthKind.PUBKEY, AuthMethod.NULL, "is to prove itself by pubkey, but used NULL"),
        (AuthKind.EAP, AuthMethod.SHARED_KEY, "is to prove itself by eap, but used SHARED_KEY"),
    ],
)
def test_another_method_than_the_connection_takes(kind: AuthKind, method: AuthMethod, text: str) -> None:
    authentication = Authentication(method, proof_of_carol().data)
    outcome = result(
        side(anybody=SECRET).verify(RemoteAuth(kind), CAROL, b"octets", PRF, (), authentication, GW)
    )
    assert refusal(outcome) == (AuthFailure.METHOD_NOT_ALLOWED, f"carol@ikegw.example {text}")


def test_an_identity_that_the_connection_is_not_for() -> None:
    outcome = verify(side(anybody=SECRET), proof_of_carol(), IdentityPattern.parse("*@other.example"))
    assert refusal(outcome) == (
        AuthFailure.NO_CONFIGURATION,
        "the connection is for *@other.example, but the peer says that it is carol@ikegw.example",
    )


def test_eap_is_nothing_that_we_can_prove_ourselves_by() -> None:
    outcome = result(side().prove(LocalAuth(AuthKind.EAP), GW, b"octets", PRF, PeerHints()))
    assert refusal(outcome)[0] is AuthFailure.NO_OWN_MATERIAL


def test_new_credentials_serve_at_once() -> None:
    gateway = side(carol_at_ikegw_example=b"old")
    gateway.credentials = side(carol_at_ikegw_example=SECRET).credentials
    assert verify(gateway, proof_of_carol()).method == "psk"
    assert gateway.requests(RemoteAuth(AuthKind.PSK)) == ()
