"""A server of addresses as there are many: its leases have an end, it takes its time, and at times it fails.

`LeaseServer` outlives the gateways that ask it, as a DHCP server does; `Leasing` is a gateway's `ports.Addresses` over it.
"""

from collections.abc import Callable
from typing import TypeVar

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ikegw.addresses.pools import PoolAddresses
from ikegw.ports import AddressRequest, Lease, NoAddress

T = TypeVar("T")


@define(eq=False, slots=False)
class LeaseServer:
    """Lends what `pool` has, each lease for `seconds`; the clock is the server's own."""

    clock: IReactorTime
    pool: PoolAddresses
    seconds: float
    fails: Callable[[], bool] = lambda: False
    """Does it refuse what it is asked next?"""

    _ends: dict[object, tuple[Lease, float]] = field(factory=dict, init=False, repr=False)

    def lease(self, request: AddressRequest) -> Lease:
        """Lend, or NoAddress."""
        self._sweep()
        self._refuse_at_times()
        found: list[Lease] = []
        failed: list[NoAddress] = []
        self.pool.lease(request).addCallbacks(found.append, lambda failure: failed.append(failure.value))
        if failed:
            raise failed[0]
        return self._lend(found[0])

    def renew(self, lease: Lease) -> Lease:
        """Lend for as long again, or NoAddress: then it is lent no more."""
        self._sweep()
        if lease.token not in self._ends:
            raise NoAddress("the lease is over")
        try:
            self._refuse_at_times()
        except NoAddress:
            self.release(lease)
            raise
        return self._lend(lease)

    def release(self, lease: Lease) -> None:
        """Take it back."""
        if self._ends.pop(lease.token, None) is not None:
            self.pool.release(lease)

    @property
    def standing(self) -> int:
        """How many leases are neither given back nor over."""
        self._sweep()
        return len(self._ends)

    def stands(self, token: object) -> bool:
        """Is this lease neither given back nor over?"""
        self._sweep()
        return token in self._ends

    def _lend(self, lease: Lease) -> Lease:
        self._ends[lease.token] = lease, self.clock.seconds() + self.seconds
        return evolve(lease, renew_seconds=self.seconds / 2)

    def _refuse_at_times(self) -> None:
        if self.fails():
            raise NoAddress("the server refuses")

    def _sweep(self) -> None:
        now = self.clock.seconds()
        for lease, end in list(self._ends.values()):
            if end <= now:
                self.release(lease)


@define(eq=False, slots=False)
class Leasing:
    """Asks the server; question and answer take `delay` seconds together. Who no longer waits gives back what still comes."""

    clock: IReactorTime
    server: LeaseServer
    delay: float = 0.0
    asked: list[str] = field(factory=list, init=False)
    """What was asked, by name, in order."""

    def lease(self, request: AddressRequest) -> Deferred[Lease]:
        """See `ports.Addresses`."""
        return self._ask("lease", lambda: self.server.lease(request), self.server.release)

    def renew(self, lease: Lease) -> Deferred[Lease]:
        """See `ports.Addresses`."""
        return self._ask("renew", lambda: self.server.renew(lease), lambda lease: None)

    def release(self, lease: Lease) -> Deferred[None]:
        """See `ports.Addresses`."""
        return self._ask("release", lambda: self.server.release(lease), lambda nothing: None)

    def _ask(self, what: str, action: Callable[[], T], unwanted: Callable[[T], None]) -> Deferred[T]:
        self.asked.append(what)
        waited: Deferred[T] = Deferred()  # called: cancelled meanwhile

        def reach_server() -> None:
            try:
                answer = action()
            except NoAddress as error:
                self._later(lambda error=error: None if waited.called else waited.errback(error))  # type: ignore[misc]
            else:
                self._later(lambda: unwanted(answer) if waited.called else waited.callback(answer))

        self._later(reach_server)
        return waited

    def _later(self, action: Callable[[], None]) -> None:
        if self.delay:
            self.clock.callLater(self.delay / 2, action)
        else:
            action()
