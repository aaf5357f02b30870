"""The protected channel of an IKE SA: sealing and opening messages and their fragments (RFC 7296 §3.14, RFC 5282, RFC 7383)."""

from collections.abc import Sequence

from attrs import define, field

from ikegw.crypto.keymat import ChildKeys, IkeKeys
from ikegw.crypto.protection import Protection, protection
from ikegw.crypto.suites import IkeSuite
from ikegw.ports import Random
from ikegw.wire.encrypted import Encrypted, EncryptedFragment
from ikegw.wire.errors import ParseError
from ikegw.wire.message import (
    HEADER_OCTETS,
    Header,
    Message,
    Payload,
    decode_chain,
    decode_message,
    encode_chain,
    encode_fragment_prefix,
    encode_sealed_prefix,
)
from ikegw.wire.registry import PayloadType

_SEALED_AT = HEADER_OCTETS + 4
_FRAGMENT_SEALED_AT = HEADER_OCTETS + 8


class MalformedInside(Exception):
    """An authentic message that cannot be read: the peer's fault, and proven to be the peer's.

    `octets` is its datagram, or that of its first fragment.
    """

    def __init__(self, header: Header, error: ParseError, octets: bytes) -> None:
        super().__init__(str(error))
        self.header = header
        self.error = error
        self.octets = octets


@define(eq=False)
class Channel:
    """The keys that outlive the handshake: SK_d, SK_pi, SK_pr, and a cipher for each direction."""

    suite: IkeSuite
    sk_d: bytes = field(repr=False)
    sk_pi: bytes = field(repr=False)
    sk_pr: bytes = field(repr=False)
    _ours: Protection = field(repr=False)
    _theirs: Protection = field(repr=False)

    @classmethod
    def of(cls, suite: IkeSuite, keys: IkeKeys, we_initiated: bool, random: Random) -> "Channel":
        """Keys of RFC 7296 §2.14 as seen from our side."""
        from_initiator = protection(suite.encryption, suite.integrity, ChildKeys(keys.ei, keys.ai), random)
        from_responder = protection(suite.encryption, suite.integrity, ChildKeys(keys.er, keys.ar), random)
        ours, theirs = (from_initiator, from_responder) if we_initiated else (from_responder, from_initiator)
        return cls(suite, keys.d, keys.pi, keys.pr, ours, theirs)

    def seal(self, header: Header, payloads: Sequence[Payload]) -> bytes:
        """One datagram with everything inside SK."""
        first, chain = encode_chain(payloads)
        prefix = encode_sealed_prefix(header, first, self._ours.sealed_length(len(chain)))
        return prefix + self._ours.seal(prefix, chain)

    def seal_within(self, header: Header, payloads: Sequence[Payload], most: int) -> tuple[bytes, ...]:
        """One datagram, or fragments if it would have more than `most` octets (RFC 7383 §2.5)."""
        first, chain = encode_chain(payloads)
        length = self._ours.sealed_length(len(chain))
        if _SEALED_AT + length > most:
            return self._cut(header, first, chain, most)
        prefix = encode_sealed_prefix(header, first, length)
        return (prefix + self._ours.seal(prefix, chain),)

    def cut_anew(self, datagrams: tuple[bytes, ...], most: int) -> tuple[bytes, ...]:
        """A message of ours, sealed in fragments before, in fragments of at most `most` octets."""
        header, first = decode_message(datagrams[0]).header, PayloadType(datagrams[0][HEADER_OCTETS])
        pieces = [
            self._ours.open(each[:_FRAGMENT_SEALED_AT], each[_FRAGMENT_SEALED_AT:]) for each in datagrams
        ]
        return self._cut(header, first, b"".join(pieces), most)

    def _cut(self, header: Header, first: PayloadType, chain: bytes, most: int) -> tuple[bytes, ...]:
        size = self._most_inside(most - _FRAGMENT_SEALED_AT)
        starts = range(0, len(chain), size)
        datagrams = []
        for number, start in enumerate(starts, 1):
            piece = chain[start : start + size]
            length = self._ours.sealed_length(len(piece))
            named = first if number == 1 else PayloadType.NONE
            prefix = encode_fragment_prefix(header, named, number, len(starts), length)
            datagrams.append(prefix + self._ours.seal(prefix, piece))
        return tuple(datagrams)

    def _most_inside(self, most: int) -> int:
        """The longest plaintext that is sealed in `most` octets."""
        size = most - self._ours.sealed_length(0)
        while self._ours.sealed_length(size + 1) <= most:  # with a block cipher, room that padding would take
            size += 1
        return size

    def open(self, octets: bytes) -> Message:
        """The message inside SK. ParseError: unreadable outside; IntegrityError: forged; MalformedInside: authentic but bad."""
        outer = decode_message(octets)
        sealed = outer.one(Encrypted)
        if sealed is None:
            raise ParseError("no Encrypted payload where one is required", 16, PayloadType.SK)
        prefix_length = len(octets) - len(sealed.body)
        plain = self._theirs.open(octets[:prefix_length], sealed.body)
        return self.read(outer.header, sealed.first, plain, octets)

    def open_fragment(self, octets: bytes, fragment: EncryptedFragment) -> bytes:
        """The piece of a message in one fragment, which is the last payload of `octets`; IntegrityError: forged."""
        return self._theirs.open(octets[: len(octets) - len(fragment.body)], fragment.body)

    def read(self, header: Header, first: PayloadType, plain: bytes, octets: bytes) -> Message:
        """The message of an opened chain of payloads; MalformedInside tells of `octets`."""
        try:
            return Message(header, decode_chain(first, plain, _SEALED_AT))
        except ParseError as error:
            raise MalformedInside(header, error, octets) from error
