"""Gateways in one process, on one clock, joined by one wire: the whole spine with a model of the data plane under it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock

from ikegw.addresses.pool import Pool
from ikegw.addresses.pools import PoolAddresses
from ikegw.auth.authenticator import Authenticator
from ikegw.auth.credentials import Credentials
from ikegw.dataplane.memory import MemoryPlane
from ikegw.events import Event, Publish, StateEntered
from ikegw.gate.admission import Admission
from ikegw.gate.limits import Limits
from ikegw.ike.gateway import Gateway
from ikegw.paths import Address
from ikegw.policy.connections import Connection
from ikegw.ports import Aaa, Addresses, Fetcher, Random, Supplicants
from ikegw.testing.aaa import FakeAaa
from ikegw.testing.supplicant import FakeSupplicants
from ikegw.testing.wire import Wire, WireTransport, seeded

NOW = datetime(2026, 6, 1, tzinfo=UTC)
"""What time it is in every test world when a host is made there."""


DEFAULT_LIMITS = Limits()


def at_once(function: Callable[[], Any]) -> Deferred[Any]:
    """Run what would go to a thread, here and now."""
    return maybeDeferred(function)


MakeAddresses = Callable[[IReactorTime, PoolAddresses], Addresses]
"""Made of the gateway's clock and what its pools are: whom it asks for addresses."""


def at_once_from_pool(clock: IReactorTime, pool: PoolAddresses) -> Addresses:
    """The pools themselves."""
    return pool


E = TypeVar("E")


@define(eq=False)
class Host:
    """One gateway with everything it stands on; `events` is all that it published."""

    address: Address
    gateway: Gateway
    plane: MemoryPlane
    pool: PoolAddresses
    events: list[Event]

    def heard(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def states(self, machine: str) -> list[str]:
        """The states that a machine entered, in order."""
        return [event.state for event in self.heard(StateEntered) if event.machine == machine]

    @property
    def is_empty(self) -> bool:
        """Nothing is left: no IKE SA, no half-open entry, no SA in the data plane, no address lent."""
        lent = sum(use.lent for use in self.pool.usage())
        return (
            not self.gateway.listing()
            and not self.gateway.half_open_total
            and not self.plane.installed
            and not lent
        )


@define(eq=False)
class World:
    """A clock, a wire, and hosts; the same seed gives the same run."""

    seed: int = 1
    clock: Clock = field(factory=Clock)
    wire: Wire = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.wire = Wire(self.clock)

    def host(
        self,
        address: str,
        connections: Sequence[Connection],
        credentials: Credentials,
        pools: Sequence[Pool] = (),
        limits: Limits = DEFAULT_LIMITS,
        clock: IReactorTime | None = None,
        publish: Publish | None = None,
        aaa: Aaa | None = None,
        supplicants: Supplicants | None = None,
        fetcher: Fetcher | None = None,
        make_plane: Callable[[IReactorTime, Random], MemoryPlane] = MemoryPlane,
        make_addresses: MakeAddresses = at_once_from_pool,
    ) -> Host:
        """A gateway at `address`, started; on a `clock` of its own, and with its events told elsewhere, if wanted so.

        Without `aaa` no EAP login is good, without `supplicants` we have no password, without `fetcher` nothing is downloaded.
        """
        self.seed += 1
        random, here, events = seeded(self.seed), ip_address(address), list[Event]()
        clock = clock or self.clock
        began = clock.seconds()
        plane, pool = make_plane(clock, random), PoolAddresses(pools)
        gateway = Gateway(
            clock,
            random,
            WireTransport(self.wire, here),
            plane,
            make_addresses(clock, pool),
            Authenticator(
                credentials,
                lambda: NOW + timedelta(seconds=clock.seconds() - began),
                at_once,
                fetcher=fetcher,
                random=random,
            ),
            aaa or FakeAaa(clock),
            supplicants or FakeSupplicants(clock),
            Admission(limits, random, clock.seconds()),
            tuple(connections),
            publish or events.append,
        )
        self.wire.join(here, gateway.datagram_received)
        gateway.start()
        return Host(here, gateway, plane, pool, events)

    def run(self, seconds: float = 1.0, step: float = 0.005) -> None:
        """Let time pass, in steps small enough for the wire."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
