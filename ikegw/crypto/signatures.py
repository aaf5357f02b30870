"""Signatures of AUTH payloads: Digital Signature (RFC 7427, RFC 8420) and the classic methods 1 (RFC 7296 §3.8), 9–11 (RFC 4754).

Padding, DigestInfo and PSS parameters are the library's to check, which it does by building what it expects; what it is told to
expect is fixed here and never read out of the peer's octets.
"""

from attrs import frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import HashAlgorithm

from ikegw.crypto.signature_schemes import (
    BY_IDENTIFIER,
    ECDSA,
    ED448,
    ED25519,
    RSA,
    RSA_PSS,
    RSA_SHA1,
    SHA1,
    KeyKind,
    Scheme,
)
from ikegw.wire.registry import AuthMethod, HashId

_PKCS1 = PKCS1v15()
# method -> curve, its octets, hash (RFC 4754 §7); curve -> method
_RAW_ECDSA: dict[AuthMethod, tuple[str, int, HashId]] = {
    AuthMethod.ECDSA_SHA256_P256: ("secp256r1", 32, HashId.SHA2_256),
    AuthMethod.ECDSA_SHA384_P384: ("secp384r1", 48, HashId.SHA2_384),
    AuthMethod.ECDSA_SHA512_P521: ("secp521r1", 66, HashId.SHA2_512),
}
_METHOD_OF_CURVE = {curve: method for method, (curve, _, _) in _RAW_ECDSA.items()}
_SHA2 = (HashId.SHA2_256, HashId.SHA2_384, HashId.SHA2_512)


@frozen
class SignaturePolicy:
    """What we demand of a peer's signature. `sha1` is for old clients alone: its collisions are forgeable."""

    sha1: bool = False
    minimum_rsa_bits: int = 2048
    minimum_rsa_exponent: int = 65537


class BadSignature(Exception):
    """A signature does not prove what it should: wrong, of a kind that policy refuses, or malformed. `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WeakSignature(BadSignature):
    """It proves what it should, but in a way that policy refuses."""


class CannotSign(Exception):
    """Our key and what the peer understands do not meet; `reason` says what would."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# ---------------------------------------------------------------- signing


def sign(
    key: PrivateKeyTypes, octets: bytes, peer_hashes: frozenset[HashId], pss: bool = True
) -> tuple[AuthMethod, bytes]:
    """Method and data of the AUTH payload that signs `octets`; CannotSign.

    `peer_hashes` is what the peer's SIGNATURE_HASH_ALGORITHMS announced. If it has no SHA-2 the classic methods are used:
    for RSA that is SHA-1, the only hash that a peer without RFC 7427 must know (RFC 7296 §3.8).
    """
    match key:
        case rsa.RSAPrivateKey():
            return _sign_rsa(key, octets, peer_hashes, pss)
        case ec.EllipticCurvePrivateKey():
            return _sign_ecdsa(key, octets, peer_hashes)
        case Ed25519PrivateKey():
            return _sign_edwards(key, ED25519, octets, peer_hashes)
        case Ed448PrivateKey():
            return _sign_edwards(key, ED448, octets, peer_hashes)
        case _:
            raise CannotSign(f"keys of type {type(key).__name__} do not sign in IKEv2")


def _sign_rsa(
    key: rsa.RSAPrivateKey, octets: bytes, peer_hashes: frozenset[HashId], pss: bool
) -> tuple[AuthMethod, bytes]:
    # As strong a hash as the key is (NIST SP 800-57 part 1, table 2), if the peer knows it.
    hash_id = _best_hash(0 if key.key_size <= 3072 else 1 if key.key_size <= 7680 else 2, peer_hashes)
    if hash_id is None:
        return AuthMethod.RSA_SIGNATURE, key.sign(octets, _PKCS1, SHA1)
    scheme = (RSA_PSS if pss else RSA)[hash_id]
    padding, hash_ = _rsa_arguments(scheme)
    return _digital_signature(scheme, key.sign(octets, padding, hash_))


def _sign_ecdsa(
    key: ec.EllipticCurvePrivateKey, octets: bytes, peer_hashes: frozenset[HashId]
) -> tuple[AuthMethod, bytes]:
    method = _METHOD_OF_CURVE.get(key.curve.name)
    if method is None:
        raise CannotSign(f"curve {key.curve.name} is not supported; P-256, P-384 and P-521 are")
    _, size, own_hash = _RAW_ECDSA[method]
    hash_id = _best_hash(_SHA2.index(own_hash), peer_hashes)
    if hash_id is not None:
        scheme = ECDSA[hash_id]
        return _digital_signature(scheme, key.sign(octets, ec.ECDSA(_hash_of(scheme))))
    r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(_hash_of(ECDSA[own_hash]))))
    return method, r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _sign_edwards(
    key: Ed25519PrivateKey | Ed448PrivateKey, scheme: Scheme, octets: bytes, peer_hashes: frozenset[HashId]
) -> tuple[AuthMethod, bytes]:
    if HashId.IDENTITY not in peer_hashes:
        raise CannotSign(f"the peer does not announce what {scheme.name} needs (the hash IDENTITY, RFC 8420)")
    return _digital_signature(scheme, key.sign(octets))


def _best_hash(wanted: int, peer_hashes: frozenset[HashId]) -> HashId | None:
    """The wanted SHA-2, else the next stronger, else the next weaker that the peer knows."""
    order = (*_SHA2[wanted:], *reversed(_SHA2[:wanted]))
    return next((hash_id for hash_id in order if hash_id in peer_hashes), None)


def _digital_signature(scheme: Scheme, signature: bytes) -> tuple[AuthMethod, bytes]:
    return AuthMethod.DIGITAL_SIGNATURE, bytes((len(scheme.identifier),)) + scheme.identifier + signature


# ---------------------------------------------------------------- verifying


def verify(
    public_key: PublicKeyTypes, method: AuthMethod, data: bytes, octets: bytes, policy: SignaturePolicy
) -> str:
    """The name of the scheme in which `data`, of an AUTH payload with `method`, signs `octets`; BadSignature."""
    if isinstance(public_key, rsa.RSAPublicKey):
        _demand_sound(public_key, policy)
    if method == AuthMethod.DIGITAL_SIGNATURE:
        return _verify_digital_signature(public_key, data, octets, policy)
    if method == AuthMethod.RSA_SIGNATURE:
        return _verify_classic_rsa(public_key, data, octets, policy)
    if method in _RAW_ECDSA:
        return _verify_raw_ecdsa(public_key, method, data, octets)
    raise BadSignature(f"authentication method {method.name} is not a signature that we know")


def _demand_sound(key: rsa.RSAPublicKey, policy: SignaturePolicy) -> None:
    if key.key_size < policy.minimum_rsa_bits:
        raise BadSignature(f"an RSA key of {key.key_size} bits, where {policy.minimum_rsa_bits} are demanded")
    exponent = key.public_numbers().e
    if exponent < policy.minimum_rsa_exponent:
        raise BadSignature(
            f"an RSA key with the exponent {exponent}, where {policy.minimum_rsa_exponent} is the least"
        )


def _verify_digital_signature(
    public_key: PublicKeyTypes, data: bytes, octets: bytes, policy: SignaturePolicy
) -> str:
    length = data[0] if data else 0
    identifier, signature = data[1 : 1 + length], data[1 + length :]
    if not length or not signature:
        raise BadSignature("the AUTH data end before the signature")
    scheme = BY_IDENTIFIER.get(identifier)
    if scheme is None:
        raise BadSignature(f"an AlgorithmIdentifier that is none of ours: {identifier.hex()}")
    if scheme.hash_id == HashId.SHA1 and not policy.sha1:
        raise WeakSignature(f"{scheme.name}, where SHA-1 is not allowed")
    if not _verifies(public_key, scheme, signature, octets):
        raise BadSignature(f"the {scheme.name} signature is wrong")
    return scheme.name


def _verify_classic_rsa(
    public_key: PublicKeyTypes, data: bytes, octets: bytes, policy: SignaturePolicy
) -> str:
    # Method 1 does not say which hash: SHA-1 by default, others are allowed (RFC 7296 §3.8).
    for scheme in (RSA_SHA1, *RSA.values()):
        if _verifies(public_key, scheme, data, octets):
            if scheme is RSA_SHA1 and not policy.sha1:
                raise WeakSignature(f"{scheme.name}, where SHA-1 is not allowed")
            return scheme.name
    raise BadSignature("the RSA signature is wrong")


def _verify_raw_ecdsa(public_key: PublicKeyTypes, method: AuthMethod, data: bytes, octets: bytes) -> str:
    curve, size, hash_id = _RAW_ECDSA[method]
    if not isinstance(public_key, ec.EllipticCurvePublicKey) or public_key.curve.name != curve:
        raise BadSignature(f"{method.name} needs a key on {curve}")
    if len(data) != 2 * size:
        raise BadSignature(f"a signature of {len(data)} octets, where {method.name} has {2 * size}")
    r, s = int.from_bytes(data[:size], "big"), int.from_bytes(data[size:], "big")
    scheme = ECDSA[hash_id]
    if not _verifies(public_key, scheme, encode_dss_signature(r, s), octets):
        raise BadSignature(f"the {scheme.name} signature is wrong")
    return scheme.name


def _verifies(public_key: PublicKeyTypes, scheme: Scheme, signature: bytes, octets: bytes) -> bool:
    """Whether it does; BadSignature if the key is not of the scheme's kind."""
    try:
        match scheme.kind, public_key:
            case KeyKind.RSA, rsa.RSAPublicKey():
                padding, hash_ = _rsa_arguments(scheme)
                public_key.verify(signature, octets, padding, hash_)
            case KeyKind.EC, ec.EllipticCurvePublicKey() if public_key.curve.name in _METHOD_OF_CURVE:
                public_key.verify(signature, octets, ec.ECDSA(_hash_of(scheme)))
            case KeyKind.ED25519, Ed25519PublicKey():
                public_key.verify(signature, octets)
            case KeyKind.ED448, Ed448PublicKey():
                public_key.verify(signature, octets)
            case _:
                raise BadSignature(f"{scheme.name} needs {scheme.kind.value}")
    except InvalidSignature:
        return False
    return True


def _rsa_arguments(scheme: Scheme) -> tuple[AsymmetricPadding, HashAlgorithm]:
    hash_ = _hash_of(scheme)
    return (PSS(MGF1(hash_), hash_.digest_size) if scheme.pss else _PKCS1), hash_


def _hash_of(scheme: Scheme) -> HashAlgorithm:
    assert scheme.hash is not None, f"{scheme.name} has no hash of its own"  # noqa: S101 — of our own table
    return scheme.hash
