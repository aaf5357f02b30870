"""What a connection demands of its peer's certificates and signatures beyond an authority's word, and what it lets pass."""

import re
from base64 import b64decode
from enum import Enum
from typing import Final, Self

from attrs import frozen

_DIGEST_OCTETS: Final = 32
_OID: Final = re.compile(r"[012](\.(0|[1-9]\d{0,38})){1,63}")


class Weakness(Enum):
    """What is refused unless a connection lets it pass.

    SHA1: the peer's own signature, in AUTH (all that Windows can do with a certificate of its own); SHA1_CERTIFICATES: an
    authority's signature, which can be forged; SHORT_RSA: keys from 1024 bits on.
    """

    SHA1 = "sha1"
    SHA1_CERTIFICATES = "sha1-certs"
    SHORT_RSA = "rsa1024"


class PinOf(Enum):
    """What a pin is the SHA-256 of: the whole certificate, or its SubjectPublicKeyInfo, which survives a renewal."""

    CERTIFICATE = "sha256"
    KEY = "key-sha256"


@frozen
class Pin:
    """A certificate or a public key that is known by its digest, and trusted by itself."""

    of: PinOf
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """`sha256:` or `key-sha256:`, then the digest in hex, with colons or not, or in base64; ValueError."""
        kind, _, digest = text.strip().partition(":")
        return cls(PinOf(kind.strip().lower()), _digest(digest.strip()))

    def __str__(self) -> str:
        return f"{self.of.value}:{self.digest.hex()}"


def _digest(text: str) -> bytes:
    hexadecimal = text.replace(":", "")
    octets = (
        bytes.fromhex(hexadecimal)
        if re.fullmatch(r"[0-9a-fA-F]{64}", hexadecimal)
        else b64decode(text, validate=True)
    )
    if len(octets) != _DIGEST_OCTETS:
        raise ValueError(f"a SHA-256 has {_DIGEST_OCTETS} octets, these are {len(octets)}")
    return octets


def parse_policy(text: str) -> str:
    """A certificate policy's object identifier in dots; ValueError."""
    if not _OID.fullmatch(text.strip()):
        raise ValueError("an object identifier is numbers with dots between them")
    return text.strip()


@frozen
class Demands:
    """`pins`: the peer's certificate must be one of these (none: any). `policies`: its path must be good for one of these
    certificate policies (none: any). `weak`: what passes all the same.
    """

    pins: tuple[Pin, ...] = ()
    policies: tuple[str, ...] = ()
    weak: frozenset[Weakness] = frozenset()


NO_DEMANDS: Final = Demands()
