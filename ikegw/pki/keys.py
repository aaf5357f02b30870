"""Kinds of private keys, by the names by which an operator asks for them."""

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

Digest = SHA256 | SHA384 | SHA512
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey

KINDS: Final[dict[str, Callable[[], Key]]] = {
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa4096": lambda: rsa.generate_private_key(65537, 4096),
    "ecdsa256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ecdsa521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
}


class BadKey(Exception):
    """Octets that are no private key, or not under this passphrase; the text says which."""


def digest_for(key: Key, wanted: Digest | None = None) -> Digest | None:
    """The hash by which `key` signs certificates: none of its choice for Edwards curves, which have their own."""
    edwards = isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    return None if edwards else wanted or SHA256()


def to_pem(key: Key, passphrase: bytes | None = None) -> bytes:
    """The key as PKCS#8, encrypted if there is a passphrase."""
    sealed: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)


def from_pem(pem: bytes, passphrase: bytes | None = None) -> Key:
    """The key in PKCS#8; BadKey."""
    try:
        key = load_pem_private_key(pem, passphrase)
    except TypeError:
        needed = (
            "needs its passphrase" if passphrase is None else "is not encrypted, but a passphrase was given"
        )
        raise BadKey(f"the key {needed}") from None
    except ValueError:
        wrong = "damaged" if passphrase is None else "damaged, or the passphrase is another"
        raise BadKey(f"the key is {wrong}") from None
    if not isinstance(key, Key):
        raise BadKey("the key is of a kind that signs no certificates")
    return key
