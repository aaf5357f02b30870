"""Who lives in a simulated world: a gateway and its clients, configured as a plan says."""

from ipaddress import IPv4Address, IPv4Network

from attrs import define, evolve, field
from twisted.internet.interfaces import IReactorTime

from ikegw.addresses.pool import Pool
from ikegw.addresses.pools import PoolAddresses
from ikegw.policy.connections import (
    AuthKind,
    ChildPolicy,
    Connection,
    DpdAction,
    LocalAuth,
    RemoteAuth,
    Retransmit,
)
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.policy.proposals import parse_offer
from ikegw.policy.selectors import DYNAMIC, from_network
from ikegw.ports import Addresses
from ikegw.testing.heap_clock import HeapClock
from ikegw.testing.lease_server import LeaseServer, Leasing
from ikegw.testing.login import client_credentials, gateway_credentials
from ikegw.testing.pair import shared_key
from ikegw.testing.simulation.faults import Plan, dice
from ikegw.testing.simulation.moody_aaa import PASSWORD, Mood, MoodyAaa
from ikegw.testing.simulation.network import Network
from ikegw.testing.simulation.party import Heard, Party, nobody
from ikegw.testing.supplicant import FakeSupplicants
from ikegw.testing.world import World

GATEWAY_ADDRESS = IPv4Address("192.0.2.1")
LAN = IPv4Network("10.1.0.0/24")
SECOND_LAN = IPv4Network("10.2.0.0/24")
POOL = Pool("road", (IPv4Network("10.16.0.0/16"),))
RETRANSMIT = Retransmit(first=0.5, factor=1.8, tries=5)

NET, MORE = "net", "more"
"""The children of every connection: the one that a client always wants, and one that it may ask for besides."""


@define(eq=False)
class Town:
    """The hosts, the wire, the clock."""

    plan: Plan
    world: World = field(init=False, repr=False)
    network: Network = field(init=False, repr=False)
    gateway: Party = field(init=False)
    clients: list[Party] = field(init=False)
    heard: Heard = field(default=nobody, repr=False)
    mood: Mood = field(init=False)
    """How whoever is asked about logins feels."""

    server: LeaseServer | None = field(default=None, init=False)
    """Who lends addresses for a time, if the gateway has no pools of its own. It never loses power."""

    def __attrs_post_init__(self) -> None:
        self.mood = Mood(dice(self.plan.seed + 7))
        self.world = World(self.plan.seed << 20, HeapClock())
        self.network = Network(self.world.clock, random=dice(self.plan.seed + 1), faults=self.plan.faults)
        self.world.wire = self.network
        if self.plan.lease_seconds:
            self.server = LeaseServer(self.world.clock, PoolAddresses((POOL,)), self.plan.lease_seconds)
        self.gateway = self._party("gateway", GATEWAY_ADDRESS, gateway_connection(self.plan), (POOL,))
        natted = dice(self.plan.seed + 2)
        self.clients = []
        for number in range(1, self.plan.clients + 1):
            address = IPv4Address("10.200.0.0") + number
            self.clients.append(
                self._party(f"client {number}", address, client_connection(self.plan, number))
            )
            if natted.random() < self.plan.natted:
                self.network.put_nat_before(address, IPv4Address("10.201.0.0") + number)

    def _party(
        self, name: str, address: IPv4Address, connection: Connection, pools: tuple[Pool, ...] = ()
    ) -> Party:
        lets_in = bool(pools)
        everyone = shared_key("%any")
        if self.plan.logins and not self.plan.twice:
            everyone = gateway_credentials() if lets_in else client_credentials()
        return Party(
            self.world,
            self.network,
            name,
            address,
            connection,
            everyone,
            pools,
            self.heard,
            self.plan.plane_delay,
            self._addresses,
            self._aaa if lets_in else None,
            None if lets_in else self._supplicants,
        )

    def _addresses(self, clock: IReactorTime, pool: PoolAddresses) -> Addresses:
        return pool if self.server is None else Leasing(clock, self.server, self.plan.lease_delay)

    def _aaa(self, clock: IReactorTime) -> MoodyAaa:
        plan = self.plan
        return MoodyAaa(clock, rounds=plan.login_rounds, seconds=plan.login_seconds, mood=self.mood)

    def _supplicants(self, clock: IReactorTime) -> FakeSupplicants:
        return FakeSupplicants(clock, PASSWORD, self.plan.login_seconds)

    def trouble_server(self, share: float) -> None:
        """Have the server of addresses refuse so much of what it is asked."""
        if self.server is not None:
            chance = dice(self.plan.seed + 5)
            self.server.fails = lambda: chance.random() < share

    @property
    def leases(self) -> int:
        """How many leases stand at the server of addresses."""
        return 0 if self.server is None else self.server.standing

    @property
    def parties(self) -> tuple[Party, ...]:
        """Everyone."""
        return (self.gateway, *self.clients)


def _children(plan: Plan, side: int) -> tuple[ChildPolicy, ...]:
    renew = plan.lifetimes.child[side]
    offers = parse_offer("esp", "aes256gcm16-x25519" if plan.pfs else "aes256gcm16")
    first = ChildPolicy(
        NET,
        proposals=offers,
        rekey_seconds=renew,
        life_seconds=renew * 2,
        dpd=DpdAction.RESTART if plan.restart and side else DpdAction.CLEAR,
    )
    children = []
    for name, network in ((NET, LAN), (MORE, SECOND_LAN)):
        there, here = (from_network(network),), (DYNAMIC,)
        ends = (here, there) if side else (there, here)
        children.append(evolve(first, name=name, local_selectors=ends[0], remote_selectors=ends[1]))
    return tuple(children)


def _connection(plan: Plan, side: int, name: str, own: str, peer: str) -> Connection:
    times = plan.lifetimes
    return Connection(
        name,
        LocalAuth(AuthKind.PSK, parse_identity(own)),
        RemoteAuth(AuthKind.PSK, IdentityPattern.parse(peer)),
        _children(plan, side),
        proposals=parse_offer("ike", "aes256gcm16-prfsha256-x25519"),
        unique=plan.unique,
        retransmit=RETRANSMIT,
        dpd_seconds=times.dpd[side],
        rekey_seconds=times.ike[side],
        over_seconds=60.0,
    )


def gateway_connection(plan: Plan) -> Connection:
    """The gateway's one connection, for everyone."""
    connection = evolve(_connection(plan, 0, "road", "gw.test", "*@test"), pools=("road",))
    if not plan.logins:
        return connection
    local = evolve(connection.local, kind=AuthKind.PUBKEY, certificates=("own.pem",))
    login = evolve(connection.remote, kind=AuthKind.EAP)
    if plan.twice:
        return evolve(connection, second_remote=login, aaa="staff")
    return evolve(connection, local=local, remote=login, aaa="staff")


def client_connection(plan: Plan, number: int) -> Connection:
    """Client `number` calls the gateway and asks for an address."""
    connection = _connection(plan, 1, "home", f"c{number}@test", "gw.test")
    login = evolve(connection.local, kind=AuthKind.EAP)
    if plan.twice:
        connection = evolve(connection, second_local=login)
    elif plan.logins:
        remote = evolve(connection.remote, kind=AuthKind.PUBKEY)
        connection = evolve(connection, local=login, remote=remote)
    return evolve(
        connection,
        remote_addresses=(IPv4Network(f"{GATEWAY_ADDRESS}/32"),),
        virtual=(IPv4Address("0.0.0.0"),),
        reauth_seconds=plan.lifetimes.reauth,
    )
