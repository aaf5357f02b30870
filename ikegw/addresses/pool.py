"""What a configuration says of a pool, and its addresses of one family: those reserved for some, and the rest, for all."""

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from itertools import chain, pairwise
from typing import Final, TypeVar

from attrs import evolve, frozen

from ikegw.addresses.owners import Owner
from ikegw.addresses.space import Address, Former, Interval, Network, Range, Space
from ikegw.config.lending import Store
from ikegw.policy.identities import IdentityPattern
from ikegw.ports import Lease

T = TypeVar("T")

FAMILIES: Final = (4, 6)


@frozen
class Reservation:
    """Addresses of a pool that only these may have: whom one of the patterns matches, or who is in one of the groups."""

    name: str
    blocks: tuple[Network | Range, ...]
    identities: tuple[IdentityPattern, ...] = ()
    groups: frozenset[str] = frozenset()

    def is_for(self, owner: Owner) -> bool:
        """May it have one of them?"""
        return bool(self.groups & owner.groups) or any(one.matches(owner.identity) for one in self.identities)


@frozen
class Pool:
    """Addresses of either family, and what clients are told that have one of them. `excluded` are in it and never lent.

    For `quarantine` seconds after it was given back, an address is only for who had it.
    """

    name: str
    blocks: tuple[Network | Range, ...]
    dns: tuple[Address, ...] = ()
    subnets: tuple[Network, ...] = ()
    nbns: tuple[IPv4Address, ...] = ()
    domains: tuple[str, ...] = ()
    excluded: tuple[Network | Range, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    quarantine: float = 0.0
    store: Store = Store.MEMORY

    def intervals(self, family: int) -> Iterator[tuple[Reservation | None, tuple[Interval, ...]]]:
        """The addresses of each reservation, and last those for all. ValueError, which names the pool, if blocks overlap."""
        excluded = tuple(map(_whole, self.excluded))
        taken = list(excluded)
        for reservation in self.reservations:
            own = [_whole(block) for block in reservation.blocks if version_of(block) == family]
            yield reservation, tuple(self._as_in_blocks(own, excluded))
            taken.extend(own)
        blocks = [Interval.of(block) for block in self.blocks if version_of(block) == family]
        for one, other in pairwise(sorted(blocks)):
            if other.start <= one.end:
                raise ValueError(f"pool {self.name}: two of its networks or ranges overlap")
        yield None, tuple(chain.from_iterable(block.without(taken) for block in blocks))

    def _as_in_blocks(self, wanted: Iterable[Interval], excluded: tuple[Interval, ...]) -> Iterator[Interval]:
        """Reserved addresses with the prefix length of the block that they are in."""
        for block in map(Interval.of, self.blocks):
            for one in wanted:
                start, end = max(one.start, block.start), min(one.end, block.end)
                if one.version == block.version and start <= end:
                    yield from evolve(block, start=start, end=end).without(excluded)

    def adorn(self, lease: Lease) -> Lease:
        """The lease with what this pool tells its clients, behind what others told already."""
        return evolve(
            lease,
            dns=_joined(lease.dns, self.dns),
            subnets=_joined(lease.subnets, self.subnets),
            nbns=_joined(lease.nbns, self.nbns),
            domains=_joined(lease.domains, self.domains),
        )


def version_of(block: Network | Range) -> int:
    """4 or 6."""
    return block[0].version if isinstance(block, tuple) else block.version


def address_of(family: int, number: int) -> Address:
    """The address of that number."""
    return IPv4Address(number) if family == 4 else IPv6Address(number)


def _whole(block: Network | Range) -> Interval:
    first, last = block if isinstance(block, tuple) else (block.network_address, block.broadcast_address)
    return Interval(int(first), int(last), first.max_prefixlen, first.version)


def _joined(one: tuple[T, ...], other: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*one, *other)))


@frozen(eq=False)
class Holding:
    """One pool's addresses of one family, each with who has or had it."""

    family: int
    portions: tuple[tuple[Reservation | None, Space], ...]

    @classmethod
    def of(cls, pool: Pool, family: int, forgotten: Callable[[Address], None]) -> "Holding":
        """All of them free; `forgotten` hears of what is remembered no more. ValueError, which names the pool, for overlaps."""

        def told(number: int) -> None:
            forgotten(address_of(family, number))

        try:
            portions = [
                (reservation, Space(intervals, pool.quarantine, forgotten=told))
                for reservation, intervals in pool.intervals(family)
            ]
            return cls(family, tuple(portions))
        except ValueError as error:
            text = str(error)
            raise ValueError(text if text.startswith("pool ") else f"pool {pool.name}: {text}") from None

    def take(self, owner: Owner, now: float, wanted: Iterable[int]) -> int | None:
        """Lend one that is reserved for the owner, else one of those for all; None if there is none."""
        asked = tuple(wanted)
        for reservation, space in self.portions:
            if reservation is None or reservation.is_for(owner):
                number = space.take(owner.key, now, asked)
                if number is not None:
                    return number
        return None

    def space_of(self, number: int) -> Space | None:
        """Where this address is, if it is one of these."""
        return next((space for _, space in self.portions if space.interval(number) is not None), None)

    def known_to(self, owner: Owner) -> set[int]:
        """The addresses that are remembered to have been this owner's."""
        return {number for _, space in self.portions if (number := space.last_of(owner.key)) is not None}

    def remember(self, number: int, former: Former) -> bool:
        """Is this address here, and free? Then it is remembered whose it was."""
        space = self.space_of(number)
        return space is not None and space.remember(number, former)

    @property
    def intervals(self) -> Iterator[Interval]:
        """All of its addresses."""
        return chain.from_iterable(space.intervals for _, space in self.portions)

    @property
    def size(self) -> int:
        """How many it has."""
        return sum(space.size for _, space in self.portions)

    @property
    def lent(self) -> int:
        """How many are lent now."""
        return sum(space.lent for _, space in self.portions)
