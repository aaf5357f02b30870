"""Proves who we are and checks who the peer is: the AUTH and CERT payloads of IKE_AUTH (RFC 7296 §2.15, RFC 7427)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred, fail, succeed

from ikegw.auth.credentials import Credentials
from ikegw.auth.errors import AuthenticationError, method_not_allowed, no_own_material, not_authentic
from ikegw.auth.octets import psk_mac
from ikegw.auth.shared_keys import SharedKey
from ikegw.crypto.compare import equal
from ikegw.crypto.transforms import Prf
from ikegw.policy.connections import AuthKind, LocalAuth, RemoteAuth
from ikegw.policy.identities import display
from ikegw.wire.authentication import Authentication
from ikegw.wire.certificate import Certificate, CertificateRequest
from ikegw.wire.identification import Identity
from ikegw.wire.registry import AuthMethod, HashId

__all__ = ["AuthenticationError", "Authenticator", "PeerHints", "Proof", "Slow", "Verified"]

T = TypeVar("T")
Slow = Callable[[Callable[[], Any]], Deferred[Any]]
"""Runs a function where it does not block the reactor: `threads.deferToThread`, or `maybeDeferred` in tests."""

SHARED_KEY = AuthMethod(2)
_NOBODY = SharedKey((), bytes(32))


@frozen
class PeerHints:
    """What the peer has said that bears on our proof: who it is, what it wants to see and can check."""

    identity: Identity | None = None
    certificate_requests: tuple[CertificateRequest, ...] = ()
    hash_algorithms: frozenset[HashId] = frozenset()


@frozen
class Proof:
    """The payloads that prove our identity, in the order in which they are sent; `method` is for the operator."""

    certificates: tuple[Certificate, ...]
    authentication: Authentication
    method: str


@frozen
class Verified:
    """The peer is who it says it is: `method` is short (`psk`, `ecdsa-p256-sha256`), `detail` says by what we know."""

    method: str
    detail: str


class Authenticator:
    """Makes and checks proofs with `credentials`, which a reload replaces."""

    def __init__(self, credentials: Credentials, now: Callable[[], datetime], slow: Slow) -> None:
        self.credentials = credentials
        self._now = now
        self._slow = slow

    def prove(
        self, local: LocalAuth, identity: Identity, octets: bytes, prf: Prf, hints: PeerHints
    ) -> Deferred[Proof]:
        """Prove that we are `identity` over `octets` (`signed_octets` of our side); errback AuthenticationError."""
        try:
            if local.kind is AuthKind.PSK:
                return succeed(self._prove_by_key(identity, octets, prf, hints))
            raise no_own_material(f"authentication by {local.kind} is not available to us")
        except AuthenticationError as error:
            return fail(error)

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
        """Check that the peer is `identity` by what it sent; `octets` are `signed_octets` of its side."""
        try:
            if remote.kind is AuthKind.PSK:
                if authentication.method != SHARED_KEY:
                    raise method_not_allowed(
                        f"expected a shared key, {display(identity)} used {authentication.method!r}"
                    )
                return succeed(
                    self._verify_by_key(identity, octets, prf, authentication.data, local_identity)
                )
            raise method_not_allowed(f"authentication by {remote.kind} is not available")
        except AuthenticationError as error:
            return fail(error)

    def requests(self, remote: RemoteAuth) -> tuple[CertificateRequest, ...]:
        """The CERTREQ payloads that ask for what `remote` demands."""
        return ()

    def _prove_by_key(self, identity: Identity, octets: bytes, prf: Prf, hints: PeerHints) -> Proof:
        key = self.credentials.shared_keys.find(identity, hints.identity)
        if key is None:
            peer = "any peer" if hints.identity is None else display(hints.identity)
            raise no_own_material(
                f"no shared key between {display(identity)} (us) and {peer}; add one under secrets"
            )
        return Proof((), Authentication(SHARED_KEY, psk_mac(prf, key.secret, octets)), "psk")

    def _verify_by_key(
        self, identity: Identity, octets: bytes, prf: Prf, data: bytes, local_identity: Identity
    ) -> Verified:
        key = self.credentials.shared_keys.find(local_identity, identity)
        # An unknown identity costs the same MAC as a known one, so that time does not tell who exists.
        right = equal(psk_mac(prf, (key or _NOBODY).secret, octets), data)
        if key is None:
            raise not_authentic(
                f"no shared key for {display(identity)}; add one under secrets if it is to connect"
            )
        if not right:
            raise not_authentic(f"{display(identity)} does not know the shared key that we have for it")
        return Verified("psk", "shared key")
