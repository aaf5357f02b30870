"""SA payload: proposals, their transforms, the transforms' attributes (RFC 7296 §3.3)."""

from struct import Struct
from typing import ClassVar, NoReturn, Self

from attrs import frozen

from ikegw.wire.errors import ParseError
from ikegw.wire.payload import Payload
from ikegw.wire.registry import Members, PayloadType, ProtocolId, TransformType

MAX_PROPOSALS = 64
MAX_TRANSFORMS = 512
"""In all proposals of one SA payload. Android offers two proposals of about 20 transforms, Windows over a dozen of 4."""
MAX_ATTRIBUTES = 8

KEY_LENGTH = 14
TV_FORMAT = 0x8000

_PROPOSAL = Struct("!BxHBBBB")
_TRANSFORM = Struct("!BxHBxH")
_WORDS = Struct("!HH")
_MORE_PROPOSALS = 2
_MORE_TRANSFORMS = 3
_PROTOCOLS = Members(ProtocolId)
_TRANSFORM_TYPES = Members(TransformType)
_SPI_OCTETS = {ProtocolId.IKE: (0, 8), ProtocolId.AH: (4,), ProtocolId.ESP: (4,)}


@frozen
class Transform:
    """One algorithm (RFC 7296 §3.3.2). `key_bits` is its Key Length attribute.

    `attributes` are all others, which nobody has defined: a transform that has one is never to be chosen (§3.3.6). Each
    is (type as sent, with the format bit 0x8000; value), the value of two octets where that bit is set.
    """

    type: TransformType
    id: int
    key_bits: int | None = None
    attributes: tuple[tuple[int, bytes], ...] = ()


@frozen
class Proposal:
    """One protocol with the transforms to choose from (RFC 7296 §3.3.1)."""

    number: int
    protocol: ProtocolId
    spi: bytes
    transforms: tuple[Transform, ...]


@frozen
class SecurityAssociation(Payload):
    """Proposals in the sender's order of preference (RFC 7296 §3.3). Their numbers are kept as sent."""

    TYPE: ClassVar[PayloadType] = PayloadType.SA
    proposals: tuple[Proposal, ...]

    def encode(self) -> bytes:
        """Body octets."""
        parts: list[bytes] = []
        last = len(self.proposals) - 1
        for index, proposal in enumerate(self.proposals):
            transforms = _encode_transforms(proposal.transforms)
            length = _PROPOSAL.size + len(proposal.spi) + len(transforms)
            more = 0 if index == last else _MORE_PROPOSALS
            count = len(proposal.transforms)
            parts.append(
                _PROPOSAL.pack(more, length, proposal.number, proposal.protocol, len(proposal.spi), count)
            )
            parts.append(proposal.spi)
            parts.append(transforms)
        return b"".join(parts)

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """Refuses no proposal at all, wrong lengths or counts, and more than our limits."""
        proposals: list[Proposal] = []
        position, end, transforms = 0, len(body), 0
        more = _MORE_PROPOSALS
        while more:
            if position + 8 > end:
                _refuse("proposal runs past the end", offset + position)
            if len(proposals) == MAX_PROPOSALS:
                _refuse("too many proposals", offset + position)
            more, length, number, protocol_number, spi_octets, count = _PROPOSAL.unpack_from(body, position)
            first, after = position + 8 + spi_octets, position + length
            if after > end or first > after:
                _refuse(f"proposal length {length}", offset + position)
            if more not in (0, _MORE_PROPOSALS):
                _refuse(f"proposal begins with {more}, neither 0 nor 2", offset + position)
            protocol = _PROTOCOLS[protocol_number]
            if spi_octets not in _SPI_OCTETS.get(protocol, (spi_octets,)):
                _refuse(f"SPI of {spi_octets} octets for protocol {protocol.name}", offset + position)
            transforms += count
            if transforms > MAX_TRANSFORMS:
                _refuse("too many transforms", offset + position)
            inside = _decode_transforms(body, first, after, count, offset)
            proposals.append(Proposal(number, protocol, body[position + 8 : first], inside))
            position = after
        if position != end:
            _refuse("octets after the last proposal", offset + position)
        return cls(tuple(proposals))


def _encode_transforms(transforms: tuple[Transform, ...]) -> bytes:
    parts: list[bytes] = []
    last = len(transforms) - 1
    for index, transform in enumerate(transforms):
        attributes = b""
        if transform.key_bits is not None:
            attributes = _WORDS.pack(TV_FORMAT | KEY_LENGTH, transform.key_bits)
        for kind, value in transform.attributes:
            attributes += _encode_attribute(kind, value)
        more = 0 if index == last else _MORE_TRANSFORMS
        length = _TRANSFORM.size + len(attributes)
        parts.append(_TRANSFORM.pack(more, length, transform.type, transform.id))
        parts.append(attributes)
    return b"".join(parts)


def _encode_attribute(kind: int, value: bytes) -> bytes:
    if kind & TV_FORMAT:
        if len(value) != 2:
            raise ValueError("an attribute in the TV format has two octets")
        return kind.to_bytes(2, "big") + value
    return _WORDS.pack(kind, len(value)) + value


def _decode_transforms(
    body: bytes, position: int, end: int, count: int, offset: int
) -> tuple[Transform, ...]:
    transforms: list[Transform] = []
    for left in range(count - 1, -1, -1):
        if position + 8 > end:
            _refuse("transform runs past its proposal", offset + position)
        more, length, type_number, identifier = _TRANSFORM.unpack_from(body, position)
        after = position + length
        if length < 8 or after > end:
            _refuse(f"transform length {length}", offset + position)
        if more != (_MORE_TRANSFORMS if left else 0):
            _refuse(f"transform begins with {more} and {left} follow", offset + position)
        key_bits: int | None = None
        attributes: tuple[tuple[int, bytes], ...] = ()
        if length > 8:
            key_bits, attributes = _decode_attributes(body, position + 8, after, offset)
        transforms.append(Transform(_TRANSFORM_TYPES[type_number], identifier, key_bits, attributes))
        position = after
    if position != end:
        _refuse("octets after the last transform", offset + position)
    return tuple(transforms)


def _decode_attributes(
    body: bytes, position: int, end: int, offset: int
) -> tuple[int | None, tuple[tuple[int, bytes], ...]]:
    key_bits: int | None = None
    others: list[tuple[int, bytes]] = []
    while position < end:
        if position + 4 > end:
            _refuse("transform attribute runs past its transform", offset + position)
        kind, word = _WORDS.unpack_from(body, position)
        if kind == TV_FORMAT | KEY_LENGTH:
            if key_bits is not None:
                _refuse("two key lengths in one transform", offset + position)
            key_bits = word
            position += 4
            continue
        if len(others) == MAX_ATTRIBUTES:
            _refuse("too many transform attributes", offset + position)
        after = position + 4 if kind & TV_FORMAT else position + 4 + word
        if after > end:
            _refuse(f"transform attribute length {word}", offset + position)
        others.append((kind, body[position + (2 if kind & TV_FORMAT else 4) : after]))
        position = after
    return key_bits, tuple(others)


def _refuse(reason: str, offset: int) -> NoReturn:
    raise ParseError(reason, offset, PayloadType.SA)
