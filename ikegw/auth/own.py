"""Our own certificates: which one we show to this peer, and what goes with it (RFC 7296 §3.6, §3.7)."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import field, frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from ikegw.auth.certificates import X509, carries
from ikegw.config.settings import is_container
from ikegw.wire.certificate import CertificateRequest
from ikegw.wire.identification import Identity
from ikegw.wire.registry import CertEncoding, HashId

PrivateKey = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)
KEY_HASH_OCTETS = 20


@frozen(eq=False)
class OwnCertificate:
    """A certificate with its private key; `chain` leads from it to (and with) the root, as far as we know it."""

    file: str
    certificate: X509
    key: PrivateKey = field(repr=False)
    chain: tuple[X509, ...] = ()

    @property
    def place(self) -> str:
        """Where its file is, for a sentence."""
        return f"{'private' if is_container(self.file) else 'certs'}/{self.file}"

    @property
    def shown(self) -> tuple[X509, ...]:
        """What a peer is shown: the end entity first, then the intermediates, never a root."""
        return (self.certificate, *(each for each in self.chain if not each.self_issued))

    def answers(self, requests: Sequence[CertificateRequest]) -> bool:
        """Whether the peer asked for nothing certain, or for an authority above this certificate."""
        wanted = _requested(requests)
        return not wanted or any(each.key_hash in wanted for each in self.chain)

    def can_sign_for(self, hashes: frozenset[HashId]) -> bool:
        """Whether a peer that announced `hashes` could check us: Edwards curves need IDENTITY (RFC 8420 §2)."""
        edwards = isinstance(self.key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
        return not edwards or HashId.IDENTITY in hashes

    def suits(self, hashes: frozenset[HashId]) -> bool:
        """Whether it is what such peers take most readily, and what costs us least.

        Without N(SIGNATURE_HASH_ALGORITHMS) come Apple's clients, which refuse ECDSA in profiles made by hand, and Windows; all
        others take ECDSA and Edwards curves, with which a login costs a tenth of RSA's time.
        """
        return isinstance(self.key, rsa.RSAPrivateKey) != bool(hashes)


def issuers(certificate: X509, known: Iterable[X509]) -> tuple[X509, ...]:
    """The path upwards from `certificate` through `known`, checked signature by signature, as far as it goes."""
    path: list[X509] = []
    current, candidates = certificate, tuple(known)
    while not current.self_issued and len(path) < len(candidates):
        issuer = next((each for each in candidates if _issued(each, current)), None)
        if issuer is None or issuer in path:
            break
        path.append(issuer)
        current = issuer
    return tuple(path)


def _issued(issuer: X509, certificate: X509) -> bool:
    if issuer.subject_der != certificate.issuer_der or not issuer.is_authority:
        return False
    try:
        certificate.certificate.verify_directly_issued_by(issuer.certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def best(
    candidates: Iterable[OwnCertificate],
    requests: Sequence[CertificateRequest],
    hashes: frozenset[HashId],
    now: datetime,
) -> OwnCertificate | None:
    """The one that the peer can best check: by its algorithms, validity, the authorities it asked for, and who it seems to be.

    Among equals the first stays first. A request that nothing answers is not an obstacle: the peer may know better (§3.7).
    """
    return max(
        candidates,
        key=lambda own: (
            own.can_sign_for(hashes),
            own.certificate.valid_at(now),
            own.answers(requests),
            own.suits(hashes),
        ),
        default=None,
    )


def named(candidates: Iterable[OwnCertificate], identity: Identity) -> tuple[OwnCertificate, ...]:
    """Those that are `identity`'s."""
    return tuple(own for own in candidates if carries(own.certificate.names, identity))


def _requested(requests: Sequence[CertificateRequest]) -> frozenset[bytes]:
    return frozenset(
        request.authorities[start : start + KEY_HASH_OCTETS]
        for request in requests
        if request.encoding == CertEncoding.X509_SIGNATURE
        for start in range(0, len(request.authorities) - KEY_HASH_OCTETS + 1, KEY_HASH_OCTETS)
    )
