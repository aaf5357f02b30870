"""A gateway and a road warrior in one world, with a shared key between them: where tests of the spine begin."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock

from ikegw.addresses.pool import Pool
from ikegw.auth.credentials import Credentials
from ikegw.auth.shared_keys import SharedKey
from ikegw.gate.limits import Limits
from ikegw.policy.connections import AuthKind, ChildPolicy, Connection, LocalAuth, RemoteAuth
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.policy.selectors import DYNAMIC, from_network
from ikegw.ports import Aaa, Fetcher, Supplicants
from ikegw.testing.aaa import FakeAaa
from ikegw.testing.supplicant import FakeSupplicants
from ikegw.testing.world import DEFAULT_LIMITS, Host, MakeAddresses, World, at_once_from_pool

SECRET = b"a shared key that only tests know"
LAN = IPv4Network("10.1.0.0/24")
POOL = Pool("road", (IPv4Network("10.3.0.0/24"), IPv6Network("fd00:3::/64")), (IPv4Address("10.1.0.53"),))

GATEWAY = Connection(
    "road",
    LocalAuth(AuthKind.PSK, parse_identity("gw.test")),
    RemoteAuth(AuthKind.PSK, IdentityPattern.parse("*@test")),
    (ChildPolicy("net", (from_network(LAN), from_network(IPv6Network("fd00:1::/64"))), (DYNAMIC,)),),
    pools=("road",),
)
CLIENT = Connection(
    "home",
    LocalAuth(AuthKind.PSK, parse_identity("carol@test")),
    RemoteAuth(AuthKind.PSK, IdentityPattern.parse("gw.test")),
    (ChildPolicy("net", (DYNAMIC,), (from_network(LAN), from_network(IPv6Network("fd00:1::/64")))),),
    remote_addresses=(IPv4Network("192.0.2.1"),),
    virtual=(IPv4Address("0.0.0.0"), IPv6Address("::")),
)


def shared_key(*patterns: str, secret: bytes = SECRET) -> Credentials:
    """Credentials with one shared key."""
    return Credentials((SharedKey(tuple(map(IdentityPattern.parse, patterns)), secret),))


@frozen
class Pair:
    """A world with a gateway and one client in it."""

    world: World
    gateway: Host
    client: Host

    @property
    def is_empty(self) -> bool:
        """Nothing is left on either side."""
        return self.gateway.is_empty and self.client.is_empty


def make_pair(
    gateway: Connection = GATEWAY,
    client: Connection = CLIENT,
    gateway_credentials: Credentials | None = None,
    client_credentials: Credentials | None = None,
    limits: Limits = DEFAULT_LIMITS,
    aaa: Callable[[IReactorTime], Aaa] = FakeAaa,
    supplicants: Callable[[IReactorTime], Supplicants] = FakeSupplicants,
    addresses: MakeAddresses = at_once_from_pool,
    fetcher: Fetcher | None = None,
    clock: Clock | None = None,
) -> Pair:
    """Both ends, with what a test wants different; the gateway asks `aaa`, the client logs in with `supplicants`.

    Both download with `fetcher`. A `HeapClock` is for tests with hundreds of timers.
    """
    world = World() if clock is None else World(clock=clock)
    ours = gateway_credentials or shared_key("%any")
    theirs = client_credentials or shared_key("%any")
    return Pair(
        world,
        world.host(
            "192.0.2.1",
            (gateway,),
            ours,
            (POOL,),
            limits,
            aaa=aaa(world.clock),
            fetcher=fetcher,
            make_addresses=addresses,
        ),
        world.host("192.0.2.2", (client,), theirs, supplicants=supplicants(world.clock), fetcher=fetcher),
    )
