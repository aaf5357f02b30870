"""Any octets give a message or one ParseError: every prefix, every bit of real messages, and thousands of random wounds."""

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_examples import EXAMPLES, FRAGMENT, SEALED, Example, chain

from ikegw.wire.errors import ParseError
from ikegw.wire.message import (
    Message,
    decode_chain,
    decode_header,
    decode_message,
    encode_chain,
    encode_message,
)
from ikegw.wire.registry import PayloadType
from ikegw.wire.shapes import shape_of

DATAGRAMS = {**{example.name: example.octets for example in EXAMPLES}, "sealed": SEALED, "fragment": FRAGMENT}
BY_NAME = pytest.mark.parametrize(
    "octets", [pytest.param(octets, id=name) for name, octets in DATAGRAMS.items()]
)


def read(octets: bytes) -> Message | None:
    """Decode as the gateway does; whatever decodes must encode to what decodes to the same."""
    found: Message | ParseError
    try:
        found = decode_message(octets)
    except ParseError as error:
        found = error
    if isinstance(found, ParseError):
        assert 0 <= found.offset <= len(octets), found
        assert str(found)
        return None
    assert decode_message(encode_message(found)) == found
    with suppress(ParseError):
        shape_of(found)
    return found


@BY_NAME
def test_an_example_decodes_and_encodes_to_its_own_octets(octets: bytes) -> None:
    assert encode_message(decode_message(octets)) == octets


@BY_NAME
def test_no_prefix_of_a_message_is_a_message(octets: bytes) -> None:
    for length in range(len(octets)):
        assert read(octets[:length]) is None


@BY_NAME
def test_octets_behind_a_message_are_refused(octets: bytes) -> None:
    for more in (b"\0", b"\0" * 4, b"\0\0\0\4"):
        assert read(octets + more) is None


@BY_NAME
def test_a_prefix_whose_header_is_mended_is_no_message_either(octets: bytes) -> None:
    """The header's length is right, so that what is inside must be seen to be cut."""
    # sealed octets have no inner lengths: cutting them is for the cipher to notice
    for length in range(28, len(octets)):
        mended = octets[:24] + length.to_bytes(4, "big") + octets[28:length]
        assert read(mended) is None


@BY_NAME
def test_every_single_bit_flipped(octets: bytes) -> None:
    wounded = bytearray(octets)
    for bit in range(8 * len(octets)):
        wounded[bit >> 3] ^= 1 << (bit & 7)
        read(bytes(wounded))
        wounded[bit >> 3] ^= 1 << (bit & 7)


@pytest.mark.parametrize("example", [pytest.param(e, id=e.name) for e in EXAMPLES if e.parts])
def test_the_same_chain_inside_sk_octet_by_octet(example: Example) -> None:
    first, octets = PayloadType(example.parts[0][0]), chain(*example.parts)
    assert encode_chain(decode_chain(first, octets)) == (first, octets)
    wounded = bytearray(octets)
    for at, octet in enumerate(octets):
        for value in (0, 1, octet ^ 0x80, 0xFF):
            wounded[at] = value
            with suppress(ParseError):
                payloads = decode_chain(first, bytes(wounded))
                assert decode_chain(*encode_chain(payloads)) == payloads
        wounded[at] = octet


def test_twenty_thousand_messages_with_many_wounds() -> None:
    random = Random(7296)
    originals = list(DATAGRAMS.values())
    survivors = 0
    for _ in range(20_000):
        octets = bytearray(random.choice(originals))
        for _ in range(random.randrange(1, 6)):
            at = random.randrange(16, len(octets))
            cut = random.randrange(4)
            if cut == 0:
                octets[at] = random.choice((0, 1, 3, 4, 7, 8, 0x7F, 0x80, 0xFF, random.randrange(256)))
            elif cut == 1:
                del octets[at : at + random.randrange(9)]
            elif cut == 2:
                octets[at:at] = random.randbytes(random.randrange(9))
            else:
                octets[at : at + 2] = (len(octets) - at).to_bytes(2, "big")
            if len(octets) < 28:
                octets.extend(bytes(28 - len(octets)))
        octets[24:28] = len(octets).to_bytes(4, "big")
        survivors += read(bytes(octets)) is not None
    assert survivors > 1000  # or the wounds would test the first check alone


@given(st.binary(max_size=600))
def test_any_octets_are_a_message_or_a_parse_error(octets: bytes) -> None:
    read(octets)


@given(st.sampled_from(sorted(PayloadType)), st.binary(max_size=300))
def test_any_octets_are_a_chain_or_a_parse_error(first: PayloadType, octets: bytes) -> None:
    with suppress(ParseError):
        payloads = decode_chain(first, octets)
        assert decode_chain(*encode_chain(payloads)) == payloads


@given(st.integers(33, 53), st.binary(max_size=300))
def test_any_body_is_a_payload_or_a_parse_error(kind: int, body: bytes) -> None:
    with suppress(ParseError):
        payloads = decode_chain(PayloadType(kind), chain((kind, body)))
        assert decode_chain(*encode_chain(payloads)) == payloads


@given(st.binary(max_size=40))
def test_the_header_needs_28_octets_and_nothing_else(octets: bytes) -> None:
    if len(octets) >= 28:
        header, _, _ = decode_header(octets)
        assert (header.initiator_spi, header.responder_spi) == (octets[:8], octets[8:16])
    else:
        with pytest.raises(ParseError):
            decode_header(octets)
