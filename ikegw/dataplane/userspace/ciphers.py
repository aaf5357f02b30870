"""Sealing and opening ESP packets (RFC 4303 §2, §3.3, §3.4): one cipher object for each direction of each SA.

The packet loops own the buffers; a sealer reads a finished plaintext (inner packet, padding, pad length, next header) and writes
a whole ESP packet beside it, an opener does the reverse. Nothing is copied on the way.

`HEADROOM` octets in front of every plaintext belong to the cipher. CBC uses them to chain packets through one cipher context: a
random block is enciphered in front of the plaintext and *is* the IV (unpredictable, NIST SP 800-38A appendix C), and opening
deciphers the IV first, into the headroom, where it is forgotten.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final, Protocol

from attrs import frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.hmac import HMAC

from ikegw.crypto.compare import equal
from ikegw.crypto.keymat import ChildKeys
from ikegw.crypto.suites import EspSuite

HEADROOM: Final = 16
"""Octets before each plaintext that a cipher may scribble on."""

TAILROOM: Final = 16
"""Octets after each plaintext that a cipher may ask for, though it writes nothing there."""

Forged = InvalidTag
"""What an opener raises: the packet is not the peer's."""

Seal = Callable[[memoryview, int, int, memoryview, int, int], None]
"""seal(plain, start, stop, out, position, sequence): writes out[position:position + prefix + stop - start + icv]."""

Open = Callable[[memoryview, int, int, int, memoryview, int], None]
"""open(esp, start, stop, sequence, out, position): writes the plaintext at out[position:]; raises Forged."""

_HEADER: Final = Struct("!LL")
_HEADER_IV: Final = Struct("!LLQ")
_WHOLE: Final = Struct("!Q")
_ESN_AAD_NUMBERS: Final = Struct("!LQ")
_HIGH: Final = Struct("!L")
_LOW: Final = 0xFFFFFFFF

_HASHES: dict[str, type[HashAlgorithm]] = {"sha1": SHA1, "sha256": SHA256, "sha384": SHA384, "sha512": SHA512}


@frozen
class Shape:
    """Where things stand in a suite's packets: SPI, sequence number and IV are `prefix` octets, the ICV is `icv`.

    Plaintexts are multiples of `align` octets: 4 (RFC 4303 §2.4) or the cipher's block.
    """

    prefix: int
    icv: int
    align: int

    @property
    def shortest(self) -> int:
        """The least octets that an ESP packet of this suite can have."""
        return self.prefix + self.align + self.icv


def shape_of(suite: EspSuite) -> Shape:
    """The shape of a suite's packets."""
    cipher = suite.encryption
    icv = suite.integrity.icv_octets if suite.integrity is not None else cipher.icv_octets
    return Shape(8 + cipher.iv_octets, icv, max(4, cipher.block_octets))


def sealer(suite: EspSuite, keys: ChildKeys, spi: int, random: Callable[[int], bytes]) -> Seal:
    """What seals the packets of one outbound SA; `random` gives the IVs of CBC. ValueError: a suite unknown to us."""
    if suite.encryption.aead:
        return _aead_sealer(suite, keys, spi)
    mac = _mac(suite, keys)
    if suite.encryption.block_octets > 1:
        return _cbc_sealer(suite, keys, spi, random, mac)
    return _ctr_sealer(suite, keys, spi, mac)


def opener(suite: EspSuite, keys: ChildKeys) -> Open:
    """What opens the packets of one inbound SA. ValueError: a suite unknown to us."""
    if suite.encryption.aead:
        return _aead_opener(suite, keys)
    mac = _mac(suite, keys)
    if suite.encryption.block_octets > 1:
        return _cbc_opener(suite, keys, mac)
    return _ctr_opener(suite, keys, mac)


# ---------------------------------------------------------------- AEAD (RFC 4106, RFC 4309, RFC 7634)


class _Aead(Protocol):
    def encrypt_into(
        self, nonce: bytes, data: memoryview, associated_data: bytes | memoryview, buf: memoryview
    ) -> int: ...
    def decrypt_into(
        self, nonce: bytes, data: memoryview, associated_data: bytes | memoryview, buf: memoryview
    ) -> int: ...


def _aead(suite: EspSuite, keys: ChildKeys) -> tuple[_Aead, bytes]:
    cipher = suite.encryption
    key, salt = keys.encryption[: cipher.key_octets], keys.encryption[cipher.key_octets :]
    if "gcm" in cipher.name:
        return AESGCM(key), salt
    if "ccm" in cipher.name:
        return AESCCM(key, tag_length=cipher.icv_octets), salt
    if cipher.name == "chacha20poly1305":
        return ChaCha20Poly1305(key), salt
    raise ValueError(f"no ESP cipher is called {cipher.name}")


def _aead_sealer(suite: EspSuite, keys: ChildKeys, spi: int) -> Seal:
    aead, salt = _aead(suite, keys)
    encrypt_into, esn, icv = aead.encrypt_into, suite.esn, suite.encryption.icv_octets
    put_header, nonce_of = _HEADER_IV.pack_into, Struct(f"!{len(salt)}sQ").pack

    def seal(plain: memoryview, start: int, stop: int, out: memoryview, position: int, sequence: int) -> None:
        put_header(out, position, spi, sequence & _LOW, sequence)
        body = position + 16
        aad = _ESN_AAD_NUMBERS.pack(spi, sequence) if esn else out[position : position + 8]
        encrypt_into(nonce_of(salt, sequence), plain[start:stop], aad, out[body : body + stop - start + icv])

    return seal


def _aead_opener(suite: EspSuite, keys: ChildKeys) -> Open:
    aead, salt = _aead(suite, keys)
    decrypt_into, esn, icv = aead.decrypt_into, suite.esn, suite.encryption.icv_octets

    def open_(esp: memoryview, start: int, stop: int, sequence: int, out: memoryview, position: int) -> None:
        iv, body = start + 8, start + 16
        aad = esp[start : start + 4].tobytes() + _WHOLE.pack(sequence) if esn else esp[start:iv]
        decrypt_into(salt + esp[iv:body], esp[body:stop], aad, out[position : position + stop - body - icv])

    return open_


# ---------------------------------------------------------------- ciphers with a MAC beside them


Mac = Callable[[memoryview, int, int, int], bytes]
"""mac(octets, start, stop, sequence): the ICV over them, and over the sequence's high half with ESN (RFC 4303 §2.8)."""


def _mac(suite: EspSuite, keys: ChildKeys) -> Mac:
    integrity = suite.integrity
    if integrity is None:
        raise ValueError(f"{suite}: a cipher without integrity of its own needs an integrity algorithm")
    keyed = HMAC(keys.integrity, _HASHES[integrity.hash_name]())
    icv, esn = integrity.icv_octets, suite.esn

    def mac(octets: memoryview, start: int, stop: int, sequence: int) -> bytes:
        one = keyed.copy()
        one.update(octets[start:stop])
        if esn:
            one.update(_HIGH.pack(sequence >> 32))
        return one.finalize()[:icv]

    return mac


class _Blocks:
    """Random blocks, drawn from the system many at a time."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random, self._pool, self._at = random, b"", 0

    def next(self) -> bytes:
        at = self._at
        if at >= len(self._pool):
            self._pool, at = self._random(1024), 0
        self._at = at + 16
        return self._pool[at : at + 16]


def _cbc_sealer(suite: EspSuite, keys: ChildKeys, spi: int, random: Callable[[int], bytes], mac: Mac) -> Seal:
    encryptor = Cipher(algorithms.AES(keys.encryption), modes.CBC(random(16))).encryptor()
    update_into, block = encryptor.update_into, _Blocks(random).next
    icv = shape_of(suite).icv

    def seal(plain: memoryview, start: int, stop: int, out: memoryview, position: int, sequence: int) -> None:
        _HEADER.pack_into(out, position, spi, sequence & _LOW)
        plain[start - 16 : start] = block()
        end = position + 8 + 16 + stop - start
        update_into(plain[start - 16 : stop], out[position + 8 : end + 15])
        out[end : end + icv] = mac(out, position, end, sequence)

    return seal


def _cbc_opener(suite: EspSuite, keys: ChildKeys, mac: Mac) -> Open:
    decryptor = Cipher(algorithms.AES(keys.encryption), modes.CBC(bytes(16))).decryptor()
    update_into, icv = decryptor.update_into, shape_of(suite).icv

    def open_(esp: memoryview, start: int, stop: int, sequence: int, out: memoryview, position: int) -> None:
        end = stop - icv
        if not equal(mac(esp, start, end, sequence), bytes(esp[end:stop])):
            raise Forged
        length = end - start - 8
        update_into(esp[start + 8 : end], out[position - 16 : position - 16 + length + 15])

    return open_


def _ctr_sealer(suite: EspSuite, keys: ChildKeys, spi: int, mac: Mac) -> Seal:
    key, salt = _ctr_key(suite, keys)
    encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    update_into, reset = encryptor.update_into, encryptor.reset_nonce
    nonce_of, icv = Struct("!4sQL").pack, shape_of(suite).icv

    def seal(plain: memoryview, start: int, stop: int, out: memoryview, position: int, sequence: int) -> None:
        _HEADER_IV.pack_into(out, position, spi, sequence & _LOW, sequence)
        reset(nonce_of(salt, sequence, 1))
        end = position + 16 + stop - start
        update_into(plain[start:stop], out[position + 16 : end + 15])
        out[end : end + icv] = mac(out, position, end, sequence)

    return seal


def _ctr_opener(suite: EspSuite, keys: ChildKeys, mac: Mac) -> Open:
    key, salt = _ctr_key(suite, keys)
    decryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).decryptor()
    update_into, reset = decryptor.update_into, decryptor.reset_nonce
    icv = shape_of(suite).icv

    def open_(esp: memoryview, start: int, stop: int, sequence: int, out: memoryview, position: int) -> None:
        end, body = stop - icv, start + 16
        if not equal(mac(esp, start, end, sequence), bytes(esp[end:stop])):
            raise Forged
        reset(salt + esp[start + 8 : body] + b"\0\0\0\1")
        update_into(esp[body:end], out[position : position + end - body + 15])

    return open_


def _ctr_key(suite: EspSuite, keys: ChildKeys) -> tuple[bytes, bytes]:
    size = suite.encryption.key_octets
    return keys.encryption[:size], keys.encryption[size:]
