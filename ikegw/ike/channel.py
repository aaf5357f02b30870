"""The protected channel of an IKE SA: sealing and opening whole messages (RFC 7296 §3.14, RFC 5282)."""

from collections.abc import Sequence

from attrs import define, field

from ikegw.crypto.keymat import ChildKeys, IkeKeys
from ikegw.crypto.protection import Protection, protection
from ikegw.crypto.suites import IkeSuite
from ikegw.ports import Random
from ikegw.wire.encrypted import Encrypted
from ikegw.wire.errors import ParseError
from ikegw.wire.message import (
    Header,
    Message,
    Payload,
    decode_chain,
    decode_message,
    encode_chain,
    encode_sealed_prefix,
)
from ikegw.wire.registry import PayloadType


class MalformedInside(Exception):
    """An authentic message that cannot be read: the peer's fault, and proven to be the peer's."""

    def __init__(self, header: Header, error: ParseError) -> None:
        super().__init__(str(error))
        self.header = header
        self.error = error


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

    def open(self, octets: bytes) -> Message:
        """The message inside SK. ParseError: unreadable outside; IntegrityError: forged; MalformedInside: authentic but bad."""
        outer = decode_message(octets)
        sealed = outer.one(Encrypted)
        if sealed is None:
            raise ParseError("no Encrypted payload where one is required", 16, PayloadType.SK)
        prefix_length = len(octets) - len(sealed.body)
        plain = self._theirs.open(octets[:prefix_length], sealed.body)
        try:
            return Message(outer.header, decode_chain(sealed.first, plain, prefix_length))
        except ParseError as error:
            raise MalformedInside(outer.header, error) from error
