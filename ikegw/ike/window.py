"""Message IDs and the window of size 1, both ways (RFC 7296 §2.2, §2.3; rows L-03, L-04)."""

from enum import Enum
from hashlib import blake2b

from attrs import define, field

Datagrams = tuple[bytes, ...]
"""One message as sent: a single datagram, or all its fragments (RFC 7383)."""


class Verdict(Enum):
    """What the window says of a peer's request."""

    NEW = "new"
    REPLAY = "replay"
    BUSY = "busy"
    STALE = "stale"
    REPEATED_OTHERWISE = "repeated-otherwise"
    """Of the Message ID answered last, but in other octets: perhaps the same request, cut otherwise (RFC 7383 §2.5.2)."""


def _digest(octets: bytes) -> bytes:
    return blake2b(octets, digest_size=16).digest()


@define(eq=False)
class AnsweringWindow:
    """The peer's requests: the next Message ID, and the last answer, kept to be sent again octet for octet."""

    expected: int = 0
    _working: bool = False
    _last_request: bytes = b""
    _last_answer: Datagrams = field(default=(), repr=False)
    _repeats: int = 0

    def judge(self, message_id: int, octets: bytes) -> Verdict:
        """Look at a request before anything of it is opened; `octets` is the whole datagram, or one fragment's.

        Of a fragmented request that was answered, only the first fragment is REPLAY: so there is one answer to each repeat.
        """
        if message_id == self.expected:
            return Verdict.BUSY if self._working else Verdict.NEW
        if message_id == self.expected - 1 and self._last_answer:
            same = _digest(octets) == self._last_request
            return Verdict.REPLAY if same else Verdict.REPEATED_OTHERWISE
        return Verdict.STALE

    def taken(self, octets: bytes) -> None:
        """A NEW request proved authentic: until it is answered, repeats of it are BUSY (row RE-17).

        `octets` is its datagram, or that of its first fragment.
        """
        self._working = True
        self._last_request = _digest(octets)

    def dropped(self) -> None:
        """The request taken last is not acted on and not answered (row RE-15): its Message ID stays open."""
        self._working = False

    def answered(self, answer: Datagrams) -> None:
        """Keep the answer to the request taken last, and expect the next Message ID."""
        self.expected += 1
        self._working = False
        self._last_answer = answer
        self._repeats = 0

    def repeated(self) -> int:
        """The peer asks for the stored answer again: how often it did by now."""
        self._repeats += 1
        return self._repeats

    def recut(self, answer: Datagrams) -> None:
        """The stored answer in other fragments, which are what repeats get from now on."""
        self._last_answer = answer

    @property
    def last_answer(self) -> Datagrams:
        """The stored answer; () if there is none."""
        return self._last_answer


@define(eq=False)
class AskingWindow:
    """Our requests: the next Message ID, and the one that awaits its answer."""

    next_id: int = 0
    outstanding: int | None = None

    def ask(self) -> int:
        """The Message ID for a new request; only one may be outstanding."""
        if self.outstanding is not None:
            raise AssertionError("a request is outstanding already: the window is 1")
        self.outstanding = self.next_id
        self.next_id += 1
        return self.outstanding

    def expects(self, message_id: int) -> bool:
        """Is this the Message ID of an answer that we wait for?"""
        return message_id == self.outstanding

    def answered(self) -> None:
        """The outstanding request has its answer, or will have none."""
        self.outstanding = None
