"""Extensions of certificates, as the peers of a gateway want to see them (RFC 5280 §4.2, RFC 4945 §5.1.3)."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

Extension = tuple[x509.ExtensionType, bool]
"""An extension, and whether it is critical."""

IPSEC_IKE: Final = ObjectIdentifier("1.3.6.1.5.5.7.3.17")
"""id-kp-ipsecIKE (RFC 4945 §5.1.3.12)."""
GATEWAY_USAGES: Final = (ExtendedKeyUsageOID.SERVER_AUTH, IPSEC_IKE)
CLIENT_USAGES: Final = (ExtendedKeyUsageOID.CLIENT_AUTH, IPSEC_IKE)
SIGNING: Final = frozenset({"digital_signature"})
_HOST: Final = re.compile(
    r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.I | re.A
)
_MAILBOX: Final = re.compile(r"[^\s@<>()\[\],;:\\\"]+@[^\s@]+", re.A)
_KEY_USAGES: Final = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def key_usage(names: Iterable[str]) -> x509.KeyUsage:
    """The KeyUsage extension with just these bits, by cryptography's names."""
    wanted = set(names)
    return x509.KeyUsage(**{name: name in wanted for name in _KEY_USAGES})


def general_name(text: str) -> x509.GeneralName:
    """`10.0.0.1` an iPAddress, `carol@ikegw.example` an rfc822Name, else a dNSName; ValueError for what is none of them."""
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.RFC822Name(text) if "@" in text else x509.DNSName(text)


def gateway_names(names: Iterable[str]) -> tuple[x509.GeneralName, ...]:
    """The subjectAltNames of a gateway; ValueError with what is neither address nor DNS name.

    Windows looks for an IPv4 address among the dNSNames as well.
    """
    found: list[x509.GeneralName] = []
    for text in names:
        if ":" not in text and not _HOST.fullmatch(text):
            raise ValueError(text)
        name = general_name(text)
        found.append(name)
        if isinstance(name, x509.IPAddress) and isinstance(name.value, ipaddress.IPv4Address):
            found.append(x509.DNSName(str(name.value)))
        elif isinstance(name, x509.DNSName) and ":" in text:
            raise ValueError(text)
    return tuple(dict.fromkeys(found))


def client_name(text: str) -> x509.GeneralName:
    """The subjectAltName of a client; ValueError for what is neither mail address, DNS name, address nor one word."""
    name = general_name(text)
    if isinstance(name, x509.DNSName) and not _HOST.fullmatch(text):
        raise ValueError(text)
    if isinstance(name, x509.RFC822Name) and not _MAILBOX.fullmatch(text):
        raise ValueError(text)
    return name


def crl_at(*urls: str) -> Extension:
    """The extension that says where the issuer's CRL is; the addresses are alternatives."""
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url) for url in urls], None, None, None)
    return x509.CRLDistributionPoints([point]), False
