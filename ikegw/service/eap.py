"""EAP without a RADIUS server: its room gets the gateway's passwords and certificates."""

import os
from typing import Any

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ikegw.auth.authenticator import AuthenticationError, Authenticator
from ikegw.auth.credentials import Credentials
from ikegw.config.eap import EapSettings
from ikegw.eap.credentials import OwnCertificate, Passwords
from ikegw.eap.peer.supplicants import EapSupplicants
from ikegw.eap.server.authenticator import EmbeddedAuthenticator
from ikegw.eap.server.settings import LookInto, Settings
from ikegw.policy.connections import AuthKind, RemoteAuth
from ikegw.ports import Standing
from ikegw.service.preparation import Prepared


@define(eq=False)
class GatewayCertificates:
    """`eap.credentials.Certificates` out of the gateway's own; a reload replaces `credentials`."""

    credentials: Credentials = field(repr=False)

    def own(self, files: tuple[str, ...]) -> OwnCertificate | None:
        """The first of these files that we have the key of; what is above it goes along, but no root."""
        for found in self.credentials.own_named(files):
            above = tuple(each.certificate for each in found.chain if not each.self_issued)
            return OwnCertificate(found.certificate.certificate, found.key, above)
        return None

    def authorities(self, files: tuple[str, ...]) -> tuple[x509.Certificate, ...]:
        """Those in these files, or all."""
        loaded = self.credentials.authorities
        return tuple(each.certificate for name in files or loaded for each in loaded.get(name, ()))


@define(eq=False)
class OwnEap:
    """Both sides of EAP as one configuration has them."""

    certificates: GatewayCertificates
    proofs: Authenticator = field(repr=False)
    """Who knows what was revoked."""

    supplicants: EapSupplicants
    authenticator: EmbeddedAuthenticator

    @classmethod
    def make(cls, reactor: Any, prepared: Prepared, proofs: Authenticator) -> "OwnEap":
        """At the start."""
        certificates = GatewayCertificates(prepared.credentials)
        passwords = _passwords(prepared.config.eap)
        return cls(
            certificates,
            proofs,
            EapSupplicants(os.urandom, passwords, certificates),
            EmbeddedAuthenticator(
                reactor, os.urandom, _settings(prepared.config.eap, passwords, certificates, proofs)
            ),
        )

    def reload(self, prepared: Prepared) -> None:
        """Logins that begin from now on go by `prepared`."""
        passwords = _passwords(prepared.config.eap)
        self.certificates.credentials = prepared.credentials
        self.supplicants.passwords = passwords
        self.authenticator.settings = _settings(
            prepared.config.eap, passwords, self.certificates, self.proofs
        )


def _passwords(eap: EapSettings) -> Passwords:
    return Passwords({name: user.secret for user in eap.users for name in user.names})


def _settings(
    eap: EapSettings, passwords: Passwords, certificates: GatewayCertificates, proofs: Authenticator
) -> Settings:
    return Settings(
        eap.methods,
        passwords,
        certificates.own(eap.certificates),
        certificates.authorities(eap.authorities) if eap.authorities else (),
        eap.user_failures,
        eap.address_failures,
        eap.failure_seconds,
        _look_into(eap, proofs),
    )


def _look_into(eap: EapSettings, proofs: Authenticator) -> LookInto:
    """As peers of IKE are judged, with their CRLs and OCSP answers."""
    remote = RemoteAuth(AuthKind.PUBKEY, authorities=eap.authorities, revocation=eap.revocation)

    def problem(failure: Failure) -> str:
        if not isinstance(failure.value, AuthenticationError):
            failure.raiseException()
        return failure.value.detail

    def look_into(certificates: tuple[x509.Certificate, ...]) -> Deferred[Standing | str | None]:
        ders = tuple(each.public_bytes(Encoding.DER) for each in certificates)
        found: Deferred[Standing | str | None] = proofs.stand(remote, ders)  # type: ignore[assignment]
        return found.addErrback(problem)

    return look_into
