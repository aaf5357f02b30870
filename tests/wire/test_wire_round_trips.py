"""What is encoded decodes to an equal value; what does not fit its place is a ValueError of ours, never sent."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_values import PAYLOADS, chains, eap_packets, headers, messages

from ikegw.wire.authentication import Authentication
from ikegw.wire.certificate import Certificate
from ikegw.wire.configuration import ConfigAttribute, Configuration
from ikegw.wire.delete import Delete
from ikegw.wire.eap import EapPacket
from ikegw.wire.encrypted import Encrypted, EncryptedFragment
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import (
    Header,
    Message,
    decode_chain,
    decode_header,
    decode_message,
    encode_chain,
    encode_fragment_prefix,
    encode_message,
    encode_sealed_prefix,
)
from ikegw.wire.notify import Notify
from ikegw.wire.payload import Payload
from ikegw.wire.proposal import Proposal, SecurityAssociation, Transform
from ikegw.wire.registry import (
    AuthMethod,
    CertEncoding,
    ConfigAttributeType,
    ConfigType,
    EapCode,
    ExchangeType,
    KeGroup,
    NotifyType,
    PayloadType,
    ProtocolId,
    TransformType,
)
from ikegw.wire.selectors import SelectorsInitiator, TrafficSelector
from ikegw.wire.vendor import VendorId

ONE_OF_EACH = st.tuples(*PAYLOADS.values())


@settings(max_examples=50)
@given(ONE_OF_EACH)
def test_a_payload(payloads: tuple[Payload, ...]) -> None:
    for payload in payloads:
        (again,) = decode_chain(*encode_chain([payload]))
        assert again == payload
        assert hash(again) == hash(payload)


@settings(max_examples=20)
@given(ONE_OF_EACH)
def test_reserved_bits_are_ignored_where_a_payload_begins(payloads: tuple[Payload, ...]) -> None:
    for payload in payloads:
        first, octets = encode_chain([payload])
        assert octets[1] == 0
        assert decode_chain(first, octets[:1] + b"\x7f" + octets[2:]) == (payload,)


@given(chains)
def test_a_chain(payloads: tuple[Payload, ...]) -> None:
    assert decode_chain(*encode_chain(payloads)) == payloads


@given(messages)
def test_a_message(message: Message) -> None:
    octets = encode_message(message)
    assert decode_message(octets) == message
    assert int.from_bytes(octets[24:28], "big") == len(octets)


@given(eap_packets())
def test_an_eap_packet(packet: EapPacket) -> None:
    assert EapPacket.decode(packet.encode()) == packet


@given(headers, st.integers(0, 255).map(PayloadType), st.binary(max_size=60))
def test_the_prefix_of_what_is_sealed(header: Header, first: PayloadType, sealed: bytes) -> None:
    octets = encode_sealed_prefix(header, first, len(sealed)) + sealed
    assert decode_message(octets) == Message(header, (Encrypted(first, sealed),))
    assert encode_message(decode_message(octets)) == octets
    assert decode_header(octets) == (header, PayloadType.SK, len(octets))


@given(headers, st.integers(0, 255).map(PayloadType), st.integers(1, 20), st.binary(max_size=60))
def test_the_prefix_of_a_fragment(header: Header, first: PayloadType, number: int, sealed: bytes) -> None:
    octets = encode_fragment_prefix(header, first, number, 20, len(sealed)) + sealed
    assert decode_message(octets) == Message(header, (EncryptedFragment(first, number, 20, sealed),))
    assert encode_message(decode_message(octets)) == octets


IP4, IP6 = IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")
AES = Transform(TransformType.ENCR, 12, 256)
TOO_MUCH = [
    VendorId(bytes(65532)),
    KeyExchange(KeGroup.X25519, bytes(65530)),
    Certificate(CertEncoding.X509_SIGNATURE, bytes(65535)),
    Notify(NotifyType.COOKIE, spi=bytes(256)),
    SecurityAssociation((Proposal(256, ProtocolId.IKE, b"", (AES,)),)),
    SecurityAssociation((Proposal(1, ProtocolId.IKE, b"", (AES,) * 256),)),
    SecurityAssociation((Proposal(1, ProtocolId.IKE, bytes(256), (AES,)),)),
    SecurityAssociation((Proposal(1, ProtocolId.IKE, b"", (Transform(TransformType.ENCR, 65536),)),)),
    SecurityAssociation((Proposal(1, ProtocolId.IKE, b"", (Transform(TransformType.ENCR, 12, 65536),)),)),
    SecurityAssociation(
        (Proposal(1, ProtocolId.IKE, b"", (Transform(TransformType.ENCR, 12, None, ((0x8001, b"abc"),)),)),)
    ),
    SelectorsInitiator((TrafficSelector(IP4, IP4),) * 256),
    SelectorsInitiator((TrafficSelector(IP4, IP6),)),
    SelectorsInitiator((TrafficSelector(IP4, IP4, end_port=65536),)),
    Configuration(ConfigType.REQUEST, (ConfigAttribute(ConfigAttributeType(0x8001)),)),
    Configuration(
        ConfigType.REPLY, (ConfigAttribute(ConfigAttributeType.APPLICATION_VERSION, bytes(65536)),)
    ),
    Delete(ProtocolId.ESP, (b"abc",)),
    Delete(ProtocolId.IKE, (b"abcdefgh",)),
    Delete(ProtocolId.IKE, (b"",)),
    EncryptedFragment(PayloadType.NONE, 65536, 65536, b""),
]


@pytest.mark.parametrize("payload", TOO_MUCH, ids=lambda payload: payload.TYPE.name)
def test_what_does_not_fit_is_not_sent(payload: Payload) -> None:
    with pytest.raises(ValueError, match=r".+"):
        encode_chain([payload])


@pytest.mark.parametrize(("code", "kind"), [(EapCode.SUCCESS, 1), (EapCode.REQUEST, None)])
def test_an_eap_type_stands_where_it_belongs(code: EapCode, kind: int | None) -> None:
    with pytest.raises(ValueError, match="EAP"):
        EapPacket(code, 1, kind).encode()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "header",
    [
        Header(b"short", bytes(8), ExchangeType.IKE_AUTH, False, True, 1),
        Header(bytes(8), bytes(9), ExchangeType.IKE_AUTH, False, True, 1),
        Header(bytes(8), bytes(8), ExchangeType.IKE_AUTH, False, True, 2**32),
        Header(bytes(8), bytes(8), ExchangeType.IKE_AUTH, False, True, 1, 16),
        Header(bytes(8), bytes(8), ExchangeType.IKE_AUTH, False, True, 1, 2, 16),
    ],
)
def test_a_header_that_does_not_fit_is_not_sent(header: Header) -> None:
    with pytest.raises(ValueError, match=r"SPI|header"):
        encode_message(Message(header))


def test_a_sealed_payload_is_the_last() -> None:
    with pytest.raises(ValueError, match="last"):
        encode_chain([Encrypted(PayloadType.NONE, b""), VendorId(b"behind")])


def test_secrets_and_bulk_stay_out_of_repr() -> None:
    secret = b"squeamish ossifrage"
    for value in (
        Authentication(AuthMethod.SHARED_KEY, secret),
        KeyExchange(KeGroup.X25519, secret),
        EapPacket(EapCode.SUCCESS, 1, None, secret),
        Encrypted(PayloadType.IDI, secret),
        EncryptedFragment(PayloadType.IDI, 1, 1, secret),
        Certificate(CertEncoding.X509_SIGNATURE, secret),
    ):
        assert "ossifrage" not in repr(value)
