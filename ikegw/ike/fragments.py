"""Fragments of protected messages, collected until a message is whole (RFC 7383 §2.6; row L-06).

What is kept has been opened with the keys of its IKE SA, has a Message ID inside the window, and is bounded in number and
octets for each message and in octets for the gateway. A forged fragment costs the attempt to open it and a counter.
"""

from attrs import define, field, frozen

from ikegw.ike.channel import Channel
from ikegw.wire.encrypted import EncryptedFragment
from ikegw.wire.errors import ParseError
from ikegw.wire.message import Header, decode_message
from ikegw.wire.registry import PayloadType

MOST_FRAGMENTS = 64
"""Of one message. Clients that cut to 576 octets send a handful."""

MOST_OCTETS = 65535
"""Of one message: what a single datagram could carry at most."""

MEMORY_OCTETS = 16 << 20
"""Of all unfinished messages of a gateway, in either direction."""

KEPT_SECONDS = 30.0
"""From a message's first fragment on: several times the wait before a peer's first repetitions, whose fragments complete it."""

PIECE_OCTETS = 128
"""What a kept fragment costs besides its octets."""


class Unwanted(Exception):
    """A fragment that is not kept. `reason` is a word to be counted (`events.Dropped`)."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail


@frozen
class Whole:
    """A message put together: `plain` begins with a payload of type `first`; `opening` is the datagram of fragment 1.

    `was_recut`: fragments of another, coarser cut came before.
    """

    header: Header
    first: PayloadType
    plain: bytes = field(repr=False)
    opening: bytes = field(repr=False)
    was_recut: bool = False


@define(eq=False)
class Memory:
    """What all IKE SAs of a gateway keep of unfinished messages. When it is full, those begun first give way.

    An honest peer sends its fragments in one go, so that it is hardly ever among the oldest; who fills the memory is.
    """

    limit: int = MEMORY_OCTETS
    used: int = field(default=0, init=False)
    _held: "dict[Collection, int]" = field(factory=dict, init=False, repr=False)

    def hold(self, holder: "Collection", octets: int) -> None:
        """Count `octets` more for `holder`, and make others give way, or the holder itself, if that is too much."""
        self._held[holder] = self._held.get(holder, 0) + octets
        self.used += octets
        while self.used > self.limit:
            next(iter(self._held)).drop()

    def release(self, holder: "Collection") -> None:
        """The holder keeps nothing any more."""
        self.used -= self._held.pop(holder, 0)


@define(eq=False)
class Collection:
    """The fragments of one message, of one direction and one Message ID of an IKE SA."""

    _memory: Memory = field(repr=False)
    _header: Header | None = field(default=None, init=False)
    _total: int = field(default=0, init=False)
    _first: PayloadType = field(default=PayloadType.NONE, init=False)
    _opening: bytes = field(default=b"", init=False, repr=False)
    _pieces: dict[int, bytes] = field(factory=dict, init=False, repr=False)
    _octets: int = field(default=0, init=False)
    _was_recut: bool = field(default=False, init=False)

    def take(self, channel: Channel, octets: bytes) -> Whole | None:
        """Open and keep one fragment; the message, if it is whole now.

        Unwanted: authentic or not, it is not kept. IntegrityError, ParseError: forged, malformed.
        """
        header, fragment = fragment_of(octets)
        self._judge(header, fragment)
        plain = channel.open_fragment(octets, fragment)
        if header != self._header or fragment.total != self._total:
            recut = header == self._header
            self.drop()
            self._header, self._total, self._was_recut = header, fragment.total, recut
        self._keep(fragment, plain, octets)
        return self._whole()

    @property
    def is_begun(self) -> bool:
        """Is anything kept?"""
        return self._header is not None

    def _judge(self, header: Header, fragment: EncryptedFragment) -> None:
        """What can be said before anything is opened."""
        if fragment.total > MOST_FRAGMENTS:
            raise Unwanted("fragments-too-many", f"a message of {fragment.total} fragments")
        known = self._header
        if known is None:
            return
        if header != known:
            raise Unwanted("fragment-of-another", f"{header.exchange.name} in a {known.exchange.name}")
        if fragment.total < self._total:
            raise Unwanted("fragment-of-older-cut", f"one of {fragment.total}, after some of {self._total}")
        if fragment.total == self._total and fragment.number in self._pieces:
            raise Unwanted("fragment-repeated")

    def _keep(self, fragment: EncryptedFragment, plain: bytes, octets: bytes) -> None:
        self._octets += len(plain)
        if self._octets > MOST_OCTETS:
            self.drop()
            raise Unwanted("fragments-too-large", f"a message of more than {MOST_OCTETS} octets")
        self._pieces[fragment.number] = plain
        kept = len(plain) + PIECE_OCTETS
        if fragment.number == 1:
            self._first, self._opening = fragment.first, octets
            kept += len(octets)
        self._memory.hold(self, kept)

    def _whole(self) -> Whole | None:
        header, pieces = self._header, self._pieces
        if header is None or len(pieces) < self._total:
            return None
        plain = b"".join([pieces[number] for number in range(1, self._total + 1)])
        whole = Whole(header, self._first, plain, self._opening, self._was_recut)
        self.drop()
        return whole

    def drop(self) -> None:
        """Keep nothing."""
        self._memory.release(self)
        self._header, self._total, self._octets = None, 0, 0
        self._first, self._opening = PayloadType.NONE, b""
        self._pieces = {}
        self._was_recut = False


def fragment_of(octets: bytes) -> tuple[Header, EncryptedFragment]:
    """The fragment in a datagram, still sealed; ParseError."""
    outer = decode_message(octets)
    fragment = outer.one(EncryptedFragment)
    if fragment is None:
        raise ParseError("no Encrypted Fragment payload where one is required", 16, PayloadType.SKF)
    return outer.header, fragment
