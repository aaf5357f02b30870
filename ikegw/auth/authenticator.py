"""Proves who we are and checks who the peer is: the AUTH and CERT payloads of IKE_AUTH (RFC 7296 §2.15, RFC 7427)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from os import urandom
from typing import Final, NoReturn

from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed

from ikegw.auth.archive import Archive
from ikegw.auth.choosing import choose
from ikegw.auth.credentials import Credentials
from ikegw.auth.errors import AuthenticationError, method_not_allowed, no_own_material, not_authentic
from ikegw.auth.examination import ByCertificate, ByKey, Examination, Means, Verified
from ikegw.auth.octets import psk_mac
from ikegw.auth.own import OwnCertificate
from ikegw.auth.peer_signatures import scheme_of
from ikegw.auth.peers import peer_chain
from ikegw.auth.shared_keys import SharedKey
from ikegw.auth.showing import Showing
from ikegw.auth.sources import Library, Slow
from ikegw.crypto.compare import equal
from ikegw.crypto.signatures import CannotSign, SignaturePolicy, sign
from ikegw.crypto.transforms import Prf
from ikegw.events import AuthFailure
from ikegw.policy.connections import AuthKind, LocalAuth, RemoteAuth
from ikegw.policy.identities import display
from ikegw.ports import Fetcher, FetchFailed, Random, Standing
from ikegw.wire.authentication import Authentication
from ikegw.wire.certificate import Certificate, CertificateRequest
from ikegw.wire.identification import Identity
from ikegw.wire.registry import AuthMethod, CertEncoding, HashId

__all__ = [
    "AuthenticationError", "Authenticator", "Examination", "PeerHints", "Proof", "Slow", "Verified",
]  # fmt: skip

REFRESH: Final = timedelta(hours=1)

SLOW_RSA_BITS: Final = 3072
"""RSA keys of this size and above sign elsewhere: 0.9 ms at 3072 bits, 1.8 ms at 4096, against 0.3 ms at 2048."""

SIGNATURES: Final = frozenset(
    {
        AuthMethod.RSA_SIGNATURE,
        AuthMethod.ECDSA_SHA256_P256,
        AuthMethod.ECDSA_SHA384_P384,
        AuthMethod.ECDSA_SHA512_P521,
        AuthMethod.DIGITAL_SIGNATURE,
    }
)
_METHODS: Final = {AuthKind.PSK: frozenset({AuthMethod.SHARED_KEY}), AuthKind.PUBKEY: SIGNATURES}
_NOBODY: Final = SharedKey((), bytes(32))


@frozen
class PeerHints:
    """What the peer has said that bears on our proof: who it is, what it wants to see and can check.

    `identity` is the peer's as far as we know it (it decides which shared key serves); `hash_algorithms` are those of its
    N(SIGNATURE_HASH_ALGORITHMS), none if it sent none; `takes_urls`: it looks certificates up (N(HTTP_CERT_LOOKUP_SUPPORTED)).
    """

    identity: Identity | None = None
    certificate_requests: tuple[CertificateRequest, ...] = ()
    hash_algorithms: frozenset[HashId] = frozenset()
    takes_urls: bool = False

    @property
    def wants_answers(self) -> bool:
        """Whether it asked for OCSP answers (RFC 4806)."""
        return any(each.encoding is CertEncoding.OCSP_CONTENT for each in self.certificate_requests)


@frozen
class Proof:
    """The payloads that prove our identity, in the order in which they are sent; `method` is for the operator."""

    certificates: tuple[Certificate, ...]
    authentication: Authentication
    method: str


class NoFetcher:
    """Fetches nothing: everything that is needed must be at hand."""

    def fetch(
        self, url: str, body: bytes | None = None, content_type: str = "", *, configured: bool = False
    ) -> Deferred[bytes]:
        """See `ports.Fetcher`."""
        return fail(FetchFailed(f"{url}: nothing is downloaded here"))


class Authenticator:
    """Makes and checks proofs with `credentials`, which a reload replaces. Results fail with AuthenticationError alone.

    `refresh` is how old a CRL or OCSP answer may get by which a live session stands; a reload may change it too.
    """

    def __init__(
        self,
        credentials: Credentials,
        now: Callable[[], datetime],
        slow: Slow,
        policy: SignaturePolicy | None = None,
        fetcher: Fetcher | None = None,
        library: Library | None = None,
        random: Random = urandom,
        refresh: timedelta = REFRESH,
    ) -> None:
        self.credentials = credentials
        self.refresh = refresh
        self._now = now
        self._slow = slow
        self._policy = policy or SignaturePolicy()
        self._means = Means(
            lambda: self.credentials,
            library or Library(Archive(), now, slow, random),
            fetcher or NoFetcher(),
            lambda: self.refresh,
        )
        self._showing = Showing(self._means)

    def prove(
        self, local: LocalAuth, identity: Identity, octets: bytes, prf: Prf, hints: PeerHints
    ) -> Deferred[Proof]:
        """Prove that we are `identity` over `octets` (`signed_octets` of our side); errback AuthenticationError."""
        try:
            if local.kind is AuthKind.PSK:
                return succeed(self._prove_by_key(identity, octets, prf, hints))
            if local.kind is AuthKind.PUBKEY:
                return self._sign(local, self._choose(local, identity, hints), octets, hints)
            raise no_own_material(f"we cannot prove ourselves by {local.kind.value}")
        except AuthenticationError as error:
            return fail(error)

    def examine(
        self,
        remote: RemoteAuth,
        identity: Identity,
        octets: bytes,
        prf: Prf,
        certificates: tuple[Certificate, ...],
        authentication: Authentication,
        local_identity: Identity,
    ) -> Examination:
        """Find out whether the peer is `identity` by what it sent; `octets` are `signed_octets` of its side."""
        try:
            self._require_allowed(remote, identity, authentication)
        except AuthenticationError as error:
            return ByKey(partial(_refuse, error))
        if remote.kind is AuthKind.PSK:
            return ByKey(
                partial(self._verify_by_key, remote, identity, octets, prf, authentication, local_identity)
            )
        return ByCertificate(
            self._means,
            remote,
            certificates,
            lambda presented: peer_chain(self.credentials, remote, identity, presented, self._now()),
            lambda chain: scheme_of(
                authentication, octets, chain, identity, self._policy, remote.demands.weak
            ),
        )

    def verify(
        self,
        remote: RemoteAuth,
        identity: Identity,
        octets: bytes,
        prf: Prf,
        certificates: tuple[Certificate, ...],
        authentication: Authentication,
        local_identity: Identity,
    ) -> Deferred[Verified]:
        """As `examine`, with everything fetched on the way that it takes."""
        examination = self.examine(
            remote, identity, octets, prf, certificates, authentication, local_identity
        )
        return _decided(examination)

    def stand(self, remote: RemoteAuth, certificates: tuple[bytes, ...]) -> Deferred[Standing]:
        """Whether these DER certificates, the first of which belongs to a key that has signed elsewhere (in EAP-TLS), lead to an
        authority that `remote` trusts, and none of them was revoked: by now, and later on. Errback AuthenticationError.
        """
        shown = tuple(Certificate(CertEncoding.X509_SIGNATURE, der) for der in certificates)
        trust = partial(self.credentials.trust, remote.authorities)
        examination = ByCertificate(
            self._means, remote, shown, lambda each: trust().chain(each, self._now()), lambda _: "tls"
        )
        return _decided(examination).addCallback(lambda _: examination)

    def requests(self, remote: RemoteAuth) -> tuple[CertificateRequest, ...]:
        """The CERTREQ payloads that ask for a certificate under the authorities that `remote` trusts; none for a pinned one."""
        if remote.kind is not AuthKind.PUBKEY or (remote.pinned and not remote.authorities):
            return ()
        try:
            authorities = self.credentials.trust(remote.authorities).authorities
        except AuthenticationError:  # told when the peer is verified
            return ()
        hashes = b"".join(dict.fromkeys(authority.key_hash for authority in authorities))
        if not hashes:
            return ()
        certificates = CertificateRequest(CertEncoding.X509_SIGNATURE, hashes)
        answers = CertificateRequest(CertEncoding.OCSP_CONTENT, b"")  # by whichever responder (RFC 4806 §3.1)
        return (certificates, answers) if remote.ocsp_requests else (certificates,)

    def own_identity(self, local: LocalAuth) -> Identity | None:
        """The identity that `local` gives us: its own, else the subject of its first certificate, else none."""
        if local.identity is not None:
            return local.identity
        own = self.credentials.own_named(local.certificates)
        return own[0].certificate.names[0] if own and own[0].certificate.names else None

    # -- shared keys

    def _prove_by_key(self, identity: Identity, octets: bytes, prf: Prf, hints: PeerHints) -> Proof:
        key = self.credentials.shared_keys.find(identity, hints.identity)
        if key is None:
            peer = "any peer" if hints.identity is None else display(hints.identity)
            raise no_own_material(
                f"there is no shared key between {display(identity)} (us) and {peer}; add one under secrets"
            )
        return Proof((), Authentication(AuthMethod.SHARED_KEY, psk_mac(prf, key.secret, octets)), "psk")

    def _verify_by_key(
        self,
        remote: RemoteAuth,
        identity: Identity,
        octets: bytes,
        prf: Prf,
        authentication: Authentication,
        local_identity: Identity,
    ) -> Verified:
        key = self.credentials.shared_keys.find(local_identity, identity)
        # An unknown identity costs the same MAC as a known one, so that time does not tell who exists
        right = equal(psk_mac(prf, (key or _NOBODY).secret, octets), authentication.data)
        if key is None:
            if remote.identity.exact is not None or not self.credentials.shared_keys:
                raise no_own_material(
                    f"the connection expects {display(identity)} with a shared key, but none is configured; add one under secrets"
                )
            raise not_authentic(
                f"there is no shared key for {display(identity)}; if it is to connect, add one under secrets"
            )
        if not right:
            raise not_authentic(
                f"{display(identity)} uses another shared key than the one that we have for it; compare the secrets on both sides"
            )
        return Verified("psk", f"shared key of {display(identity)}")

    # -- certificates

    def _choose(self, local: LocalAuth, identity: Identity, hints: PeerHints) -> OwnCertificate:
        requests, hashes = hints.certificate_requests, hints.hash_algorithms
        return choose(self.credentials, local, identity, requests, hashes, self._now())

    def _sign(
        self, local: LocalAuth, own: OwnCertificate, octets: bytes, hints: PeerHints
    ) -> Deferred[Proof]:
        shown = self._showing.payloads(
            own, by_url=hints.takes_urls, with_answers=local.ocsp_replies and hints.wants_answers
        )

        def signed() -> Proof:
            try:
                method, data = sign(own.key, octets, hints.hash_algorithms)
            except CannotSign as error:
                raise no_own_material(
                    f"the key of {own.certificate.title} cannot sign for this peer: {error}"
                ) from None
            return Proof(shown, Authentication(method, data), f"certificate {own.certificate.subject}")

        if isinstance(own.key, RSAPrivateKey) and own.key.key_size >= SLOW_RSA_BITS:
            return self._slow(signed)
        return succeed(signed())

    def _require_allowed(
        self, remote: RemoteAuth, identity: Identity, authentication: Authentication
    ) -> None:
        if not remote.identity.matches(identity):
            raise AuthenticationError(
                AuthFailure.NO_CONFIGURATION,
                f"the connection is for {remote.identity}, but the peer says that it is {display(identity)}",
            )
        if authentication.method not in _METHODS.get(remote.kind, ()):
            raise method_not_allowed(
                f"{display(identity)} is to prove itself by {remote.kind.value}, but used {authentication.method.name}"
            )


def _decided(examination: Examination) -> Deferred[Verified]:
    if examination.lacks:
        return examination.obtain().addCallback(lambda _: _decided(examination))
    return maybeDeferred(examination.verdict)


def _refuse(error: AuthenticationError) -> NoReturn:
    raise error
