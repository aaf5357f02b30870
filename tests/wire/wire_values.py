"""Hypothesis strategies: every value of `wire` that may be sent."""

from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from hypothesis import strategies as st

from ikegw.wire.authentication import Authentication
from ikegw.wire.certificate import Certificate, CertificateRequest
from ikegw.wire.configuration import ConfigAttribute, Configuration
from ikegw.wire.delete import Delete
from ikegw.wire.eap import Eap, EapPacket
from ikegw.wire.encrypted import Encrypted, EncryptedFragment
from ikegw.wire.identification import Identity, IdInitiator, IdResponder
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import Header, Message
from ikegw.wire.nonce import Nonce
from ikegw.wire.notify import Notify
from ikegw.wire.payload import Payload
from ikegw.wire.proposal import Proposal, SecurityAssociation, Transform
from ikegw.wire.registry import (
    AuthMethod,
    CertEncoding,
    ConfigAttributeType,
    ConfigType,
    EapCode,
    EapType,
    ExchangeType,
    IdType,
    KeGroup,
    NotifyType,
    OctetRegistry,
    PayloadType,
    ProtocolId,
    Registry,
    TransformType,
)
from ikegw.wire.selectors import SelectorsInitiator, SelectorsResponder, TrafficSelector
from ikegw.wire.unknown import UnknownPayload
from ikegw.wire.vendor import VendorId

R = TypeVar("R", bound=Registry)


def numbers(kind: type[R], largest: int = 0) -> st.SearchStrategy[R]:
    """Named members often, any number sometimes."""
    top = largest or (0xFF if issubclass(kind, OctetRegistry) else 0xFFFF)
    return st.sampled_from(list(kind)) | st.integers(0, top).map(kind)


OCTET, WORD = st.integers(0, 255), st.integers(0, 0xFFFF)
DATA = st.binary(max_size=80)

attributes = st.one_of(
    st.tuples(st.integers(0, 0x7FFF), st.binary(max_size=8)),
    st.tuples(
        st.integers(0x8000, 0xFFFF).filter(lambda kind: kind != 0x800E), st.binary(min_size=2, max_size=2)
    ),
)
transforms = st.builds(
    Transform,
    type=numbers(TransformType),
    id=WORD,
    key_bits=st.none() | st.sampled_from([128, 192, 256]) | WORD,
    attributes=st.just(()) | st.lists(attributes, max_size=3).map(tuple),
)


@st.composite
def proposals(draw: st.DrawFn) -> Proposal:
    protocol = draw(numbers(ProtocolId))
    sizes = {ProtocolId.IKE: (0, 8), ProtocolId.AH: (4,), ProtocolId.ESP: (4,)}.get(protocol, (0, 1, 4, 255))
    size = draw(st.sampled_from(sizes))
    spi = draw(st.binary(min_size=size, max_size=size))
    return Proposal(draw(OCTET), protocol, spi, tuple(draw(st.lists(transforms, max_size=6))))


@st.composite
def traffic_selectors(draw: st.DrawFn) -> TrafficSelector:
    bits, address = draw(st.sampled_from([(32, IPv4Address), (128, IPv6Address)]))
    low, high = sorted(draw(st.tuples(*[st.integers(0, 2**bits - 1)] * 2)))
    ports = draw(st.tuples(WORD, WORD).map(sorted) | st.sampled_from([(0, 65535), (65535, 0)]))
    return TrafficSelector(address(low), address(high), draw(OCTET), *ports)


@st.composite
def identities(draw: st.DrawFn) -> Identity:
    kind = draw(numbers(IdType))
    size = {IdType.IPV4_ADDR: 4, IdType.IPV6_ADDR: 16}.get(kind)
    return Identity(kind, draw(DATA if size is None else st.binary(min_size=size, max_size=size)))


SIZES_OF_NOTIFIES = {1: 1, 17: 2, 16385: 4, 16388: 20, 16389: 20, 16387: 3, 16397: 4, 16398: 16, 16403: 4}
SIZES_OF_ATTRIBUTES = {
    1: 4,
    2: 4,
    3: 4,
    4: 4,
    6: 4,
    8: 17,
    10: 16,
    12: 16,
    13: 8,
    14: 6,
    15: 17,
    20: 4,
    21: 16,
}


@st.composite
def notifies(draw: st.DrawFn) -> Notify:
    kind = draw(numbers(NotifyType))
    if kind is NotifyType.REKEY_SA:
        child = draw(st.sampled_from([ProtocolId.AH, ProtocolId.ESP]))
        return Notify(kind, draw(DATA), child, draw(st.binary(min_size=4, max_size=4)))
    size = SIZES_OF_NOTIFIES.get(kind)
    if kind in (NotifyType.COOKIE, NotifyType.COOKIE2):
        data = draw(st.binary(min_size=8, max_size=64))
    elif kind is NotifyType.SIGNATURE_HASH_ALGORITHMS:
        data = 2 * draw(st.binary(max_size=10))
    else:
        data = draw(DATA if size is None else st.binary(min_size=size, max_size=size))
    return Notify(kind, data, draw(numbers(ProtocolId)), draw(st.binary(max_size=9)))


@st.composite
def config_attributes(draw: st.DrawFn) -> ConfigAttribute:
    kind = draw(numbers(ConfigAttributeType, 0x7FFF))
    size = SIZES_OF_ATTRIBUTES.get(kind)
    empty = draw(st.booleans())
    return ConfigAttribute(
        kind, b"" if empty else draw(DATA if size is None else st.binary(min_size=size, max_size=size))
    )


@st.composite
def eap_packets(draw: st.DrawFn) -> EapPacket:
    code = draw(numbers(EapCode))
    if code in (EapCode.REQUEST, EapCode.RESPONSE):
        return EapPacket(code, draw(OCTET), draw(numbers(EapType)), draw(DATA))
    return EapPacket(
        code, draw(OCTET), None, b"" if code in (EapCode.SUCCESS, EapCode.FAILURE) else draw(DATA)
    )


deletes = st.just(Delete(ProtocolId.IKE)) | st.builds(
    Delete,
    st.sampled_from([ProtocolId.AH, ProtocolId.ESP]),
    st.lists(st.binary(min_size=4, max_size=4), max_size=5).map(tuple),
)
selectors = st.lists(traffic_selectors(), max_size=5).map(tuple)
DECODED = {int(kind) for kind in PayloadType} - {49, 50, 51, 52, 54}
unknowns = st.builds(
    UnknownPayload,
    st.integers(1, 255).filter(lambda number: number not in DECODED).map(PayloadType),
    st.just(False),
    DATA,
)

PAYLOADS: dict[str, st.SearchStrategy[Payload]] = {
    "SA": st.lists(proposals(), min_size=1, max_size=4).map(tuple).map(SecurityAssociation),
    "KE": st.builds(KeyExchange, numbers(KeGroup), DATA),
    "IDi": identities().map(IdInitiator),
    "IDr": identities().map(IdResponder),
    "CERT": st.builds(Certificate, numbers(CertEncoding), DATA),
    "CERTREQ": st.builds(CertificateRequest, numbers(CertEncoding), DATA),
    "AUTH": st.builds(Authentication, numbers(AuthMethod), DATA),
    "Nonce": st.binary(min_size=16, max_size=256).map(Nonce),
    "N": notifies(),
    "D": deletes,
    "V": DATA.map(VendorId),
    "TSi": selectors.map(SelectorsInitiator),
    "TSr": selectors.map(SelectorsResponder),
    "CP": st.builds(Configuration, numbers(ConfigType), st.lists(config_attributes(), max_size=5).map(tuple)),
    "EAP": eap_packets().map(lambda packet: Eap(packet.encode())),
    "unknown": unknowns,
}
MANY = (Certificate, CertificateRequest, Notify, Delete, VendorId, UnknownPayload)


def without_seconds(payloads: list[Payload]) -> tuple[Payload, ...]:
    """No message has two of most payloads."""
    first = {payload.TYPE: payload for payload in reversed(payloads)}
    return tuple(one for one in payloads if isinstance(one, MANY) or first[one.TYPE] is one)


chains = st.lists(st.one_of(*PAYLOADS.values()), max_size=8).map(without_seconds)


@st.composite
def fragments(draw: st.DrawFn) -> EncryptedFragment:
    number, total = sorted(draw(st.tuples(*[st.integers(1, 0xFFFF)] * 2)))
    return EncryptedFragment(draw(numbers(PayloadType)), number, total, draw(DATA))


sealed = st.builds(Encrypted, numbers(PayloadType), DATA) | fragments()
headers = st.builds(
    Header,
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=8, max_size=8),
    numbers(ExchangeType),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32 - 1),
    st.just(2),
    st.integers(0, 15),
)
messages = st.builds(
    Message, headers, chains | st.tuples(chains, sealed).map(lambda both: (*both[0], both[1]))
)
