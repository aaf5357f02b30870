"""CRLs, OCSP answers and bundles cut at each octet and with bits flipped: an error value that says so, never acceptance."""

from collections.abc import Callable, Iterator
from hashlib import sha1
from itertools import islice
from typing import Any

import pytest
from auth_world import NOW, World
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.internet.defer import Deferred, maybeDeferred

from ikegw.auth import ocsp
from ikegw.auth.authenticator import AuthenticationError, Authenticator, PeerHints, Verified
from ikegw.auth.certificates import X509
from ikegw.auth.credentials import Credentials
from ikegw.auth.crls import Crl
from ikegw.crypto.transforms import Prf
from ikegw.events import AuthFailure
from ikegw.policy.authorities import RevocationPolicy
from ikegw.policy.connections import AuthKind, LocalAuth, RemoteAuth
from ikegw.policy.identities import parse_identity
from ikegw.testing.fetcher import FakeFetcher
from ikegw.testing.pki import Party, crl_at, ocsp_at
from ikegw.wire.certificate import Certificate
from ikegw.wire.registry import CertEncoding, HashId, PrfId

PRF = Prf("prfsha256", PrfId.HMAC_SHA2_256, "sha256", 32)
CAROL, GW = parse_identity("carol@ikegw.example"), parse_identity("gw.ikegw.example")
HINTS = PeerHints(GW, (), frozenset({HashId.SHA2_256}))
STRICT = RemoteAuth(AuthKind.PUBKEY, revocation=RevocationPolicy.STRICT, hash_and_url=True)
URL = "http://pki.test/x"

Scene = tuple[Party, bytes]
"""Somebody whose certificate leads to what is at URL, and that."""


def listed(world: World) -> Scene:
    """Under a CRL with everything that a CRL may have."""
    other = world.issue("other@ikegw.example")
    point = x509.IssuingDistributionPoint(
        [x509.UniformResourceIdentifier(URL)], None, False, False, None, False, False
    )
    fresher = x509.FreshestCRL(
        [x509.DistributionPoint([x509.UniformResourceIdentifier("http://pki.test/d")], None, None, None)]
    )
    carol = world.issue(extensions=(crl_at(URL),))
    return carol, world.root.crl([other, world.gateway], extensions=((point, True), (fresher, False)))


def answered(world: World) -> Scene:
    """Of whom a delegate answers."""
    carol = world.issue(extensions=(ocsp_at(URL),))
    delegate = world.issue("ocsp.test", usages=(ExtendedKeyUsageOID.OCSP_SIGNING,))
    return carol, world.root.answer(carol, delegate=delegate)


SCENES = [listed, answered]
each_scene = pytest.mark.parametrize("scene", SCENES)


def damaged(octets: bytes) -> Iterator[bytes]:
    """Cut at each octet, one more, and every seventh bit flipped, so that each position in an octet has its turn."""
    for length in range(len(octets)):
        yield octets[:length]
    yield octets + b"\0"
    for bit in range(0, 8 * len(octets), 7):
        yield octets[: bit // 8] + bytes((octets[bit // 8] ^ 1 << bit % 8,)) + octets[bit // 8 + 1 :]


def result(deferred: Deferred[Any]) -> Any:
    found: list[Any] = []
    deferred.addBoth(found.append)
    return found[0]


def gateway(world: World, at: bytes) -> Authenticator:
    """One that knows the root, and fetches `at` wherever it asks."""
    known = Credentials(authorities={"root": (X509.of(world.root.certificate),)})
    return Authenticator(known, lambda: NOW, maybeDeferred, fetcher=FakeFetcher({URL: at}))


def judging(world: World, party: Party) -> Callable[[bytes, tuple[Certificate, ...]], Any]:
    """What a fresh gateway says of the party's good signature, with these payloads, and this at URL."""
    parsed = X509.of(party.certificate)
    own = Credentials(certificates={"own": (parsed,)}, private_keys={parsed.key_hash: party.key})
    local = LocalAuth(AuthKind.PUBKEY)
    proof = result(Authenticator(own, lambda: NOW, maybeDeferred).prove(local, CAROL, b"octets", PRF, HINTS))

    def judge(at: bytes, payloads: tuple[Certificate, ...]) -> Any:
        return result(
            gateway(world, at).verify(STRICT, CAROL, b"octets", PRF, payloads, proof.authentication, GW)
        )

    return judge


def whole(party: Party) -> tuple[Certificate, ...]:
    return (Certificate(CertEncoding.X509_SIGNATURE, party.der),)


def assert_refused(found: Any, *reasons: AuthFailure) -> None:
    assert hasattr(found, "check"), found
    assert found.check(AuthenticationError), found.getTraceback()
    assert found.value.reason in (reasons or (AuthFailure.DOWNLOAD_FAILED,))
    assert 20 < len(found.value.detail) < 900
    assert found.value.detail.isprintable()


@each_scene
def test_the_scene_itself_is_good(world: World, scene: Callable[[World], Scene]) -> None:
    carol, octets = scene(world)
    assert isinstance(judging(world, carol)(octets, whole(carol)), Verified)


@each_scene
def test_what_is_fetched_damaged_counts_as_not_had(world: World, scene: Callable[[World], Scene]) -> None:
    carol, octets = scene(world)
    judge = judging(world, carol)
    for at in damaged(octets):
        assert_refused(judge(at, whole(carol)))


@each_scene
def test_what_comes_along_damaged_is_as_if_not_sent(world: World, scene: Callable[[World], Scene]) -> None:
    carol, octets = scene(world)
    judge = judging(world, carol)
    encoding = CertEncoding.CRL if scene is listed else CertEncoding.OCSP_CONTENT
    for at in islice(damaged(octets), 0, None, 3):
        assert_refused(judge(b"", (*whole(carol), Certificate(encoding, at))))


@each_scene
def test_whoever_signs_what_is_damaged_gets_no_exception_out_of_us(
    world: World, scene: Callable[[World], Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the signature stands whatever an authority likes to sign."""
    carol, octets = scene(world)
    judge = judging(world, carol)
    monkeypatch.setattr(Crl, "_verifies", lambda self, issuer: True)
    monkeypatch.setattr(ocsp, "_signed_by", lambda response, signer: True)
    outcomes = [judge(at, whole(carol)) for at in islice(damaged(octets), 0, None, 3)]
    refused = [found for found in outcomes if not isinstance(found, Verified)]
    assert len(refused) < len(outcomes), "some bits mean nothing to us"
    for found in refused:
        assert_refused(found, AuthFailure.DOWNLOAD_FAILED, AuthFailure.REVOKED)


def tlv(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x82)) + len(content).to_bytes(2, "big") + content


@pytest.mark.parametrize("encoding", [CertEncoding.HASH_AND_URL, CertEncoding.HASH_AND_URL_BUNDLE])
def test_what_is_damaged_under_its_right_hash_is_refused(world: World, encoding: CertEncoding) -> None:
    """Whoever names a certificate can put the hash of anything there."""
    carol, octets = world.carol, world.carol.der
    if encoding is CertEncoding.HASH_AND_URL_BUNDLE:
        octets = tlv(0x30, tlv(0xA0, carol.der) + tlv(0xA1, world.root.crl()))
    judge = judging(world, carol)

    for at in islice(damaged(octets), 0, None, 3):
        digest = sha1(at, usedforsecurity=False).digest()
        found = judge(at, (Certificate(encoding, digest + URL.encode()),))
        assert_refused(found, AuthFailure.NOT_AUTHENTIC, AuthFailure.DOWNLOAD_FAILED)


@each_scene
def test_a_signature_of_other_bits_is_another(world: World, scene: Callable[[World], Scene]) -> None:
    """Unused bits of its BIT STRING, where the last one is zero by chance, change nothing that libraries look at."""
    carol, octets = scene(world)
    judge = judging(world, carol)
    mark = bytes.fromhex(
        "06082a8648ce3d040302"
    )  # ecdsa-with-SHA256, and a BIT STRING of less than 128 octets after it
    places = [at for at in range(len(octets)) if octets[at:].startswith(mark) and octets[at + 10] == 0x03]
    assert places
    for at in places:
        unused = at + 12
        assert octets[unused] == 0
        for bits in range(1, 8):
            changed = octets[:unused] + bytes((bits,)) + octets[unused + 1 :]
            assert_refused(judge(changed, whole(carol)))
