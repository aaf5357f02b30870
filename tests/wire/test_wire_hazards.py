"""Parser faults that other IKE daemons had, each by the name under which it was reported, as octets that hit it."""

from ipaddress import IPv4Address
from struct import pack

import pytest
from wire_examples import (
    CP,
    EAP,
    ESP,
    ESP_SPI,
    IDI,
    INIT,
    KE,
    NONCE_I,
    SA,
    SKF,
    TSI,
    TSR,
    N,
    chain,
    datagram,
    eap,
    ke,
    noise,
    notify,
    proposal,
    sa,
    transform,
    ts,
)

from ikegw.wire.eap import EapPacket
from ikegw.wire.errors import ParseError
from ikegw.wire.message import Message, decode_chain, decode_header, decode_message, encode_message
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation, Transform
from ikegw.wire.registry import KeGroup, NotifyType, PayloadType, PrfId, ProtocolId, TransformType
from ikegw.wire.selectors import SelectorsInitiator


def refused(kind: int, body: bytes) -> ParseError:
    with pytest.raises(ParseError) as error:
        decode_chain(PayloadType(kind), chain((kind, body)))
    assert error.value.payload == kind
    return error.value


@pytest.mark.parametrize("length", [8, 9, 10, 11])
def test_free5gc_940_a_transform_of_9_octets(length: int) -> None:
    """An attribute of fewer than four octets."""
    inside = b"\0\0" + pack("!HBBH", length, 1, 0, 12) + bytes(length - 8)
    body = b"\0\0" + pack("!HBBBB", 8 + length, 1, 1, 0, 1) + inside
    if length == 8:
        decode_chain(PayloadType.SA, chain((SA, body)))
    else:
        assert "attribute" in refused(SA, body).reason


@pytest.mark.parametrize("code", [1, 2])
def test_free5gc_938_an_eap_request_of_length_4(code: int) -> None:
    _, body = eap(code, 1)
    assert "without a type" in refused(EAP, body).reason
    with pytest.raises(ParseError):
        EapPacket.decode(body)


@pytest.mark.parametrize("code", [3, 4])
def test_an_eap_success_or_failure_carries_nothing(code: int) -> None:
    assert "of 5 octets" in refused(EAP, eap(code, 1, b"\1")[1]).reason


@pytest.mark.parametrize("first", [33, 41, 46, 53, 200, 255])
def test_free5gc_968_28_octets_that_announce_a_payload(first: int) -> None:
    octets = datagram(INIT, 8, 0, first, b"")
    assert decode_header(octets)[1] == first
    with pytest.raises(ParseError, match="announced and missing"):
        decode_message(octets)


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_free5gc_984_an_ip4_address_of_1_to_3_octets(length: int) -> None:
    assert "INTERNAL_IP4_ADDRESS" in refused(CP, b"\1\0\0\0" + pack("!HH", 1, length) + bytes(length)).reason


@pytest.mark.parametrize("length", [0, 1, 7, 8, 15, 17, 40, 0xFFFF])
def test_libreswan_954_the_length_of_a_traffic_selector(length: int) -> None:
    for kind in (TSI, TSR):
        assert (
            "selector"
            in refused(kind, b"\1\0\0\0" + pack("!BBHHH", 7, 0, length, 0, 65535) + bytes(8)).reason
        )


@pytest.mark.parametrize("length", [*range(20), 21, 32])
def test_vpp_2026_03_the_length_of_nat_detection(length: int) -> None:
    for kind in (16388, 16389):
        assert "NAT_DETECTION" in refused(N, pack("!BBH", 0, 0, kind) + bytes(length)).reason


@pytest.mark.parametrize("count", [0, 2, 3, 255])
def test_vpp_2026_03_more_traffic_selectors_announced_than_sent(count: int) -> None:
    _, body = ts(TSI, pack("!BBHHH", 7, 0, 16, 0, 65535) + bytes(8))
    refused(TSI, bytes([count]) + body[1:])


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_vpp_2026_03_a_notify_without_its_fixed_part(length: int) -> None:
    refused(N, bytes(length))


@pytest.mark.parametrize("spi_octets", [1, 21, 255])
def test_vpp_2026_03_an_spi_longer_than_its_notify(spi_octets: int) -> None:
    refused(N, pack("!BBH", 3, spi_octets, 16384))


def test_openbsd_7_8_027_an_identity_cut_at_each_octet() -> None:
    for length in range(4):
        refused(IDI, bytes(length))


@pytest.mark.parametrize("group", [0, 1, 13, 1025, 32768, 65535])
def test_cve_2014_9221_a_key_exchange_group_that_nobody_has(group: int) -> None:
    message = decode_message(datagram(INIT, 8, 0, KE, chain(ke(group, 32), NONCE_I)))
    (exchange, _) = message.payloads
    assert isinstance(exchange.group, KeGroup)  # type: ignore[attr-defined]
    assert exchange.group == group  # type: ignore[attr-defined]
    assert decode_message(encode_message(message)) == message


@pytest.mark.parametrize("prf", [0, 9, 1024, 65535])
def test_cve_2018_10811_a_prf_that_nobody_has(prf: int) -> None:
    (payload,) = decode_chain(PayloadType.SA, chain(sa(proposal(1, 1, b"", transform(2, prf)))))
    assert isinstance(payload, SecurityAssociation)
    assert payload.proposals[0].transforms == (Transform(TransformType.PRF, prf),)
    assert PrfId(prf) == prf


@pytest.mark.parametrize("kind", range(1, 33))
def test_cve_2015_3991_payloads_of_ikev1_in_ikev2(kind: int) -> None:
    octets = datagram(INIT, 8, 0, kind, chain((kind, noise(16, "old")), NONCE_I))
    assert [type(payload).__name__ for payload in decode_message(octets).payloads] == [
        "UnknownPayload",
        "Nonce",
    ]


@pytest.mark.parametrize("protocol", [0, 1, 4, 255])
def test_cve_2023_38710_rekey_sa_that_names_no_child(protocol: int) -> None:
    assert "REKEY_SA" in refused(N, pack("!BBH", protocol, 4, 16393) + ESP_SPI).reason


@pytest.mark.parametrize("spi", [b"", b"abc", b"abcde", b"abcdefgh"])
def test_cve_2023_38710_rekey_sa_whose_spi_is_none(spi: bytes) -> None:
    refused(N, pack("!BBH", ESP, len(spi), 16393) + spi)
    kind, body = notify(16393, b"", ESP, ESP_SPI)
    (payload,) = decode_chain(PayloadType(kind), chain((kind, body)))
    assert payload == Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, ESP_SPI)


def test_cve_2026_12413_unknown_payloads_around_a_fragment_are_bounded() -> None:
    fragment = SKF, b"\0\1\0\2" + noise(32, "sealed")
    many = datagram(35, 8, 1, 200, chain(*[(200, b"")] * 500, fragment))
    with pytest.raises(ParseError, match="too many payloads"):
        decode_message(many)
    some = decode_message(datagram(35, 8, 1, 200, chain(*[(200, b"")] * 5, fragment)))
    assert len(some.payloads) == 6


@pytest.mark.parametrize("length", range(8))
def test_cve_2026_35333_attributes_of_length_0_do_not_loop(length: int) -> None:
    """Every inner loop goes forward: lengths that would stand still are refused, or count no octets of their own."""
    still = bytes(length)
    for kind, fixed in ((SA, b""), (TSI, b"\xff\0\0\0"), (CP, b"\1\0\0\0")):
        try:
            decode_chain(PayloadType(kind), chain((kind, fixed + still)))
        except ParseError as error:
            assert error.payload == kind  # noqa: PT017 (either is fine, not ending is not)


def test_work_on_one_datagram_is_bounded() -> None:
    """As many small things as a datagram of 64 kB can hold, of each kind."""
    endless = [
        (SA, b"".join(b"\2\0" + proposal(1, 1, b"", transform(1, 12)) for _ in range(3000))),
        (SA, sa(*[proposal(1, 1, b"", *[transform(1, 12)] * 200) for _ in range(30)])[1]),
        (SA, sa(proposal(1, 1, b"", pack("!HBBH", 8 + 4 * 10_000, 1, 0, 12) + b"\x80\1\0\0" * 10_000))[1]),
        (CP, b"\1\0\0\0" + pack("!HH", 7, 0) * 16_000),
    ]
    for kind, body in endless:
        assert "too many" in refused(kind, body).reason
    with pytest.raises(ParseError, match="too many payloads"):
        decode_chain(PayloadType.VENDOR, chain(*[(43, b"")] * 16_000))
    full = CP, b"\1\0\0\0" + pack("!HH", 60000, 0) * 256
    with pytest.raises(ParseError, match="more than one"):
        decode_chain(PayloadType.CP, chain(*[full] * 60))


def test_a_selector_that_runs_backwards_is_refused_and_opaque_ports_are_kept() -> None:
    backwards = pack("!BBHHH", 7, 0, 16, 0, 65535) + bytes((10, 0, 0, 2, 10, 0, 0, 1))
    refused(TSI, ts(TSI, backwards)[1])
    refused(TSI, ts(TSI, pack("!BBHHH", 7, 6, 16, 81, 80) + bytes(8))[1])
    opaque = pack("!BBHHH", 7, 6, 16, 65535, 0) + bytes(8)
    (payload,) = decode_chain(PayloadType.TSI, chain(ts(TSI, opaque)))
    assert isinstance(payload, SelectorsInitiator)
    selector = payload.selectors[0]
    assert (selector.start, selector.start_port, selector.end_port) == (IPv4Address("0.0.0.0"), 65535, 0)
    assert payload.encode() == ts(TSI, opaque)[1]


def test_selectors_of_unknown_types_are_left_out() -> None:
    label = pack("!BBH", 10, 0, 12) + b"security"
    known = pack("!BBHHH", 7, 0, 16, 0, 65535) + bytes(8)
    (payload,) = decode_chain(PayloadType.TSI, chain(ts(TSI, label, known)))
    assert isinstance(payload, SelectorsInitiator)
    assert len(payload.selectors) == 1
    assert decode_chain(PayloadType.TSI, chain(ts(TSI, label))) == (SelectorsInitiator(()),)


def test_what_strangers_send_stays_a_message_when_written_again() -> None:
    """Unknown numbers in every place that takes one."""
    odd = proposal(
        77,
        200,
        b"odd",
        transform(99, 65000, 77),
        pack("!HBBHHHHH3s", 19, 250, 0, 60000, 0x8FFF, 7, 0x7FFF, 3, b"abc"),
    )
    message = decode_message(datagram(240, 0x28, 0xFFFFFFFF, SA, chain(
        sa(odd), ke(60000, 3), (IDI, b"\xee\1\2\3who"), (37, b"\xddcert"), (38, b"\xddreq"), (39, b"\xcc\1\2\3auth"),
        notify(50000, b"data", 99, b"spi"), (CP, b"\xbb\1\2\3" + pack("!HH", 0xFFFF, 2) + b"cp"),
        eap(200, 9, b"eap"), (199, b"unknown"),
    )))  # fmt: skip
    assert isinstance(message, Message)
    assert len(message.payloads) == 10
    assert decode_message(encode_message(message)) == message
    packet = EapPacket.decode(eap(1, 9, b"\xaemethod")[1])
    assert (packet.type, packet.data) == (0xAE, b"method")
