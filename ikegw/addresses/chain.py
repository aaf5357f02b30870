"""Every provider of this gateway behind one `ports.Addresses`: a connection names them in order, and the next one steps in.

`pools = ["radius", "dhcp:office", "clients"]`: what the AAA server decided, else a DHCP server's, else our own pool's. For each
family apart the first that has an address serves; one that fails, or does not answer in time, leaves it to the next.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Protocol, TypeVar

from attrs import evolve, frozen
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ikegw.addresses.granted import GrantedAddresses, as_granted, granted_address
from ikegw.addresses.pool import FAMILIES
from ikegw.addresses.space import Address
from ikegw.policy.identities import display
from ikegw.ports import Addresses, AddressRequest, Lease, NoAddress
from ikegw.session import Grant

T = TypeVar("T")

RADIUS = "radius"
"""The provider that gives what the AAA server decided."""


class Pools(Addresses, Protocol):
    """A provider out of pools that a configuration names."""

    def has(self, pool: str) -> bool:
        """Does it lend from a pool of that name?"""
        ...

    def pool_of(self, address: Address) -> str | None:
        """The pool that lends this address, if one does."""
        ...

    def lease_this(self, request: AddressRequest, address: Address) -> Deferred[Lease]:
        """Lend just this address."""
        ...


@frozen
class _Source:
    """One to ask: for which families, how, and what it is called."""

    name: str
    families: tuple[int, ...]
    provider: Addresses
    ask: Callable[[AddressRequest], Deferred[Lease]]


@frozen
class _Part:
    """What one provider gave; renewing and releasing it are that provider's."""

    provider: Addresses
    lease: Lease


@frozen
class _Chained:
    """The token of our leases: the parts, and what the AAA server had to say besides."""

    parts: tuple[_Part, ...]
    grant: Grant

    def lease(self) -> Lease:
        """All parts together."""
        leases = [part.lease for part in self.parts]
        due = [lease.renew_seconds for lease in leases if lease.renew_seconds is not None]
        whole = Lease(
            next((lease.ip4 for lease in leases if lease.ip4 is not None), None),
            next((lease.ip6 for lease in leases if lease.ip6 is not None), None),
            _every(lease.dns for lease in leases),
            self,
            _every(lease.subnets for lease in leases),
            _every(lease.nbns for lease in leases),
            _every(lease.domains for lease in leases),
            min(due, default=None),
            _every(lease.dhcp for lease in leases),
        )
        return as_granted(whole, self.grant)


class Chain:
    """Asks the providers that a request names, each for at most `seconds`; `others` by their whole names, like `dhcp:office`."""

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        seconds: float,
        pools: list[Pools],
        others: Mapping[str, Addresses],
    ) -> None:
        self.seconds = seconds
        self.others = others
        self._clock = clock
        self.pools = pools
        self.granted = GrantedAddresses()

    def lease(self, request: AddressRequest) -> Deferred[Lease]:
        """Obtain addresses; NoAddress, whose text has the answer of each provider, only if none gave any."""
        return Deferred.fromCoroutine(self._lease(request))

    def renew(self, lease: Lease) -> Deferred[Lease]:
        """Each part that has an end. If one cannot be renewed, nothing is lent any more."""
        return Deferred.fromCoroutine(self._renew(lease))

    def release(self, lease: Lease) -> Deferred[None]:
        """Each part goes back to who gave it; fails if one of them would not take it."""
        parts = lease.token.parts if isinstance(lease.token, _Chained) else ()
        return Deferred.fromCoroutine(_release(parts))

    # ------------------------------------------------------------ asking

    async def _lease(self, request: AddressRequest) -> Lease:
        wanted = {
            family
            for family, asked in zip(FAMILIES, (request.wants_ip4, request.wants_ip6), strict=True)
            if asked
        }
        parts: list[_Part] = []
        answers: dict[str, None] = {}
        try:
            for source in self._sources(request):
                asked = wanted.intersection(source.families)
                if not asked:
                    continue
                asking = evolve(request, wants_ip4=4 in asked, wants_ip6=6 in asked)
                try:
                    lease = await self._in_time(source.ask(asking))
                except NoAddress as error:
                    answers[str(error)] = None
                except defer.TimeoutError:
                    answers[f"{source.name} did not answer within {self.seconds:g} s"] = None
                else:
                    parts.append(_Part(source.provider, lease))
                    wanted -= {4} if lease.ip4 is not None else set()
                    wanted -= {6} if lease.ip6 is not None else set()
        except BaseException:  # cancelled, or a fault of ours: nothing stays lent
            self._give_back(parts)
            raise
        if not parts:
            raise NoAddress(_text(request, answers))
        return _Chained(tuple(parts), request.grant).lease()

    def _in_time(self, asked: Deferred[T]) -> Awaitable[T]:
        return asked if asked.called else asked.addTimeout(self.seconds, self._clock)

    def _sources(self, request: AddressRequest) -> Iterator[_Source]:
        """Whom to ask, in order."""
        for name in request.pools:
            if name == RADIUS:
                yield from self._as_granted(request)
            else:
                yield self._source(name, FAMILIES)

    def _source(self, name: str, families: tuple[int, ...], said_by: str = "") -> _Source:
        provider: Addresses | None = self.others.get(name)
        for pools in self.pools:
            if pools.has(name):
                provider = pools
        if provider is None:
            found = _Missing(f"{said_by}pool {name} is not configured")
            return _Source(name, families, found, found.lease)
        chosen = provider
        return _Source(name, families, provider, lambda request: chosen.lease(evolve(request, pools=(name,))))

    def _as_granted(self, request: AddressRequest) -> Iterator[_Source]:
        grant = request.grant
        for family, pools in zip(FAMILIES, (grant.pools4, grant.pools6), strict=True):
            address = granted_address(grant, family)
            if address is not None:
                yield self._certain(address, family)
            for pool in pools:
                yield self._source(pool, (family,), "the AAA server names a pool, but ")
            if address is None and not pools:
                found = _Missing(f"the AAA server gave no IPv{family} address and no pool")
                yield _Source(RADIUS, (family,), found, found.lease)

    def _certain(self, address: Address, family: int) -> _Source:
        for pools in self.pools:
            if pools.pool_of(address) is not None:
                return _Source(
                    RADIUS,
                    (family,),
                    pools,
                    lambda request, pools=pools: pools.lease_this(request, address),  # type: ignore[misc]
                )
        return _Source(RADIUS, (family,), self.granted, self.granted.lease)

    # ------------------------------------------------------------ what was given

    async def _renew(self, lease: Lease) -> Lease:
        if not isinstance(lease.token, _Chained):
            raise NoAddress("it was not lent here")
        renewed = list(lease.token.parts)
        try:
            for number, part in enumerate(lease.token.parts):
                if part.lease.renew_seconds is not None:
                    again = await part.provider.renew(part.lease)
                    renewed[number] = _Part(part.provider, again)
                    if (again.ip4, again.ip6) != (part.lease.ip4, part.lease.ip6):
                        raise NoAddress("renewed with another address, which no tunnel can be changed to")
        except CancelledError:
            raise  # the lease stands as it was
        except BaseException:
            self._give_back(renewed)
            raise
        return _Chained(tuple(renewed), lease.token.grant).lease()

    def _give_back(self, parts: Iterable[_Part]) -> None:
        for part in parts:
            part.provider.release(part.lease).addErrback(
                lambda failure: self._log.failure("an address could not be given back", failure)
            )


@frozen
class _Missing:
    """In place of a provider that there is not."""

    why: str

    def lease(self, request: AddressRequest) -> Deferred[Lease]:
        """See `ports.Addresses`."""
        return fail(NoAddress(self.why))

    def renew(self, lease: Lease) -> Deferred[Lease]:
        """See `ports.Addresses`."""
        return fail(NoAddress(self.why))

    def release(self, lease: Lease) -> Deferred[None]:
        """See `ports.Addresses`."""
        return fail(NoAddress(self.why))


async def _release(parts: Sequence[_Part]) -> None:
    begun = [part.provider.release(part.lease) for part in parts]
    failed: list[BaseException] = []
    for one in begun:
        try:
            await one
        except BaseException as error:  # noqa: BLE001 - the others are heard out first
            failed.append(error)
    if failed:
        raise failed[0]


def _every(told: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(told)))


def _text(request: AddressRequest, answers: Iterable[str]) -> str:
    who = request.user or display(request.identity)
    told = "; ".join(answers) or "the connection names no pool"
    return f"no address for {who} on {request.connection}: {told}"
