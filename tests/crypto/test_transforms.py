"""The registry against IANA's numbers and the RFCs' sizes, and that suites say what they are."""

import pytest

from ikegw.crypto.suites import EspSuite, IkeSuite
from ikegw.crypto.transforms import (
    BY_NAME,
    ENCRYPTION_BY_ID,
    ENCRYPTIONS,
    GROUPS,
    INTEGRITIES,
    NO_GROUP,
    PRFS,
    Encryption,
    Group,
    Integrity,
    Prf,
    prf_following,
)

# word, IANA number, key length attribute, key, salt, IV, ICV, kernel
ENCRYPTION_TABLE = [
    ("aes128gcm16", 20, 128, 16, 4, 8, 16, "rfc4106(gcm(aes))"),
    ("aes192gcm16", 20, 192, 24, 4, 8, 16, "rfc4106(gcm(aes))"),
    ("aes256gcm16", 20, 256, 32, 4, 8, 16, "rfc4106(gcm(aes))"),
    ("aes128ccm16", 16, 128, 16, 3, 8, 16, "rfc4309(ccm(aes))"),
    ("aes192ccm16", 16, 192, 24, 3, 8, 16, "rfc4309(ccm(aes))"),
    ("aes256ccm16", 16, 256, 32, 3, 8, 16, "rfc4309(ccm(aes))"),
    ("chacha20poly1305", 28, None, 32, 4, 8, 16, "rfc7539esp(chacha20,poly1305)"),
    ("aes128", 12, 128, 16, 0, 16, 0, "cbc(aes)"),
    ("aes192", 12, 192, 24, 0, 16, 0, "cbc(aes)"),
    ("aes256", 12, 256, 32, 0, 16, 0, "cbc(aes)"),
    ("aes128ctr", 13, 128, 16, 4, 8, 0, "rfc3686(ctr(aes))"),
    ("aes192ctr", 13, 192, 24, 4, 8, 0, "rfc3686(ctr(aes))"),
    ("aes256ctr", 13, 256, 32, 4, 8, 0, "rfc3686(ctr(aes))"),
]


@pytest.mark.parametrize(("word", "number", "bits", "key", "salt", "iv", "icv", "kernel"), ENCRYPTION_TABLE)
def test_encryption(
    word: str, number: int, bits: int | None, key: int, salt: int, iv: int, icv: int, kernel: str
) -> None:
    encryption = BY_NAME[word]
    assert isinstance(encryption, Encryption)
    assert (encryption.id, encryption.key_bits) == (number, bits)
    assert (encryption.key_octets, encryption.salt_octets) == (key, salt)
    assert (encryption.iv_octets, encryption.icv_octets) == (iv, icv)
    assert encryption.aead == (icv > 0)
    assert encryption.kernel_name == kernel
    assert ENCRYPTION_BY_ID[number, bits] is encryption


def test_no_encryption_is_missing_in_the_table_above() -> None:
    assert {encryption.name for encryption in ENCRYPTIONS} == {row[0] for row in ENCRYPTION_TABLE}


@pytest.mark.parametrize(
    ("word", "number", "key", "icv", "kernel"),
    [
        ("sha1", 2, 20, 12, "hmac(sha1)"),
        ("sha256", 12, 32, 16, "hmac(sha256)"),
        ("sha384", 13, 48, 24, "hmac(sha384)"),
        ("sha512", 14, 64, 32, "hmac(sha512)"),
    ],
)
def test_integrity_and_the_prf_that_follows_it(
    word: str, number: int, key: int, icv: int, kernel: str
) -> None:
    integrity = BY_NAME[word]
    assert isinstance(integrity, Integrity)
    assert (integrity.id, integrity.key_octets, integrity.icv_octets) == (number, key, icv)
    assert integrity.kernel_name == kernel
    assert prf_following(integrity) is BY_NAME[f"prf{word}"]


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("none", 0),
        ("modp2048", 14),
        ("modp3072", 15),
        ("modp4096", 16),
        ("ecp256", 19),
        ("ecp384", 20),
        ("ecp521", 21),
        ("x25519", 31),
        ("curve25519", 31),
        ("x448", 32),
        ("curve448", 32),
        ("prfsha1", 2),
        ("prfsha256", 5),
        ("prfsha384", 6),
        ("prfsha512", 7),
        ("noesn", 0),
        ("esn", 1),
    ],
)
def test_numbers_of_the_others(word: str, number: int) -> None:
    assert BY_NAME[word].id == number


def test_no_name_is_given_twice() -> None:
    names = [algorithm.name for kind in (ENCRYPTIONS, PRFS, INTEGRITIES, GROUPS) for algorithm in kind]
    assert len(set(names)) == len(names)
    assert {algorithm.name for algorithm in BY_NAME.values()} >= set(names)


def ike(*words: str) -> IkeSuite:
    kinds = {type(BY_NAME[word]): BY_NAME[word] for word in words}
    encryption, integrity = kinds[Encryption], kinds.get(Integrity)
    prf, group = kinds[Prf], kinds[Group]
    assert isinstance(encryption, Encryption)
    assert integrity is None or isinstance(integrity, Integrity)
    assert isinstance(prf, Prf)
    assert isinstance(group, Group)
    return IkeSuite(encryption, integrity, prf, group)


def test_a_suite_is_written_as_its_proposal_string() -> None:
    assert str(ike("aes256gcm16", "prfsha256", "x25519")) == "aes256gcm16-prfsha256-x25519"
    assert str(ike("aes128", "sha256", "prfsha256", "modp2048")) == "aes128-sha256-modp2048"
    assert str(ike("aes128", "sha256", "prfsha512", "modp2048")) == "aes128-sha256-prfsha512-modp2048"
    gcm, cbc, sha1 = BY_NAME["aes128gcm16"], BY_NAME["aes256"], BY_NAME["sha1"]
    x25519 = BY_NAME["x25519"]
    assert isinstance(gcm, Encryption)
    assert isinstance(cbc, Encryption)
    assert isinstance(sha1, Integrity)
    assert isinstance(x25519, Group)
    assert str(EspSuite(gcm, None)) == "aes128gcm16"
    assert str(EspSuite(cbc, sha1, x25519, True)) == "aes256-sha1-x25519-esn"
    assert x25519 != NO_GROUP
