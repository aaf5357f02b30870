"""Sealing and opening: published vectors, round trips, and that no changed, cut or badly padded octets come through."""

import hmac
import os

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR, ECB
from hypothesis import given
from hypothesis import strategies as st

from ikegw.crypto.keymat import ChildKeys
from ikegw.crypto.protection import IntegrityError, Protection, protection
from ikegw.crypto.transforms import BY_NAME, ENCRYPTIONS, INTEGRITIES, Encryption, Integrity

AAD = b"header and generic header"
COMBINATIONS: list[tuple[Encryption, Integrity | None]] = [
    (encryption, integrity)
    for encryption in ENCRYPTIONS
    for integrity in ((None,) if encryption.aead else INTEGRITIES)
]
every_combination = pytest.mark.parametrize(
    ("encryption", "integrity"),
    COMBINATIONS,
    ids=[f"{e.name}-{i.name}" if i else e.name for e, i in COMBINATIONS],
)


def encryption_named(word: str) -> Encryption:
    encryption = BY_NAME[word]
    assert isinstance(encryption, Encryption)
    return encryption


def integrity_named(word: str) -> Integrity:
    integrity = BY_NAME[word]
    assert isinstance(integrity, Integrity)
    return integrity


def keys(encryption: Encryption, integrity: Integrity | None) -> ChildKeys:
    return ChildKeys(
        bytes(range(encryption.key_octets + encryption.salt_octets)),
        b"" if integrity is None else bytes(range(100, 100 + integrity.key_octets)),
    )


def fresh(encryption: Encryption, integrity: Integrity | None) -> Protection:
    return protection(encryption, integrity, keys(encryption, integrity), os.urandom)


# ---------------------------------------------------------------- published vectors
#
# They have no pad length octet of their own; their last octet is taken for one, which shows what a receiver makes of it.


def test_rfc_8439_chacha20_poly1305() -> None:
    sealed = bytes.fromhex(
        "4041424344454647"
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
        "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b6116"
        "1ae10b594f09e26a7e902ecbd0600691"
    )
    key = bytes(range(0x80, 0xA0)) + bytes.fromhex("07000000")
    chacha = protection(encryption_named("chacha20poly1305"), None, ChildKeys(key, b""), os.urandom)
    opened = chacha.open(bytes.fromhex("50515253c0c1c2c3c4c5c6c7"), sealed)
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    assert opened == text[: -1 - ord(".")]


def test_nist_aes_128_gcm() -> None:
    # Test case 4 of the GCM submission to NIST: 60 octets, AAD of 20, IV of 96 bits. The last octet is 0x39.
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308")
    salt, iv = bytes.fromhex("cafebabe"), bytes.fromhex("facedbaddecaf888")
    sealed = iv + bytes.fromhex(
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
        "1ba30b396a0aac973d58e091"
        "5bc94fbc3221a5db94fae95ae7121a47"
    )
    aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    gcm = protection(encryption_named("aes128gcm16"), None, ChildKeys(key + salt, b""), os.urandom)
    assert gcm.open(aad, sealed) == bytes.fromhex("d931")


def test_rfc_3686_aes_128_ctr() -> None:
    # Test vector 2: 32 octets 00…1f, the last of which says that all others are padding.
    key, nonce = bytes.fromhex("7e24067817fae0d743d6ce1f32539163"), bytes.fromhex("006cb6db")
    ciphertext = bytes.fromhex("5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28")
    sealed = bytes.fromhex("c0543b59da48d90b") + ciphertext
    sealed += hmac.digest(b"k" * 32, AAD + sealed, "sha256")[:16]
    encryption, integrity = encryption_named("aes128ctr"), integrity_named("sha256")
    ctr = protection(encryption, integrity, ChildKeys(key + nonce, b"k" * 32), os.urandom)
    assert ctr.open(AAD, sealed) == b""


def test_nist_sp_800_38a_aes_128_cbc() -> None:
    # F.2.1; the last block, of which the last octet is 0x10, is sealed by seal() out of its first part.
    key, iv = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), bytes(range(16))
    plaintext = bytes.fromhex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    ciphertext = bytes.fromhex(
        "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
        "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"
    )
    encryption, integrity = encryption_named("aes128"), integrity_named("sha1")
    cbc = protection(encryption, integrity, ChildKeys(key, b"k" * 20), lambda n: iv[:n])
    sealed = iv + ciphertext + hmac.digest(b"k" * 20, AAD + iv + ciphertext, "sha1")[:12]
    assert cbc.open(AAD, sealed) == plaintext[: 64 - 1 - 0x10]
    assert cbc.seal(AAD, plaintext[:32])[:48] == iv + ciphertext[:32]


def ccm(key: bytes, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
    """AES-CCM with 4 octets of length and 16 of tag (RFC 3610, RFC 4309) out of single blocks."""

    def block(octets: bytes) -> bytes:
        cipher = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 — the block cipher itself
        return cipher.update(octets) + cipher.finalize()

    def xor(a: bytes, b: bytes) -> bytes:
        return bytes(x ^ y for x, y in zip(a, b, strict=False))

    def padded(octets: bytes) -> bytes:
        return octets + bytes(-len(octets) % 16)

    mac_input = b"\x7b" + nonce + len(plaintext).to_bytes(4, "big")
    mac_input += padded(len(aad).to_bytes(2, "big") + aad) + padded(plaintext)
    mac = bytes(16)
    for start in range(0, len(mac_input), 16):
        mac = block(xor(mac, mac_input[start : start + 16]))
    stream = b"".join(block(b"\3" + nonce + n.to_bytes(4, "big")) for n in range(len(plaintext) // 16 + 2))
    return xor(plaintext, stream[16:]) + xor(mac, stream[:16])


def test_aes_ccm_against_rfc_3610_written_out() -> None:
    encryption = encryption_named("aes128ccm16")
    key = keys(encryption, None)
    sealed = fresh(encryption, None).seal(AAD, b"forty-two octets, no less and not any more")
    iv = sealed[:8]
    expected = ccm(
        key.encryption[:16], key.encryption[16:] + iv, AAD, b"forty-two octets, no less and not any more\0"
    )
    assert sealed[8:] == expected


# ---------------------------------------------------------------- what every cipher must do


@every_combination
def test_what_was_sealed_opens_and_has_the_announced_length(
    encryption: Encryption, integrity: Integrity | None
) -> None:
    sender, receiver = fresh(encryption, integrity), fresh(encryption, integrity)
    for length in range(70):
        plaintext = os.urandom(length)
        sealed = sender.seal(AAD, plaintext)
        assert len(sealed) == sender.sealed_length(length)
        assert receiver.open(AAD, sealed) == plaintext


@every_combination
def test_no_iv_is_used_twice(encryption: Encryption, integrity: Integrity | None) -> None:
    sender = fresh(encryption, integrity)
    ivs = {sender.seal(AAD, b"same")[: encryption.iv_octets] for _ in range(300)}
    assert len(ivs) == 300


def test_the_iv_of_cbc_is_the_handed_in_randomness_and_no_counter() -> None:
    encryption, integrity = encryption_named("aes256"), integrity_named("sha256")
    drawn = [os.urandom(16) for _ in range(3)]
    asked: list[int] = []

    def random(octets: int) -> bytes:
        asked.append(octets)
        return drawn[len(asked) - 1]

    sender = protection(encryption, integrity, keys(encryption, integrity), random)
    assert [sender.seal(AAD, b"")[:16] for _ in drawn] == drawn
    assert asked == [16, 16, 16]


@every_combination
def test_a_change_of_any_octet_is_refused(encryption: Encryption, integrity: Integrity | None) -> None:
    sender, receiver = fresh(encryption, integrity), fresh(encryption, integrity)
    sealed = sender.seal(AAD, b"a plaintext of some octets")
    for position in range(len(sealed)):
        for bit in (0x01, 0x80):
            changed = bytearray(sealed)
            changed[position] ^= bit
            with pytest.raises(IntegrityError):
                receiver.open(AAD, bytes(changed))
    for position in range(len(AAD)):
        aad = bytearray(AAD)
        aad[position] ^= 1
        with pytest.raises(IntegrityError):
            receiver.open(bytes(aad), sealed)


@every_combination
def test_every_prefix_and_every_lengthening_is_refused(
    encryption: Encryption, integrity: Integrity | None
) -> None:
    sender, receiver = fresh(encryption, integrity), fresh(encryption, integrity)
    sealed = sender.seal(AAD, b"a plaintext of some octets")
    for length in range(len(sealed)):
        with pytest.raises(IntegrityError):
            receiver.open(AAD, sealed[:length])
    for more in (b"\0", bytes(16)):
        with pytest.raises(IntegrityError):
            receiver.open(AAD, sealed + more)
        with pytest.raises(IntegrityError):
            receiver.open(AAD, more + sealed)


@every_combination
def test_octets_may_not_move_between_aad_and_iv(encryption: Encryption, integrity: Integrity | None) -> None:
    sender, receiver = fresh(encryption, integrity), fresh(encryption, integrity)
    sealed = sender.seal(AAD, b"plaintext")
    with pytest.raises(IntegrityError):
        receiver.open(AAD[:-1], AAD[-1:] + sealed)
    with pytest.raises(IntegrityError):
        receiver.open(AAD + sealed[:1], sealed[1:])


@given(st.binary(max_size=120), st.sampled_from(COMBINATIONS))
def test_any_octets_at_all_are_refused(
    octets: bytes, combination: tuple[Encryption, Integrity | None]
) -> None:
    with pytest.raises(IntegrityError):
        fresh(*combination).open(AAD, octets)


@every_combination
def test_repr_hides_keys(encryption: Encryption, integrity: Integrity | None) -> None:
    text = repr(fresh(encryption, integrity))
    assert "\\x" not in text
    assert "key=" not in text


# ---------------------------------------------------------------- padding (free5gc #997), by a sender who holds the keys


def sealed_by_hand(encryption: Encryption, integrity: Integrity | None, padded: bytes) -> bytes:
    """`padded`, pad length included, sealed without any help of ours."""
    key = keys(encryption, integrity)
    cipher_key, salt = key.encryption[: encryption.key_octets], key.encryption[encryption.key_octets :]
    iv = b"\x11" * encryption.iv_octets
    if integrity is None:
        assert encryption.name == "aes128ccm16"
        return iv + ccm(cipher_key, salt + iv, AAD, padded)
    mode = CBC(iv) if encryption.block_octets == 16 else CTR(salt + iv + b"\0\0\0\1")
    cipher = Cipher(AES(cipher_key), mode).encryptor()
    body = iv + cipher.update(padded) + cipher.finalize()
    return body + hmac.digest(key.integrity, AAD + body, integrity.hash_name)[: integrity.icv_octets]


BY_HAND = pytest.mark.parametrize(
    ("word", "integrity"), [("aes128", "sha256"), ("aes256ctr", "sha512"), ("aes128ccm16", None)]
)


@BY_HAND
@pytest.mark.parametrize("length", range(256))
def test_every_pad_length_is_honoured_or_refused(word: str, integrity: str | None, length: int) -> None:
    encryption, mac = encryption_named(word), integrity and integrity_named(integrity)
    receiver = fresh(encryption, mac or None)
    padded = bytes(range(31)) + bytes([length])
    sealed = sealed_by_hand(encryption, mac or None, padded)
    if length <= 31:
        assert receiver.open(AAD, sealed) == padded[: 31 - length]
    else:
        with pytest.raises(IntegrityError, match=f"pad length {length} in 32 octets"):
            receiver.open(AAD, sealed)


@BY_HAND
def test_more_padding_than_needed_of_any_content_is_accepted(word: str, integrity: str | None) -> None:
    encryption, mac = encryption_named(word), integrity and integrity_named(integrity)
    padded = b"text" + os.urandom(251) + b"\xfb"
    sealed = sealed_by_hand(encryption, mac or None, padded)
    assert fresh(encryption, mac or None).open(AAD, sealed) == b"text"


def test_cbc_of_broken_blocks_is_refused_even_with_the_right_icv() -> None:
    encryption, integrity = encryption_named("aes128"), integrity_named("sha256")
    key = keys(encryption, integrity)
    for length in (1, 15, 17, 31):
        body = bytes(16 + length)
        sealed = body + hmac.digest(key.integrity, AAD + body, "sha256")[:16]
        with pytest.raises(IntegrityError, match="not whole blocks"):
            fresh(encryption, integrity).open(AAD, sealed)


@every_combination
def test_nothing_but_iv_and_icv_is_refused(encryption: Encryption, integrity: Integrity | None) -> None:
    icv = encryption.icv_octets if integrity is None else integrity.icv_octets
    with pytest.raises(IntegrityError, match="shorter"):
        fresh(encryption, integrity).open(AAD, bytes(encryption.iv_octets + icv))


# ---------------------------------------------------------------- keys of the wrong length are our own fault


def test_keys_must_fit_the_suite() -> None:
    gcm, cbc, sha256 = encryption_named("aes128gcm16"), encryption_named("aes128"), integrity_named("sha256")
    for key in (ChildKeys(bytes(16), b""), ChildKeys(bytes(32), b"")):
        with pytest.raises(ValueError, match="16 \\+ 4 octets"):
            protection(gcm, None, key, os.urandom)
    with pytest.raises(ValueError, match="integrity algorithm"):
        protection(cbc, None, ChildKeys(bytes(16), b""), os.urandom)
    with pytest.raises(ValueError, match="32 octets of key"):
        protection(cbc, sha256, ChildKeys(bytes(16), bytes(20)), os.urandom)
