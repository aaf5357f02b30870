"""Whom we believe that he is the host of an https URL: the system's authorities, and our own in `ca/`."""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from cryptography.x509 import Certificate
from OpenSSL.crypto import X509
from OpenSSL.SSL import Context
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import optionsForClientTLS
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

Authorities = Callable[[], Sequence[Certificate]]
"""Those of `ca/`, as they are now."""


@implementer(IPolicyForHTTPS)
@frozen
class Trust:
    """For each request anew, since a reload changes `authorities`: 4 ms, for what is rare (CRLs come by http)."""

    authorities: Authorities

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:  # noqa: N802 (Twisted's)
        """See IPolicyForHTTPS."""
        return optionsForClientTLS(hostname.decode("ascii"), trustRoot=_Roots(tuple(self.authorities())))


@implementer(IOpenSSLTrustRoot)
@frozen
class _Roots:
    certificates: tuple[Certificate, ...]

    def _addCACertsToContext(self, context: Context) -> None:  # noqa: N802
        """See IOpenSSLTrustRoot."""
        context.set_default_verify_paths()
        store: Any = context.get_cert_store()
        for certificate in self.certificates:
            store.add_cert(X509.from_cryptography(certificate))
