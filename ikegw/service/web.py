"""The read-only HTTP server: what Prometheus asks for, and what a browser may see."""

from collections.abc import Iterable
from typing import Any

from attrs import define, field
from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.web.resource import IResource

from ikegw import __version__
from ikegw.config.settings import Web
from ikegw.metrics.gauges import Gauges, RadiusServerState, ReactorDelay, Standing
from ikegw.metrics.page import MetricsPage
from ikegw.service.assembly import Assembled
from ikegw.service.overview import Overview
from ikegw.web.guard import Folder
from ikegw.web.page import StatusPage
from ikegw.web.serving import Connections, site


@define(eq=False)
class WebServer:
    """Serves what is measured in `registry`, and what `assembled` holds at the moment."""

    reactor: Any
    settings: Web
    assembled: Assembled
    registry: CollectorRegistry
    log: Logger
    _delay: ReactorDelay = field(init=False)
    _status: StatusPage = field(init=False)
    _site: Connections | None = field(default=None, init=False)
    _port: Any = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._delay = ReactorDelay(self.reactor)
        Gauges(self.registry, self._standing(), self._delay, __version__)
        overview = Overview(self.assembled, self.reactor)
        self._status = StatusPage(self.reactor, overview.look, overview.story, lambda: self.settings.hosts)

    def _standing(self) -> Standing:
        assembled = self.assembled

        def pools() -> Iterable[tuple[str, int, int, int]]:
            return ((use.pool, use.family, use.size, use.lent) for use in assembled.addresses.usage())

        def radius_servers() -> Iterable[RadiusServerState]:
            for each in assembled.radius.associations():
                name, service = each.server.name, each.service.value
                yield RadiusServerState(name, service, each.is_alive, each.load, each.counts)

        return Standing(
            states=assembled.gateway.states,
            half_open=lambda: assembled.gateway.half_open_total,
            cookies=lambda: assembled.admission.cookies,
            datagrams=lambda: assembled.transport.counts,
            pools=pools,
            dhcp_leases=assembled.addresses.dhcp_leases,
            dhcp_messages=assembled.addresses.dhcp_messages,
            radius_servers=radius_servers,
            octets=assembled.traffic.total,
            trouble=lambda: assembled.traffic.trouble,
        )

    def start(self) -> None:
        """Listen, where the configuration says so; without it the gateway works all the same."""
        listen = self.settings.listen
        if listen is None:
            return
        self._site = site(self._root(), self.reactor)
        try:
            self._port = self.reactor.listenTCP(listen.port, self._site, interface=str(listen.address))
        except CannotListenError as error:
            self.log.warn("no page at {listen}: {why}", listen=str(listen), why=str(error.socketError))
            return
        self._delay.start()
        self.assembled.traffic.start()
        self.log.info("metrics are at http://{listen}/metrics", listen=str(listen))
        if self.settings.status_page:
            self.log.info("the status page is at http://{listen}/", listen=str(listen))

    def _root(self) -> IResource:
        metrics = MetricsPage(self.registry)
        root = self._status.guarded() if self.settings.status_page else Folder()  # type: ignore[no-untyped-call]
        root.putChild(b"metrics", metrics)  # which names nobody, and is asked for by whatever name
        return root

    def configure(self, settings: Web) -> Deferred[None]:
        """Serve as these settings have it, from when this fires on."""
        if settings == self.settings:
            return succeed(None)

        def stopped(_: object) -> None:
            self.settings = settings
            self.start()

        return self.stop().addCallback(stopped)

    def stop(self) -> Deferred[Any]:
        """Close the port, and hang up on everybody."""
        self._delay.stop()
        self.assembled.traffic.stop()
        if self._site is not None:
            self._site.hang_up()
        port, self._port = self._port, None
        return succeed(None) if port is None else maybeDeferred(port.stopListening)
