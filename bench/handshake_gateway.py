"""ikegw as `twistd ikegw` assembles it, but for its data plane, which carries nothing: the responder that is measured.

    python handshake_gateway.py CONFIGURATION [PROFILE]

With PROFILE, everything that the reactor does is profiled, and the figures are written there at the end (for `pstats`).
"""

import cProfile
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred, succeed
from twisted.logger import globalLogBeginner, textFileLogObserver

from ikegw.config import Config
from ikegw.dataplane.spis import SpiSpace
from ikegw.net.sockets import IkeSocket, open_sockets
from ikegw.net.transport import Received
from ikegw.paths import Path as EndPath
from ikegw.ports import DataPlane, DataPlaneEvent, TunnelSa, Usage
from ikegw.service.assembly import Plane
from ikegw.service.collector import collect_seldom
from ikegw.service.gateway_service import GatewayService
from ikegw.service.preparation import prepare

reactor = cast(Any, the_reactor)


class NullPlane:
    """A data plane that takes everything and keeps nothing, as the peer's null kernel does."""

    description = "null: nothing is carried"
    device = ""

    def __init__(self) -> None:
        self._spis = SpiSpace(os.urandom)

    def start(self, listener: Callable[[DataPlaneEvent], None]) -> Deferred[None]:
        return succeed(None)

    def allocate_spi(self, path: EndPath) -> Deferred[bytes]:
        return succeed(self._spis.reserve())

    def release_spi(self, spi: bytes) -> None:
        self._spis.free(spi)

    def install(self, sa: TunnelSa) -> Deferred[None]:
        return succeed(None)

    def activate(self, inbound_spi: bytes) -> Deferred[None]:
        return succeed(None)

    def move(self, *_: object, **__: object) -> Deferred[None]:
        return succeed(None)

    def remove(self, inbound_spi: bytes, linger: float = 0.0) -> Deferred[Usage]:
        self._spis.free(inbound_spi)
        return succeed(Usage())

    def usage(self, inbound_spi: bytes) -> Deferred[Usage]:
        return succeed(Usage())

    def stop(self) -> Deferred[None]:
        return succeed(None)


def null_plane(
    reactor: Any,
    config: Config,
    nat_t_sockets: tuple[IkeSocket, ...],
    received: Received,
    lost: Callable[[str], None],
) -> Plane:
    """A data plane that takes everything and does nothing (`assembly.MakePlane`)."""
    return Plane(cast(DataPlane, NullPlane()), "null", reads_nat_t=False)


def tell_when_ready(service: GatewayService) -> None:
    """Say so on standard output once the gateway reads its sockets."""
    start = service.assembled.transport.start

    def started(*arguments: Any, **more: Any) -> None:
        start(*arguments, **more)
        print("listening", flush=True)

    service.assembled.transport.start = started  # type: ignore[method-assign]


def main(configuration: str, profile: str = "") -> None:
    prepared = prepare(Path(configuration))
    listen = prepared.config.listen
    sockets = open_sockets(listen.addresses, listen.port, listen.nat_t_port)
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    collect_seldom()
    service = GatewayService(reactor, prepared, sockets, null_plane, reactor.stop)
    tell_when_ready(service)
    reactor.callWhenRunning(service.startService)
    if not profile:
        reactor.run()
        return
    profiler = cProfile.Profile(time.process_time)  # others may be using the machine
    profiler.runcall(reactor.run)
    profiler.dump_stats(profile)


if __name__ == "__main__":
    main(*sys.argv[1:])
