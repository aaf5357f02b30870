"""RFC 4231 and prf+ against the definition written out."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikegw.crypto.compare import equal
from ikegw.crypto.prf import digest, prf_plus
from ikegw.crypto.transforms import PRFS, Prf

PRF = {prf.hash_name: prf for prf in PRFS}

RFC_4231 = [
    (
        b"\x0b" * 20,
        b"Hi There",
        {
            "sha256": "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            "sha384": "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
            "faea9ea9076ede7f4af152e8b2fa9cb6",
            "sha512": "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        },
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        {
            "sha256": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "sha384": "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
            "8e2240ca5e69e2c78b3239ecfab21649",
            "sha512": "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        },
    ),
    (
        b"\xaa" * 131,  # longer than a block
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        {
            "sha256": "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            "sha384": "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
            "0c2ef6ab4030fe8296248df163f44952",
            "sha512": "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
            "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
        },
    ),
]


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize(("key", "octets", "expected"), RFC_4231)
def test_rfc_4231(key: bytes, octets: bytes, expected: dict[str, str], hash_name: str) -> None:
    assert digest(PRF[hash_name], key, octets).hex() == expected[hash_name]


def test_rfc_2202_hmac_sha1() -> None:
    assert digest(PRF["sha1"], b"Jefe", b"what do ya want for nothing?").hex() == (
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
    )


@pytest.mark.parametrize("prf", PRFS, ids=lambda prf: prf.name)
def test_a_prf_s_key_and_output_have_the_same_length(prf: Prf) -> None:
    assert len(digest(prf, b"key", b"")) == prf.key_octets == hashlib.new(prf.hash_name).digest_size


@given(st.sampled_from(PRFS), st.binary(max_size=200), st.binary(max_size=100), st.integers(0, 700))
def test_prf_plus_is_as_rfc_7296_2_13_defines_it(prf: Prf, key: bytes, seed: bytes, length: int) -> None:
    t, expected, n = b"", b"", 1
    while len(expected) < length:
        t = hmac.new(key, t + seed + bytes([n]), prf.hash_name).digest()
        expected, n = expected + t, n + 1
    assert prf_plus(prf, key, seed, length) == expected[:length]


def test_prf_plus_ends_with_its_counter() -> None:
    sha1 = PRF["sha1"]
    assert len(prf_plus(sha1, b"k", b"s", 255 * 20)) == 255 * 20
    with pytest.raises(ValueError, match="at most 5100"):
        prf_plus(sha1, b"k", b"s", 255 * 20 + 1)


def test_equal() -> None:
    assert equal(b"same", b"same")
    assert not equal(b"same", b"sane")
    assert not equal(b"same", b"sam")
