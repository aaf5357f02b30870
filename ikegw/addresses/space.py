"""Addresses of one family in one pool: which are lent, which were lent to whom, which never yet.

Nothing is ever enumerated: a /64 costs no more than a /30. Work and memory go with the leases that stand and those remembered.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import accumulate, pairwise
from typing import Final

from attrs import frozen

from ikegw.policy.identities import Normal

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Range = tuple[IPv4Address, IPv4Address] | tuple[IPv6Address, IPv6Address]

REMEMBERED: Final = 65536
"""Former leases whose holder would get the same address again."""


@frozen(order=True)
class Interval:
    """Addresses from `start` to `end`, both included, as numbers; `prefix` is the length that goes with a lease."""

    start: int
    end: int
    prefix: int

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
            return cls(int(start), int(end), start.max_prefixlen)
        first, last = int(block.network_address), int(block.broadcast_address)
        if last - first > 1:
            first, last = first + 1, last - (block.version == 4)
        return cls(first, last, block.prefixlen)


class Space:
    """The addresses of some intervals, lent by number; O(1), or O(log intervals) where an interval must be found."""

    def __init__(self, intervals: Iterable[Interval], remembered: int = REMEMBERED) -> None:
        self.intervals = tuple(sorted(intervals))
        for one, other in pairwise(self.intervals):
            if other.start <= one.end:
                raise ValueError("two of its networks or ranges overlap")
        self._starts = [interval.start for interval in self.intervals]
        self._offsets = [0, *accumulate(interval.end - interval.start + 1 for interval in self.intervals)]
        self.size = self._offsets[-1]
        self._remembered = remembered
        self._lent: set[int] = set()
        self._former: OrderedDict[int, Normal] = OrderedDict()  # free, but remembered; the longest free first
        self._last: dict[Normal, int] = {}
        self._next = 0

    @property
    def lent(self) -> int:
        """How many are lent now."""
        return len(self._lent)

    def interval(self, number: int) -> Interval | None:
        """The interval that holds the address, if any does."""
        index = bisect_right(self._starts, number) - 1
        return self.intervals[index] if index >= 0 and number <= self.intervals[index].end else None

    def take(self, holder: Normal, wanted: Iterable[int] = ()) -> int | None:
        """Lend a wanted address, else the holder's last, else one never lent, else the longest free; None if all are lent."""
        number = next((each for each in wanted if self._free(each)), None)
        if number is None:
            last = self._last.get(holder)
            number = last if last is not None and last not in self._lent else self._fresh()
        if number is not None:
            self._forget(number)
            self._lent.add(number)
        return number

    def claim(self, number: int) -> None:
        """Count an address as lent that was lent before this space was made (a reload)."""
        if self.interval(number) is not None:
            self._forget(number)
            self._lent.add(number)

    def give_back(self, number: int, holder: Normal) -> None:
        """The address is free again, and remembered for its holder. What is not lent is left as it is."""
        if number not in self._lent:
            return
        self._lent.remove(number)
        self._forget(self._last.get(holder))  # one address is remembered for each holder: the latest
        self._former[number] = holder
        self._last[holder] = number
        if len(self._former) > self._remembered:
            self._forget(next(iter(self._former)))

    def remember(self, other: "Space") -> None:
        """Take over what a former space remembered of the addresses that are still here."""
        for number, holder in other._former.items():
            if self._free(number):
                self._former[number] = holder
                self._last[holder] = number

    def _free(self, number: int) -> bool:
        return number not in self._lent and self.interval(number) is not None

    def _forget(self, number: int | None) -> None:
        holder = None if number is None else self._former.pop(number, None)
        if holder is not None:
            self._last.pop(holder, None)

    def _fresh(self) -> int | None:
        """One that nobody holds or is remembered for; when there is none, the one that has been free longest."""
        if len(self._lent) + len(self._former) >= self.size:
            return next(iter(self._former), None)
        while True:  # ends: the count says that there is one; each step passes an address lent or remembered
            number = self._at(self._next)
            self._next = (self._next + 1) % self.size
            if number not in self._lent and number not in self._former:
                return number

    def _at(self, index: int) -> int:
        interval = bisect_right(self._offsets, index) - 1
        return self._starts[interval] + index - self._offsets[interval]
