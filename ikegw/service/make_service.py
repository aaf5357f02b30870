"""`makeService` of the plugin: the only place that touches the reactor.

Whatever can go wrong without waiting goes wrong here, before twistd becomes a daemon: the operator reads it on the
terminal, as sentences, and the exit status is 1.
"""

import atexit
import os
import sys
from pathlib import Path
from typing import Any, NoReturn, cast

from twisted.internet import reactor as the_reactor

from ikegw.dataplane.marks import SOCKET_MARK
from ikegw.net.errors import CannotListen
from ikegw.net.sockets import IkeSocket, open_sockets
from ikegw.service.collector import collect_seldom
from ikegw.service.gateway_service import GatewayService
from ikegw.service.options import Options
from ikegw.service.planes import CannotCarry, choose_plane
from ikegw.service.preparation import Prepared, Unusable, prepare

reactor = cast(Any, the_reactor)


def make_service(options: Options) -> GatewayService:
    """Read the configuration, open the sockets, and give the service that twistd starts."""
    prepared = _prepared(options["config"])
    collect_seldom()
    try:
        return GatewayService(reactor, prepared, _sockets(prepared), choose_plane, _end_in_failure)
    except CannotCarry as error:
        _refuse(error.problems)


def _prepared(path: Path) -> Prepared:
    try:
        return prepare(path)
    except Unusable as error:
        _refuse(error.problems)


def _sockets(prepared: Prepared) -> tuple[IkeSocket, ...]:
    listen = prepared.config.listen
    try:
        return open_sockets(listen.addresses, listen.port, listen.nat_t_port, SOCKET_MARK, listen.interfaces)
    except CannotListen as error:
        _refuse(error.problems)


def _refuse(problems: tuple[str, ...]) -> NoReturn:
    raise SystemExit("\n".join((*problems, "ikegw does not start.")))


def _end_in_failure() -> None:
    def tell_the_caller() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)

    # twistd ends with status 0 whenever the reactor stops; whoever supervises us must see that we failed.
    atexit.register(tell_the_caller)
    if reactor.running:
        reactor.stop()
    else:
        reactor.callWhenRunning(reactor.stop)
