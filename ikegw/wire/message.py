"""Whole IKE messages (RFC 7296 §3.1, §3.2): the header, the chain of payloads, and the prefix of a sealed message."""

import struct
from collections.abc import Callable, Iterable
from struct import Struct
from typing import TypeVar

from attrs import frozen

from ikegw.wire.authentication import Authentication
from ikegw.wire.certificate import Certificate, CertificateRequest
from ikegw.wire.configuration import Configuration
from ikegw.wire.delete import Delete
from ikegw.wire.eap import Eap
from ikegw.wire.encrypted import FRAGMENT_HEADER, Encrypted, EncryptedFragment
from ikegw.wire.errors import ParseError
from ikegw.wire.identification import IdInitiator, IdResponder
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.nonce import Nonce
from ikegw.wire.notify import Notify
from ikegw.wire.payload import CRITICAL, GENERIC_HEADER
from ikegw.wire.payload import Payload as Payload  # given on: a message is a tuple of them
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import ExchangeType, Members, NotifyType, PayloadType
from ikegw.wire.selectors import SelectorsInitiator, SelectorsResponder
from ikegw.wire.unknown import UnknownPayload
from ikegw.wire.vendor import VendorId

HEADER_OCTETS = 28
FIRST_PAYLOAD_AT = 16
"""Where the header names the type of the first payload."""

MAX_PAYLOADS = 128
"""In one chain. Long certificate chains and MOBIKE's lists of addresses stay well below."""

_HEADER = Struct("!8s8sBBBBII")
_RESPONSE, _INITIATOR = 0x20, 0x08
_EXCHANGES = Members(ExchangeType)
_TYPES = Members(PayloadType)

_PLAIN: tuple[type[Payload], ...] = (
    SecurityAssociation,
    KeyExchange,
    IdInitiator,
    IdResponder,
    Certificate,
    CertificateRequest,
    Authentication,
    Nonce,
    Notify,
    Delete,
    VendorId,
    SelectorsInitiator,
    SelectorsResponder,
    Configuration,
    Eap,
)
_DECODERS: dict[int, Callable[[bytes, int], Payload]] = {kind.TYPE: kind.decode for kind in _PLAIN}
_SEALED: dict[int, Callable[[bytes, int, PayloadType], Payload]] = {
    PayloadType.SK: Encrypted.decode,
    PayloadType.SKF: EncryptedFragment.decode,
}
_MANY: frozenset[int] = frozenset(
    (PayloadType.CERT, PayloadType.CERTREQ, PayloadType.NOTIFY, PayloadType.DELETE, PayloadType.VENDOR)
)
"""No message of any exchange has two of another known payload. Looking here and not only at the shape, after everything
is decoded, bounds the work that one datagram can cause."""

_SPECIAL = frozenset((PayloadType.NONE, PayloadType.SK, PayloadType.SKF))
"""Payloads whose generic header says something of their own."""

P = TypeVar("P", bound=Payload)


@frozen
class Header:
    """The 28 octets before the payloads, without what follows from these: next payload and length. SPIs have 8 octets."""

    initiator_spi: bytes
    responder_spi: bytes
    exchange: ExchangeType
    is_response: bool
    from_initiator: bool
    message_id: int
    major: int = 2
    minor: int = 0


@frozen
class Message:
    """A header and its payloads, in the order in which they were sent."""

    header: Header
    payloads: tuple[Payload, ...] = ()

    def one(self, cls: type[P]) -> P | None:
        """The first payload of a kind, or None; `shape_of` has seen that there is no second where one is allowed."""
        for payload in self.payloads:
            if type(payload) is cls:
                return payload
        return None

    def need(self, cls: type[P]) -> P:
        """The first payload of a kind that the message's shape requires; ParseError if it is not there all the same."""
        payload = self.one(cls)
        if payload is None:
            raise ParseError("required and missing", HEADER_OCTETS, cls.TYPE)
        return payload

    def every(self, cls: type[P]) -> tuple[P, ...]:
        """All payloads of a kind, in order."""
        return tuple([payload for payload in self.payloads if isinstance(payload, cls)])

    @property
    def error(self) -> Notify | None:
        """The first notify that tells an error (RFC 7296 §3.10.1), or None."""
        for payload in self.payloads:
            if isinstance(payload, Notify) and payload.type.is_error:
                return payload
        return None

    def notify(self, type: NotifyType) -> Notify | None:  # noqa: A002 (the RFC's word)
        """The first notify of a type, or None."""
        for payload in self.payloads:
            if payload.__class__ is Notify and payload.type == type:
                return payload
        return None


# ---------------------------------------------------------------- decoding


def decode_header(octets: bytes) -> tuple[Header, PayloadType, int]:
    """The header, the type of the first payload, and the length that the sender gives; ParseError below 28 octets.

    Looks at these octets alone and compares nothing: another major version, or a length that is not the datagram's, is
    for the caller to see. `decode_message` refuses both.
    """
    if len(octets) < HEADER_OCTETS:
        raise ParseError(f"{len(octets)} octets are no IKE header")
    initiator, responder, first, version, exchange, flags, message_id, length = _HEADER.unpack_from(octets)
    header = Header(
        initiator,
        responder,
        _EXCHANGES[exchange],
        flags & _RESPONSE != 0,
        flags & _INITIATOR != 0,
        message_id,
        version >> 4,
        version & 15,
    )
    return header, _TYPES[first], length


def decode_message(octets: bytes) -> Message:
    """One datagram. SK and SKF stay sealed and are always last. ParseError for all that is no IKEv2 message."""
    header, first, length = decode_header(octets)
    if header.major != 2:
        raise ParseError(f"IKE version {header.major}", 17)
    if length != len(octets):
        raise ParseError(f"length {length} in a datagram of {len(octets)} octets", 24)
    return Message(header, _walk(first, octets, HEADER_OCTETS, 0, _SEALED))


def decode_chain(first: PayloadType, octets: bytes, offset: int = 0) -> tuple[Payload, ...]:
    """The payloads inside SK, beginning with one of type `first`; nothing may be sealed twice.

    `offset` is where these octets stand in the message, for errors.
    """
    return _walk(first, octets, 0, offset, {})


def _walk(
    number: int,
    octets: bytes,
    position: int,
    offset: int,
    sealed: dict[int, Callable[[bytes, int, PayloadType], Payload]],
) -> tuple[Payload, ...]:
    payloads: list[Payload] = []
    seen: set[int] = set()
    end = len(octets)
    while number:
        body_at = position + 4
        if body_at > end:
            raise ParseError("a payload is announced and missing", offset + position, _TYPES[number])
        following, flags, length = GENERIC_HEADER.unpack_from(octets, position)
        after = position + length
        if length < 4 or after > end:
            raise ParseError(f"payload length {length}", offset + position, _TYPES[number])
        if len(payloads) == MAX_PAYLOADS:
            raise ParseError("too many payloads", offset + position)
        body = octets[body_at:after]
        if decode := _DECODERS.get(number):
            if number not in _MANY:
                if number in seen:
                    raise ParseError("more than one", offset + position, _TYPES[number])
                seen.add(number)
            payloads.append(decode(body, offset + body_at))
        elif unseal := sealed.get(number):
            payloads.append(unseal(body, offset + body_at, _TYPES[following]))
            following = 0  # what it names stands inside
        else:
            payloads.append(_unknown(number, flags, body, offset + position))
        number, position = following, after
    if position != end:
        raise ParseError("octets after the last payload", offset + position)
    return tuple(payloads)


def _unknown(number: int, flags: int, body: bytes, offset: int) -> UnknownPayload:
    kind = _TYPES[number]
    if number in _SEALED:
        raise ParseError("sealed inside what was sealed", offset, kind)
    if flags & CRITICAL:
        raise ParseError(
            f"critical payload of unknown type {number}", offset, kind, unsupported_critical=number
        )
    return UnknownPayload(kind, False, body)


# ---------------------------------------------------------------- encoding


def encode_message(message: Message) -> bytes:
    """A datagram in clear, or one whose last payload is sealed; ValueError if a value does not fit its place."""
    first, chain = encode_chain(message.payloads)
    return _encode_header(message.header, first, HEADER_OCTETS + len(chain)) + chain


def encode_chain(payloads: Iterable[Payload]) -> tuple[PayloadType, bytes]:
    """The type of the first payload (NONE if there is none) and the octets; ValueError as `encode_message`."""
    parts: list[bytes] = []
    following: PayloadType = PayloadType.NONE
    try:
        for payload in reversed(tuple(payloads)):
            kind, flags = payload.TYPE, 0
            if kind in _SPECIAL:
                if isinstance(payload, UnknownPayload):
                    kind, flags = payload.type, CRITICAL if payload.critical else 0
                elif isinstance(payload, Encrypted | EncryptedFragment):
                    if parts:
                        raise ValueError("a sealed payload is the last of its message")
                    following = payload.first
            body = payload.encode()
            parts.append(body)
            parts.append(GENERIC_HEADER.pack(following, flags, len(body) + 4))
            following = kind
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{payload.TYPE.name} payload: {error}") from error
    parts.reverse()
    return following, b"".join(parts)


def encode_sealed_prefix(header: Header, first: PayloadType, sealed_length: int) -> bytes:
    """Header and SK's generic header for `sealed_length` octets of IV, ciphertext and ICV: the AAD (RFC 5282 §5.1)."""
    total = HEADER_OCTETS + 4 + sealed_length
    return _encode_header(header, PayloadType.SK, total) + GENERIC_HEADER.pack(first, 0, 4 + sealed_length)


def encode_fragment_prefix(
    header: Header, first: PayloadType, number: int, total: int, sealed_length: int
) -> bytes:
    """As `encode_sealed_prefix`, for fragment `number` of `total` (RFC 7383 §2.5): the AAD of that fragment."""
    generic = GENERIC_HEADER.pack(first, 0, 8 + sealed_length)
    octets = HEADER_OCTETS + 8 + sealed_length
    return _encode_header(header, PayloadType.SKF, octets) + generic + FRAGMENT_HEADER.pack(number, total)


def _encode_header(header: Header, first: PayloadType, length: int) -> bytes:
    if len(header.initiator_spi) != 8 or len(header.responder_spi) != 8 or header.minor > 15:
        raise ValueError("an IKE SPI has 8 octets, a minor version 4 bits")
    flags = (_RESPONSE if header.is_response else 0) | (_INITIATOR if header.from_initiator else 0)
    version = header.major << 4 | header.minor
    try:
        return _HEADER.pack(
            header.initiator_spi,
            header.responder_spi,
            first,
            version,
            header.exchange,
            flags,
            header.message_id,
            length,
        )
    except struct.error as error:
        raise ValueError(f"IKE header: {error}") from error
