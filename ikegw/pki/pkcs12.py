"""A key with its certificates in one file under a password (PKCS#12, RFC 7292), in a form that the one who gets it can read."""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import KeySerializationEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES, serialize_key_and_certificates

from ikegw.pki.authority import Party
from ikegw.pki.errors import Refused

ROUNDS: Final = 20_000
SHORTEST_PASSWORD: Final = 8


class Form(Enum):
    """How it is encrypted.

    COMPATIBLE is what all import: Apple's systems and Androids have long refused AES or a MAC with SHA-256, and say then that
    the password is wrong. Its strength is the password's: it is for the way to the client, not for keeping. MODERN is for
    Windows 10 (1709) and later, and OpenSSL.
    """

    COMPATIBLE = "compatible"
    MODERN = "modern"


def require_password(password: str) -> None:
    """That it protects something, and can be typed anywhere; Refused."""
    if len(password) < SHORTEST_PASSWORD:
        raise Refused(
            f"the password is shorter than {SHORTEST_PASSWORD} characters; anybody could open the file"
        )
    if not password.isascii() or not password.isprintable():
        raise Refused(
            "the password has characters that not every system writes alike; use letters, digits and signs of ASCII"
        )


def pack(
    party: Party, name: str, authorities: Sequence[x509.Certificate], password: str, form: Form
) -> bytes:
    """The octets of the file, with the whole chain, root included; Refused for a password that would not do."""
    require_password(password)
    chain = tuple(dict.fromkeys((*party.intermediates, *authorities)))
    return serialize_key_and_certificates(
        name.encode(), party.key, party.certificate, chain, _encryption(password, form)
    )


def _encryption(password: str, form: Form) -> KeySerializationEncryption:
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(ROUNDS)
    if form is Form.COMPATIBLE:
        algorithm, mac = PBES.PBESv1SHA1And3KeyTripleDESCBC, SHA1()  # noqa: S303 — what they can read
        return builder.key_cert_algorithm(algorithm).hmac_hash(mac).build(password.encode())
    return (
        builder.key_cert_algorithm(PBES.PBESv2SHA256AndAES256CBC).hmac_hash(SHA256()).build(password.encode())
    )
