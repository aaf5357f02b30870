"""Servers that are gone after each test, and somebody who downloads from them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from http_servers import QUICK, REACTOR, Serve, Server
from twisted.internet.defer import maybeDeferred

from ikegw.download.fetcher import Downloads


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(behave: Callable[[Any, bytes], None], **more: Any) -> Server:
        server = Server(behave, **more)
        server.listen()
        servers.append(server)
        return server

    yield start
    for server in servers:
        for connection in tuple(server.open):
            connection.transport.abortConnection()  # type: ignore[union-attr]
        pytest_twisted.blockon(maybeDeferred(server.port.stopListening))


@pytest.fixture
def downloads(tmp_path: Path) -> Downloads:
    return Downloads(QUICK, REACTOR, maybeDeferred, tmp_path)
