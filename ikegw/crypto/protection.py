"""Sealing and opening the body of SK and SKF payloads (RFC 7296 §3.14, RFC 5282, RFC 5930): IV | ciphertext | ICV.

A Protection is one direction of one IKE SA. It keeps the key and makes the library's cipher object for each message: that costs
1.2 µs for AES-GCM, whereas keeping the object costs 2.4 kB in each direction of each IKE SA, which sends a few messages in
an hour. (ESP, which lives on its cipher objects, has its own.)
"""

from collections.abc import Callable
from typing import Protocol

from attrs import define, field
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR

from ikegw.crypto.compare import equal
from ikegw.crypto.keymat import ChildKeys
from ikegw.crypto.prf import hmac_digest
from ikegw.crypto.transforms import Encryption, Integrity
from ikegw.wire.registry import EncryptionId

Random = Callable[[int], bytes]

_COUNTER_OCTETS = 8
_FIRST_BLOCK = b"\0\0\0\1"  # RFC 3686 §4
_PAD_LENGTH_OCTETS = 1


class IntegrityError(Exception):
    """The octets were not sealed by who holds the key, or hold impossible padding. Nothing in them may be believed."""


class Protection(Protocol):
    """One direction of one IKE SA: a sender's only seals, a receiver's only opens."""

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        """IV | ciphertext of plaintext, padding and pad length | ICV; `aad` is the message up to the IV."""
        ...

    def open(self, aad: bytes, sealed: bytes) -> bytes:
        """The plaintext without padding, or IntegrityError."""
        ...

    def sealed_length(self, plaintext_length: int) -> int:
        """How many octets seal() gives for so long a plaintext."""
        ...


class _Aead(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes: ...


_AEADS: dict[int, Callable[[bytes], _Aead]] = {
    EncryptionId.AES_GCM_16: AESGCM,
    EncryptionId.AES_CCM_16: AESCCM,
    EncryptionId.CHACHA20_POLY1305: ChaCha20Poly1305,
}


@define(eq=False)
class AeadProtection:
    """Nonce = salt | IV; the IV counts messages, so that none repeats under one key (RFC 5282 §4). No padding is needed."""

    _encryption: Encryption
    _key: bytes = field(repr=False)
    _salt: bytes = field(repr=False)
    _sent: int = 0

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        """See Protection."""
        iv = self._sent.to_bytes(_COUNTER_OCTETS, "big")
        self._sent += 1
        cipher = _AEADS[self._encryption.id](self._key)
        return iv + cipher.encrypt(self._salt + iv, plaintext + b"\0", aad)

    def open(self, aad: bytes, sealed: bytes) -> bytes:
        """See Protection."""
        iv_octets = self._encryption.iv_octets
        if len(sealed) < iv_octets + _PAD_LENGTH_OCTETS + self._encryption.icv_octets:
            raise IntegrityError("shorter than IV, pad length and ICV")
        cipher = _AEADS[self._encryption.id](self._key)
        try:
            padded = cipher.decrypt(self._salt + sealed[:iv_octets], sealed[iv_octets:], aad)
        except InvalidTag:
            raise IntegrityError("wrong ICV") from None
        return _without_padding(padded)

    def sealed_length(self, plaintext_length: int) -> int:
        """See Protection."""
        suite = self._encryption
        return suite.iv_octets + plaintext_length + _PAD_LENGTH_OCTETS + suite.icv_octets


@define(eq=False)
class EncryptThenMac:
    """AES-CBC (random IV) or AES-CTR (IV counts messages), then HMAC over aad | IV | ciphertext, verified before decryption."""

    _encryption: Encryption
    _integrity: Integrity
    _key: bytes = field(repr=False)
    _salt: bytes = field(repr=False)
    _mac_key: bytes = field(repr=False)
    _random: Callable[[int], bytes] = field(repr=False)
    _sent: int = 0

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        """See Protection."""
        padding = -(len(plaintext) + _PAD_LENGTH_OCTETS) % self._encryption.block_octets
        iv = self._fresh_iv()
        cipher = self._cipher(iv).encryptor()
        ciphertext = (
            cipher.update(plaintext + bytes(padding) + padding.to_bytes(1, "big")) + cipher.finalize()
        )
        return iv + ciphertext + self._icv(aad + iv + ciphertext)

    def open(self, aad: bytes, sealed: bytes) -> bytes:
        """See Protection."""
        iv_octets, icv_octets = self._encryption.iv_octets, self._integrity.icv_octets
        length = len(sealed) - iv_octets - icv_octets
        if length < _PAD_LENGTH_OCTETS:
            raise IntegrityError("shorter than IV, pad length and ICV")
        if not equal(self._icv(aad + sealed[:-icv_octets]), sealed[-icv_octets:]):
            raise IntegrityError("wrong ICV")
        if length % self._encryption.block_octets:
            raise IntegrityError("not whole blocks")
        cipher = self._cipher(sealed[:iv_octets]).decryptor()
        return _without_padding(cipher.update(sealed[iv_octets:-icv_octets]) + cipher.finalize())

    def sealed_length(self, plaintext_length: int) -> int:
        """See Protection."""
        block = self._encryption.block_octets
        padded = -(-(plaintext_length + _PAD_LENGTH_OCTETS) // block) * block
        return self._encryption.iv_octets + padded + self._integrity.icv_octets

    def _icv(self, octets: bytes) -> bytes:
        digest = hmac_digest(self._integrity.hash_name, self._mac_key, octets)
        return digest[: self._integrity.icv_octets]

    def _fresh_iv(self) -> bytes:
        if self._encryption.id == EncryptionId.AES_CBC:
            return self._random(self._encryption.iv_octets)  # CBC's IV must not be predictable (RFC 3602 §2)
        iv = self._sent.to_bytes(_COUNTER_OCTETS, "big")
        self._sent += 1
        return iv

    def _cipher(self, iv: bytes) -> Cipher[CBC] | Cipher[CTR]:
        if self._encryption.id == EncryptionId.AES_CBC:
            return Cipher(AES(self._key), CBC(iv))
        return Cipher(AES(self._key), CTR(self._salt + iv + _FIRST_BLOCK))


def _without_padding(padded: bytes) -> bytes:
    """Cut padding and pad length off. Its content may be anything (RFC 7296 §3.14); the ICV has been verified."""
    plaintext_length = len(padded) - _PAD_LENGTH_OCTETS - padded[-1]
    if plaintext_length < 0:
        raise IntegrityError(f"pad length {padded[-1]} in {len(padded)} octets")
    return padded[:plaintext_length]


def protection(
    encryption: Encryption, integrity: Integrity | None, key: ChildKeys, random: Random
) -> Protection:
    """What seals or opens one direction of an IKE SA with `key`; `random` gives CBC's IVs."""
    cipher_key, salt = key.encryption[: encryption.key_octets], key.encryption[encryption.key_octets :]
    if len(salt) != encryption.salt_octets:
        raise ValueError(
            f"{encryption.name} takes {encryption.key_octets} + {encryption.salt_octets} octets of key"
        )
    if encryption.aead:
        return AeadProtection(encryption, cipher_key, salt)
    if integrity is None:
        raise ValueError(f"{encryption.name} needs an integrity algorithm beside it")
    if len(key.integrity) != integrity.key_octets:
        raise ValueError(f"{integrity.name} takes {integrity.key_octets} octets of key")
    return EncryptThenMac(encryption, integrity, cipher_key, salt, key.integrity, random)
