"""Certificates cut short and with bits flipped: a refusal that says so, never another exception, never another key believed."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.defer import Deferred, maybeDeferred

from ikegw.auth.authenticator import AuthenticationError, Authenticator, PeerHints, Proof, Verified
from ikegw.auth.certificates import X509, BadCertificate
from ikegw.auth.credentials import Credentials
from ikegw.auth.loading import load_credentials
from ikegw.auth.own import OwnCertificate
from ikegw.crypto.transforms import Prf
from ikegw.events import AuthFailure
from ikegw.policy.connections import AuthKind, LocalAuth, RemoteAuth
from ikegw.policy.identities import parse_identity
from ikegw.testing.pki import Authority, Party, Period, general_name, subject
from ikegw.wire.certificate import Certificate
from ikegw.wire.registry import CertEncoding, HashId, PrfId

NOW = datetime(2026, 1, 19, 12, tzinfo=UTC)
PRF = Prf("prfsha256", PrfId.HMAC_SHA2_256, "sha256", 32)
CAROL, GW = parse_identity("carol@ikegw.example"), parse_identity("gw.ikegw.example")
HINTS = PeerHints(GW, (), frozenset({HashId.SHA2_256, HashId.IDENTITY}))
KINDS = ("rsa2048", "ecdsa256", "ed25519")
BITS_APART = 23
"""Coprime with 8, so that every position in an octet comes by."""


@cache
def scene(kind: str) -> tuple[Authority, Authority, Party]:
    period = Period.around(NOW)
    root = Authority.root("Root", kind, period)
    constraint = x509.NameConstraints(
        [general_name("ikegw.example"), x509.DirectoryName(subject("x"))][:1], None
    )
    middle = root.intermediate("Middle", kind, 1, [(constraint, True)])
    names = ["carol@ikegw.example", "carol.ikegw.example", "192.0.2.7", "2001:db8::7"]
    return root, middle, middle.issue("carol@ikegw.example", kind, names)


def result(deferred: Deferred[Any]) -> Any:
    found: list[Any] = []
    deferred.addBoth(found.append)
    return found[0]


@cache
def proof(kind: str) -> Proof:
    _, _, party = scene(kind)
    parsed = X509.of(party.certificate)
    known = Credentials(certificates={"carol": (parsed,)}, private_keys={parsed.key_hash: party.key})
    made = result(
        Authenticator(known, lambda: NOW, maybeDeferred).prove(
            LocalAuth(AuthKind.PUBKEY), CAROL, b"octets", PRF, HINTS
        )
    )
    assert isinstance(made, Proof)
    return made


def outcome(kind: str, *ders: bytes) -> Any:
    """What a fresh gateway says to carol's good signature with these certificates."""
    root, _, _ = scene(kind)
    known = Credentials(authorities={"root": (X509.of(root.certificate),)})
    certificates = tuple(Certificate(CertEncoding.X509_SIGNATURE, der) for der in ders)
    gateway = Authenticator(known, lambda: NOW, maybeDeferred)
    return result(
        gateway.verify(
            RemoteAuth(AuthKind.PUBKEY), CAROL, b"octets", PRF, certificates, proof(kind).authentication, GW
        )
    )


def flipped(octets: bytes) -> Iterator[bytes]:
    for bit in range(0, len(octets) * 8, BITS_APART):
        changed = bytearray(octets)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def cut(octets: bytes) -> Iterator[bytes]:
    for length in range(0, len(octets), 5):
        yield octets[:length]


def corrupted(octets: bytes) -> Iterator[bytes]:
    yield from cut(octets)
    yield from flipped(octets)
    yield octets + b"\0"


def assert_refused(found: Any) -> None:
    assert hasattr(found, "check"), found
    assert found.check(AuthenticationError), found.getTraceback()
    assert found.value.reason is AuthFailure.NOT_AUTHENTIC
    assert 20 < len(found.value.detail) < 800
    assert found.value.detail.isprintable()


@pytest.mark.parametrize("kind", KINDS)
def test_the_scene_itself_is_good(kind: str) -> None:
    _, middle, party = scene(kind)
    assert isinstance(outcome(kind, party.der, middle.certificate.public_bytes(Encoding.DER)), Verified)


@pytest.mark.parametrize("kind", KINDS)
def test_a_corrupted_end_entity_is_refused(kind: str) -> None:
    _, middle, party = scene(kind)
    for der in corrupted(party.der):
        assert_refused(outcome(kind, der, middle.certificate.public_bytes(Encoding.DER)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_corrupted_intermediate_is_refused(kind: str) -> None:
    _, middle, party = scene(kind)
    for der in corrupted(middle.certificate.public_bytes(Encoding.DER)):
        assert_refused(outcome(kind, party.der, der))


@pytest.mark.parametrize("kind", KINDS)
def test_reading_a_corrupted_certificate_raises_one_kind_of_error(kind: str) -> None:
    """Without a signature in the way: a flipped bit may well give another certificate that can be read."""
    root, middle, party = scene(kind)
    for certificate in (root.certificate, middle.certificate, party.certificate):
        for der in corrupted(certificate.public_bytes(Encoding.DER)):
            with suppress(BadCertificate):
                parsed = X509.parse(der)
                assert (parsed.title + parsed.names_text()).isprintable()


@pytest.mark.parametrize("kind", KINDS)
def test_loading_corrupted_files_tells_problems_and_raises_nothing(kind: str, tmp_path: Any) -> None:
    root, _, party = scene(kind)
    files = {
        "ca": root.certificate.public_bytes(Encoding.PEM),
        "certs": party.certificate.public_bytes(Encoding.PEM),
        "private": party.private_pem,
    }
    for folder, octets in files.items():
        (tmp_path / folder).mkdir()
        for number, damaged in enumerate(list(flipped(octets))[:: 29 if kind == "rsa2048" else 1]):
            file = tmp_path / folder / f"{number}.pem"
            file.write_bytes(damaged)
            file.chmod(0o600)
    loaded = load_credentials(tmp_path / "certs", tmp_path / "ca", tmp_path / "private")
    assert loaded.problems
    told = "".join(map(str, loaded.problems))
    assert not any(line in told for line in party.private_pem.decode().splitlines()[1:-1])
    assert all(isinstance(own, OwnCertificate) for own in loaded.credentials.own)
