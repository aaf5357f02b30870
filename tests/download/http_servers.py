"""Web servers on loopback that do with each connection what a test wants."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from attrs import define, field
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions

from ikegw.config.downloads import DownloadSettings
from ikegw.ports import FetchFailed
from ikegw.testing.pki import Party

REACTOR: Any = installed
LOOPBACK = (ip_network("127.0.0.0/8"),)
QUICK = DownloadSettings(octets=10_000, seconds=5.0, networks=LOOPBACK)


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def redirect(to: str, code: int = 302) -> bytes:
    return f"HTTP/1.1 {code} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


@define(eq=False)
class Server:
    """Hands each connection to `behave` once its request is there: with the transport and the request."""

    behave: Callable[[Any, bytes], None]
    host: str = "127.0.0.1"
    identity: Party | None = None
    """Whom it proves to be by TLS, if it does."""

    requests: list[bytes] = field(factory=list)
    open: set[Protocol] = field(factory=set)
    port: Any = None

    def listen(self) -> None:
        server = self

        class Connection(Protocol):
            def connectionMade(self) -> None:
                server.open.add(self)

            def dataReceived(self, data: bytes) -> None:
                if b"\r\n\r\n" in data:
                    server.requests.append(data)
                    server.behave(self.transport, data)

            def connectionLost(self, reason: Any = None) -> None:
                server.open.discard(self)

        factory = Factory.forProtocol(Connection)
        factory.noisy = False
        if self.identity is None:
            self.port = REACTOR.listenTCP(0, factory, interface=self.host)
        else:
            options = CertificateOptions(self.identity.key, self.identity.certificate)  # type: ignore[no-untyped-call]
            self.port = REACTOR.listenSSL(0, factory, options, interface=self.host)

    @property
    def number(self) -> int:
        """Its port."""
        return int(self.port.getHost().port)

    def url(self, path: str = "/x", host: str = "") -> str:
        scheme = "http" if self.identity is None else "https"
        there = host or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"{scheme}://{there}:{self.number}{path}"


Serve = Callable[..., Server]


def failure_of(waiting: Deferred[bytes]) -> Deferred[str]:
    """How it fails, in words."""

    def failed(failure: Any) -> str:
        failure.trap(FetchFailed)
        return str(failure.value)

    return waiting.addCallbacks(lambda octets: pytest.fail(f"it came: {octets!r}"), failed)
