"""CertificateBundle: what a peer may name by hash and URL in place of one certificate (RFC 7296 §3.6)."""

from typing import Final

from ikegw.policy.der import element

MOST: Final = 16
"""Certificates and CRLs that a bundle may hold."""
_SEQUENCE: Final = 0x30
_CERTIFICATE: Final = 0xA0
_CRL: Final = 0xA1


class BadBundle(Exception):
    """Octets that are no bundle."""


def read_bundle(octets: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """DER of the certificates, and of the CRLs, each in its order; BadBundle."""
    certificates, crls = [], []
    try:
        tag, rest, after = element(octets)
        if tag != _SEQUENCE or after:
            raise BadBundle("not a CertificateBundle")
        while rest:
            tag, content, rest = element(rest)
            if tag == _CERTIFICATE:
                certificates.append(content)
            elif tag == _CRL:
                crls.append(content)
            else:
                raise BadBundle("it holds something that is neither certificate nor CRL")
            if len(certificates) + len(crls) > MOST:
                raise BadBundle(f"it holds more than {MOST} certificates and CRLs")
    except ValueError as error:
        raise BadBundle(str(error)) from None
    return tuple(certificates), tuple(crls)
