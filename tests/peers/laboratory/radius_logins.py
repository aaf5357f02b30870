"""What of a gateway asks RADIUS servers, in this process; and the clients that log in there, with our own EAP peer."""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from os import urandom
from typing import Any

from attrs import define, field, frozen
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from ikegw.config.radius import RadiusRealm, RadiusServer, RadiusSettings, Strategy
from ikegw.eap.credentials import Passwords
from ikegw.eap.peer.supplicants import EapSupplicants
from ikegw.events import Event
from ikegw.paths import Endpoint, Path
from ikegw.policy.connections import AuthKind, EapMethod, LocalAuth
from ikegw.policy.identities import parse_identity
from ikegw.ports import AaaAnswer, Caller, Challenge, Keyed
from ikegw.radius.client import RadiusClient
from ikegw.radius.connecting import connector
from ikegw.radius.login import RadiusLogins
from ikegw.radius.station import Station
from ikegw.wire.eap import EapPacket
from ikegw.wire.registry import EapCode, EapType
from laboratory.freeradius import FreeRadius

REALM = "staff"
PATH = Path(Endpoint(ip_address("192.0.2.1"), 4500), Endpoint(ip_address("198.51.100.7"), 61000))
USERS = ("alice", "bob", "carol", "erin", "plain", "mallory")
IDENTITY_REQUEST = EapPacket(EapCode.REQUEST, 1, EapType.IDENTITY).encode()


@frozen
class LoggedIn:
    """How a login ended: the server's last answer, and what our EAP peer has of it."""

    answer: AaaAnswer
    keyed: Keyed | None


@define(eq=False)
class RadiusGateway:
    """The RADIUS client of a gateway. `close` it in the end."""

    client: RadiusClient
    logins: RadiusLogins
    events: list[Event]
    _numbers: Iterator[int] = field(factory=lambda: iter(range(1, 1_000_000)))

    @classmethod
    def of(cls, settings: RadiusSettings, connect: Any = None) -> "RadiusGateway":
        """With these servers."""
        events: list[Event] = []
        world: Any = reactor
        client = RadiusClient(settings, connect or connector(world), world, urandom, events.append)
        return cls(client, RadiusLogins(client, Station("gw.example.org")), events)

    def log_in(
        self,
        name: str,
        method: EapMethod = EapMethod.MSCHAPV2,
        password: str | None = None,
        challenged: Callable[[], object] = lambda: None,
    ) -> "Deferred[LoggedIn]":
        """A whole login; fails as `respond` of either side does. `challenged` is called at each challenge."""
        passwords = {user: f"{user}pw".encode() for user in USERS}
        if password is not None:
            passwords[name] = password.encode()
        supplicants = EapSupplicants(urandom, Passwords(passwords), _NoCertificates())
        return Deferred.fromCoroutine(self._log_in(name, method, supplicants, challenged))

    def begin(self, name: str) -> Any:
        """A dialogue alone."""
        number = next(self._numbers)
        identity = parse_identity(f"{name}@example.org")
        return self.logins.begin(Caller(f"session-{number}", "road", number, PATH, identity, name, REALM))

    def close(self) -> None:
        """Close every socket."""
        self.client.close()

    async def _log_in(
        self, name: str, method: EapMethod, supplicants: EapSupplicants, challenged: Callable[[], object]
    ) -> LoggedIn:
        local = LocalAuth(AuthKind.EAP, eap_identity=name, eap_methods=(method,))
        supplicant = supplicants.begin(local, parse_identity("gw.example.org"), authentic=True)
        dialogue, request = self.begin(name), IDENTITY_REQUEST
        while True:
            answer = await dialogue.respond(await supplicant.respond(request))
            if not isinstance(answer, Challenge):
                return LoggedIn(answer, supplicant.complete())
            challenged()
            request = answer.eap


class _NoCertificates:
    def own(self, files: tuple[str, ...]) -> None:
        """See `eap.credentials.Certificates`."""

    def authorities(self, files: tuple[str, ...]) -> tuple[()]:
        """See `eap.credentials.Certificates`."""
        return ()


def settings_for(
    servers: Sequence[FreeRadius], strategy: Strategy = Strategy.ORDERED, **more: Any
) -> RadiusSettings:
    """One realm, of these servers."""
    return RadiusSettings(
        tuple(
            RadiusServer(each.name, ip_address(each.address), each.secret.encode(), **more)
            for each in servers
        ),
        (RadiusRealm(REALM, tuple(each.name for each in servers), strategy),),
    )
