"""Addresses for clients out of pools in memory: `ports.Addresses` without waiting (rows R-15…R-17)."""

from collections.abc import Iterable
from ipaddress import IPv4Interface, IPv6Interface
from itertools import chain, count, pairwise
from typing import Final

from attrs import frozen
from twisted.internet.defer import Deferred, fail, succeed

from ikegw.addresses.space import Address, Interval, Network, Range, Space
from ikegw.policy.identities import Normal, display, normal
from ikegw.ports import AddressRequest, Lease, NoAddress

FAMILIES: Final = (4, 6)


@frozen
class Pool:
    """What a configuration says: networks and ranges of either family, and the DNS servers and subnets that clients are told."""

    name: str
    blocks: tuple[Network | Range, ...]
    dns: tuple[Address, ...] = ()
    subnets: tuple[Network, ...] = ()

    def space(self, family: int) -> Space:
        """Its addresses of one family; ValueError, which names the pool, if it cannot be lent from."""
        try:
            return Space(Interval.of(block) for block in self.blocks if _family(block) == family)
        except ValueError as error:
            raise ValueError(f"pool {self.name}: {error}") from None


@frozen
class PoolUse:
    """How many addresses of one family a pool has, and how many are lent."""

    pool: str
    family: int
    size: int
    lent: int


@frozen
class _Held:
    """A standing lease: who holds it, and each address as (family, number), whose pool may have changed since."""

    holder: Normal
    addresses: tuple[tuple[int, int], ...]


class PoolAddresses:
    """Lends from pools, and keeps lending what it has lent when the pools change.

    A client gets what it asks for if that is free, else the address that it last had, else any. Of the pools that its connection
    names the first with a free address serves, for each family apart; a family that no pool can serve is left out, and only a
    client that gets nothing at all fails.
    """

    def __init__(self, pools: Iterable[Pool] = ()) -> None:
        self._pools: dict[str, Pool] = {}
        self._spaces: dict[tuple[str, int], Space] = {}
        self._standing: dict[int, _Held] = {}
        self._numbers = count(1)
        self.reload(pools)

    def lease(self, request: AddressRequest) -> Deferred[Lease]:
        """Obtain addresses at once; errback with NoAddress, whose text tells of each pool why not."""
        holder = normal(request.identity)
        wanted = [
            family
            for family, asked in zip(FAMILIES, (request.wants_ip4, request.wants_ip6), strict=True)
            if asked
        ]
        taken = [found for family in wanted if (found := self._take(request, family, holder))]
        if wanted and not taken:
            return fail(NoAddress(self._why_not(request, wanted)))
        number = next(self._numbers)
        self._standing[number] = _Held(holder, tuple((family, address) for _, family, address in taken))
        return succeed(self._lease(number, taken, request.pools))

    def renew(self, lease: Lease) -> Deferred[Lease]:
        """What a pool lends has no end."""
        return succeed(lease)

    def release(self, lease: Lease) -> Deferred[None]:
        """Give a lease back; one that is not standing (any more) is left as it is."""
        held = self._standing.pop(lease.token, None) if isinstance(lease.token, int) else None
        if held is not None:
            for (_, family), space in self._spaces.items():
                for version, number in held.addresses:
                    if version == family:
                        space.give_back(number, held.holder)
        return succeed(None)

    def reload(self, pools: Iterable[Pool]) -> None:
        """Lend from these pools from now on; standing leases stay as they are. ValueError (nothing changed) if pools overlap.

        A pool whose blocks stay the same is not touched; one that changed keeps what it remembers of the addresses it still has.
        """
        wanted = {pool.name: pool for pool in pools}
        spaces: dict[tuple[str, int], Space] = {}
        for pool in wanted.values():
            former = self._pools.get(pool.name)
            for family in FAMILIES:
                key = pool.name, family
                unchanged = former is not None and former.blocks == pool.blocks
                spaces[key] = self._spaces[key] if unchanged else self._succeeding(key, pool.space(family))
        _refuse_overlaps(spaces)
        self._pools, self._spaces = wanted, spaces

    def usage(self) -> tuple[PoolUse, ...]:
        """Sizes and counts of every pool and family that has addresses."""
        return tuple(
            PoolUse(pool, family, space.size, space.lent)
            for (pool, family), space in self._spaces.items()
            if space.size
        )

    def _succeeding(self, key: tuple[str, int], space: Space) -> Space:
        for held in self._standing.values():
            for family, number in held.addresses:
                if family == key[1]:
                    space.claim(number)
        if key in self._spaces:
            space.remember(self._spaces[key])
        return space

    def _take(self, request: AddressRequest, family: int, holder: Normal) -> tuple[str, int, int] | None:
        asked = [int(address) for address in request.requested if address.version == family]
        for pool in request.pools:
            space = self._spaces.get((pool, family))
            number = space.take(holder, asked) if space is not None else None
            if number is not None:
                return pool, family, number
        return None

    def _lease(self, token: int, taken: list[tuple[str, int, int]], asked: tuple[str, ...]) -> Lease:
        ip4: IPv4Interface | None = None
        ip6: IPv6Interface | None = None
        for pool, family, number in taken:
            interval = self._spaces[pool, family].interval(number)
            prefix = interval.prefix if interval is not None else None
            if family == 4:
                ip4 = IPv4Interface((number, prefix))
            else:
                ip6 = IPv6Interface((number, prefix))
        named = dict.fromkeys(pool for pool, _, _ in taken) or dict.fromkeys(asked)
        serving = [self._pools[pool] for pool in named if pool in self._pools]
        dns = chain.from_iterable(pool.dns for pool in serving)
        subnets = chain.from_iterable(pool.subnets for pool in serving)
        return Lease(ip4, ip6, tuple(dict.fromkeys(dns)), token, tuple(dict.fromkeys(subnets)))

    def _why_not(self, request: AddressRequest, families: list[int]) -> str:
        answers = [self._answer(pool, family) for pool in request.pools for family in families]
        return (
            f"no address for {display(request.identity)} on {request.connection}: "
            f"{'; '.join(dict.fromkeys(answers)) or 'the connection names no pool'}"
        )

    def _answer(self, pool: str, family: int) -> str:
        space = self._spaces.get((pool, family))
        if space is None:
            return f"pool {pool} is not configured"
        if not space.size:
            return f"pool {pool} has no IPv{family} addresses"
        return f"pool {pool} has lent all of its {space.size} IPv{family} addresses"


def _family(block: Network | Range) -> int:
    return block[0].version if isinstance(block, tuple) else block.version


def _refuse_overlaps(spaces: dict[tuple[str, int], Space]) -> None:
    """Two pools that share addresses would lend one address twice; ValueError names both."""
    for family in FAMILIES:
        held = sorted(
            (interval, pool)
            for (pool, version), space in spaces.items()
            if version == family
            for interval in space.intervals
        )
        for (one, pool), (other, second) in pairwise(held):
            if other.start <= one.end:
                raise ValueError(f"pools {pool} and {second} overlap")
