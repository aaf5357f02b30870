"""ESP packets of every suite: a published vector, an independent sealing by one-shot primitives, every flipped bit."""

import hashlib
import hmac
import itertools
import os

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from ikegw.crypto.keymat import ChildKeys
from ikegw.crypto.suites import EspSuite
from ikegw.crypto.transforms import ENCRYPTIONS, INTEGRITIES
from ikegw.dataplane.userspace.ciphers import HEADROOM, TAILROOM, Forged, opener, sealer, shape_of

SUITES = [
    EspSuite(encryption, integrity, None, esn)
    for encryption in ENCRYPTIONS
    for integrity in ((None,) if encryption.aead else INTEGRITIES)
    for esn in (False, True)
]
SPI = 0x01020304


def keys_for(suite: EspSuite, fill=os.urandom) -> ChildKeys:
    cipher = suite.encryption
    return ChildKeys(
        fill(cipher.key_octets + cipher.salt_octets),
        fill(suite.integrity.key_octets if suite.integrity else 0),
    )


def seal(suite, keys, plaintext, sequence, one=None):
    shape = shape_of(suite)
    plain = memoryview(bytearray(HEADROOM + len(plaintext) + TAILROOM))
    plain[HEADROOM : HEADROOM + len(plaintext)] = plaintext
    out = memoryview(bytearray(len(plaintext) + shape.prefix + shape.icv + TAILROOM + 5))
    (one or sealer(suite, keys, SPI, os.urandom))(
        plain, HEADROOM, HEADROOM + len(plaintext), out, 5, sequence
    )
    return bytes(out[5 : 5 + shape.prefix + len(plaintext) + shape.icv])


def opened(suite, keys, octets, sequence, one=None):
    shape = shape_of(suite)
    length = len(octets) - shape.prefix - shape.icv
    out = memoryview(bytearray(HEADROOM + length + TAILROOM))
    held = memoryview(b"xyz" + octets)
    (one or opener(suite, keys))(held, 3, len(held), sequence, out, HEADROOM)
    return bytes(out[HEADROOM : HEADROOM + length])


def by_the_book(suite, keys, octets, sequence) -> bytes:
    """RFC 4303, 4106, 4309, 7634, 3686, 3602, written anew with one-shot primitives."""
    cipher, esn = suite.encryption, suite.esn
    key, salt = keys.encryption[: cipher.key_octets], keys.encryption[cipher.key_octets :]
    iv, high = octets[8 : 8 + cipher.iv_octets], (sequence >> 32).to_bytes(4, "big")
    if cipher.aead:
        aad = octets[:4] + high + octets[4:8] if esn else octets[:8]
        one = {"g": AESGCM, "c": AESCCM}.get(cipher.name[6:7], ChaCha20Poly1305)(key)
        return one.decrypt(salt + iv, octets[8 + cipher.iv_octets :], aad)
    size = suite.integrity.icv_octets
    covered, icv = octets[:-size], octets[-size:]
    made = hmac.new(
        keys.integrity, covered + (high if esn else b""), getattr(hashlib, suite.integrity.hash_name)
    )
    assert made.digest()[:size] == icv
    mode = modes.CBC(iv) if cipher.block_octets == 16 else modes.CTR(salt + iv + b"\0\0\0\1")
    return Cipher(algorithms.AES(key), mode).decryptor().update(covered[8 + cipher.iv_octets :])


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_what_we_seal_opens_by_the_book_and_by_ourselves(suite):
    keys, align = keys_for(suite), shape_of(suite).align
    one, other = sealer(suite, keys, SPI, os.urandom), opener(suite, keys)
    for number, length in enumerate((align, 2 * align, 15 * 16, 88 * 16), 1):
        plaintext, sequence = os.urandom(length), ((1 << 32) * suite.esn) + number
        octets = seal(suite, keys, plaintext, sequence, one)
        assert octets[:8] == SPI.to_bytes(4, "big") + (sequence & 0xFFFFFFFF).to_bytes(4, "big")
        assert by_the_book(suite, keys, octets, sequence) == plaintext
        assert opened(suite, keys, octets, sequence, other) == plaintext


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_every_changed_bit_is_a_forgery(suite):
    keys = keys_for(suite)
    octets = seal(suite, keys, bytes(32), 7)
    other = opener(suite, keys)
    for bit in range(len(octets) * 8):
        changed = bytearray(octets)
        changed[bit >> 3] ^= 1 << (bit & 7)
        # The loop reads SPI and sequence number from the packet: so does this.
        with pytest.raises(Forged):
            opened(suite, keys, bytes(changed), int.from_bytes(changed[4:8], "big"), other)
    assert opened(suite, keys, octets, 7, other) == bytes(32), "a forgery must not disturb what comes after"


@pytest.mark.parametrize("suite", [suite for suite in SUITES if suite.esn], ids=str)
def test_the_high_half_is_authenticated(suite):
    keys = keys_for(suite)
    octets = seal(suite, keys, bytes(32), (5 << 32) + 7)
    with pytest.raises(Forged):
        opened(suite, keys, octets, (4 << 32) + 7)


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_no_iv_comes_twice(suite):
    keys, count = keys_for(suite), 200
    one = sealer(suite, keys, SPI, os.urandom)
    end = 8 + suite.encryption.iv_octets
    assert len({seal(suite, keys, bytes(16), n, one)[8:end] for n in range(1, count + 1)}) == count


def test_cbc_ivs_come_from_the_random_source_and_hide_it():
    suite = next(s for s in SUITES if s.encryption.name == "aes128")
    asked = []

    def random(n):
        asked.append(n)
        return b"r" * n

    one = sealer(suite, keys_for(suite), SPI, random)
    ivs = [seal(suite, None, bytes(16), n, one)[8:24] for n in range(1, 100)]
    assert sum(asked) >= 16 * 99
    assert b"r" * 16 not in ivs
    assert len(set(ivs)) == 99


def test_chacha20poly1305_vector_of_rfc_7634_appendix_a():
    suite = next(s for s in SUITES if s.encryption.name == "chacha20poly1305" and not s.esn)
    key = bytes(range(0x80, 0xA0)) + bytes((0xA0, 0xA1, 0xA2, 0xA3))
    plaintext = bytes.fromhex(
        "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f"
        "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363701020204"
    )
    sealed = bytes.fromhex(
        "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95df"
        "ab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0"
        "76aaa8266b7fb0f7b11b369907e1ad43"
    )
    octets = bytes.fromhex("0102030400000005") + bytes(range(0x10, 0x18)) + sealed
    assert opened(suite, ChildKeys(key, b""), octets, 5) == plaintext


def test_the_registry_has_no_cipher_that_esp_lacks():
    assert {suite.encryption.name for suite in SUITES} == {one.name for one in ENCRYPTIONS}
    assert len(SUITES) == 2 * sum(1 if e.aead else len(INTEGRITIES) for e in ENCRYPTIONS)
    assert all(a != b for a, b in itertools.combinations(map(str, SUITES), 2))
