"""Lends from pools that several gateways share: `ports.Addresses` over a PostgreSQL database, which decides.

Each gateway says every now and then that it lives. One that is not heard of for `reclaim_seconds` loses what it lent, and the
others lend it again. So whoever cannot reach the database for nearly so long must stop using its addresses: its leases have an
end, and are renewed without asking anybody, for as long as the last word to the database is young enough.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import IPv4Interface, IPv6Interface
from itertools import count
from typing import Any, Final, TypeVar

from attrs import frozen
from twisted.enterprise import adbapi
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.addresses import ledger
from ikegw.addresses.ledger import Cursor, Portion
from ikegw.addresses.life import Life
from ikegw.addresses.owners import Owner, owner_of
from ikegw.addresses.pool import FAMILIES, Pool, Reservation
from ikegw.addresses.pools import PoolUse
from ikegw.addresses.space import Address
from ikegw.ports import AddressRequest, Lease, NoAddress

T = TypeVar("T")

BEATS: Final = 6
"""So often within the time for reclaiming a gateway says that it lives."""

MARGIN: Final = 0.1
"""The part of that time by which we stop before others may begin."""

TIDY_EVERY: Final = 3600.0


class _Connection(adbapi.Connection):
    """One that is broken is left: the next question has another, and that this one failed says why."""

    def rollback(self) -> None:
        """Undo; a server that is gone has done so by itself."""
        with suppress(adbapi.ConnectionLost):
            super().rollback()  # type: ignore[no-untyped-call]


class _Connections(adbapi.ConnectionPool):
    connectionFactory = _Connection  # noqa: N815 - Twisted's name


class Database:
    """The database as this room asks it: each question a transaction in a thread, tried once."""

    def __init__(self, dsn: str, connections: int, reactor: Any) -> None:
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        # However the network fails, a thread has an answer within seconds: others wait for it.
        patience = {
            "connect_timeout": "5",
            "tcp_user_timeout": "5000",
            "keepalives_idle": "5",
            "options": "-c statement_timeout=5000 -c idle_in_transaction_session_timeout=10000",
        }
        whole = make_conninfo("", **{**patience, **conninfo_to_dict(dsn)})
        self._pool = _Connections(  # type: ignore[no-untyped-call]
            "psycopg",
            whole,
            cp_reactor=reactor,
            cp_min=1,
            cp_max=connections,
            cp_reconnect=True,
            cp_noisy=False,
            cp_name="addresses",
        )

    def ask(self, function: Callable[..., T], *arguments: object) -> Deferred[T]:
        """Call the function with a cursor and these arguments; what it did stands when this fires."""
        asked: Deferred[T] = self._pool.runInteraction(function, *arguments)  # type: ignore[no-untyped-call]
        return asked

    def close(self) -> None:
        """Let go of all connections."""
        self._pool.close()  # type: ignore[no-untyped-call]


@frozen
class _Held:
    """A standing lease: of which life of ours, and its addresses."""

    gateway: str
    addresses: tuple[Address, ...]


class SharedPools:
    """`name` tells people whose the leases are. `random` makes the id of each life."""

    _log = Logger()

    def __init__(
        self,
        pools: Iterable[Pool],
        database: Database,
        clock: IReactorTime,
        random: Callable[[int], bytes],
        name: str,
        reclaim_seconds: float,
        life: Life,
    ) -> None:
        self._database = database
        self._clock = clock
        self._random = random
        self._name = name
        self._reclaim = reclaim_seconds
        self._life = life
        self._gateway = ""
        self._valid_until = 0.0
        self._tidied = -TIDY_EVERY
        self._standing: dict[int, _Held] = {}
        self._numbers = count(1)
        self._to_release: list[tuple[str, Address]] = []
        self._usage: tuple[PoolUse, ...] = ()
        self._why = "it was not asked yet"
        self._beating = LoopingCall(self.beat)
        self._beating.clock = clock
        self.reload(pools)

    # ------------------------------------------------------------ life

    def start(self) -> Deferred[None]:
        """Tell the database that we live, and go on telling it. If it cannot be reached, that is logged and tried again."""
        if self._beating.running or not self._pools:
            return succeed(None)
        return self.beat().addCallback(self._go_on_beating)

    def _go_on_beating(self, _: None) -> None:
        self._beating.start(self._reclaim / BEATS, now=False).addErrback(self._unreachable)

    def stop(self) -> Deferred[None]:
        """Give back all that is still lent, and say good-bye."""
        if not self._beating.running:
            return succeed(None)
        self._beating.stop()
        gone = self._database.ask(ledger.retire, self._gateway) if self._gateway else succeed(None)
        return gone.addErrback(self._unreachable).addCallback(self._ended)

    def _ended(self, _: None) -> None:
        self._database.close()
        self._life.end()

    def reload(self, pools: Iterable[Pool]) -> None:
        """Lend from these pools from now on; standing leases stay as they are."""
        self._pools = {pool.name: pool for pool in pools}
        self._portions: dict[tuple[str, int], tuple[tuple[Reservation | None, Portion], ...]] = {
            (pool.name, family): tuple(
                (reservation, Portion(family, tuple(sorted(intervals)), pool.quarantine))
                for reservation, intervals in pool.intervals(family)
            )
            for pool in self._pools.values()
            for family in FAMILIES
        }

    # ------------------------------------------------------------ the word that we live

    def beat(self) -> Deferred[None]:
        """Say so now."""
        began, gateway = self._clock.seconds(), self._gateway
        tidy = began - self._tidied >= TIDY_EVERY
        asked = self._database.ask(self._say, gateway, self._random(8).hex(), tuple(self._to_release), tidy)
        return asked.addCallback(self._heard, began, len(self._to_release), tidy).addErrback(
            self._unreachable
        )

    def _say(
        self, cursor: Cursor, gateway: str, fresh: str, released: tuple[tuple[str, Address], ...], tidy: bool
    ) -> tuple[str, int, tuple[PoolUse, ...]]:
        """In the thread."""
        if not gateway:
            ledger.prepare(cursor)
            ledger.retire(cursor, self._life.previous())
        for life in {life for life, _ in released}:
            ledger.give_back(cursor, life, [address for one, address in released if one == life])
        if not gateway or not ledger.is_known(cursor, gateway):
            gateway = fresh
            ledger.register(cursor, gateway, self._name)
            self._life.record(gateway)
        reclaimed = ledger.reclaim(cursor, self._reclaim)
        if tidy:
            ledger.forget(cursor)
        return gateway, reclaimed, tuple(self._counted(cursor))

    def _counted(self, cursor: Cursor) -> Iterable[PoolUse]:
        for (pool, family), portions in tuple(self._portions.items()):
            size = sum(interval.size for _, portion in portions for interval in portion.intervals)
            if size:
                yield PoolUse(pool, family, size, ledger.count(cursor, [portion for _, portion in portions]))

    def _heard(
        self, answer: tuple[str, int, tuple[PoolUse, ...]], began: float, released: int, tidied: bool
    ) -> None:
        gateway, reclaimed, self._usage = answer
        del self._to_release[:released]
        if tidied:
            self._tidied = began
        if self._why:
            self._why = ""
            self._log.info("the database of addresses is there")
        if self._gateway and gateway != self._gateway:
            self._log.error(
                "the database of addresses did not hear of us for {seconds:g} seconds and has given our addresses to others: "
                "the sessions that had them end",
                seconds=self._reclaim,
            )
        if reclaimed:
            self._log.warn("{count} addresses of gateways that died are free again", count=reclaimed)
        self._gateway, self._valid_until = gateway, began + self._reclaim * (1 - MARGIN)

    def _unreachable(self, failure: Failure) -> None:
        why = " ".join(failure.getErrorMessage().split())
        if why != self._why:
            self._log.error("the database of addresses does not answer: {why}", why=why)
        self._why = why

    # ------------------------------------------------------------ lending

    def lease(self, request: AddressRequest) -> Deferred[Lease]:
        """Obtain addresses; errback with NoAddress, whose text tells of each pool why not."""
        owner = owner_of(request)
        wanted = [
            family
            for family, asked in zip(FAMILIES, (request.wants_ip4, request.wants_ip6), strict=True)
            if asked
        ]
        named = [pool for pool in request.pools if pool in self._pools]
        return self._obtain(owner, self._take, wanted, named, request.requested)

    def lease_this(self, request: AddressRequest, address: Address) -> Deferred[Lease]:
        """Lend just this address, reserved or not, for somebody else has decided so. NoAddress if it is another's."""
        pool = self.pool_of(address)
        if pool is None:
            return fail(NoAddress(f"{address} is in no pool"))
        return self._obtain(owner_of(request), self._take_this, pool, address)

    def has(self, pool: str) -> bool:
        """Is there a pool of that name?"""
        return pool in self._pools

    def pool_of(self, address: Address) -> str | None:
        """The pool that lends this address, if one does."""
        return next(
            (
                name
                for (name, family), portions in self._portions.items()
                if family == address.version
                and any(portion.holds(int(address)) is not None for _, portion in portions)
            ),
            None,
        )

    def renew(self, lease: Lease) -> Deferred[Lease]:
        """It goes on for as long as the database has heard of us lately."""
        held = self._standing.get(lease.token) if isinstance(lease.token, int) else None
        if held is not None and held.gateway == self._gateway and self._left > 0:
            return succeed(self._lease(lease.token, held.addresses))
        if held is None or held.gateway != self._gateway:
            why = "the database has given it to others, for it did not hear of us"
        else:
            why = f"the database of addresses does not answer: {self._why}"
            self._to_release += [(held.gateway, address) for address in held.addresses]
        if isinstance(lease.token, int):
            self._standing.pop(lease.token, None)
        return fail(NoAddress(why))

    def release(self, lease: Lease) -> Deferred[None]:
        """Give a lease back; if the database cannot hear of it now, it will later."""
        held = self._standing.pop(lease.token, None) if isinstance(lease.token, int) else None
        if held is None:
            return succeed(None)

        def later(failure: Failure) -> None:
            self._unreachable(failure)
            self._to_release += [(held.gateway, address) for address in held.addresses]

        return self._database.ask(ledger.give_back, held.gateway, held.addresses).addErrback(later)

    def usage(self) -> tuple[PoolUse, ...]:
        """Sizes of every pool and family that has addresses, and what all gateways together had lent when we last asked."""
        return self._usage

    @property
    def _left(self) -> float:
        """For how long what we lent is surely ours."""
        return self._valid_until - self._clock.seconds()

    def _obtain(self, owner: Owner, function: Callable[..., Any], *arguments: object) -> Deferred[Lease]:
        if not self._gateway or self._left <= 0:
            return fail(NoAddress(f"the database of addresses does not answer: {self._why}"))
        gateway = self._gateway
        waiting: Deferred[Lease] = Deferred()  # called: cancelled meanwhile

        def taken(addresses: tuple[Address, ...]) -> None:
            token = next(self._numbers)
            self._standing[token] = _Held(gateway, addresses)
            lease = self._lease(token, addresses)
            if waiting.called:
                self.release(lease)
            else:
                waiting.callback(lease)

        def failed(failure: Failure) -> None:
            if not isinstance(failure.value, NoAddress):
                self._unreachable(failure)
            if not waiting.called:
                waiting.errback(NoAddress(" ".join(failure.getErrorMessage().split())))

        self._database.ask(function, gateway, owner, *arguments).addCallbacks(taken, failed)
        return waiting

    def _take(
        self,
        cursor: Cursor,
        gateway: str,
        owner: Owner,
        families: Iterable[int],
        pools: Iterable[str],
        wanted: Iterable[Address],
    ) -> tuple[Address, ...]:
        """In the thread."""
        found, answers = [], []
        for family in families:
            asked = [address for address in wanted if address.version == family]
            for pool in pools:
                portions = self._portions.get((pool, family), ())
                address = self._take_of(cursor, gateway, owner, portions, asked)
                if address is not None:
                    found.append(address)
                    break
                answers.append(f"pool {pool} has no IPv{family} address left")
        if families and not found:
            raise NoAddress("; ".join(answers) or "the connection names no pool")
        return tuple(found)

    def _take_of(
        self,
        cursor: Cursor,
        gateway: str,
        owner: Owner,
        portions: Iterable[tuple[Reservation | None, Portion]],
        wanted: list[Address],
    ) -> Address | None:
        for reservation, portion in portions:
            if reservation is None or reservation.is_for(owner):
                address = ledger.take(cursor, gateway, owner, portion, wanted)
                if address is not None:
                    return address
        return None

    def _take_this(
        self, cursor: Cursor, gateway: str, owner: Owner, pool: str, address: Address
    ) -> tuple[Address, ...]:
        """In the thread."""
        if not ledger.take_this(cursor, gateway, owner, address):
            raise NoAddress(f"{address} is lent to {ledger.holder(cursor, address)} at present")
        return (address,)

    def _lease(self, token: object, addresses: tuple[Address, ...]) -> Lease:
        ip4: IPv4Interface | None = None
        ip6: IPv6Interface | None = None
        pools = []
        for address in addresses:
            pool = self.pool_of(address)
            interval = None if pool is None else self._interval(pool, address)
            prefix = address.max_prefixlen if interval is None else interval.prefix
            if address.version == 4:
                ip4 = IPv4Interface((int(address), prefix))
            else:
                ip6 = IPv6Interface((int(address), prefix))
            pools.append(pool)
        lease = Lease(ip4, ip6, token=token, renew_seconds=min(self._reclaim / 3, max(self._left, 0.0)))
        for name in dict.fromkeys(pools):
            if name is not None:
                lease = self._pools[name].adorn(lease)
        return lease

    def _interval(self, pool: str, address: Address) -> Any:
        portions = self._portions[pool, address.version]
        return next(
            (found for _, portion in portions if (found := portion.holds(int(address))) is not None), None
        )
