"""What of a gateway asks RADIUS servers, in this process; and the clients that log in there, with our own EAP peer."""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from os import urandom
from typing import Any

from attrs import define, field, frozen
from cryptography import x509
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from ikegw.config.radius import (
    RADSEC_PORT,
    RADSEC_SECRET,
    RadiusRealm,
    RadiusServer,
    RadiusSettings,
    RadiusTransport,
    Strategy,
)
from ikegw.eap.credentials import OwnCertificate, Passwords
from ikegw.eap.peer.supplicants import EapSupplicants
from ikegw.events import AaaServerBack, AaaServerDead, Event
from ikegw.paths import Endpoint, Path
from ikegw.policy.connections import AuthKind, EapMethod, LocalAuth
from ikegw.policy.identities import parse_identity
from ikegw.ports import AaaAnswer, Caller, Challenge, Keyed
from ikegw.radius.client import RadiusClient
from ikegw.radius.connecting import connector
from ikegw.radius.login import RadiusLogins
from ikegw.radius.station import Station
from ikegw.radius.tls_context import Certificates
from ikegw.testing.pki import Authority, Party
from ikegw.wire.eap import EapPacket
from ikegw.wire.registry import EapCode, EapType
from laboratory.freeradius import SERVER_NAME, FreeRadius

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
    """Servers that were found dead, or back."""
    _numbers: Iterator[int] = field(factory=lambda: iter(range(1, 1_000_000)))

    @classmethod
    def of(cls, settings: RadiusSettings, certificates: Certificates | None = None) -> "RadiusGateway":
        """With these servers."""
        events: list[Event] = []

        def publish(event: Event) -> None:
            if isinstance(event, AaaServerDead | AaaServerBack):
                events.append(event)

        world: Any = reactor
        connect = connector(world, urandom, certificates or NoCertificates())
        client = RadiusClient(settings, connect, world, urandom, publish)
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
        supplicants = EapSupplicants(urandom, Passwords(passwords), NoCertificates())
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


class NoCertificates:
    """Neither for us nor to trust."""

    def own(self, files: tuple[str, ...]) -> None:
        """See `eap.credentials.Certificates`."""

    def authorities(self, files: tuple[str, ...]) -> tuple[()]:
        """See `eap.credentials.Certificates`."""
        return ()


@frozen
class RadiusCertificates:
    """What a gateway has for RADIUS over TLS: `own` for itself, and an authority to trust (`tls_context.Certificates`)."""

    nas: Party
    authority: Authority

    def own(self, files: tuple[str, ...]) -> OwnCertificate:
        """See `tls_context.Certificates`."""
        return OwnCertificate(self.nas.certificate, self.nas.key, self.nas.intermediates)

    def authorities(self, files: tuple[str, ...]) -> tuple[x509.Certificate, ...]:
        """See `tls_context.Certificates`."""
        return (self.authority.certificate,)


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


def settings_over_tls(*servers: FreeRadius, server_name: str = SERVER_NAME, **more: Any) -> RadiusSettings:
    """The same over TLS."""
    return RadiusSettings(
        tuple(
            RadiusServer(
                each.name,
                ip_address(each.address),
                RADSEC_SECRET,
                RadiusTransport.TLS,
                RADSEC_PORT,
                server_name=server_name,
                **more,
            )
            for each in servers
        ),
        (RadiusRealm(REALM, tuple(each.name for each in servers)),),
    )
