"""The TLS of RADIUS over TLS (RFC 6614 §2.3): 1.2 or 1.3, certificates on both sides, the server's with the configured name."""

from collections.abc import Sequence
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, TLSVersion, optionsForClientTLS, trustRootFromCertificates

from ikegw.config.radius import RadiusServer
from ikegw.radius.radsec import CannotConnect

PrivateKey = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)


class OwnCertificate(Protocol):
    """What we show: our certificate, those above it as far as they are sent, and the key."""

    @property
    def certificate(self) -> x509.Certificate:
        """Ours."""
        ...

    @property
    def key(self) -> PrivateKey:
        """Its private key."""
        ...

    @property
    def chain(self) -> Sequence[x509.Certificate]:
        """Those above it, the root left out."""
        ...


class Certificates(Protocol):
    """The gateway's certificates by the names of their files; a reload changes what they are."""

    def own(self, files: tuple[str, ...]) -> OwnCertificate | None:
        """Ours in one of these files of `certs/`; None: there is none with a key."""
        ...

    def authorities(self, files: tuple[str, ...]) -> tuple[x509.Certificate, ...]:
        """The authorities in these files of `ca/`, or all that are there."""
        ...


def client_options(server: RadiusServer, certificates: Certificates) -> IOpenSSLClientConnectionCreator:
    """How to begin TLS with this server; CannotConnect if we have no certificate to show, or nobody to trust."""
    own = certificates.own((server.certificate,))
    if own is None:
        raise CannotConnect(f"certs/{server.certificate} is no certificate that we have the key of")
    trusted = [
        Certificate(X509.from_cryptography(each))  # type: ignore[no-untyped-call]
        for each in certificates.authorities(server.authorities)
    ]
    if not trusted:
        raise CannotConnect("there is no authority in ca/ that could have issued its certificate")
    return optionsForClientTLS(
        server.server_name or str(server.address),
        trustRoot=trustRootFromCertificates(trusted),  # type: ignore[no-untyped-call]
        extraCertificateOptions={
            "privateKey": own.key,
            "certificate": own.certificate,
            "extraCertChain": list(own.chain),
            "raiseMinimumTo": TLSVersion.TLSv1_2,
        },
    )
