"""Every server and realm that is configured: the one thing of this room that the roof makes."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from ikegw.config.radius import RadiusServer, RadiusSettings, RadiusTransport, Service
from ikegw.events import Publish
from ikegw.ports import Random
from ikegw.radius.association import Association
from ikegw.radius.link import OpenLink
from ikegw.radius.realm import Realm

Connect = Callable[[RadiusServer, Service], OpenLink]
"""How a server is reached: `links.connector` for real ones."""


@define(eq=False)
class RadiusClient:
    """The RADIUS client. A reload keeps the associations of servers that did not change, with what is in flight on them."""

    _settings: RadiusSettings
    _connect: Connect = field(repr=False)
    _clock: IReactorTime = field(repr=False)
    _random: Random = field(repr=False)
    _publish: Publish = field(repr=False)
    _associations: dict[tuple[RadiusServer, Service], Association] = field(
        factory=dict, init=False, repr=False
    )
    _realms: dict[tuple[str, Service], Realm] = field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.reload(self._settings)

    @property
    def settings(self) -> RadiusSettings:
        """What is configured now."""
        return self._settings

    def reload(self, settings: RadiusSettings) -> None:
        """Take over other settings: what is in flight to a server that is no longer configured so fails."""
        self._settings = settings
        old = self._associations
        self._associations = {}
        servers = {server.name: server for server in settings.servers}
        for server in settings.servers:
            for service in _services(server):
                key = server, service
                self._associations[key] = old.pop(key) if key in old else self._associate(server, service)
        self._realms = {
            (realm.name, service): Realm(
                realm, [self._associated(servers[name], service) for name in realm.servers]
            )
            for realm in settings.realms
            for service in Service
        }
        for association in old.values():
            association.close()

    def realm(self, name: str, service: Service) -> Realm | None:
        """The realm of that name."""
        return self._realms.get((name, service))

    def associations(self) -> tuple[Association, ...]:
        """All of them, for those who show what there is."""
        return tuple(self._associations.values())

    def close(self) -> None:
        """Close every socket; whatever waits fails."""
        for association in self._associations.values():
            association.close()

    def _associated(self, server: RadiusServer, service: Service) -> Association:
        return self._associations.get((server, service)) or self._associations[server, Service.AUTHENTICATION]

    def _associate(self, server: RadiusServer, service: Service) -> Association:
        return Association(
            server, service, self._connect(server, service), self._clock, self._random, self._publish
        )


def _services(server: RadiusServer) -> tuple[Service, ...]:
    """What has an association of its own: with TLS, one carries everything (RFC 6614 §2.1)."""
    return (Service.AUTHENTICATION,) if server.transport is RadiusTransport.TLS else tuple(Service)
