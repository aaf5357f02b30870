"""How much of us strangers may occupy: half-open IKE SAs, and answers that nobody authenticated asked for."""

from attrs import define, frozen

from ikegw.paths import Address


@frozen
class Limits:
    """The thresholds of admission. Reaching one counts: with `cookie_total` 30, the 31st stranger needs a cookie.

    A source is an IPv4 address or an IPv6 /64, since a host has a whole /64 to choose its addresses from.
    """

    cookie_total: int = 30
    """So many half-open SAs in all, and everybody must return a cookie (row D-02)."""
    cookie_per_source: int = 3
    """So many from one source, and this source must return a cookie."""
    block_per_source: int = 5
    """So many from one source, and it is not heard at all (row D-07)."""
    hard_total: int = 1000
    """So many in all, and nobody is heard (row D-07)."""
    cookie_period: float = 60.0
    """Seconds for which a cookie's secret is used; it stays valid for as long again."""
    notifies_per_second: float = 10.0
    """Of each kind of unprotected notify (rows D-04, D-05, D-08), to everybody together."""
    notifies_per_source: float = 0.2
    """The same, to one source."""
    sources: int = 4096
    """How many sources a table of the last answers remembers."""


def source_of(address: Address) -> bytes:
    """Give what stands for everybody behind this address: IPv4's four octets, or the eight of an IPv6 /64."""
    return address.packed[:8]


class HalfOpen:
    """How many IKE SAs have been answered but not authenticated, in all and for each source.

    Holds one entry for each source that has a half-open SA, so it can never outgrow `Limits.hard_total`.
    """

    def __init__(self) -> None:
        self.total = 0
        self._by_source: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._by_source)

    def of(self, source: bytes) -> int:
        """Say how many this source has."""
        return self._by_source.get(source, 0)

    def add(self, source: bytes) -> None:
        """Count one more."""
        self.total += 1
        self._by_source[source] = self._by_source.get(source, 0) + 1

    def remove(self, source: bytes) -> None:
        """Count one less; a source that has none is left alone."""
        count = self._by_source.get(source, 0)
        if not count:
            return
        self.total -= 1
        if count == 1:
            del self._by_source[source]
        else:
            self._by_source[source] = count - 1


@define
class _Bucket:
    """A token bucket: it fills at `rate` a second up to `burst`."""

    tokens: float
    at: float

    def fill(self, rate: float, burst: float, now: float) -> float:
        self.tokens = min(burst, self.tokens + max(0.0, now - self.at) * rate)
        self.at = now
        return self.tokens


class RateLimit:
    """Lets one kind of answer out at a bounded rate, to each source and in all, in bounded memory.

    The sources asked about least recently are forgotten first; whoever is forgotten so is still held by the rate in all.
    """

    def __init__(
        self, rate: float, rate_per_source: float, sources: int, now: float, burst_per_source: float = 1.0
    ) -> None:
        self._rate = rate
        self._burst = max(1.0, rate)
        self._rate_per_source = rate_per_source
        self._burst_per_source = burst_per_source
        self._sources = sources
        self._all = _Bucket(self._burst, now)
        self._by_source: dict[bytes, _Bucket] = {}

    def __len__(self) -> int:
        return len(self._by_source)

    def allows(self, source: bytes, now: float) -> bool:
        """Say whether one more may go out to this source now, and count it if so."""
        if self._all.fill(self._rate, self._burst, now) < 1.0:
            return False
        bucket = self._by_source.pop(source, None)
        if bucket is None:
            if len(self._by_source) >= self._sources:
                del self._by_source[next(iter(self._by_source))]
            bucket = _Bucket(self._burst_per_source, now)
        self._by_source[source] = bucket
        if bucket.fill(self._rate_per_source, self._burst_per_source, now) < 1.0:
            return False
        bucket.tokens -= 1.0
        self._all.tokens -= 1.0
        return True
