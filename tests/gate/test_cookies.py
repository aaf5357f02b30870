"""Cookies: only whoever received one at this address, for this Ni and SPIi, can return it, and not for long."""

from collections.abc import Iterator
from hashlib import sha256
from itertools import count

import pytest

from ikegw.gate.cookies import COOKIE_OCTETS, Cookies

NI, OTHER_NI = b"n" * 32, b"n" * 31 + b"m"
HERE, THERE, HERE6 = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2)), bytes(15) + b"\1"
SPI, OTHER_SPI = b"8 octets", b"8 octetz"
PERIOD = 60.0


def counted() -> Iterator[bytes]:
    return (sha256(b"%d" % n).digest() for n in count())


@pytest.fixture
def cookies() -> Cookies:
    source = counted()
    return Cookies(lambda n: next(source)[:n], 0.0, PERIOD)


def test_D_03_a_returned_cookie_is_right(cookies: Cookies) -> None:
    cookie = cookies.make(NI, HERE, SPI, 0.0)
    assert len(cookie) == COOKIE_OCTETS <= 64
    assert cookies.is_right(cookie, NI, HERE, SPI, 1.0)


def test_D_02_a_cookie_is_wrong_for_anything_else(cookies: Cookies) -> None:
    cookie = cookies.make(NI, HERE, SPI, 0.0)
    assert not cookies.is_right(cookie, OTHER_NI, HERE, SPI, 1.0)
    assert not cookies.is_right(cookie, NI, THERE, SPI, 1.0)
    assert not cookies.is_right(cookie, NI, HERE6, SPI, 1.0)
    assert not cookies.is_right(cookie, NI, HERE, OTHER_SPI, 1.0)


def test_D_02_no_bit_of_a_cookie_may_change_nor_may_its_length(cookies: Cookies) -> None:
    cookie = cookies.make(NI, HERE, SPI, 0.0)
    for bit in range(8 * len(cookie)):
        forged = bytearray(cookie)
        forged[bit // 8] ^= 1 << bit % 8
        assert not cookies.is_right(bytes(forged), NI, HERE, SPI, 1.0)
    for wrong in (b"", cookie[:1], cookie[:-1], cookie + b"\0", bytes(64)):
        assert not cookies.is_right(wrong, NI, HERE, SPI, 1.0)


def test_the_nonce_cannot_lend_octets_to_the_address(cookies: Cookies) -> None:
    cookie = cookies.make(HERE6[4:] + NI, HERE, SPI, 0.0)
    assert not cookies.is_right(cookie, NI, HERE + HERE6[4:], SPI, 0.0)


def test_rotation_keeps_the_previous_secret_for_one_period(cookies: Cookies) -> None:
    old = cookies.make(NI, HERE, SPI, PERIOD - 1)
    assert cookies.is_right(old, NI, HERE, SPI, PERIOD)
    new = cookies.make(NI, HERE, SPI, PERIOD)
    assert new != old
    assert new[0] == (old[0] + 1) % 256
    assert cookies.is_right(old, NI, HERE, SPI, 2 * PERIOD - 1)
    assert not cookies.is_right(old, NI, HERE, SPI, 2 * PERIOD)
    assert cookies.is_right(new, NI, HERE, SPI, 2 * PERIOD)


def test_a_stale_cookie_is_wrong_after_a_long_silence(cookies: Cookies) -> None:
    old = cookies.make(NI, HERE, SPI, 0.0)
    assert not cookies.is_right(old, NI, HERE, SPI, 1e6)
    assert cookies.is_right(cookies.make(NI, HERE, SPI, 1e6), NI, HERE, SPI, 1e6 + PERIOD)


def test_secret_numbers_go_round_without_confusion(cookies: Cookies) -> None:
    old = cookies.make(NI, HERE, SPI, 0.0)
    for period in range(1, 257):
        assert cookies.make(NI, HERE, SPI, period * PERIOD)
    assert not cookies.is_right(old, NI, HERE, SPI, 256 * PERIOD)
