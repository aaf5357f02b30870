"""Signature schemes and their AlgorithmIdentifiers, octet for octet (RFC 7427 Appendix A, RFC 8420 Appendix A).

An AUTH payload's AlgorithmIdentifier is looked up whole and never parsed: what is not one of these octet strings is no scheme.
The PSS identifiers stand here with and without the NULL after the hash's OID, since RFC 4055 §2.1 allows both and both are
sent; everything else about them is fixed (MGF1 with the same hash, salt as long as the hash, no trailer field).
"""

from collections.abc import Mapping
from enum import Enum
from itertools import product

from attrs import frozen
from cryptography.hazmat.primitives import hashes

from ikegw.wire.registry import HashId


class KeyKind(Enum):
    """What a key must be for a scheme."""

    RSA = "an RSA key"
    EC = "an elliptic curve key on P-256, P-384 or P-521"
    ED25519 = "an Ed25519 key"
    ED448 = "an Ed448 key"


@frozen
class Scheme:
    """One way to sign. `identifier` is its AlgorithmIdentifier as we send it; `hash` is None where the scheme has its own."""

    name: str
    kind: KeyKind
    hash_id: HashId
    hash: hashes.HashAlgorithm | None
    pss: bool
    identifier: bytes


HASHES: Mapping[HashId, hashes.HashAlgorithm] = {
    HashId.SHA2_256: hashes.SHA256(),
    HashId.SHA2_384: hashes.SHA384(),
    HashId.SHA2_512: hashes.SHA512(),
}
SHA1: hashes.HashAlgorithm = hashes.SHA1()  # noqa: S303 — only where a peer's policy asks for it

_NULL = bytes.fromhex("0500")
_HASH_OIDS = {
    HashId.SHA2_256: bytes.fromhex("0609608648016503040201"),
    HashId.SHA2_384: bytes.fromhex("0609608648016503040202"),
    HashId.SHA2_512: bytes.fromhex("0609608648016503040203"),
}
_RSA_OIDS = {
    HashId.SHA2_256: bytes.fromhex("06092a864886f70d01010b"),
    HashId.SHA2_384: bytes.fromhex("06092a864886f70d01010c"),
    HashId.SHA2_512: bytes.fromhex("06092a864886f70d01010d"),
}
_ECDSA_OIDS = {
    HashId.SHA2_256: bytes.fromhex("06082a8648ce3d040302"),
    HashId.SHA2_384: bytes.fromhex("06082a8648ce3d040303"),
    HashId.SHA2_512: bytes.fromhex("06082a8648ce3d040304"),
}
_RSA_SHA1_OID = bytes.fromhex("06092a864886f70d010105")
_ECDSA_SHA1_OID = bytes.fromhex("06072a8648ce3d0401")
_PSS_OID = bytes.fromhex("06092a864886f70d01010a")
_MGF1_OID = bytes.fromhex("06092a864886f70d010108")
_ED25519_OID = bytes.fromhex("06032b6570")
_ED448_OID = bytes.fromhex("06032b6571")


def _tagged(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((tag, len(body))) + body


def _sequence(*parts: bytes) -> bytes:
    return _tagged(0x30, *parts)


def _pss_identifier(hash_id: HashId, hash_parameters: bytes, mgf_parameters: bytes) -> bytes:
    oid = _HASH_OIDS[hash_id]
    return _sequence(
        _PSS_OID,
        _sequence(
            _tagged(0xA0, _sequence(oid, hash_parameters)),
            _tagged(0xA1, _sequence(_MGF1_OID, _sequence(oid, mgf_parameters))),
            _tagged(0xA2, _tagged(0x02, bytes((HASHES[hash_id].digest_size,)))),
        ),
    )


RSA: Mapping[HashId, Scheme] = {
    hash_id: Scheme(
        f"rsa-{hash_.name}", KeyKind.RSA, hash_id, hash_, False, _sequence(_RSA_OIDS[hash_id], _NULL)
    )
    for hash_id, hash_ in HASHES.items()
}
RSA_PSS: Mapping[HashId, Scheme] = {
    hash_id: Scheme(
        f"rsa-pss-{hash_.name}", KeyKind.RSA, hash_id, hash_, True, _pss_identifier(hash_id, _NULL, _NULL)
    )
    for hash_id, hash_ in HASHES.items()
}
ECDSA: Mapping[HashId, Scheme] = {
    hash_id: Scheme(f"ecdsa-{hash_.name}", KeyKind.EC, hash_id, hash_, False, _sequence(_ECDSA_OIDS[hash_id]))
    for hash_id, hash_ in HASHES.items()
}
RSA_SHA1 = Scheme("rsa-sha1", KeyKind.RSA, HashId.SHA1, SHA1, False, _sequence(_RSA_SHA1_OID, _NULL))
ECDSA_SHA1 = Scheme("ecdsa-sha1", KeyKind.EC, HashId.SHA1, SHA1, False, _sequence(_ECDSA_SHA1_OID))
ED25519 = Scheme("ed25519", KeyKind.ED25519, HashId.IDENTITY, None, False, _sequence(_ED25519_OID))
ED448 = Scheme("ed448", KeyKind.ED448, HashId.IDENTITY, None, False, _sequence(_ED448_OID))

BY_IDENTIFIER: Mapping[bytes, Scheme] = {
    scheme.identifier: scheme
    for scheme in (*RSA.values(), *ECDSA.values(), RSA_SHA1, ECDSA_SHA1, ED25519, ED448)
} | {
    _pss_identifier(hash_id, *parameters): scheme
    for hash_id, scheme in RSA_PSS.items()
    for parameters in product((_NULL, b""), repeat=2)
}
