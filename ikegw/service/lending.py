"""Who lends addresses to clients: made of a configuration, started, changed by a reload, and stopped."""

import os
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from ipaddress import summarize_address_range
from pathlib import Path
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from ikegw.addresses.chain import Chain
from ikegw.addresses.life import Life
from ikegw.addresses.pool import Pool, Reservation
from ikegw.addresses.pools import PoolAddresses, PoolUse
from ikegw.addresses.shared import Database, SharedPools
from ikegw.addresses.space import Network, Range
from ikegw.addresses.sqlite import SqliteJournal
from ikegw.config import Config
from ikegw.config.dhcp_rules import names_of_one
from ikegw.config.lending import Pool as PoolSettings
from ikegw.config.lending import Store
from ikegw.dhcp.inform import Inform
from ikegw.dhcp.providers import DhcpProviders
from ikegw.dhcp.told import ToldAddresses
from ikegw.events import Publish
from ikegw.paths import Address
from ikegw.policy.selectors import networks_of
from ikegw.ports import Addresses
from ikegw.wire.selectors import TrafficSelector

_LOG = Logger(namespace="ikegw")


@define(eq=False)
class Lenders:
    """Every provider of this gateway. `others` are those that connections call by another name than a pool's.

    The gateway leases from `addresses`, which is the chain, and remembers what clients were told.
    """

    config: Config
    chain: Chain
    pools: PoolAddresses
    others: dict[str, Addresses]
    dhcp: DhcpProviders
    addresses: ToldAddresses
    inform: Inform = field(init=False)
    shared: SharedPools | None = field(default=None, init=False)
    _reactor: Any = field(default=None, init=False, repr=False)

    @classmethod
    def make(cls, reactor: Any, config: Config, pools: tuple[Pool, ...], publish: Publish) -> "Lenders":
        """Nothing is opened yet."""
        journal = SqliteJournal(config.store.path, deferToThread)
        own = PoolAddresses(_alone(pools), reactor.seconds, journal)
        others: dict[str, Addresses] = {}
        chain = Chain(reactor, config.lending.provider_seconds, [own], others)
        dhcp = DhcpProviders(reactor, os.urandom, publish)
        made = cls(config, chain, own, others, dhcp, ToldAddresses(chain))
        made._reactor = reactor
        made.addresses.inform = config.inform.address
        made._share(pools)
        made.inform = Inform(reactor, made.addresses.told, made.networks)
        return made

    def start(self) -> Deferred[None]:
        """Remember who had which address; OSError, if that cannot be read, says what to do."""
        self._ask_dhcp()
        return self._begin()

    def _begin(self) -> Deferred[None]:
        begun = self.pools.start()
        shared = self.shared
        return begun if shared is None else begun.addCallback(lambda _: shared.start())

    def hear(self, device: str) -> None:
        """Answer DHCPINFORM that comes out of the tunnels, by this device, if that is wanted."""
        self.inform.hear(self.config.inform.address, device)

    def stop(self) -> Deferred[None]:
        """Write down what is left to write, and close what is open."""
        self.inform.stop()
        self.dhcp.stop()
        stopped, shared = self.pools.stop(), self.shared
        return stopped if shared is None else stopped.addCallback(lambda _: shared.stop())

    def reload(self, config: Config, pools: tuple[Pool, ...]) -> Deferred[None]:
        """Lend as this configuration has it, from now on."""
        self.config = config
        self.chain.seconds = config.lending.provider_seconds
        self.addresses.inform = config.inform.address
        self._ask_dhcp()
        self.pools.reload(_alone(pools))
        self._share(pools)
        return self._begin()

    def _share(self, pools: tuple[Pool, ...]) -> None:
        wanted = [pool for pool in pools if pool.store is Store.POSTGRESQL]
        if self.shared is not None:
            self.shared.reload(wanted)
        elif wanted:
            store = self.config.store
            database = Database(store.dsn, store.connections, self._reactor)
            host, life = socket.gethostname(), Life(store.path.with_name("gateway-id"))
            self.shared = SharedPools(
                wanted, database, self._reactor, os.urandom, host, store.reclaim_seconds, life
            )
            self.chain.pools.append(self.shared)

    def _ask_dhcp(self) -> None:
        for problem in self.dhcp.reload(self.config.dhcp):
            _LOG.error("{problem}; it is tried again when an address is asked for", problem=problem)
        self.others.clear()
        for each in self.config.dhcp:
            provider = self.dhcp.provider(each.name)
            if provider is not None:
                self.others.update(dict.fromkeys(names_of_one(each.name, len(self.config.dhcp)), provider))

    def networks(self, connection: str) -> Iterator[Network]:
        """What the tunnels of a connection lead to."""
        found = self.config.connection(connection)
        for child in found.children if found is not None else ():
            for selector in child.local_selectors:
                if isinstance(selector, TrafficSelector):
                    yield from networks_of(selector)

    def dhcp_leases(self) -> dict[str, int]:
        """How many leases of DHCP servers stand, by provider."""
        return {each.settings.name: each.bound for each in self.dhcp.all}

    def lease_states(self) -> Counter[tuple[str, str]]:
        """How many leases of DHCP servers are in each state of their machine, as ("lease", state)."""
        return Counter(("lease", state) for each in self.dhcp.all for state in each.states())

    def dhcp_messages(self) -> dict[tuple[str, str], int]:
        """What became of messages to and from DHCP servers, by our address."""
        return {
            (str(relay.local), what): count
            for relay in self.dhcp.sockets.relays
            for what, count in relay.counts.items()
        }

    def usage(self) -> tuple[PoolUse, ...]:
        """Sizes and counts of every pool and family that has addresses."""
        shared = () if self.shared is None else self.shared.usage()
        return (*self.pools.usage(), *shared)


def pools_of(config: Config) -> tuple[Pool, ...]:
    """Give the configured pools in the form that addresses are lent from."""
    return tuple(map(_pool, config.pools))


def problems_of(config: Config, pools: tuple[Pool, ...]) -> list[str]:
    """Give what keeps these pools from being lent from."""
    found = []
    try:
        PoolAddresses(pools)
    except ValueError as error:
        found.append(str(error))
    if any(pool.store is Store.SQLITE for pool in pools):
        found.extend(_unwritable(config.store.path))
    if any(pool.store is Store.POSTGRESQL for pool in pools) and find_spec("psycopg") is None:
        found.append(
            'store = "postgresql" needs psycopg, which is not installed: take Debian\'s python3-psycopg, '
            "or pip install ikegw[postgresql]"
        )
    return found


def _alone(pools: Iterable[Pool]) -> tuple[Pool, ...]:
    return tuple(pool for pool in pools if pool.store is not Store.POSTGRESQL)


def _unwritable(path: Path) -> Iterable[str]:
    place = next(one for one in path.parents if one.exists())
    if not os.access(place, os.W_OK):
        yield (
            f"store.path: {path} cannot be written, since {place} is not ours to write to; change that, write another "
            'path, or let pools forget at the end: store = "memory"'
        )


def _pool(settings: PoolSettings) -> Pool:
    return Pool(
        settings.name,
        _blocks(settings.ranges),
        settings.dns,
        settings.subnets,
        settings.nbns,
        settings.domains,
        _blocks(settings.excluded),
        tuple(
            Reservation(one.name, _blocks(one.ranges), one.identities, frozenset(one.groups))
            for one in settings.reservations
        ),
        settings.quarantine_seconds,
        settings.store,
    )


def _blocks(ranges: Iterable[tuple[Address, Address]]) -> tuple[Network | Range, ...]:
    return tuple(map(_block, ranges))


def _block(addresses: tuple[Address, Address]) -> Network | Range:
    """Give a whole network as such: its own address and its broadcast address are not for clients."""
    networks: list[Network] = list(summarize_address_range(*addresses))
    return networks[0] if len(networks) == 1 else cast(Range, addresses)
