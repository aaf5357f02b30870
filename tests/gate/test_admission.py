"""Rows D-01 to D-08: the same judgement for a decoded message and for its octets."""

import random
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from ikegw.gate.admission import Admission, Admit, Answer, Challenge
from ikegw.gate.classify import Drop, ForSa, Opening, TooNew, Why, classify
from ikegw.gate.limits import Limits
from ikegw.paths import Endpoint, Path
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import Header, Message, decode_message, encode_message
from ikegw.wire.nonce import Nonce
from ikegw.wire.notify import Notify
from ikegw.wire.payload import Payload
from ikegw.wire.proposal import Proposal, SecurityAssociation, Transform
from ikegw.wire.registry import EncryptionId, ExchangeType, KeGroup, NotifyType, ProtocolId, TransformType
from ikegw.wire.vendor import VendorId

SPI, NI = b"initiato", b"n" * 32
US = Endpoint(IPv4Address("192.0.2.1"), 500)
ADDRESS = IPv4Address("198.51.100.7")
PATH = Path(US, Endpoint(ADDRESS, 500))
SA = SecurityAssociation(
    (Proposal(1, ProtocolId.IKE, b"", (Transform(TransformType.ENCR, EncryptionId.AES_GCM_16, 256),)),)
)


def opening(
    *first: Payload, spi: bytes = SPI, nonce: bytes = NI, group: KeGroup = KeGroup.X25519, major: int = 2
) -> Message:
    header = Header(spi, bytes(8), ExchangeType.IKE_SA_INIT, False, True, 0, major)
    return Message(header, (*first, SA, KeyExchange(group, bytes(32)), Nonce(nonce), VendorId(b"somebody")))


def path_from(address: str | int, port: int = 500) -> Path:
    return Path(US, Endpoint(ip_address(address), port))


def admission(limits: Limits | None = None, half_open: int = 0) -> Admission:
    source = random.Random(3)
    made = Admission(limits or Limits(), source.randbytes, 0.0)
    for n in range(half_open):
        made.half_open(IPv4Address(0x0A000000 + n))
    return made


def cookie_in(datagram: bytes | None) -> Notify:
    assert datagram is not None
    notify = decode_message(datagram).notify(NotifyType.COOKIE)
    assert notify is not None
    return notify


def test_D_01_below_the_thresholds_everybody_is_admitted() -> None:
    gate = admission(half_open=29)
    assert gate.judge(opening(), PATH, 0.0) == Admit()
    assert gate.challenge_raw(encode_message(opening()), PATH, 0.0) is None
    assert gate.judge(opening(Notify(NotifyType.COOKIE, b"of another gateway")), PATH, 0.0) == Admit()


def test_D_02_from_30_half_open_on_everybody_needs_a_cookie() -> None:
    gate = admission(half_open=30)
    judged = gate.judge(opening(), PATH, 0.0)
    assert isinstance(judged, Challenge)
    assert judged.cookie.hex() not in repr(judged)
    assert gate.half_open_total == 30


def test_D_02_from_3_half_open_on_their_source_needs_a_cookie_and_nobody_else() -> None:
    gate = admission()
    for _ in range(3):
        gate.half_open(ADDRESS)
    assert isinstance(gate.judge(opening(), PATH, 0.0), Challenge)
    assert gate.judge(opening(), path_from("198.51.100.8"), 0.0) == Admit()


def test_D_02_an_ipv6_64_is_one_source() -> None:
    gate = admission()
    for n in range(3):
        gate.half_open(IPv6Address(f"2001:db8:0:1::{n}"))
    assert isinstance(gate.judge(opening(), path_from("2001:db8:0:1:ffff::"), 0.0), Challenge)
    assert gate.judge(opening(), path_from("2001:db8:0:2::"), 0.0) == Admit()


@pytest.mark.parametrize("address", ["198.51.100.7", "2001:db8::7"])
def test_D_03_a_returned_cookie_admits_by_either_way(address: str) -> None:
    gate, path = admission(half_open=30), path_from(address)
    judged = gate.judge(opening(), path, 0.0)
    assert isinstance(judged, Challenge)
    raw = cookie_in(gate.challenge_raw(encode_message(opening()), path, 1.0))
    assert raw.data == judged.cookie
    again = opening(Notify(NotifyType.COOKIE, raw.data))
    assert gate.challenge_raw(encode_message(again), path, 2.0) is None
    assert gate.judge(again, path, 2.0) == Admit()


def test_D_03_the_cookie_survives_another_group_and_another_port() -> None:
    gate = admission(half_open=30)
    cookie = cookie_in(gate.challenge_raw(encode_message(opening()), PATH, 0.0))
    again = opening(Notify(NotifyType.COOKIE, cookie.data), group=KeGroup.MODP_2048)
    assert gate.judge(again, path_from("198.51.100.7", 4711), 1.0) == Admit()


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        (opening(nonce=b"m" * 32), PATH),
        (opening(spi=b"INITIATO"), PATH),
        (opening(), path_from("198.51.100.8")),
    ],
)
def test_D_02_a_cookie_of_another_nonce_spi_or_address_is_answered_with_a_new_one(
    changed: Message, path: Path
) -> None:
    gate = admission(half_open=30)
    cookie = cookie_in(gate.challenge_raw(encode_message(opening()), PATH, 0.0))
    forged = Message(changed.header, (Notify(NotifyType.COOKIE, cookie.data), *changed.payloads))
    assert isinstance(gate.judge(forged, path, 1.0), Challenge)
    assert cookie_in(gate.challenge_raw(encode_message(forged), path, 1.0)).data != cookie.data


def test_D_02_a_stale_cookie_is_answered_with_a_new_one() -> None:
    gate = admission(half_open=30)
    cookie = cookie_in(gate.challenge_raw(encode_message(opening()), PATH, 0.0))
    again = opening(Notify(NotifyType.COOKIE, cookie.data))
    assert gate.judge(again, PATH, 119.0) == Admit()
    assert isinstance(gate.judge(again, PATH, 120.0), Challenge)


def test_D_02_the_raw_challenge_is_the_response_that_rfc_7296_2_6_wants() -> None:
    datagram = admission(half_open=30).challenge_raw(encode_message(opening()), PATH, 0.0)
    assert datagram is not None
    answer = decode_message(datagram)
    assert answer.header == Header(SPI, bytes(8), ExchangeType.IKE_SA_INIT, True, False, 0)
    assert [type(payload) for payload in answer.payloads] == [Notify]
    assert encode_message(answer) == datagram
    assert len(datagram) < len(encode_message(opening())), "the answer must not amplify"


def test_D_04_a_newer_major_version_is_answered_in_ours_and_rarely() -> None:
    gate = admission()
    octets = bytearray(encode_message(opening()))
    octets[17] = 0x30
    assert classify(bytes(octets)) == TooNew()
    datagram = gate.too_new_raw(bytes(octets), PATH, 0.0)
    assert isinstance(datagram, bytes)
    answer = decode_message(datagram)
    assert (answer.header.major, answer.header.is_response) == (2, True)
    assert answer.notify(NotifyType.INVALID_MAJOR_VERSION) is not None
    assert gate.too_new_raw(bytes(octets), PATH, 0.1) == Drop(Why.NEWER_VERSION)
    other = path_from("198.51.100.8")
    assert gate.judge(opening(major=3), other, 0.1) == Answer(Notify(NotifyType.INVALID_MAJOR_VERSION))
    assert gate.judge(opening(major=3), other, 0.2) == Drop(Why.NEWER_VERSION)


def test_D_05_an_unknown_critical_payload_is_named_and_rarely() -> None:
    gate = admission()
    expected = Answer(Notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, b"\xc8"))
    assert gate.unsupported_critical(200, PATH, 0.0) == expected
    assert gate.unsupported_critical(200, PATH, 0.1) == Drop(Why.CRITICAL_PAYLOAD)


def test_D_07_a_source_with_5_half_open_is_not_heard() -> None:
    gate = admission()
    for _ in range(5):
        assert gate.refused(PATH) is None
        gate.half_open(ADDRESS)
    assert gate.refused(PATH) == gate.judge(opening(), PATH, 0.0) == Drop(Why.SOURCE_BLOCKED)
    assert gate.refused(path_from("198.51.100.8")) is None
    gate.no_longer_half_open(ADDRESS)
    assert gate.refused(PATH) is None


def test_D_07_the_hard_cap_holds_even_against_right_cookies() -> None:
    gate = admission(Limits(hard_total=40), half_open=39)
    cookie = cookie_in(gate.challenge_raw(encode_message(opening()), PATH, 0.0))
    again = opening(Notify(NotifyType.COOKIE, cookie.data))
    assert gate.judge(again, PATH, 0.0) == Admit()
    gate.half_open(ADDRESS)
    assert gate.judge(again, PATH, 0.0) == gate.refused(PATH) == Drop(Why.HALF_OPEN_FULL)


def test_D_08_unknown_spis_are_answered_with_what_they_sent_and_rarely() -> None:
    gate = admission()
    octets = bytearray(encode_message(opening()))
    octets[8:20] = b"responde" + bytes((46, 0x20, ExchangeType.INFORMATIONAL, 0x08))
    octets[20:24] = b"\0\0\0\7"
    assert classify(bytes(octets)) == ForSa(b"responde", False)
    datagram = gate.unknown_spi_raw(bytes(octets), PATH, 0.0)
    assert isinstance(datagram, bytes)
    answer = decode_message(datagram)
    assert answer.header == Header(SPI, b"responde", ExchangeType.INFORMATIONAL, True, False, 7)
    assert answer.notify(NotifyType.INVALID_IKE_SPI) is not None
    assert gate.unknown_spi_raw(bytes(octets), PATH, 1.0) == Drop(Why.UNKNOWN_SPI)


def test_D_08_a_request_of_a_responder_is_answered_as_its_initiator() -> None:
    header = Header(SPI, b"responde", ExchangeType.INFORMATIONAL, False, False, 0)
    datagram = admission().unknown_spi_raw(encode_message(Message(header, (VendorId(b"v"),))), PATH, 0.0)
    assert isinstance(datagram, bytes)
    assert decode_message(datagram).header.from_initiator


def test_D_08_judge_answers_requests_and_never_responses() -> None:
    gate = admission()
    header = Header(SPI, b"responde", ExchangeType.INFORMATIONAL, False, True, 7)
    assert gate.judge(Message(header), PATH, 0.0) == Answer(Notify(NotifyType.INVALID_IKE_SPI))
    response = Header(SPI, bytes(8), ExchangeType.IKE_SA_INIT, True, False, 0)
    assert gate.judge(Message(response), PATH, 0.0) == Drop(Why.UNKNOWN_SPI)


def test_an_opening_without_a_nonce_is_dropped_under_a_flood() -> None:
    gate = admission(half_open=30)
    message = Message(opening().header, (SA,))
    assert gate.challenge_raw(encode_message(message), PATH, 0.0) is None
    assert gate.judge(message, PATH, 0.0) == Drop(Why.MALFORMED)


def test_hostile_octets_never_raise_and_answers_are_well_formed() -> None:
    gate, source = admission(half_open=30), random.Random(4)
    valid = encode_message(opening(Notify(NotifyType.COOKIE, b"c" * 17)))
    for _ in range(20_000):
        octets = bytearray(valid[: source.randrange(len(valid) + 1)] if source.random() < 0.3 else valid)
        for _ in range(source.randrange(4) if octets else 0):
            octets[source.randrange(len(octets))] = source.randrange(256)
        classify(bytes(octets))
        datagram = gate.challenge_raw(bytes(octets), PATH, 0.0)
        if datagram is not None:
            assert cookie_in(datagram).data != b"c" * 17


def test_a_datagram_of_16_000_empty_payloads_is_not_walked_to_its_end() -> None:
    empty = b"\x2b\0\0\4" * 16_000
    octets = encode_message(opening())[:16] + b"\x2b" + encode_message(opening())[17:28] + empty
    assert admission(half_open=30).challenge_raw(octets, PATH, 0.0) is None


def test_200_000_random_addresses_leave_nothing_behind() -> None:
    gate, source = admission(half_open=30), random.Random(5)
    octets = encode_message(opening())
    assert isinstance(classify(octets), Opening)
    for n in range(200_000):
        path = Path(US, Endpoint(IPv6Address(source.getrandbits(128)), 500))
        assert gate.refused(path) is None
        assert gate.challenge_raw(octets, path, n / 1e5) is not None
        if n % 20 == 0:
            gate.unknown_spi_raw(octets, path, n / 1e5)
    assert gate.half_open_total == 30
    assert all(len(rate) <= Limits().sources for rate in gate._rates.values())
