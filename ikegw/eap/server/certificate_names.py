"""Whose a client's certificate is, in the terms of EAP identities (RFC 5216 §5.2)."""

from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

_USER_PRINCIPAL_NAME: Final = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_UTF8_STRING: Final = 0x0C
_MACHINE: Final = "host/"
"""What Windows puts before the name of a computer that logs in by itself."""


def names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Mail addresses, user principal names and DNS names of its subjectAltName, then its common names."""
    found: list[str] = []
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError, x509.DuplicateExtension):
        pass
    else:
        found += alternatives.get_values_for_type(x509.RFC822Name)
        found += [
            name
            for other in alternatives.get_values_for_type(x509.OtherName)
            if other.type_id == _USER_PRINCIPAL_NAME and (name := _utf8(other.value))
        ]
        found += alternatives.get_values_for_type(x509.DNSName)
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return (*found, *(str(each.value) for each in common))


def _utf8(der: bytes) -> str:
    if len(der) < 2 or der[0] != _UTF8_STRING or der[1] != len(der) - 2:
        return ""
    return der[2:].decode("utf-8", "replace")


def user_of(certificate: x509.Certificate, claimed: str) -> str | None:
    """The user: `claimed` if the certificate bears it; its first name if the claim hides the user (`@realm`); else None."""
    borne = names(certificate)
    if claimed.startswith("@") or not claimed:
        return borne[0] if borne else None
    wanted = claimed.removeprefix(_MACHINE).lower()
    return claimed if any(name.lower() == wanted for name in borne) else None
