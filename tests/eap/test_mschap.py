"""The hashes of MS-CHAPv2 against the examples of RFC 1320, RFC 2759 and RFC 3079."""

import pytest

from ikegw.eap import mschap
from ikegw.eap.md4 import md4

USER, PASSWORD = b"User", b"clientPass"
AUTHENTICATOR = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"a", "bde52cb31de33e46245e05fbdbd6fb24"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"message digest", "d9130a8164549fe818874806e1c7014b"),
        (b"abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"),
        (
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            "043f8582f241db351ce627e153e7f0e4",
        ),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4_as_in_RFC_1320_A_5(text, digest):
    assert md4(text).hex() == digest


def test_md4_around_the_length_of_a_block():
    assert len({md4(bytes(length)) for length in range(50, 130)}) == 80


def test_RFC_2759_9_2():
    hashed = mschap.nt_password_hash(PASSWORD)
    assert hashed.hex().upper() == "44EBBA8D5312B8D611474411F56989AE"
    assert mschap.challenge_hash(PEER, AUTHENTICATOR, USER).hex().upper() == "D02E4386BCE91226"
    assert mschap.nt_response(AUTHENTICATOR, PEER, USER, hashed) == RESPONSE
    assert (
        mschap.authenticator_response(AUTHENTICATOR, PEER, USER, hashed, RESPONSE).hex().upper()
        == "407A5589115FD0D6209F510FE9C04566932CDA56"
    )


def test_RFC_3079_3_5_3_keys_of_128_bits():
    master = mschap.master_key(mschap.nt_password_hash(PASSWORD), RESPONSE)
    assert master.hex().upper() == "FDECE3717A8C838CB388E527AE3CDD31"
    assert mschap.start_key(master, client_sends=False).hex().upper() == "8B7CDC149B993A1BA118CB153F56DCCB"
    whole = mschap.msk(mschap.nt_password_hash(PASSWORD), RESPONSE)
    assert whole[:16] == mschap.start_key(master, client_sends=True)
    assert whole[16:32].hex().upper() == "8B7CDC149B993A1BA118CB153F56DCCB"
    assert whole[32:] == bytes(32)


def test_the_domain_is_no_part_of_the_name_that_is_hashed():
    assert mschap.challenge_hash(PEER, AUTHENTICATOR, b"SITE\\User") == mschap.challenge_hash(
        PEER, AUTHENTICATOR, USER
    )
