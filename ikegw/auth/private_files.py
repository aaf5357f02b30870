"""What a file in `private/` holds: a key in PEM or DER (PKCS#8, PKCS#1, SEC1), or PKCS#12, a key with its certificates.

What is encrypted opens with the passphrase that `secrets.private` has for its name.
"""

from collections.abc import Iterable
from functools import partial
from typing import Final

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from ikegw.auth.certificates import X509, BadCertificate, read
from ikegw.auth.own import PrivateKey
from ikegw.config.settings import is_container

PEM_MARK: Final = b"-----BEGIN "
_ASKED: Final = (
    "write [secrets.private.NAME] with file = {file!r} and its passphrase as secret into a file in secrets.d/"
)
_UNREADABLE: Final = (ValueError, UnsupportedAlgorithm, InternalError)
"""The last for a key of another length than its kind's."""


class BadPrivateFile(Exception):
    """Why a file is of no use; the text never quotes it."""


@frozen
class PrivateFile:
    """A key, and in PKCS#12 the certificates that came with it, the key's own first."""

    key: PrivateKey = field(repr=False)
    certificates: tuple[X509, ...] = ()


def read_private(name: str, octets: bytes, passphrase: bytes | None) -> PrivateFile:
    """The key, and what came with it; BadPrivateFile, BadCertificate."""
    return _container(name, octets, passphrase) if is_container(name) else _key(name, octets, passphrase)


def _key(name: str, octets: bytes, passphrase: bytes | None) -> PrivateFile:
    load = load_pem_private_key if PEM_MARK in octets else load_der_private_key
    try:
        return PrivateFile(_usable(load(octets, password=None)))
    except TypeError:  # it is encrypted
        if passphrase is None:
            raise BadPrivateFile(f"the private key is encrypted: {_ASKED.format(file=name)}") from None
    except _UNREADABLE:
        raise BadPrivateFile(
            "not a private key that can be read (PKCS#8, PKCS#1 or SEC1 in PEM or DER)"
        ) from None
    try:
        return PrivateFile(_usable(load(octets, password=passphrase)))
    except _UNREADABLE:
        raise BadPrivateFile(
            "the private key does not open with the passphrase of secrets.private, or it is damaged"
        ) from None


def _container(name: str, octets: bytes, passphrase: bytes | None) -> PrivateFile:
    try:
        loaded = load_pkcs12(octets, passphrase)
    except _UNREADABLE:
        if passphrase is None:
            raise BadPrivateFile(
                f"PKCS#12 that is encrypted, or damaged: {_ASKED.format(file=name)}"
            ) from None
        raise BadPrivateFile(
            "PKCS#12 that does not open with the passphrase of secrets.private, or that is damaged"
        ) from None
    if loaded.key is None or loaded.cert is None:
        missing = "private key" if loaded.key is None else "certificate of its key"
        raise BadPrivateFile(f"PKCS#12 without the {missing}: export it again, with key and certificate")
    own = loaded.cert.certificate
    others = [each.certificate for each in loaded.additional_certs]
    return PrivateFile(_usable(loaded.key), (*read(partial(_alone, own)), *_readable(others)))


def _readable(certificates: Iterable[x509.Certificate]) -> tuple[X509, ...]:
    """Those that can be read: a root of a strange kind is no reason to do without the key."""
    found: list[X509] = []
    for certificate in certificates:
        try:
            found += read(partial(_alone, certificate))
        except BadCertificate:
            continue
    return tuple(found)


def _alone(certificate: x509.Certificate) -> tuple[x509.Certificate]:
    return (certificate,)


def _usable(key: object) -> PrivateKey:
    if isinstance(
        key,
        rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey,
    ):
        return key
    raise BadPrivateFile(
        "a private key of a kind that cannot sign here; usable are RSA, ECDSA, Ed25519 and Ed448"
    )
