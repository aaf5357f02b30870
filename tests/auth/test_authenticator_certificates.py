"""Certificates through the authenticator: who shows which, who is believed, and what the operator reads if not."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from attrs import evolve
from auth_world import World
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.defer import Deferred, maybeDeferred

from ikegw.auth.authenticator import AuthenticationError, Authenticator, PeerHints, Proof, Verified
from ikegw.auth.certificates import X509
from ikegw.auth.credentials import Credentials
from ikegw.crypto.transforms import Prf
from ikegw.events import AuthFailure
from ikegw.policy.connections import AuthKind, LocalAuth, RemoteAuth
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.testing.pki import Authority, Party
from ikegw.wire.authentication import Authentication
from ikegw.wire.certificate import Certificate, CertificateRequest
from ikegw.wire.registry import AuthMethod, CertEncoding, HashId, PrfId

PRF = Prf("prfsha256", PrfId.HMAC_SHA2_256, "sha256", 32)
GW, CAROL = parse_identity("gw.ikegw.example"), parse_identity("carol@ikegw.example")
PUBKEY = LocalAuth(AuthKind.PUBKEY)
REMOTE = RemoteAuth(AuthKind.PUBKEY)
ALL_HASHES = frozenset({HashId.SHA2_256, HashId.SHA2_384, HashId.SHA2_512, HashId.IDENTITY})
HINTS = PeerHints(GW, (), ALL_HASHES)


def result(deferred: Deferred[Any]) -> Any:
    found: list[Any] = []
    deferred.addBoth(found.append)
    return found[0]


def credentials(parties: dict[str, Party], *authorities: Authority) -> Credentials:
    """Parties' certificates and keys as files, and authorities as `0`, `1`…."""
    files = {
        name: tuple(map(X509.of, (party.certificate, *party.intermediates)))
        for name, party in parties.items()
    }
    return Credentials(
        certificates=files,
        authorities={str(number): (X509.of(each.certificate),) for number, each in enumerate(authorities)},
        private_keys={files[name][0].key_hash: party.key for name, party in parties.items()},
    )


def side(
    known: Credentials, now: datetime, slow: Callable[..., Deferred[Any]] = maybeDeferred
) -> Authenticator:
    return Authenticator(known, lambda: now, slow)


def prove(
    world: World,
    party: Party,
    hints: PeerHints = HINTS,
    local: LocalAuth = PUBKEY,
    name: str = "carol@ikegw.example",
) -> Proof:
    peer = side(credentials({"own.pem": party}, world.root), party.certificate.not_valid_before_utc)
    proof = result(peer.prove(local, parse_identity(name), b"octets", PRF, hints))
    assert isinstance(proof, Proof), proof
    return proof


def verify(
    world: World,
    proof: Proof,
    *,
    known: Credentials | None = None,
    remote: RemoteAuth = REMOTE,
    name: str = "carol@ikegw.example",
    octets: bytes = b"octets",
) -> Any:
    gateway = side(known or credentials({}, world.root), world.now)
    return result(
        gateway.verify(
            remote, parse_identity(name), octets, PRF, proof.certificates, proof.authentication, GW
        )
    )


def refusal(outcome: Any) -> tuple[AuthFailure, str]:
    assert hasattr(outcome, "check"), outcome
    assert outcome.check(AuthenticationError), outcome
    return outcome.value.reason, outcome.value.detail


@pytest.mark.parametrize(
    ("kind", "hashes", "method", "scheme"),
    [
        ("rsa2048", ALL_HASHES, AuthMethod.DIGITAL_SIGNATURE, "rsa-pss-sha256"),
        ("ecdsa256", ALL_HASHES, AuthMethod.DIGITAL_SIGNATURE, "ecdsa-sha256"),
        ("ecdsa384", ALL_HASHES, AuthMethod.DIGITAL_SIGNATURE, "ecdsa-sha384"),
        ("ecdsa521", ALL_HASHES, AuthMethod.DIGITAL_SIGNATURE, "ecdsa-sha512"),
        ("ed25519", ALL_HASHES, AuthMethod.DIGITAL_SIGNATURE, "ed25519"),
        ("ed448", ALL_HASHES, AuthMethod.DIGITAL_SIGNATURE, "ed448"),
        ("ecdsa256", frozenset(), AuthMethod.ECDSA_SHA256_P256, "ecdsa-sha256"),
        ("ecdsa521", frozenset(), AuthMethod.ECDSA_SHA512_P521, "ecdsa-sha512"),
    ],
)
def test_every_kind_of_key(
    world: World, kind: str, hashes: frozenset[HashId], method: AuthMethod, scheme: str
) -> None:
    party = world.root.issue("carol@ikegw.example", kind)
    proof = prove(world, party, PeerHints(GW, (), hashes))
    assert proof.authentication.method == method
    assert proof.certificates == (Certificate(CertEncoding.X509_SIGNATURE, party.der),)
    verified = verify(world, proof)
    assert isinstance(verified, Verified), verified
    assert verified.method.replace("-", "").lower() == scheme.replace("-", "")
    assert verified.detail == "certificate C=CH, O=ikegw, CN=carol@ikegw.example (C=CH, O=ikegw, CN=Root)"


def test_intermediates_are_sent_and_the_root_is_not(world: World) -> None:
    proof = prove(world, world.below, name="dave@ikegw.example")
    middle = world.middle.certificate.public_bytes(Encoding.DER)
    assert [each.data for each in proof.certificates] == [world.below.der, middle]
    assert isinstance(verify(world, proof, name="dave@ikegw.example"), Verified)


def test_a_signature_over_other_octets_or_by_another_key(world: World) -> None:
    proof = prove(world, world.carol)
    text = "the signature of carol@ikegw.example (C=CH, O=ikegw, CN=carol@ikegw.example) does not hold: "
    reason, detail = refusal(verify(world, proof, octets=b"other"))
    assert reason is AuthFailure.NOT_AUTHENTIC
    assert detail.startswith(text)
    other = prove(world, world.issue())
    reason, detail = refusal(verify(world, evolve(proof, authentication=other.authentication)))
    assert reason is AuthFailure.NOT_AUTHENTIC
    assert detail.startswith(text)


@pytest.mark.parametrize(
    "name", ["dave@ikegw.example", "gw.ikegw.example", "192.0.2.9", "C=CH, O=ikegw, CN=dave"]
)
def test_a_good_certificate_of_somebody_else(world: World, name: str) -> None:
    reason, detail = refusal(verify(world, prove(world, world.carol), name=name))
    assert reason is AuthFailure.NOT_AUTHENTIC
    assert detail == (
        f"certificate C=CH, O=ikegw, CN=carol@ikegw.example is not {name}'s: the names in it are C=CH, O=ikegw, "
        "CN=carol@ikegw.example, carol@ikegw.example; have the peer use one of them as its identity, or issue a certificate "
        "with this name"
    )


def test_an_identity_that_no_certificate_can_bear(world: World) -> None:
    _, detail = refusal(verify(world, prove(world, world.carol), name="keyid:carol"))
    assert detail.startswith("an identity of type KEY_ID (keyid:carol) is in no certificate")


def test_expired_and_foreign_are_told_by_the_chain(world: World) -> None:
    expired = world.issue(period=world.period.past())
    assert "expired 2026-01-17" in refusal(verify(world, prove(world, expired)))[1]
    foreign = world.foreign.issue("carol@ikegw.example", "ecdsa256")
    assert "none of the authorities here" in refusal(verify(world, prove(world, foreign)))[1]


def test_no_certificate_came(world: World) -> None:
    proof = evolve(prove(world, world.carol), certificates=())
    reason, detail = refusal(verify(world, proof))
    assert reason is AuthFailure.NOT_AUTHENTIC
    assert detail.startswith("carol@ikegw.example sent no certificate, and none is pinned for it")


def test_an_address_instead_of_a_certificate(world: World) -> None:
    url = Certificate(CertEncoding.HASH_AND_URL, bytes(20) + b"http://192.0.2.1/carol.der")
    outcome = verify(world, evolve(prove(world, world.carol), certificates=(url,)))
    assert refusal(outcome)[0] is AuthFailure.DOWNLOAD_FAILED


def test_other_encodings_beside_the_certificate_are_passed_over(world: World) -> None:
    proof = prove(world, world.carol)
    crl = Certificate(CertEncoding.CRL, b"a revocation list")
    assert isinstance(verify(world, evolve(proof, certificates=(crl, *proof.certificates))), Verified)


def test_authorities_that_a_connection_names(world: World) -> None:
    known = credentials({}, world.root, world.foreign)
    proof = prove(world, world.carol)
    assert isinstance(verify(world, proof, known=known, remote=evolve(REMOTE, authorities=("0",))), Verified)
    reason, detail = refusal(verify(world, proof, known=known, remote=evolve(REMOTE, authorities=("1",))))
    assert reason is AuthFailure.NOT_AUTHENTIC
    assert "none of the authorities here (C=CH, O=ikegw, CN=Foreign)" in detail
    reason, detail = refusal(verify(world, proof, known=known, remote=evolve(REMOTE, authorities=("gone",))))
    assert reason is AuthFailure.NO_OWN_MATERIAL
    assert "trusts 'gone'" in detail
    assert refusal(verify(world, proof, known=Credentials()))[0] is AuthFailure.NO_OWN_MATERIAL


class TestPinned:
    def known(self, world: World, **parties: Party) -> Credentials:
        return evolve(credentials(parties, world.foreign), private_keys={})

    def test_is_trusted_by_itself_sent_or_not(self, world: World) -> None:
        remote = evolve(REMOTE, certificates=("carol", "gone"))
        known, proof = self.known(world, carol=world.carol), prove(world, world.carol)
        for certificates in (proof.certificates, ()):
            verified = verify(world, evolve(proof, certificates=certificates), known=known, remote=remote)
            assert verified.detail == "certificate C=CH, O=ikegw, CN=carol@ikegw.example (pinned)"

    def test_and_no_other(self, world: World) -> None:
        remote = evolve(REMOTE, certificates=("carol",))
        outcome = verify(
            world, prove(world, world.issue()), known=self.known(world, carol=world.carol), remote=remote
        )
        assert refusal(outcome) == (
            AuthFailure.NOT_AUTHENTIC,
            "carol@ikegw.example sent another certificate than the pinned carol",
        )

    def test_must_be_valid_and_may_sign(self, world: World) -> None:
        remote = evolve(REMOTE, certificates=("carol",))
        for party, text in (
            (world.issue(period=world.period.past()), "expired"),
            (world.issue(key_usages=("key_agreement",)), "may not sign"),
        ):
            outcome = verify(world, prove(world, party), known=self.known(world, carol=party), remote=remote)
            assert text in refusal(outcome)[1]

    def test_must_be_the_peers(self, world: World) -> None:
        remote = evolve(REMOTE, certificates=("carol",))
        known = self.known(world, carol=world.carol)
        proof = prove(world, world.carol)
        assert "is not dave" in refusal(verify(world, proof, known=known, remote=remote, name="dave"))[1]
        bare = evolve(proof, certificates=())
        _, detail = refusal(verify(world, bare, known=known, remote=remote, name="dave"))
        assert detail == "none of the pinned certificates (carol) is dave's"

    def test_with_authorities_both_must_hold(self, world: World) -> None:
        remote = evolve(REMOTE, certificates=("carol",), authorities=("0",))
        proof = prove(world, world.carol)
        outcome = verify(world, proof, known=self.known(world, carol=world.carol), remote=remote)
        assert "none of the authorities" in refusal(outcome)[1]
        both = credentials({"carol": world.carol}, world.root)
        assert isinstance(verify(world, proof, known=both, remote=remote), Verified)

    def test_that_was_not_loaded(self, world: World) -> None:
        remote = evolve(REMOTE, certificates=("gone",))
        reason, detail = refusal(verify(world, prove(world, world.carol), remote=remote))
        assert reason is AuthFailure.NO_OWN_MATERIAL
        assert detail == "the connection pins gone, but no such certificate was loaded from certs/"


class TestChoice:
    """Which of several certificates of ours goes out."""

    def own(self, world: World) -> dict[str, Party]:
        return {
            "edwards": world.root.issue("gw.ikegw.example", "ed25519"),
            "foreign": world.foreign.issue("gw.ikegw.example", "ecdsa256"),
            "root": world.root.issue("gw.ikegw.example", "ecdsa256"),
            "other": world.root.issue("other.example", "ecdsa256"),
        }

    def chosen(
        self,
        world: World,
        local: LocalAuth = PUBKEY,
        asked: tuple[bytes, ...] = (),
        hashes: frozenset[HashId] = ALL_HASHES,
    ) -> str:
        own = self.own(world)
        gateway = side(credentials(own, world.root, world.foreign), world.now)
        requests = (CertificateRequest(CertEncoding.X509_SIGNATURE, b"".join(asked)),) if asked else ()
        proof = result(gateway.prove(local, GW, b"octets", PRF, PeerHints(CAROL, requests, hashes)))
        assert isinstance(proof, Proof), proof
        return next(name for name, party in own.items() if party.der == proof.certificates[0].data)

    def test_by_identity_the_first_that_fits(self, world: World) -> None:
        assert self.chosen(world) == "edwards"

    def test_by_what_the_peer_can_check(self, world: World) -> None:
        assert self.chosen(world, hashes=frozenset({HashId.SHA2_256})) == "foreign"

    def test_by_the_authorities_asked_for(self, world: World) -> None:
        root, foreign = X509.of(world.root.certificate).key_hash, X509.of(world.foreign.certificate).key_hash
        assert self.chosen(world, asked=(bytes(20), foreign)) == "foreign"
        assert self.chosen(world, asked=(root,), hashes=frozenset({HashId.SHA2_256})) == "root"
        assert self.chosen(world, asked=(bytes(20),)) == "edwards"
        assert self.chosen(world, asked=(foreign[:19],)) == "edwards"

    @pytest.mark.parametrize("order", [("rsa", "ecdsa"), ("ecdsa", "rsa")])
    def test_rsa_for_apple_and_windows_and_ecdsa_for_others(
        self, world: World, order: tuple[str, ...]
    ) -> None:
        """They announce no SIGNATURE_HASH_ALGORITHMS; Apple's refuse ECDSA in profiles made by hand."""
        own = {
            "rsa": world.root.issue("gw.ikegw.example", "rsa2048"),
            "ecdsa": world.root.issue("gw.ikegw.example", "ecdsa256"),
        }
        gateway = side(credentials({name: own[name] for name in order}, world.root), world.now)
        for hashes, expected in ((frozenset[HashId](), "rsa"), (frozenset({HashId.SHA2_256}), "ecdsa")):
            for local in (PUBKEY, LocalAuth(AuthKind.PUBKEY, certificates=order)):
                proof = result(gateway.prove(local, GW, b"octets", PRF, PeerHints(CAROL, (), hashes)))
                assert proof.certificates[0].data == own[expected].der

    def test_what_the_peer_asked_for_counts_more_than_what_it_seems_to_be(self, world: World) -> None:
        own = {
            "rsa": world.foreign.issue("gw.ikegw.example", "rsa2048"),
            "ecdsa": world.root.issue("gw.ikegw.example", "ecdsa256"),
        }
        gateway = side(credentials(own, world.root, world.foreign), world.now)
        request = CertificateRequest(CertEncoding.X509_SIGNATURE, X509.of(world.root.certificate).key_hash)
        proof = result(gateway.prove(PUBKEY, GW, b"octets", PRF, PeerHints(CAROL, (request,))))
        assert proof.certificates[0].data == own["ecdsa"].der

    def test_by_name_of_file(self, world: World) -> None:
        assert self.chosen(world, LocalAuth(AuthKind.PUBKEY, certificates=("other",))) == "other"

    def test_a_valid_one_before_an_expired_one(self, world: World) -> None:
        old, new = world.issue(period=world.period.past()), world.issue()
        peer = side(credentials({"old": old, "new": new}, world.root), world.now)
        proof = result(peer.prove(PUBKEY, CAROL, b"octets", PRF, HINTS))
        assert proof.certificates[0].data == new.der


class TestNothingToProveWith:
    def told(
        self, world: World, known: Credentials, local: LocalAuth = PUBKEY, hints: PeerHints = HINTS
    ) -> str:
        reason, detail = refusal(result(side(known, world.now).prove(local, CAROL, b"octets", PRF, hints)))
        assert reason is AuthFailure.NO_OWN_MATERIAL
        return detail

    def test_no_certificate_of_this_name(self, world: World) -> None:
        assert self.told(world, credentials({"gw.pem": world.gateway})) == (
            "none of our certificates with a private key is carol@ikegw.example's; there are: gw.pem: C=CH, O=ikegw, "
            "CN=gw.ikegw.example, gw.ikegw.example, 192.0.2.1, 2001:db8::1; name one in the connection or put one into certs/ "
            "and private/"
        )
        assert "there are: none" in self.told(world, Credentials())

    def test_no_private_key(self, world: World) -> None:
        known = evolve(credentials({"carol.pem": world.carol}), private_keys={})
        local = LocalAuth(AuthKind.PUBKEY, certificates=("carol.pem",))
        assert self.told(world, known, local) == (
            "no private key for certs/carol.pem: put the one that belongs to it into private/"
        )

    def test_no_such_file(self, world: World) -> None:
        local = LocalAuth(AuthKind.PUBKEY, certificates=("a.pem", "b.pem"))
        assert self.told(world, Credentials(), local) == "no certificate a.pem, b.pem was loaded from certs/"

    def test_expired(self, world: World) -> None:
        known = credentials({"carol.pem": world.issue(period=world.period.past())})
        assert self.told(world, known).startswith(
            "our certificate C=CH, O=ikegw, CN=carol@ikegw.example expired"
        )

    def test_a_key_that_the_peer_cannot_check(self, world: World) -> None:
        known = credentials({"carol.pem": world.root.issue("carol@ikegw.example", "ed25519")})
        detail = self.told(world, known, hints=PeerHints(GW, (), frozenset({HashId.SHA2_256})))
        assert detail.startswith(
            "the key of certificate C=CH, O=ikegw, CN=carol@ikegw.example cannot sign for this peer"
        )


def test_large_rsa_keys_sign_elsewhere_and_others_at_once(world: World) -> None:
    waiting: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def slow(function: Callable[[], Any]) -> Deferred[Any]:
        deferred: Deferred[Any] = Deferred()
        waiting.append((function, deferred))
        return deferred

    for kind, is_slow in (("rsa2048", False), ("rsa3072", True)):
        party = world.root.issue("carol@ikegw.example", kind)
        deferred = side(credentials({"carol": party}), world.now, slow).prove(
            PUBKEY, CAROL, b"octets", PRF, HINTS
        )
        assert deferred.called is not is_slow
    ((function, waited),) = waiting
    waited.callback(function())
    assert isinstance(verify(world, result(deferred)), Verified)


def test_requests_name_the_authorities_by_their_keys(world: World) -> None:
    gateway = side(credentials({}, world.root, world.foreign), world.now)
    root, foreign = X509.of(world.root.certificate).key_hash, X509.of(world.foreign.certificate).key_hash
    assert gateway.requests(REMOTE) == (CertificateRequest(CertEncoding.X509_SIGNATURE, root + foreign),)
    assert gateway.requests(evolve(REMOTE, authorities=("1",))) == (
        CertificateRequest(CertEncoding.X509_SIGNATURE, foreign),
    )
    assert gateway.requests(evolve(REMOTE, authorities=("gone",))) == ()
    assert gateway.requests(evolve(REMOTE, certificates=("carol",))) == ()
    assert side(Credentials(), world.now).requests(REMOTE) == ()


def test_our_identity_is_the_certificates_subject_unless_told(world: World) -> None:
    peer = side(credentials({"carol": world.carol}), world.now)
    assert peer.own_identity(LocalAuth(AuthKind.PUBKEY, CAROL)) == CAROL
    subject = parse_identity("C=CH, O=ikegw, CN=carol@ikegw.example")
    found = peer.own_identity(LocalAuth(AuthKind.PUBKEY, certificates=("carol",)))
    assert found is not None
    assert IdentityPattern.of(subject).matches(found)
    assert peer.own_identity(PUBKEY) is None


def test_a_method_without_rfc_7427_and_with_sha1_is_refused_by_default(world: World) -> None:
    party = world.root.issue("carol@ikegw.example", "rsa2048")
    proof = prove(world, party, PeerHints(GW, (), frozenset()))
    assert proof.authentication.method == AuthMethod.RSA_SIGNATURE
    assert "SHA-1 is not allowed" in refusal(verify(world, proof))[1]


@pytest.mark.parametrize("data", [b"", b"\0", b"\xff", b"\x0c" + bytes(12), bytes(300)])
@pytest.mark.parametrize(
    "method",
    [method for method in AuthMethod if method not in (2, 13, 3, 12)],
    ids=lambda method: method.name,
)
def test_rubbish_as_a_signature(world: World, method: AuthMethod, data: bytes) -> None:
    proof = evolve(prove(world, world.carol), authentication=Authentication(method, data))
    assert refusal(verify(world, proof))[0] is AuthFailure.NOT_AUTHENTIC


def test_an_authority_of_the_same_name_but_another_key_is_not_in_our_chain(world: World) -> None:
    twin = Authority.root("Root", "ecdsa256", world.period)
    (own,) = credentials({"carol": world.carol}, twin, world.root).own
    assert [each.der for each in own.chain] == [world.root.certificate.public_bytes(Encoding.DER)]
