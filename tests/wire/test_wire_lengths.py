"""Every length and count field of every payload at 0, 1, around its least, its right and its greatest value, and past the end.

A field is found by its offset in a body that is right; only the values listed beside it may be accepted, and whatever is
refused is refused by ParseError.
"""

from struct import pack

import pytest
from attrs import frozen
from wire_examples import (
    AUTH,
    CERT,
    CERTREQ,
    CP,
    EAP,
    ESP,
    ESP_SPI,
    EXAMPLES,
    IDI,
    IDR,
    IKE,
    KE,
    NONCE,
    SA,
    SK,
    SKF,
    TSI,
    TSR,
    D,
    N,
    V,
    chain,
    cp,
    datagram,
    noise,
    proposal,
    sa,
    selector4,
    selector6,
    transform,
    ts,
)  # fmt: skip

from ikegw.wire.errors import ParseError
from ikegw.wire.message import decode_chain, decode_message
from ikegw.wire.registry import PayloadType


@frozen
class Field:
    """`width` octets at `at` in `body`; `least` is the smallest value that could make sense, `accepted` all that do."""

    name: str
    kind: int
    body: bytes
    at: int
    width: int
    least: int
    accepted: frozenset[int]

    @property
    def right(self) -> int:
        return int.from_bytes(self.body[self.at : self.at + self.width], "big")

    def values(self) -> list[int]:
        """0, 1, min−1, min, min+1, right−1, right, right+1, what is left and one more, max−1, max."""
        top = 256**self.width - 1
        left = len(self.body) - self.at
        candidates = (
            0,
            1,
            self.least - 1,
            self.least,
            self.least + 1,
            self.right - 1,
            self.right,
            self.right + 1,
        )
        return sorted(
            {
                n
                for n in (*candidates, left, left + 1, len(self.body), top // 2 + 1, top - 1, top)
                if 0 <= n <= top
            }
        )

    def with_value(self, value: int) -> bytes:
        return self.body[: self.at] + value.to_bytes(self.width, "big") + self.body[self.at + self.width :]


def field(name: str, part: tuple[int, bytes], at: int, width: int, least: int, *others: int) -> Field:
    kind, body = part
    right = int.from_bytes(body[at : at + width], "big")
    return Field(name, kind, body, at, width, least, frozenset((right, *others)))


# proposal 1 begins at 0 (8 octets and an SPI of 4), its transforms at 12 (12 octets) and 24 (8); proposal 2 at 32
TWO_PROPOSALS = sa(
    proposal(1, ESP, ESP_SPI, transform(1, 20, 256), transform(5, 0)),
    proposal(2, ESP, ESP_SPI, transform(1, 12, 128), transform(3, 12), transform(5, 0)),
)
# one transform at 8 with two TLV attributes of 4 and 2 octets, at 16 and 24
WITH_ATTRIBUTES = sa(
    proposal(1, IKE, b"", pack("!HBBHHH4sHH2s", 22, 1, 0, 12, 5, 4, b"four", 6, 2, b"tw")),
)
BOTH_KINDS = ts(TSI, selector4(), selector6())
SELECTORS = ts(TSR, selector4(), selector4("0a000000", "0a0000ff", 17, (53, 53)))
ESP_DELETE = D, pack("!BBH", ESP, 4, 2) + noise(8, "spis")
ATTRIBUTES = cp(2, (1, b"\x0a\x03\xff\x07"), (7, b"abc"), (25, b"lo"))

FIELDS = [
    field("proposal 1 length", TWO_PROPOSALS, 2, 2, 8),
    field("proposal 1 SPI size", TWO_PROPOSALS, 6, 1, 0),
    field("proposal 1 transforms", TWO_PROPOSALS, 7, 1, 0),
    field("proposal 2 length", TWO_PROPOSALS, 34, 2, 8),
    field("proposal 2 SPI size", TWO_PROPOSALS, 38, 1, 0),
    field("proposal 2 transforms", TWO_PROPOSALS, 39, 1, 0),
    field("transform with a key length", TWO_PROPOSALS, 14, 2, 8),
    field("transform without", TWO_PROPOSALS, 26, 2, 8),
    field("last transform", TWO_PROPOSALS, len(TWO_PROPOSALS[1]) - 6, 2, 8),
    field("transform with attributes", WITH_ATTRIBUTES, 10, 2, 8),
    # an attribute that swallows what follows is unknown as before: 10 = its own 4, the next one's 4 and 2
    field("attribute 1", WITH_ATTRIBUTES, 18, 2, 0, 10),
    field("attribute 2", WITH_ATTRIBUTES, 26, 2, 0),
    # data and SPI of an unknown notify may be cut anywhere
    field("Notify SPI size", (N, pack("!BBH", 3, 4, 40960) + noise(12, "notify")), 1, 1, 0, *range(13)),
    field("NAT detection SPI size", (N, pack("!BBH", 0, 0, 16388) + noise(20, "hash")), 1, 1, 0),
    field("REKEY_SA SPI size", (N, pack("!BBH", 3, 4, 16393) + ESP_SPI), 1, 1, 4),
    field("Delete SPI size", ESP_DELETE, 1, 1, 4),
    field("Delete count", ESP_DELETE, 2, 2, 0),
    field("Delete of an IKE SA, SPI size", (D, pack("!BBH", IKE, 0, 0)), 1, 1, 0),
    field("TSi count", BOTH_KINDS, 0, 1, 1),
    field("TSr count", SELECTORS, 0, 1, 1),
    field("IPv4 selector", BOTH_KINDS, 6, 2, 16),
    field("IPv6 selector", BOTH_KINDS, 22, 2, 40),
    field("selector 1", SELECTORS, 6, 2, 16),
    field("selector 2", SELECTORS, 22, 2, 16),
    field("CP address", ATTRIBUTES, 6, 2, 0),
    field("CP version", ATTRIBUTES, 14, 2, 0, 9),  # 9: swallows the last one
    field("CP domain", ATTRIBUTES, 21, 2, 0),
    field("EAP request", (EAP, pack("!BBH", 1, 7, 9) + b"\1user"), 2, 2, 5),
    field("EAP success", (EAP, pack("!BBH", 3, 7, 4)), 2, 2, 4),
]


@pytest.mark.parametrize("one", [pytest.param(one, id=one.name) for one in FIELDS])
def test_a_length_inside_a_payload(one: Field) -> None:
    for value in one.values():
        octets = chain((one.kind, one.with_value(value)))
        if value in one.accepted:
            decode_chain(PayloadType(one.kind), octets)
            continue
        with pytest.raises(ParseError) as refused:
            decode_chain(PayloadType(one.kind), octets)
        assert refused.value.payload == one.kind, value
        assert 4 <= refused.value.offset <= len(octets), value


SAMPLES = {
    SA: TWO_PROPOSALS[1],
    KE: pack("!HH", 31, 0) + noise(32, "ke"),
    IDI: pack("!B3x", 2) + b"client.example",
    IDR: pack("!B3x", 11) + b"key",
    CERT: b"\4" + noise(40, "cert"),
    CERTREQ: b"\4" + noise(40, "certreq"),
    AUTH: pack("!B3x", 2) + noise(32, "auth"),
    NONCE: noise(32, "nonce"),
    N: pack("!BBH", 0, 0, 16388) + noise(20, "hash"),
    D: ESP_DELETE[1],
    V: noise(16, "vendor"),
    TSI: BOTH_KINDS[1],
    TSR: SELECTORS[1],
    CP: ATTRIBUTES[1],
    EAP: pack("!BBH", 1, 7, 9) + b"\1user",
    200: b"unknown",
}
EVERY_PAYLOAD = pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: PayloadType(kind).name)


@EVERY_PAYLOAD
def test_the_length_in_the_generic_header_of_the_last_payload(kind: int) -> None:
    body = SAMPLES[kind]
    right = len(body) + 4
    for length in (0, 1, 3, 4, 5, right - 1, right, right + 1, 0x7FFF, 0xFFFE, 0xFFFF):
        octets = bytes((0, 0)) + length.to_bytes(2, "big") + body
        if length == right:
            assert len(decode_chain(PayloadType(kind), octets)) == 1
            continue
        with pytest.raises(ParseError):
            decode_chain(PayloadType(kind), octets)


@EVERY_PAYLOAD
def test_the_length_in_the_generic_header_when_others_follow(kind: int) -> None:
    octets = chain((kind, SAMPLES[kind]), (V, noise(40, "behind")), (V, b"last"))
    right = len(SAMPLES[kind]) + 4
    for length in sorted({*range(48), right - 1, right + 1, len(octets), len(octets) + 1, 0xFFFF} - {right}):
        wrong = octets[:2] + length.to_bytes(2, "big") + octets[4:]
        # a shifted boundary makes nonsense of what follows, but for a payload that swallows all of it
        with pytest.raises(ParseError):
            decode_chain(PayloadType(kind), wrong)


@EVERY_PAYLOAD
def test_a_body_of_every_length_up_to_its_own(kind: int) -> None:
    """An honest generic header around a body that was cut."""
    for length in range(len(SAMPLES[kind])):
        octets = chain((kind, SAMPLES[kind][:length]))
        try:
            (payload,) = decode_chain(PayloadType(kind), octets)
        except ParseError as error:
            assert error.payload == kind  # noqa: PT017 (payloads of free length may be cut)
        else:
            assert payload.encode() == SAMPLES[kind][:length] or kind == D


SHORTEST = {
    SA: 8,
    KE: 4,
    IDI: 4,
    IDR: 4,
    CERT: 1,
    CERTREQ: 1,
    AUTH: 4,
    NONCE: 16,
    N: 4,
    D: 4,
    V: 0,
    TSI: 4,
    TSR: 4,
    CP: 4,
    EAP: 4,
}


@pytest.mark.parametrize("kind", SHORTEST, ids=lambda kind: PayloadType(kind).name)
def test_bodies_shorter_than_the_fixed_part(kind: int) -> None:
    for length in range(SHORTEST[kind]):
        for octet in (0, 1, 0xFF):
            with pytest.raises(ParseError):
                decode_chain(PayloadType(kind), chain((kind, bytes([octet]) * length)))


@pytest.mark.parametrize("octets", [pytest.param(e.octets, id=e.name) for e in EXAMPLES])
def test_the_length_in_the_header(octets: bytes) -> None:
    right = len(octets)
    for length in {0, 1, 27, 28, right - 1, right, right + 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF}:
        wrong = octets[:24] + length.to_bytes(4, "big") + octets[28:]
        if length == right:
            decode_message(wrong)
            continue
        with pytest.raises(ParseError, match="in a datagram of"):
            decode_message(wrong)


@pytest.mark.parametrize(("kind", "fixed"), [(SK, 4), (SKF, 8)])
def test_the_length_of_what_is_sealed(kind: int, fixed: int) -> None:
    body = (b"" if kind == SK else b"\0\1\0\3") + noise(64, "sealed")
    right = len(body) + 4
    for length in (0, 1, 3, 4, fixed - 1, fixed, right - 1, right, right + 1, 0xFFFF):
        octets = datagram(35, 8, 1, kind, pack("!BBH", IDI, 0, length) + body)
        if length == right:
            assert len(decode_message(octets).payloads) == 1
            continue
        with pytest.raises(ParseError):
            decode_message(octets)


@pytest.mark.parametrize(
    ("number", "total", "fine"),
    [
        (1, 1, True),
        (1, 3, True),
        (3, 3, True),
        (65535, 65535, True),
        (0, 0, False),
        (0, 3, False),
        (4, 3, False),
        (65535, 1, False),
    ],
)
def test_the_number_of_a_fragment(number: int, total: int, fine: bool) -> None:
    octets = datagram(35, 8, 1, SKF, pack("!BBHHH", IDI, 0, 8 + 32, number, total) + noise(32, "sealed"))
    if fine:
        assert len(decode_message(octets).payloads) == 1
    else:
        with pytest.raises(ParseError, match=f"fragment {number} of {total}"):
            decode_message(octets)


@pytest.mark.parametrize("octets", [0, 1, 15, 16, 256, 257, 1000])
def test_a_nonce_has_16_to_256_octets(octets: int) -> None:
    sent = chain((NONCE, bytes(octets)))
    if 16 <= octets <= 256:
        assert len(decode_chain(PayloadType.NONCE, sent)) == 1
    else:
        with pytest.raises(ParseError, match=f"nonce of {octets}"):
            decode_chain(PayloadType.NONCE, sent)


NOTIFY_DATA = {
    1: {1}, 17: {2}, 16385: {4}, 16387: {3}, 16388: {20}, 16389: {20}, 16390: set(range(1, 65)), 16397: {4}, 16398: {16},
    16401: set(range(8, 65)), 16403: {4}, 16431: set(range(0, 80, 2)),
}  # fmt: skip


@pytest.mark.parametrize("kind", NOTIFY_DATA)
def test_the_data_of_notifies_that_we_read(kind: int) -> None:
    for length in range(80):
        octets = chain((N, pack("!BBH", 0, 0, kind) + bytes(length)))
        if length in NOTIFY_DATA[kind]:
            decode_chain(PayloadType.NOTIFY, octets)
        else:
            with pytest.raises(ParseError, match="octets of data"):
                decode_chain(PayloadType.NOTIFY, octets)


CP_VALUES = {
    1: {4},
    2: {4},
    3: {4},
    4: {4},
    6: {4},
    8: {16, 17},
    10: {16},
    12: {16},
    13: {8},
    14: {2, 4, 18, 20},
    15: {17},
}


@pytest.mark.parametrize("kind", CP_VALUES)
def test_the_values_of_configuration_attributes(kind: int) -> None:
    for length in (*range(10), 15, 16, 17, 18, 20):
        octets = chain((CP, b"\1\0\0\0" + pack("!HH", kind, length) + bytes(length)))
        if not length or length in CP_VALUES[kind] or (kind == 14 and length % 2 == 0):
            decode_chain(PayloadType.CP, octets)
        else:
            with pytest.raises(ParseError, match=f"of {length} octets"):
                decode_chain(PayloadType.CP, octets)


@pytest.mark.parametrize(("kind", "size"), [(1, 4), (5, 16)])
def test_an_identity_that_is_an_address_has_its_length(kind: int, size: int) -> None:
    for length in range(20):
        octets = chain((IDI, pack("!B3x", kind) + bytes(length)))
        if length == size:
            decode_chain(PayloadType.IDI, octets)
        else:
            with pytest.raises(ParseError, match=f"_ADDR of {length} octets"):
                decode_chain(PayloadType.IDI, octets)


@pytest.mark.parametrize(("protocol", "sizes"), [(IKE, {0, 8}), (2, {4}), (ESP, {4}), (77, set(range(256)))])
def test_an_spi_of_a_proposal_fits_its_protocol(protocol: int, sizes: set[int]) -> None:
    for size in range(256):
        kind, body = sa(proposal(1, protocol, bytes(size), transform(1, 20, 128)))
        if size in sizes:
            decode_chain(PayloadType(kind), chain((kind, body)))
        else:
            with pytest.raises(ParseError, match=f"SPI of {size} octets"):
                decode_chain(PayloadType(kind), chain((kind, body)))
