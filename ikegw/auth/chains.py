"""From a peer's certificate to an authority of ours (RFC 5280 §6): OpenSSL builds and checks the path, we say what was wrong.

`cryptography.x509.verification` is made for the web and refuses Ed25519 and Ed448; OpenSSL's own verifier takes every
key that IKE takes, and checks signatures, validity, basic constraints, path length, name constraints and critical extensions.
What it leaves to its caller (the purpose of the end entity, the strength of hashes and keys) is checked here.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NoReturn

from attrs import field, frozen
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from ikegw.auth.certificate_policies import require_policies
from ikegw.auth.certificates import STRONG_RSA, X509, BadCertificate, PublicKey, read
from ikegw.auth.errors import AuthenticationError, no_own_material, not_authentic, out_of_time
from ikegw.auth.periods import validity_problem
from ikegw.policy.demands import Weakness
from ikegw.wire.identification import Identity

MOST_CERTIFICATES: Final = 10
"""Certificates that a peer may send: its own and nine to lead from it to an authority."""
PARTIAL_CHAIN: Final = crypto.X509StoreFlags.PARTIAL_CHAIN
PURPOSES: Final = frozenset(
    {
        "1.3.6.1.5.5.7.3.17",  # id-kp-ipsecIKE, RFC 4945 §5.1.3.12
        "1.3.6.1.5.5.8.2.2",  # iKEIntermediate, an Internet-Draft's that old Apple clients ask for
        ExtendedKeyUsageOID.SERVER_AUTH.dotted_string,
        ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string,
    }
)


@frozen
class Chain:
    """A peer's certificate under an authority of ours: what the cache keeps. `start` and `end` bound the whole path.

    `path` leads from the peer's certificate to (and with) the one that is trusted by itself.
    """

    subject: str
    authority: str
    public_key: PublicKey = field(repr=False)
    names: tuple[Identity, ...]
    start: datetime
    end: datetime
    path: tuple[X509, ...] = field(default=(), repr=False)


class Trust:
    """A set of authorities, what lies between them and their people, and the paths that were found good.

    Every certificate in `authorities` is trusted by itself, whether self-signed or not. `weak`: what passes all the same.
    """

    def __init__(
        self,
        authorities: Sequence[X509],
        intermediates: Iterable[X509] = (),
        remembered: int = 1024,
        weak: frozenset[Weakness] = frozenset(),
    ) -> None:
        self.authorities = tuple(authorities)
        intermediates = tuple(intermediates)
        self._intermediates = tuple(_openssl(each) for each in intermediates)
        self._remembered = remembered
        self._weak = weak
        self._chains: OrderedDict[bytes, Chain] = OrderedDict()
        self._anchors = tuple(_openssl(each) for each in self.authorities)
        self._known = {each.der: each for each in (*intermediates, *self.authorities)}

    def chain(self, certificates: Sequence[bytes], now: datetime) -> Chain:
        """The path from the first of these DER certificates, with the help of the others; AuthenticationError."""
        key = _digest(certificates)
        chain = self._chains.get(key)
        if chain is not None and chain.start <= now <= chain.end:
            self._chains.move_to_end(key)
            return chain
        chain = self._build(certificates, now)
        self._chains[key] = chain
        if len(self._chains) > self._remembered:
            self._chains.popitem(last=False)
        return chain

    def _build(self, certificates: Sequence[bytes], now: datetime) -> Chain:
        if not self.authorities:
            raise no_own_material(
                "no certificate authority is configured to check the peer by; put one into ca/"
            )
        leaf, others, unusable = parse_presented(certificates)
        path = self._path(leaf, others, unusable, now)
        for certificate in path[:-1]:
            require_strong_signature(certificate, self._weak)
        for certificate in path:
            require_strong_key(certificate, self._weak)
        for certificate in path[1:-1]:
            if not certificate.is_authority:
                raise not_authentic(
                    f"{certificate.title} has issued another, but is no authority (basicConstraints)"
                )
        require_purpose(leaf)
        require_policies(path)
        start, end = max(each.start for each in path), min(each.end for each in path)
        return Chain(leaf.subject, path[-1].subject, leaf.public_key, leaf.names, start, end, path)

    def _path(self, leaf: X509, others: Sequence[X509], unusable: str, now: datetime) -> tuple[X509, ...]:
        store = crypto.X509Store()  # one for each path: a store's time can be set only once
        store.set_flags(PARTIAL_CHAIN)
        store.set_time(now.astimezone(UTC))
        for anchor in self._anchors:
            store.add_cert(anchor)
        try:
            untrusted = [*map(_openssl, others), *self._intermediates]
            verified = crypto.X509StoreContext(store, _openssl(leaf), untrusted).get_verified_chain()
            presented = {each.der: each for each in (leaf, *others)}
            ders = [crypto.dump_certificate(crypto.FILETYPE_ASN1, each) for each in verified]
            return tuple(presented.get(der) or self._known.get(der) or X509.parse(der) for der in ders)
        except crypto.X509StoreContextError as error:
            self._refuse(error, leaf, unusable, now)
        except (crypto.Error, BadCertificate):
            raise not_authentic(f"{leaf.title}: OpenSSL cannot read it or one that came with it") from None

    def _refuse(
        self, error: crypto.X509StoreContextError, leaf: X509, unusable: str, now: datetime
    ) -> NoReturn:
        code, _, message = error.errors
        try:
            (culprit,) = read(lambda: [error.certificate.to_cryptography()])
        except (BadCertificate, crypto.Error):  # of the path as a whole OpenSSL names no certificate
            culprit = leaf
        if code in _OUT_OF_TIME and (
            problem := validity_problem(culprit.title, culprit.start, culprit.end, now)
        ):
            raise out_of_time(problem) from None
        if code in _NO_ISSUER:
            known = ", ".join(sorted({authority.subject for authority in self.authorities}))
            raise not_authentic(
                f"{culprit.title} was issued by {culprit.issuer}, which is none of the authorities here ({known}) nor led to "
                "by what the peer sent; put its authority into ca/ or have the peer send its intermediate certificates"
                f"{unusable}"
            ) from None
        raise not_authentic(f"{culprit.title} {_SENTENCES.get(code) or f'was refused: {message}'}") from None


def parse_presented(certificates: Sequence[bytes]) -> tuple[X509, tuple[X509, ...], str]:
    """The end entity, what else came that can be used, and a clause about what cannot; AuthenticationError.

    Only the end entity must be readable: a peer may well send a root that we need not understand.
    """
    if len(certificates) > MOST_CERTIFICATES:
        raise not_authentic(
            f"the peer sent {len(certificates)} certificates, more than {MOST_CERTIFICATES}; it should send only its own "
            "and the intermediates above it"
        )
    try:
        leaf = X509.parse(certificates[0])
    except BadCertificate as error:
        raise not_authentic(f"the peer's certificate: {error}") from None
    others, unusable = [], ""
    for number, der in enumerate(certificates[1:], 2):
        try:
            others.append(X509.parse(der))
        except BadCertificate as error:
            unusable += f"; certificate {number} that it sent: {error}"
    return leaf, tuple(others), unusable


def require_purpose(leaf: X509) -> None:
    """That the certificate may sign, and may do so for IKE (RFC 4945 §5.1.3.2, §5.1.3.12); AuthenticationError."""
    usage = leaf.key_usage
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise not_authentic(
            f"{leaf.title} may not sign: its keyUsage has neither digitalSignature nor nonRepudiation; issue a new one"
        )
    if leaf.purposes is not None and not leaf.purposes & PURPOSES:
        raise not_authentic(
            f"{leaf.title} is for other purposes (extendedKeyUsage {', '.join(sorted(leaf.purposes))}); "
            "it needs serverAuth, clientAuth or ipsecIKE"
        )


def require_strong_signature(certificate: X509, weak: frozenset[Weakness]) -> None:
    """That its issuer signed it with a hash that nobody forges, or that SHA-1 passes; AuthenticationError."""
    if certificate.weak_signature is None:
        return
    if certificate.weak_signature != "SHA1" or Weakness.SHA1_CERTIFICATES not in weak:
        raise not_authentic(
            f"{certificate.title} was signed with {certificate.weak_signature}, which is broken; "
            "have it issued again with SHA-256"
        )


def require_strong_key(certificate: X509, weak: frozenset[Weakness]) -> None:
    """That its key is long enough, or that short ones pass; AuthenticationError."""
    if certificate.has_short_key and Weakness.SHORT_RSA not in weak:
        raise not_authentic(
            f"{certificate.title} has an RSA key of less than {STRONG_RSA} bits, which can be broken; have it issued again "
            "with a new key"
        )


def _openssl(certificate: X509) -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_ASN1, certificate.der)


def _digest(certificates: Sequence[bytes]) -> bytes:
    """One hash of all, each with its length, so that no two sequences share one."""
    total = sha256()
    for der in certificates:
        total.update(len(der).to_bytes(4, "big"))
        total.update(der)
    return total.digest()


# Error codes of X509_verify_cert(3)
_OUT_OF_TIME: Final = frozenset({9, 10})
_NO_ISSUER: Final = frozenset({2, 18, 19, 20, 21, 27})
_SENTENCES: Final = {
    7: "bears a signature that its issuer did not make",
    79: "has issued another, but is no authority (basicConstraints)",
    25: "stands too far below its authority (path length)",
    32: "has issued another, but its keyUsage lacks keyCertSign",
    34: "has a critical extension that is not understood",
    47: "has a name outside those that its authority may certify (name constraints)",
    48: "has a name that its authority must not certify (name constraints)",
}
__all__ = ["AuthenticationError", "Chain", "Trust", "parse_presented", "require_purpose"]
