"""Keys of IKE SAs and CHILD SAs: a vector of NIST's validation suite, and the layout written out with hmac alone."""

import hmac
from itertools import pairwise

import pytest

from ikegw.crypto.keymat import ChildKeys, IkeKeys, child_keys, ike_keys, rekeyed_ike_keys
from ikegw.crypto.suites import EspSuite, IkeSuite
from ikegw.crypto.transforms import (
    BY_NAME,
    ENCRYPTIONS,
    GROUP_BY_ID,
    INTEGRITIES,
    PRFS,
    Encryption,
    Integrity,
    Prf,
)
from ikegw.wire.registry import KeGroup

GROUP = GROUP_BY_ID[KeGroup.X25519]
NI, NR = bytes(range(32)), bytes(range(100, 140))
SPI_I, SPI_R = b"initiate", b"responde"
SHARED = b"\0\1" + b"secret" * 5


AES128 = BY_NAME["aes128"]
SHA1 = BY_NAME["sha1"]
PRFSHA1 = BY_NAME["prfsha1"]
assert isinstance(AES128, Encryption)
assert isinstance(SHA1, Integrity)
assert isinstance(PRFSHA1, Prf)


def test_nist_sp_800_135_vector_with_hmac_sha1() -> None:
    ni, nr = bytes.fromhex("32b50d5f4a3763f3"), bytes.fromhex("9206a04b26564cb1")
    spi_i, spi_r = bytes.fromhex("34c9e7c188868785"), bytes.fromhex("3ff77d760d2b2199")
    g_ir = bytes.fromhex("4b2c1f971981a8ad8d0abeafabf38cf75fc8349c148142465ed9c8b516b8be52")
    g_ir_new = bytes.fromhex("863f3c9d06efd39d2b907b97f8699e5dd5251ef64a2a176f36ee40c87d4f9330")
    dkm = bytes.fromhex(
        "a14293677cc80ff8f9cc0eee30d895da9d8f405666e30ef0dfcb63c634a46002a2a63080e514a062768b76606f9fa5e9"
        "92204fc5a670bde3f10d6b027113936a5c55b648a194ae587b0088d52204b702c979fa280870d2ed41efa9c549fd1119"
        "8af1670b143d384bd275c5f594cf266b05ebadca855e4249520a441a81157435a7a56cc4"
    )
    suite = IkeSuite(AES128, SHA1, PRFSHA1, GROUP)
    keys = ike_keys(suite, g_ir, ni, nr, spi_i, spi_r)
    assert keys.d + keys.ai + keys.ar + keys.ei + keys.er + keys.pi + keys.pr == dkm

    esp = EspSuite(AES128, SHA1)
    there, back = child_keys(esp, PRFSHA1, keys.d, ni, nr)
    assert (there.encryption + there.integrity + back.encryption + back.integrity).hex() == (
        "8059e3ee8810e6c3a91bc8bcd2a7a41151b8d0e6ae239c7b38093ad85ef4c5811a8e7b5d1cdabd95"
        "60b2d5e092d1f24e2d4b85eccdf0ad0dc9abd94b51ee71814ca6dbc8bb51b630"
    )
    there, back = child_keys(esp, PRFSHA1, keys.d, ni, nr, g_ir_new)
    assert (there.encryption + there.integrity + back.encryption + back.integrity).hex() == (
        "bb43244c1860ad65ee1e211ffe8bb3661750c8f89cb9f547df7f4fa61d37301628190e38c66232ea"
        "b4b3ab14c400a5197dd3730ed4820a8a10394d51e1c0400052f63ebd36b0e7ef"
    )


def plus(hash_name: str, key: bytes, seed: bytes, length: int) -> bytes:
    output = t = b""
    for n in range(1, 30):
        t = hmac.new(key, t + seed + bytes([n]), hash_name).digest()
        output += t
    return output[:length]


def cut(octets: bytes, *lengths: int) -> list[bytes]:
    ends = [sum(lengths[:n]) for n in range(len(lengths) + 1)]
    assert ends[-1] == len(octets)
    return [octets[start:end] for start, end in pairwise(ends)]


@pytest.mark.parametrize("prf", PRFS, ids=lambda prf: prf.name)
@pytest.mark.parametrize("encryption", ENCRYPTIONS, ids=lambda encryption: encryption.name)
def test_order_and_lengths_of_every_suite(encryption: Encryption, prf: Prf) -> None:
    integrity = None if encryption.aead else INTEGRITIES[0]
    mac = 0 if integrity is None else 32
    key = encryption.key_octets + encryption.salt_octets
    n = prf.key_octets
    skeyseed = hmac.new(NI + NR, SHARED, prf.hash_name).digest()
    octets = plus(prf.hash_name, skeyseed, NI + NR + SPI_I + SPI_R, 3 * n + 2 * mac + 2 * key)
    expected = IkeKeys(*cut(octets, n, mac, mac, key, key, n, n))
    keys = ike_keys(IkeSuite(encryption, integrity, prf, GROUP), SHARED, NI, NR, SPI_I, SPI_R)
    assert keys == expected
    assert keys.initiator == ChildKeys(expected.ei, expected.ai)
    assert keys.responder == ChildKeys(expected.er, expected.ar)

    octets = plus(prf.hash_name, keys.d, SHARED + NI + NR, 2 * (key + mac))
    ei, ai, er, ar = cut(octets, key, mac, key, mac)
    assert child_keys(EspSuite(encryption, integrity, GROUP), prf, keys.d, NI, NR, SHARED) == (
        ChildKeys(ei, ai),
        ChildKeys(er, ar),
    )


def test_a_rekeyed_ike_sa_is_seeded_by_the_old_prf_and_expanded_by_the_new() -> None:
    old, new = PRFS[2], PRFS[0]
    encryption = ENCRYPTIONS[0]
    old_sk_d = b"d" * old.key_octets
    skeyseed = hmac.new(old_sk_d, SHARED + NI + NR, old.hash_name).digest()
    key = encryption.key_octets + encryption.salt_octets
    octets = plus(new.hash_name, skeyseed, NI + NR + SPI_I + SPI_R, 3 * new.key_octets + 2 * key)
    suite = IkeSuite(encryption, None, new, GROUP)
    keys = rekeyed_ike_keys(suite, old, old_sk_d, SHARED, NI, NR, SPI_I, SPI_R)
    assert keys.d == octets[: new.key_octets]
    assert keys.pr == octets[-new.key_octets :]


def test_leading_zeros_of_the_shared_secret_count() -> None:
    suite = IkeSuite(AES128, SHA1, PRFSHA1, GROUP)
    assert ike_keys(suite, SHARED, NI, NR, SPI_I, SPI_R) != ike_keys(suite, SHARED[1:], NI, NR, SPI_I, SPI_R)


def test_repr_hides_keys() -> None:
    keys = ike_keys(IkeSuite(AES128, SHA1, PRFSHA1, GROUP), SHARED, NI, NR, SPI_I, SPI_R)
    assert repr(keys) == "IkeKeys()"
    assert repr(keys.initiator) == "ChildKeys()"
