"""Lends from the pools that are this gateway's own: `ports.Addresses`, decided in memory, written down if a pool wants it so."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Interface, IPv6Interface
from itertools import count, pairwise

from attrs import frozen
from twisted.internet.defer import Deferred, fail, succeed

from ikegw.addresses.journal import Entry, Journal, NoJournal
from ikegw.addresses.owners import Owner, owner_of
from ikegw.addresses.pool import FAMILIES, Holding, Pool, address_of
from ikegw.addresses.space import Address, Former
from ikegw.config.lending import Store
from ikegw.ports import AddressRequest, Lease, NoAddress


@frozen
class PoolUse:
    """How many addresses of one family a pool has, and how many are lent."""

    pool: str
    family: int
    size: int
    lent: int


@frozen
class _Taken:
    """An address out of a pool; `new`: it was not known to be this owner's."""

    pool: str
    family: int
    number: int
    new: bool = False


@frozen
class _Held:
    """A standing lease: who holds it, and each address, whose pool may have changed since."""

    owner: Owner
    addresses: tuple[_Taken, ...]


def _timeless() -> float:
    return 0.0


def _nobody(address: Address) -> None:
    """Nobody writes down what is forgotten."""


class PoolAddresses:
    """Lends from pools, and keeps lending what it has lent when the pools change.

    A client gets what it asks for if that is free, else the address that it last had, else any. Of the pools that its connection
    names the first with a free address serves, for each family apart; a family that no pool can serve is left out, and only a
    client that gets nothing at all fails. Who is given an address for the first time hears of it when that is written down.
    """

    def __init__(
        self,
        pools: Iterable[Pool] = (),
        now: Callable[[], float] = _timeless,
        journal: Journal | None = None,
    ) -> None:
        self._now = now
        self._journal: Journal = journal or NoJournal()
        self._pools: dict[str, Pool] = {}
        self._holdings: dict[tuple[str, int], Holding] = {}
        self._standing: dict[int, _Held] = {}
        self._homeless: dict[tuple[int, int], Former] = {}  # remembered, of pools that are no more
        self._numbers = count(1)
        self._recalled = False
        self.reload(pools)

    # ------------------------------------------------------------ life

    def start(self) -> Deferred[None]:
        """Remember what was written down, if a pool wants it so, once; OSError if that cannot be read."""
        if self._recalled or not any(pool.store is Store.SQLITE for pool in self._pools.values()):
            return succeed(None)
        self._recalled = True
        return self._journal.open().addCallback(self._recall)

    def stop(self) -> Deferred[None]:
        """Write down what is left to write."""
        return self._journal.close()

    def _recall(self, entries: tuple[Entry, ...]) -> None:
        """What was lent when we ended was ended by that: its clients begin anew, and each is to get its own again."""
        now = self._now()
        for entry in entries:
            since = now if entry.free_since is None else min(entry.free_since, now)
            if not self._place(entry.address.version, int(entry.address), Former(entry.owner, since)):
                self._homeless[entry.address.version, int(entry.address)] = Former(entry.owner, since)
            if entry.free_since is None:
                self._journal.write(Entry(entry.address, entry.owner, entry.name, since))

    def _place(self, family: int, number: int, former: Former) -> bool:
        return any(
            version == family and holding.remember(number, former)
            for (_, version), holding in self._holdings.items()
        )

    def reload(self, pools: Iterable[Pool]) -> None:
        """Lend from these pools from now on; standing leases stay as they are. ValueError (nothing changed) if pools overlap.

        A pool whose addresses stay the same is not touched; one that changed keeps what it remembers of those it still has.
        """
        wanted = {pool.name: pool for pool in pools}
        holdings = {
            (pool.name, family): self._holdings[pool.name, family]
            if self._is_unchanged(pool)
            else self._holding(pool, family)
            for pool in wanted.values()
            for family in FAMILIES
        }
        _refuse_overlaps(holdings)
        former, self._pools, self._holdings = self._holdings, wanted, holdings
        for key, holding in holdings.items():
            if former.get(key) is not holding:
                self._claim_standing(holding)
        for key, holding in former.items():
            if holdings.get(key) is not holding:
                self._rehouse(key[1], holding)
        for (family, number), one in list(self._homeless.items()):
            if self._place(family, number, one):
                del self._homeless[family, number]

    def _holding(self, pool: Pool, family: int) -> Holding:
        return Holding.of(pool, family, self._journal.erase if pool.store is Store.SQLITE else _nobody)

    def _is_unchanged(self, pool: Pool) -> bool:
        before = self._pools.get(pool.name)
        return before is not None and _lent_alike(before) == _lent_alike(pool)

    def _claim_standing(self, holding: Holding) -> None:
        for held in self._standing.values():
            for taken in held.addresses:
                space = holding.space_of(taken.number) if taken.family == holding.family else None
                if space is not None:
                    space.claim(taken.number)

    def _rehouse(self, family: int, holding: Holding) -> None:
        """Some other pool may have its addresses now; else they are remembered for the day when one has."""
        for _, space in holding.portions:
            for number, one in space.former:
                self._homeless[family, number] = one

    # ------------------------------------------------------------ lending

    def lease(self, request: AddressRequest) -> Deferred[Lease]:
        """Obtain addresses; errback with NoAddress, whose text tells of each pool why not."""
        owner = owner_of(request)
        wanted = [
            family
            for family, asked in zip(FAMILIES, (request.wants_ip4, request.wants_ip6), strict=True)
            if asked
        ]
        taken = [found for family in wanted if (found := self._take(request, family, owner))]
        if wanted and not taken:
            return fail(NoAddress(self._why_not(request, wanted)))
        named = dict.fromkeys(one.pool for one in taken) or dict.fromkeys(request.pools)
        return self._lend(owner, tuple(taken), named)

    def lease_this(self, request: AddressRequest, address: Address) -> Deferred[Lease]:
        """Lend just this address, reserved or not, for somebody else has decided so. NoAddress if it is another's."""
        owner, pool = owner_of(request), self.pool_of(address)
        space = None if pool is None else self._holdings[pool, address.version].space_of(int(address))
        if pool is None or space is None:
            return fail(NoAddress(f"{address} is in no pool"))
        new = space.last_of(owner.key) != int(address)
        if not space.take_this(int(address)):
            return fail(NoAddress(f"{address} is lent to {self._holder_of(address)} at present"))
        return self._lend(owner, (_Taken(pool, address.version, int(address), new),), (pool,))

    def has(self, pool: str) -> bool:
        """Is there a pool of that name?"""
        return pool in self._pools

    def pool_of(self, address: Address) -> str | None:
        """The pool that lends this address, if one does."""
        return next(
            (
                name
                for (name, family), holding in self._holdings.items()
                if family == address.version and holding.space_of(int(address)) is not None
            ),
            None,
        )

    def renew(self, lease: Lease) -> Deferred[Lease]:
        """What a pool lends has no end."""
        return succeed(lease)

    def release(self, lease: Lease) -> Deferred[None]:
        """Give a lease back; one that is not standing (any more) is left as it is."""
        held = self._standing.pop(lease.token, None) if isinstance(lease.token, int) else None
        if held is not None:
            now = self._now()
            for taken in held.addresses:
                self._give_back(taken, held.owner, now)
        return succeed(None)

    def usage(self) -> tuple[PoolUse, ...]:
        """Sizes and counts of every pool and family that has addresses."""
        return tuple(
            PoolUse(pool, family, holding.size, holding.lent)
            for (pool, family), holding in self._holdings.items()
            if holding.size
        )

    def _take(self, request: AddressRequest, family: int, owner: Owner) -> _Taken | None:
        asked = [int(address) for address in request.requested if address.version == family]
        for pool in request.pools:
            holding = self._holdings.get((pool, family))
            if holding is None:
                continue
            known = holding.known_to(owner)
            number = holding.take(owner, self._now(), asked)
            if number is not None:
                return _Taken(pool, family, number, number not in known)
        return None

    def _lend(self, owner: Owner, taken: tuple[_Taken, ...], pools: Iterable[str]) -> Deferred[Lease]:
        token = next(self._numbers)
        self._standing[token] = _Held(owner, taken)
        lease = self._lease(token, taken, pools)
        kept = [one for one in taken if self._is_kept(one)]
        for one in kept:
            self._journal.write(Entry(address_of(one.family, one.number), owner.key, owner.name, None))
        if not any(one.new for one in kept):
            return succeed(lease)
        return self._when_written(lease)

    def _when_written(self, lease: Lease) -> Deferred[Lease]:
        waiting: Deferred[Lease] = Deferred(lambda _: self._unwanted(lease))

        def written(_: None) -> None:
            if not waiting.called:
                waiting.callback(lease)

        self._journal.written().addCallback(written)
        return waiting

    def _unwanted(self, lease: Lease) -> None:
        self.release(lease)

    def _give_back(self, taken: _Taken, owner: Owner, now: float) -> None:
        if self._is_kept(taken):
            self._journal.write(Entry(address_of(taken.family, taken.number), owner.key, owner.name, now))
        for (_, family), holding in self._holdings.items():
            space = holding.space_of(taken.number) if family == taken.family else None
            if space is not None:
                space.give_back(taken.number, owner.key, now)

    def _is_kept(self, taken: _Taken) -> bool:
        pool = self._pools.get(taken.pool)
        return pool is not None and pool.store is Store.SQLITE

    def _holder_of(self, address: Address) -> str:
        wanted = address.version, int(address)
        for held in self._standing.values():
            if wanted in [(taken.family, taken.number) for taken in held.addresses]:
                return held.owner.name
        return "somebody"

    def _lease(self, token: int, taken: tuple[_Taken, ...], pools: Iterable[str]) -> Lease:
        ip4: IPv4Interface | None = None
        ip6: IPv6Interface | None = None
        for one in taken:
            space = self._holdings[one.pool, one.family].space_of(one.number)
            interval = space.interval(one.number) if space is not None else None
            prefix = interval.prefix if interval is not None else None
            if one.family == 4:
                ip4 = IPv4Interface((one.number, prefix))
            else:
                ip6 = IPv6Interface((one.number, prefix))
        lease = Lease(ip4, ip6, token=token)
        for name in pools:
            if name in self._pools:
                lease = self._pools[name].adorn(lease)
        return lease

    def _why_not(self, request: AddressRequest, families: list[int]) -> str:
        answers = [self._answer(pool, family) for pool in request.pools for family in families]
        return "; ".join(dict.fromkeys(answers)) or "the connection names no pool"

    def _answer(self, pool: str, family: int) -> str:
        holding = self._holdings.get((pool, family))
        if holding is None:
            return f"pool {pool} is not configured"
        if not holding.size:
            return f"pool {pool} has no IPv{family} addresses"
        left = holding.size - holding.lent
        if not left:
            return f"pool {pool} has lent all of its {holding.size} IPv{family} addresses"
        return (
            f"pool {pool} has lent {holding.lent} of its {holding.size} IPv{family} addresses, "
            f"and the other {left} are reserved for others or were given back just now"
        )


def _lent_alike(pool: Pool) -> tuple[object, ...]:
    return pool.blocks, pool.excluded, pool.reservations, pool.quarantine


def _refuse_overlaps(holdings: dict[tuple[str, int], Holding]) -> None:
    """Two pools that share addresses would lend one address twice; ValueError names both."""
    for family in FAMILIES:
        held = sorted(
            (interval, pool)
            for (pool, version), holding in holdings.items()
            if version == family
            for interval in holding.intervals
        )
        for (one, pool), (other, second) in pairwise(held):
            if other.start <= one.end:
                if pool == second:
                    raise ValueError(f"pool {pool}: two of its reservations overlap")
                raise ValueError(f"pools {pool} and {second} overlap")
