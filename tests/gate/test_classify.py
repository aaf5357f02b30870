"""What the first 28 octets say, for well-made headers and for hostile ones."""

import random
from struct import pack

import pytest

from ikegw.gate.classify import Drop, ForSa, Opening, TooNew, Why, classify

INIT, AUTH, INFORMATIONAL = 34, 35, 37
SA, NOTIFY, SK, SKF = 33, 41, 46, 53
REQUEST_OF_INITIATOR, RESPONSE_OF_RESPONDER = 0x08, 0x20
SPI_I, SPI_R, NONE = b"initiato", b"responde", bytes(8)


def datagram(
    spi_i: bytes = SPI_I,
    spi_r: bytes = NONE,
    first: int = SA,
    version: int = 0x20,
    exchange: int = INIT,
    flags: int = REQUEST_OF_INITIATOR,
    message_id: int = 0,
    length: int | None = None,
    body: bytes = bytes(8),
) -> bytes:
    size = 28 + len(body) if length is None else length
    return pack(">8s8s4BII", spi_i, spi_r, first, version, exchange, flags, message_id, size) + body


def test_an_ike_sa_init_request_opens() -> None:
    assert classify(datagram()) == Opening(SPI_I)


def test_minor_version_and_reserved_flags_are_ignored() -> None:
    assert classify(datagram(version=0x2F, flags=REQUEST_OF_INITIATOR | 0xC7)) == Opening(SPI_I)


def test_an_ike_sa_init_response_names_the_initiators_spi_even_with_a_zero_responder_spi() -> None:
    assert classify(datagram(flags=RESPONSE_OF_RESPONDER)) == ForSa(SPI_I, True)
    assert classify(datagram(spi_r=SPI_R, flags=RESPONSE_OF_RESPONDER)) == ForSa(SPI_I, True)


@pytest.mark.parametrize("first", [SK, SKF])
@pytest.mark.parametrize(
    ("flags", "verdict"),
    [
        (0x08, ForSa(SPI_R, False)),  # the initiator asks
        (0x28, ForSa(SPI_R, True)),  # the initiator answers
        (0x00, ForSa(SPI_I, False)),  # the responder asks
        (0x20, ForSa(SPI_I, True)),  # the responder answers
    ],
)
def test_our_spi_is_the_one_of_the_side_that_did_not_send(first: int, flags: int, verdict: ForSa) -> None:
    octets = datagram(spi_r=SPI_R, first=first, exchange=AUTH, flags=flags, message_id=1)
    assert classify(octets) == verdict


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", Why.TOO_SHORT),
        (datagram()[:27], Why.TOO_SHORT),
        (datagram(length=28), Why.WRONG_LENGTH),
        (datagram(length=37), Why.WRONG_LENGTH),
        (datagram(length=0xFFFFFFFF), Why.WRONG_LENGTH),
        (datagram(version=0x10), Why.OLD_VERSION),
        (datagram(version=0x00), Why.OLD_VERSION),
        (datagram(exchange=33), Why.UNKNOWN_EXCHANGE),
        (datagram(exchange=38), Why.UNKNOWN_EXCHANGE),
        (datagram(spi_i=NONE), Why.ZERO_SPI),
        (datagram(exchange=AUTH, first=SK, message_id=1), Why.ZERO_SPI),
        (datagram(first=0), Why.NO_PAYLOAD),
        (datagram(flags=0x00), Why.WRONG_FLAGS),
        (datagram(flags=0x28), Why.WRONG_FLAGS),
        (datagram(message_id=1), Why.WRONG_MESSAGE_ID),
        (datagram(message_id=0xFFFFFFFF, flags=0x20), Why.WRONG_MESSAGE_ID),
        (datagram(spi_r=SPI_R), Why.STRANGE_SPI),
        (datagram(spi_r=SPI_R, first=NOTIFY, exchange=INFORMATIONAL), Why.UNPROTECTED),
    ],
)
def test_L_01_what_is_no_ikev2_message_is_dropped_with_a_word(octets: bytes, why: Why) -> None:
    assert classify(octets) == Drop(why)


def test_D_04_a_request_of_a_newer_major_version_is_told_from_a_response() -> None:
    assert classify(datagram(version=0x30)) == TooNew()
    assert classify(datagram(version=0xF0, exchange=99)) == TooNew()
    assert classify(datagram(version=0x30, flags=0x20)) == Drop(Why.NEWER_VERSION)


def test_any_octets_get_a_verdict() -> None:
    source = random.Random(1)
    valid = datagram(spi_r=SPI_R, first=SK, exchange=AUTH, message_id=1)
    for _ in range(20_000):
        octets = bytearray(source.randbytes(source.randrange(64)) if source.random() < 0.5 else valid)
        if octets:
            octets[source.randrange(len(octets))] ^= 1 << source.randrange(8)
        assert classify(bytes(octets)) is not None
