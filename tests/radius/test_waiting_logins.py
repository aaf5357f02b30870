"""500 logins wait for RADIUS servers that are dead: whoever has nothing to do with these notices nothing.

Time is simulated; what could delay a stranger is what the gateway computes before the stranger's turn, and that is CPU time.
"""

from ipaddress import ip_address
from os import urandom
from random import Random
from statistics import median
from time import process_time

from attrs import define, evolve, field

from ikegw.config.radius import RadiusRealm, RadiusServer, RadiusSettings
from ikegw.crypto.groups import generate
from ikegw.events import AaaServerDead, Event, IkeDown, IkeUp
from ikegw.gate.limits import Limits
from ikegw.paths import Endpoint, Path
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.policy.offers import DEFAULT_IKE
from ikegw.policy.proposals import groups_of, to_wire
from ikegw.radius.client import RadiusClient
from ikegw.radius.login import RadiusLogins
from ikegw.radius.packets import Code
from ikegw.radius.station import Station
from ikegw.testing.login import EAP_CLIENT, EAP_GATEWAY, client_credentials, gateway_credentials
from ikegw.testing.pair import CLIENT, GATEWAY, POOL, shared_key
from ikegw.testing.radius import Asked, MemoryServer
from ikegw.testing.world import Host, World
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import Header, Message, encode_message
from ikegw.wire.nonce import Nonce
from ikegw.wire.registry import ExchangeType

LOGINS = 500
MOST_SECONDS = 0.050
TURN = 0.010
"""Simulated seconds: what is due in so much of it comes before a stranger who comes then."""

NO_LIMITS = Limits(10_000, 10_000, 10_000, 10_000)
TO_STRANGER = Path(Endpoint(ip_address("192.0.2.1"), 500), Endpoint(ip_address("192.0.2.9"), 500))
LOGIN = evolve(EAP_GATEWAY, half_open_seconds=600.0)
CONNECTIONS = (
    evolve(GATEWAY, name="by-key"),
    evolve(LOGIN, remote=evolve(LOGIN.remote, identity=IdentityPattern.parse("*@staff.test"))),
    evolve(LOGIN, aaa="guests", remote=evolve(LOGIN.remote, identity=IdentityPattern.parse("*@guests.test"))),
)


def reject(asked: Asked) -> None:
    asked.answer(Code.ACCESS_REJECT, ("Reply-Message", "not you"))


@define
class Town:
    """A gateway, and its RADIUS servers: two for the staff, who say nothing, and a living one for guests."""

    world: World = field(factory=World)
    servers: dict[str, MemoryServer] = field(
        factory=lambda: {"one": MemoryServer(), "two": MemoryServer(), "three": MemoryServer(behave=reject)}
    )
    dead: list[str] = field(factory=list)
    gateway: Host = field(init=False)

    def __attrs_post_init__(self) -> None:
        client = RadiusClient(
            RadiusSettings(
                tuple(
                    RadiusServer(name, ip_address("203.0.113.5"), server.secret, most_in_flight=1024)
                    for name, server in self.servers.items()
                ),
                (RadiusRealm("staff", ("one", "two")), RadiusRealm("guests", ("three",))),
            ),
            lambda server, service: self.servers[server.name].open,
            self.world.clock,
            Random(1).randbytes,
            self.publish,
        )
        self.gateway = self.world.host(
            "192.0.2.1",
            CONNECTIONS,
            evolve(gateway_credentials(), shared_keys=shared_key("%any").shared_keys),
            (POOL,),
            NO_LIMITS,
            aaa=RadiusLogins(client, Station("gw.test")),
        )

    def publish(self, event: Event) -> None:
        if isinstance(event, AaaServerDead):
            self.dead.append(event.server)

    def log_in(self, address: str, *names: str) -> Host:
        """Whoever has these mail addresses logs in by EAP."""
        local = EAP_CLIENT.local
        connections = [
            evolve(EAP_CLIENT, name=name, local=evolve(local, identity=parse_identity(name)))
            for name in names
        ]
        host = self.world.host(address, connections, client_credentials())
        for name in names:
            host.gateway.initiate(name).addErrback(lambda _: None)
        return host

    def stranger_waits(self) -> float:
        """Seconds of CPU until the gateway has answered an IKE_SA_INIT that comes with whatever else is due."""
        began, before = process_time(), len(self.world.wire.history)
        self.world.clock.advance(TURN)
        self.gateway.gateway.datagram_received(TO_STRANGER, opening())
        took = process_time() - began
        answers = [each for each in self.world.wire.history[before:] if each.path == TO_STRANGER]
        assert len(answers) == 1
        return took


def opening() -> bytes:
    """An IKE_SA_INIT of somebody new."""
    group = groups_of(DEFAULT_IKE)[0]
    header = Header(urandom(8), bytes(8), ExchangeType.IKE_SA_INIT, False, True, 0)
    key = KeyExchange(group, generate(group, urandom).public)
    return encode_message(Message(header, (to_wire(DEFAULT_IKE), key, Nonce(urandom(32)))))


def test_nobody_else_waits_for_a_dead_server() -> None:
    town = Town()
    town.log_in("192.0.2.2", *(f"client{number}@staff.test" for number in range(LOGINS)))
    town.world.run(0.5, 0.05)
    assert len(town.servers["one"].of(Code.ACCESS_REQUEST)) == LOGINS

    took = []
    while town.dead != ["one", "two"]:
        town.world.run(0.2, TURN)
        took.append(town.stranger_waits())
    assert len(town.servers["two"].of(Code.ACCESS_REQUEST)) >= LOGINS
    assert len(took) > 40
    assert median(took) < MOST_SECONDS

    keyed = town.world.host("192.0.2.3", (CLIENT,), shared_key("%any"))
    keyed.gateway.initiate("home")
    guest = town.log_in("192.0.2.4", "bob@guests.test")
    town.world.run(0.1)
    assert keyed.heard(IkeUp)
    assert guest.heard(IkeDown)
    assert len(town.gateway.gateway.listing()) >= LOGINS
