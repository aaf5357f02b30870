"""Whole messages: the header, the chain, the critical bit, what is sealed, and where errors say that they are."""

from ipaddress import IPv4Address, IPv6Address
from struct import pack

import pytest
from wire_examples import (
    AUTH,
    CERT,
    CERTREQ,
    CP,
    ESP_SPI,
    EXAMPLES,
    FRAGMENT,
    IDI,
    INIT,
    KE,
    NONCE,
    NONCE_I,
    SA,
    SEALED,
    SK,
    SKF,
    SPI_I,
    SPI_R,
    TSI,
    D,
    Example,
    N,
    V,
    chain,
    datagram,
    ke,
    noise,
    notify,
    proposal,
    sa,
    transform,
)

from ikegw.wire.authentication import Authentication
from ikegw.wire.configuration import ConfigAttribute, Configuration
from ikegw.wire.delete import Delete
from ikegw.wire.encrypted import Encrypted, EncryptedFragment
from ikegw.wire.errors import ParseError
from ikegw.wire.identification import Identity, IdInitiator, IdResponder
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import (
    MAX_PAYLOADS,
    Header,
    Message,
    decode_chain,
    decode_header,
    decode_message,
    encode_chain,
    encode_message,
)
from ikegw.wire.nonce import Nonce
from ikegw.wire.notify import Notify
from ikegw.wire.payload import Payload
from ikegw.wire.proposal import Proposal, SecurityAssociation, Transform
from ikegw.wire.registry import (
    AuthMethod,
    ConfigAttributeType,
    ConfigType,
    ExchangeType,
    IdType,
    KeGroup,
    NotifyType,
    PayloadType,
    ProtocolId,
    TransformType,
)
from ikegw.wire.selectors import SelectorsInitiator, TrafficSelector
from ikegw.wire.unknown import UnknownPayload
from ikegw.wire.vendor import VendorId

BY_NAME = {example.name: example for example in EXAMPLES}


def test_a_header_field_by_field() -> None:
    octets = pack("!8s8sBBBBII", SPI_I, SPI_R, 33, 0x21, 37, 0x28, 7, 28)
    header = Header(SPI_I, SPI_R, ExchangeType.INFORMATIONAL, True, True, 7, 2, 1)
    assert decode_header(octets) == (header, PayloadType.SA, 28)
    assert decode_header(octets + b"more") == (header, PayloadType.SA, 28)


@pytest.mark.parametrize(
    ("flags", "is_response", "from_initiator"),
    [(0x08, False, True), (0x20, True, False), (0xD7, False, False)],
)
def test_flags_and_reserved_ones(flags: int, is_response: bool, from_initiator: bool) -> None:
    message = decode_message(datagram(37, flags, 1, 0, b""))
    assert (message.header.is_response, message.header.from_initiator) == (is_response, from_initiator)
    assert encode_message(message)[19] == flags & 0x28


@pytest.mark.parametrize("version", [0x10, 0x11, 0x30, 0xF0, 0x02])
def test_another_major_version_is_seen_in_the_header_and_refused_as_a_message(version: int) -> None:
    octets = bytearray(EXAMPLES[0].octets)
    octets[17] = version
    assert decode_header(bytes(octets))[0].major == version >> 4
    with pytest.raises(ParseError, match="version"):
        decode_message(bytes(octets))


def test_another_minor_version_is_fine() -> None:
    octets = bytearray(EXAMPLES[0].octets)
    octets[17] = 0x25
    assert decode_message(bytes(octets)).header.minor == 5


def test_an_android_proposal_is_read_as_it_stands() -> None:
    message = decode_message(BY_NAME["Android INIT"].octets)
    offered = message.one(SecurityAssociation)
    assert offered is not None
    classic, combined = offered.proposals
    assert [len(one.transforms) for one in (classic, combined)] == [20, 19]
    assert classic.transforms[0] == Transform(TransformType.ENCR, 13, 256)
    assert combined.transforms[0] == Transform(TransformType.ENCR, 28)
    assert [t.id for t in combined.transforms if t.type is TransformType.KE] == [16, 31, 15, 14]
    exchange = message.one(KeyExchange)
    assert exchange is not None
    assert (exchange.group, len(exchange.public)) == (KeGroup.MODP_4096, 512)


def test_a_windows_request_is_read_as_it_stands() -> None:
    message = decode_message(BY_NAME["Windows AUTH for EAP"].octets)
    asked = message.one(Configuration)
    assert asked is not None
    assert [attribute.type for attribute in asked.attributes] == [1, 3, 4, 23456, 8, 10, 23457]
    assert message.one(IdInitiator) == IdInitiator(Identity(IdType.IPV4_ADDR, bytes((192, 168, 1, 20))))
    assert message.one(IdResponder) is None
    selectors = message.one(SelectorsInitiator)
    assert selectors is not None
    assert selectors.selectors == (
        TrafficSelector(IPv4Address("0.0.0.0"), IPv4Address("255.255.255.255")),
        TrafficSelector(IPv6Address("::"), IPv6Address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")),
    )
    assert len(decode_message(BY_NAME["Windows INIT"].octets).every(VendorId)) == 4


def test_apple_keeps_the_number_of_its_single_proposal() -> None:
    offered = decode_message(BY_NAME["Apple rekey IKE"].octets).one(SecurityAssociation)
    assert offered is not None
    assert [(one.number, len(one.spi)) for one in offered.proposals] == [(3, 8)]


def test_what_a_shape_requires_is_there_or_a_parse_error() -> None:
    message = decode_message(BY_NAME["strongSwan INIT"].octets)
    assert message.need(Nonce) == Nonce(NONCE_I[1])
    with pytest.raises(ParseError) as refused:
        message.need(Authentication)
    assert refused.value.payload is PayloadType.AUTH


def test_notifies_are_found_by_type() -> None:
    message = decode_message(BY_NAME["strongSwan INIT"].octets)
    found = message.notify(NotifyType.SIGNATURE_HASH_ALGORITHMS)
    assert found == Notify(NotifyType.SIGNATURE_HASH_ALGORITHMS, bytes.fromhex("0002000300040005"))
    assert message.notify(NotifyType.COOKIE) is None
    assert len(message.every(Notify)) == 5


KNOWN = [kind for kind in PayloadType if 33 <= kind <= 48 and kind is not PayloadType.SK]


@pytest.mark.parametrize("number", [n for n in range(1, 256) if n not in KNOWN and n not in (SK, SKF)])
def test_unknown_payloads_honour_the_critical_bit(number: int) -> None:
    skipped = decode_chain(PayloadType(number), chain((number, b"data"), NONCE_I))
    assert skipped == (UnknownPayload(PayloadType(number), False, b"data"), Nonce(NONCE_I[1]))
    critical = bytearray(chain((number, b"data"), NONCE_I))
    critical[1] = 0x80
    with pytest.raises(ParseError) as refused:
        decode_chain(PayloadType(number), bytes(critical), 32)
    assert (refused.value.unsupported_critical, refused.value.offset) == (number, 32)
    with pytest.raises(ParseError) as refused:
        decode_message(datagram(INIT, 8, 0, number, bytes(critical)))
    assert refused.value.unsupported_critical == number
    assert encode_chain((UnknownPayload(PayloadType(number), True, b"data"), Nonce(NONCE_I[1])))[1] == bytes(
        critical
    )


@pytest.mark.parametrize("example", [pytest.param(e, id=e.name) for e in EXAMPLES if e.parts])
def test_known_payloads_may_say_critical(example: Example) -> None:
    octets = bytearray(example.octets)
    before = decode_message(bytes(octets))
    at = 28
    while at < len(octets):
        octets[at + 1] = 0xFF
        at += int.from_bytes(octets[at + 2 : at + 4], "big")
    assert decode_message(bytes(octets)) == before


def test_the_malformed_comes_before_the_critical_that_follows_it() -> None:
    """The first fault is told: what is behind it cannot be trusted to be a payload."""
    octets = bytearray(chain((NONCE, b"short"), (200, b"data")))
    octets[10] = 0x80
    with pytest.raises(ParseError) as refused:
        decode_chain(PayloadType.NONCE, bytes(octets))
    assert refused.value.unsupported_critical is None


def test_sealed_payloads_stay_sealed() -> None:
    (only,) = decode_message(SEALED).payloads
    assert only == Encrypted(PayloadType.IDI, noise(72, "sealed"))
    (only,) = decode_message(FRAGMENT).payloads
    assert only == EncryptedFragment(PayloadType.IDI, 1, 3, noise(72, "sealed"))


def test_payloads_in_clear_before_sk_are_told() -> None:
    octets = datagram(35, 8, 1, V, pack("!BBH", SK, 0, 8) + b"open" + pack("!BBH", IDI, 0, 12) + b"sealed!!")
    assert decode_message(octets).payloads == (VendorId(b"open"), Encrypted(PayloadType.IDI, b"sealed!!"))


@pytest.mark.parametrize("kind", [SK, SKF])
def test_nothing_follows_what_is_sealed(kind: int) -> None:
    body = b"\0\1\0\1sealed"
    octets = datagram(
        35, 8, 1, kind, pack("!BBH", V, 0, 4 + len(body)) + body + pack("!BBH", 0, 0, 8) + b"more"
    )
    with pytest.raises(ParseError, match="after the last payload"):
        decode_message(octets)


@pytest.mark.parametrize("kind", [SK, SKF])
def test_nothing_sealed_is_inside_what_was_sealed(kind: int) -> None:
    with pytest.raises(ParseError, match="inside") as refused:
        decode_chain(PayloadType.VENDOR, chain((V, b"vendor"), (kind, b"\0\1\0\1sealed")))
    assert refused.value.unsupported_critical is None


@pytest.mark.parametrize("count", [MAX_PAYLOADS, MAX_PAYLOADS + 1])
def test_a_chain_has_an_end(count: int) -> None:
    octets = chain(*[(V, b"")] * count)
    if count == MAX_PAYLOADS:
        assert len(decode_chain(PayloadType.VENDOR, octets)) == count
    else:
        with pytest.raises(ParseError, match="too many payloads"):
            decode_chain(PayloadType.VENDOR, octets)


@pytest.mark.parametrize("example", [pytest.param(e, id=e.name) for e in EXAMPLES if e.parts])
def test_no_message_has_two_of_most_payloads(example: Example) -> None:
    for part in example.parts:
        doubled = chain(part, notify(16384), part)
        if part[0] in (CERT, CERTREQ, N, D, V):
            assert len(decode_chain(PayloadType(part[0]), doubled)) == 3
            continue
        with pytest.raises(ParseError, match="more than one") as refused:
            decode_chain(PayloadType(part[0]), doubled)
        assert (refused.value.payload, refused.value.offset) == (part[0], len(part[1]) + 12)


def test_an_empty_chain() -> None:
    assert decode_chain(PayloadType.NONE, b"") == ()
    assert encode_chain(()) == (PayloadType.NONE, b"")
    with pytest.raises(ParseError, match="after the last"):
        decode_chain(PayloadType.NONE, b"\0")


@pytest.mark.parametrize(
    ("parts", "offset", "payload", "says"),
    [
        (((KE, b"\0\x1f"),), 32, PayloadType.KE, "KE payload, octet 32: shorter than 4 octets"),
        ((notify(16384), (NONCE, b"short")), 40, PayloadType.NONCE, "nonce of 5 octets"),
        (
            (sa(proposal(1, 1, b"", transform(1, 12), transform(3, 2)[:-1] + b"")),),
            48,
            PayloadType.SA,
            "transform",
        ),
        (
            (NONCE_I, (CP, b"\1\0\0\0" + pack("!HH", 1, 3) + b"abc")),
            72,
            PayloadType.CP,
            "INTERNAL_IP4_ADDRESS of 3 octets",
        ),
        (
            ((TSI, b"\1\0\0\0" + pack("!BBHHH", 7, 0, 9, 0, 0) + b"x"),),
            36,
            PayloadType.TSI,
            "selector type 7 with 1 octets",
        ),
        (((N, pack("!BBH", 0, 0, 16390)),), 36, PayloadType.NOTIFY, "COOKIE with 0 octets"),
        (((D, pack("!BBH", 7, 0, 0)),), 32, PayloadType.DELETE, "protocol 7"),
    ],
)
def test_errors_say_where(
    parts: tuple[tuple[int, bytes], ...], offset: int, payload: PayloadType, says: str
) -> None:
    with pytest.raises(ParseError) as refused:
        decode_message(datagram(INIT, 8, 0, parts[0][0], chain(*parts)))
    assert (refused.value.offset, refused.value.payload) == (offset, payload)
    assert says in str(refused.value)


VALUES: list[tuple[Payload, tuple[int, bytes]]] = [
    (KeyExchange(KeGroup.X25519, b"public"), (KE, b"\0\x1f\xff\xffpublic")),
    (IdInitiator(Identity(IdType.FQDN, b"me")), (IDI, b"\2\xff\xff\xffme")),
    (Authentication(AuthMethod.SHARED_KEY, b"mac"), (AUTH, b"\2\xff\xff\xffmac")),
    (
        Configuration(ConfigType.REQUEST, (ConfigAttribute(ConfigAttributeType.INTERNAL_IP4_DNS),)),
        (CP, b"\1\xff\xff\xff\x80\3\0\0"),
    ),
    (
        SecurityAssociation((Proposal(1, ProtocolId.IKE, b"", (Transform(TransformType.PRF, 5),)),)),
        (SA, b"\0\xff\0\x10\1\1\0\1" + b"\0\xff\0\x08\2\xff\0\5"),
    ),
    (
        SelectorsInitiator((TrafficSelector(IPv4Address(1), IPv4Address(2), 17, 53, 54),)),
        (TSI, b"\1\xff\xff\xff\7\x11\0\x10\0\x35\0\x36\0\0\0\1\0\0\0\2"),
    ),
]


@pytest.mark.parametrize(
    ("value", "part"), VALUES, ids=lambda one: getattr(getattr(one, "TYPE", None), "name", "")
)
def test_reserved_octets_are_ignored_and_sent_as_zero(value: Payload, part: tuple[int, bytes]) -> None:
    assert decode_chain(PayloadType(part[0]), chain(part)) == (value,)
    sent = value.encode()
    assert len(sent) == len(part[1])
    assert b"\xff" not in sent
    assert b"\x80" not in sent


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "runs past"),
        (b"\1\0\0\x10\1\1\0\1" + b"\0\0\0\x08\2\0\0\5", "neither 0 nor 2"),
        (b"\2\0\0\x10\1\1\0\1" + b"\0\0\0\x08\2\0\0\5", "proposal runs past"),
        (b"\0\0\0\x10\1\1\0\1" + b"\3\0\0\x08\2\0\0\5", "0 follow"),
        (b"\0\0\0\x18\1\1\0\2" + b"\0\0\0\x08\2\0\0\5" * 2, "1 follow"),
        (b"\0\0\0\x18\1\1\0\1" + b"\0\0\0\x08\2\0\0\5" * 2, "after the last transform"),
        (b"\0\0\0\x10\1\1\0\1" + b"\0\0\0\x08\2\0\0\5" + b"\0", "after the last proposal"),
        (b"\0\0\0\x18\1\1\0\1" + b"\0\0\0\x10\1\0\0\x0c\x80\x0e\1\0\x80\x0e\1\0", "two key lengths"),
    ],
)
def test_an_sa_payload_that_contradicts_itself(body: bytes, says: str) -> None:
    with pytest.raises(ParseError, match=says):
        decode_chain(PayloadType.SA, chain((SA, body)))


def test_a_key_length_in_the_long_format_is_an_attribute_like_any_other() -> None:
    body = b"\0\0\0\x16\1\1\0\1" + b"\0\0\0\x0e\1\0\0\x0c" + b"\0\x0e\0\2\1\0"
    (payload,) = decode_chain(PayloadType.SA, chain((SA, body)))
    assert isinstance(payload, SecurityAssociation)
    assert payload.proposals[0].transforms == (Transform(TransformType.ENCR, 12, None, ((14, b"\1\0"),)),)
    assert payload.encode() == body


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"\1\0\0\0", Delete(ProtocolId.IKE)),
        (b"\1\0\0\5", Delete(ProtocolId.IKE)),
        (b"\3\4\0\1" + ESP_SPI, Delete(ProtocolId.ESP, (ESP_SPI,))),
        (b"\2\4\0\0", Delete(ProtocolId.AH)),
        (b"\1\x08\0\1" + SPI_I, None),
        (b"\1\0\0\0more", None),
        (b"\3\0\0\0", None),
        (b"\3\4\0\1" + ESP_SPI + b"\0", None),
        (b"\0\4\0\1" + ESP_SPI, None),
    ],
)
def test_what_may_be_deleted(body: bytes, value: Delete | None) -> None:
    if value is None:
        with pytest.raises(ParseError):
            decode_chain(PayloadType.DELETE, chain((D, body)))
    else:
        assert decode_chain(PayloadType.DELETE, chain((D, body))) == (value,)


def test_an_unknown_payload_is_made_by_the_chain_alone() -> None:
    with pytest.raises(NotImplementedError):
        UnknownPayload.decode(b"", 0)


def test_a_message_sent_twice_is_one_value() -> None:
    octets = datagram(
        INIT,
        8,
        0,
        SA,
        chain(sa(proposal(1, 1, b"", transform(1, 12, 256))), ke(31, 32), NONCE_I, notify(16384)),
    )
    assert decode_message(octets) == decode_message(octets)
    assert hash(decode_message(octets)) == hash(decode_message(octets))
    assert Message(decode_message(octets).header) != decode_message(octets)
