"""Message IDs and windows, both ways (RFC 7296 §2.2, §2.3; rows L-03, L-04). We ask one at a time, whatever the peer allows."""

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
class _Request:
    """One request of the peer: the digest of its datagram, or of its first fragment's; and the answer, once there is one."""

    digest: bytes
    answer: Datagrams = field(default=(), repr=False)
    repeats: int = 0


@define(eq=False)
class AnsweringWindow:
    """The peer's requests: so many Message IDs at once as `size`, and their answers, kept to be sent again octet for octet."""

    size: int = 1
    expected: int = 0
    """The lowest Message ID that is not answered."""

    _requests: dict[int, _Request] = field(factory=dict, init=False, repr=False)

    def judge(self, message_id: int, octets: bytes) -> Verdict:
        """Look at a request before anything of it is opened; `octets` is the whole datagram, or one fragment's.

        Of a fragmented request that was answered, only the first fragment is REPLAY: so there is one answer to each repeat.
        """
        request = self._requests.get(message_id)
        if request is None:
            inside = self.expected <= message_id < self.expected + self.size
            return Verdict.NEW if inside else Verdict.STALE
        if not request.answer:
            return Verdict.BUSY
        return Verdict.REPLAY if _digest(octets) == request.digest else Verdict.REPEATED_OTHERWISE

    def is_newest(self, message_id: int) -> bool:
        """Was no later request taken? Only a newest one tells where the peer is (RFC 7296 §2.23)."""
        return all(known < message_id for known in self._requests)

    def taken(self, message_id: int, octets: bytes) -> None:
        """A NEW request proved authentic: until it is answered, repeats of it are BUSY (row RE-17).

        `octets` is its datagram, or that of its first fragment.
        """
        self._requests[message_id] = _Request(_digest(octets))

    def dropped(self, message_id: int) -> None:
        """A request that was taken is not acted on and not answered (row RE-15): its Message ID stays open."""
        del self._requests[message_id]

    def answered(self, message_id: int, answer: Datagrams) -> None:
        """Keep the answer, and move the window past all that is answered; the last `size` answers stay known."""
        self._requests[message_id].answer = answer
        while (lowest := self._requests.get(self.expected)) is not None and lowest.answer:
            self.expected += 1
        for known in [known for known in self._requests if known < self.expected - self.size]:
            del self._requests[known]

    def answer_to(self, message_id: int) -> Datagrams:
        """The stored answer; () if there is none."""
        request = self._requests.get(message_id)
        return () if request is None else request.answer

    def repeated(self, message_id: int) -> int:
        """The peer asks for the stored answer again: how often it did by now."""
        self._requests[message_id].repeats += 1
        return self._requests[message_id].repeats

    def recut(self, message_id: int, answer: Datagrams) -> None:
        """The stored answer in other fragments, which are what repeats get from now on."""
        self._requests[message_id].answer = answer


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
