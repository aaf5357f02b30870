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


def _digest(octets: bytes) -> bytes:
    return blake2b(octets, digest_size=16).digest()


@define(eq=False)
class AnsweringWindow:
    """The peer's requests: the next Message ID, and the last answer, kept to be sent again octet for octet."""

    expected: int = 0
    _working: bool = False
    _last_request: bytes = b""
    _last_answer: Datagrams = field(default=(), repr=False)

    def judge(self, message_id: int, octets: bytes) -> Verdict:
        """Look at a request before anything of it is opened; `octets` is the whole datagram."""
        if message_id == self.expected:
            return Verdict.BUSY if self._working else Verdict.NEW
        if message_id == self.expected - 1 and self._last_answer and _digest(octets) == self._last_request:
            return Verdict.REPLAY
        return Verdict.STALE

    def taken(self, octets: bytes) -> None:
        """A NEW request proved authentic: until it is answered, repeats of it are BUSY (row RE-17)."""
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
