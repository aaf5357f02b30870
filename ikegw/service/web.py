"""The read-only HTTP server: what Prometheus asks for."""

from collections.abc import Iterable
from typing import Any

from attrs import define, field
from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.web.server import Site

from ikegw import __version__
from ikegw.config.settings import Web
from ikegw.metrics.gauges import Gauges, RadiusServerState, ReactorDelay, Standing
from ikegw.metrics.page import MetricsPage, root
from ikegw.service.assembly import Assembled


@define(eq=False)
class WebServer:
    """Serves what is measured in `registry`, and what `assembled` holds at the moment."""

    reactor: Any
    settings: Web
    assembled: Assembled
    registry: CollectorRegistry
    log: Logger
    _delay: ReactorDelay = field(init=False)
    _port: Any = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._delay = ReactorDelay(self.reactor)
        Gauges(self.registry, self._standing(), self._delay, __version__)

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
        )

    def start(self) -> None:
        """Listen, where the configuration says so; without it the gateway works all the same."""
        listen = self.settings.listen
        if listen is None:
            return
        site = Site(root([(b"metrics", MetricsPage(self.registry))]))  # type: ignore[no-untyped-call]
        site.noisy = False
        try:
            self._port = self.reactor.listenTCP(listen.port, site, interface=str(listen.address))
        except CannotListenError as error:
            self.log.warn("no page at {listen}: {why}", listen=str(listen), why=str(error.socketError))
            return
        self._delay.start()
        self.log.info("metrics are at http://{listen}/metrics", listen=str(listen))

    def stop(self) -> Deferred[Any]:
        """Close the port."""
        self._delay.stop()
        port, self._port = self._port, None
        return succeed(None) if port is None else maybeDeferred(port.stopListening)
