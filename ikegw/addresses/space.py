"""Addresses of one family: which are lent, which were lent to whom, which never yet.

Nothing is ever enumerated: a /64 costs no more than a /30. Work and memory go with the leases that stand and those remembered.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import accumulate, pairwise
from typing import Final

from attrs import evolve, frozen

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Range = tuple[IPv4Address, IPv4Address] | tuple[IPv6Address, IPv6Address]

REMEMBERED: Final = 65536
"""Former leases whose owner would get the same address again."""

_SIXTEEN: Final = 1 << 16


@frozen(order=True)
class Interval:
    """Addresses from `start` to `end`, both included, as numbers; `prefix` is the length that goes with a lease."""

    start: int
    end: int
    prefix: int
    version: int

    @classmethod
    def of(cls, block: Network | Range) -> "Interval":
        """What of a network or a range can be lent; ValueError for a range that ends before it starts.

        Of a network that is all but its first address (the network's; for IPv6 the routers' anycast, RFC 4291 §2.6.1) and,
        for IPv4, its last (broadcast). Networks of one or two addresses (RFC 3021, RFC 6164) and ranges are taken whole.
        """
        if isinstance(block, tuple):
            start, end = block
            if start.version != end.version or int(start) > int(end):
                raise ValueError(f"{start}-{end} is not a range of addresses")
            return cls(int(start), int(end), start.max_prefixlen, start.version)
        first, last = int(block.network_address), int(block.broadcast_address)
        if last - first > 1:
            first, last = first + 1, last - (block.version == 4)
        return cls(first, last, block.prefixlen, block.version)

    def without(self, others: Iterable["Interval"]) -> Iterator["Interval"]:
        """What is left of it, in order, when these are taken out."""
        start = self.start
        for other in sorted(others):
            if other.version != self.version or other.end < start or other.start > self.end:
                continue
            if other.start > start:
                yield evolve(self, start=start, end=other.start - 1)
            start = other.end + 1
        if start <= self.end:
            yield evolve(self, start=start)

    def within(self, other: "Interval") -> bool:
        """Is all of it in the other?"""
        return self.version == other.version and other.start <= self.start and self.end <= other.end

    def may_be_lent(self, number: int) -> bool:
        """Windows cannot use an IPv6 address that is written with `::` at its end; no other client misses one in 65,536."""
        return self.version == 4 or bool(number % _SIXTEEN)

    @property
    def size(self) -> int:
        """How many of its addresses may be lent."""
        whole = self.end - self.start + 1
        return whole if self.version == 4 else whole - (self.end // _SIXTEEN - (self.start - 1) // _SIXTEEN)


@frozen
class Former:
    """Whose an address was, and when it became free, in seconds."""

    owner: str
    since: float


def _nobody(number: int) -> None:
    """Nobody wants to hear."""


class Space:
    """The addresses of some intervals, lent by number; O(1), or O(log intervals) where an interval must be found.

    For `quarantine` seconds after it was given back an address is only for who had it: what was under way to the one should not
    reach the other. `forgotten` hears of each address of which is no longer known whose it was.
    """

    def __init__(
        self,
        intervals: Iterable[Interval],
        quarantine: float = 0.0,
        remembered: int = REMEMBERED,
        forgotten: Callable[[int], None] = _nobody,
    ) -> None:
        self.intervals = tuple(sorted(intervals))
        for one, other in pairwise(self.intervals):
            if other.start <= one.end:
                raise ValueError("two of its networks or ranges overlap")
        self.quarantine = quarantine
        self._starts = [interval.start for interval in self.intervals]
        self._offsets = [0, *accumulate(interval.end - interval.start + 1 for interval in self.intervals)]
        self.size = sum(interval.size for interval in self.intervals)
        self._remembered = remembered
        self._forgotten = forgotten
        self._lent: set[int] = set()
        self._former: OrderedDict[int, Former] = OrderedDict()  # free, but remembered; the longest free first
        self._last: dict[str, int] = {}
        self._next = 0

    @property
    def lent(self) -> int:
        """How many are lent now."""
        return len(self._lent)

    @property
    def former(self) -> Iterable[tuple[int, Former]]:
        """What is remembered, the longest free first."""
        return self._former.items()

    def interval(self, number: int) -> Interval | None:
        """The interval that holds the address, if any does."""
        index = bisect_right(self._starts, number) - 1
        return self.intervals[index] if index >= 0 and number <= self.intervals[index].end else None

    def take(self, owner: str, now: float, wanted: Iterable[int] = ()) -> int | None:
        """Lend a wanted address, else the owner's last, else one never lent, else the longest free; None if there is none."""
        number = next((each for each in wanted if self._free(each) and self._due(each, owner, now)), None)
        if number is None:
            number = self._last.get(owner)
        if number is None:
            number = self._fresh(owner, now)
        if number is not None:
            self._lend(number)
        return number

    def take_this(self, number: int) -> bool:
        """Lend this address, whoever had it last; False if it is lent or not here."""
        if number in self._lent or self.interval(number) is None:
            return False
        self._lend(number)
        return True

    def last_of(self, owner: str) -> int | None:
        """The address, now free, that this owner had last, if it is remembered."""
        return self._last.get(owner)

    def claim(self, number: int) -> None:
        """Count an address as lent that was lent before this space was made (a reload)."""
        if self.interval(number) is not None:
            self._lend(number)

    def give_back(self, number: int, owner: str, now: float) -> None:
        """The address is free again, and remembered for its owner. What is not lent is left as it is."""
        if number in self._lent:
            self._lent.remove(number)
            self._remember(number, Former(owner, now))
            self._forget_the_oldest(now)

    def remember(self, number: int, former: Former) -> bool:
        """Take over what another space, or another life of ours, remembered; False if the address is not here or not free."""
        if not self._free(number) or number in self._former:
            return False
        self._remember(number, former)
        return True

    def _remember(self, number: int, former: Former) -> None:
        earlier = self._last.get(former.owner)  # one address is remembered for each owner: the latest
        if earlier is not None:
            self._forget(earlier)
        self._former[number] = former
        self._last[former.owner] = number

    def _lend(self, number: int) -> None:
        former = self._former.pop(number, None)
        if former is not None:
            self._last.pop(former.owner, None)
        self._lent.add(number)

    def _free(self, number: int) -> bool:
        interval = self.interval(number)
        return number not in self._lent and interval is not None and interval.may_be_lent(number)

    def _due(self, number: int, owner: str, now: float) -> bool:
        former = self._former.get(number)
        return former is None or former.owner == owner or former.since + self.quarantine <= now

    def _forget(self, number: int) -> None:
        former = self._former.pop(number)
        self._last.pop(former.owner, None)
        self._forgotten(number)

    def _forget_the_oldest(self, now: float) -> None:
        if len(self._former) > self._remembered:
            oldest = next(iter(self._former))
            if self._due(oldest, "", now):
                self._forget(oldest)

    def _fresh(self, owner: str, now: float) -> int | None:
        """One that nobody holds or is remembered for; when there is none, the one that has been free longest."""
        if len(self._lent) + len(self._former) >= self.size:
            oldest = next(iter(self._former), None)
            return oldest if oldest is not None and self._due(oldest, owner, now) else None
        while True:  # ends: the count says that there is one; each step passes an address lent, remembered, or never lent
            number, interval = self._at(self._next)
            self._next = (self._next + 1) % self._offsets[-1]
            if number not in self._lent and number not in self._former and interval.may_be_lent(number):
                return number

    def _at(self, index: int) -> tuple[int, Interval]:
        which = bisect_right(self._offsets, index) - 1
        return self._starts[which] + index - self._offsets[which], self.intervals[which]
