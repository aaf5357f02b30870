"""By TLS, over IPv6, and through a proxy: what is downloaded, and what is refused on each of these ways."""

from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from http_servers import QUICK, REACTOR, Serve, Server, failure_of, ok, redirect
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from ikegw.config.downloads import Proxy
from ikegw.download.fetcher import Downloads
from ikegw.testing.pki import GATEWAY_USAGES, Authority, Period

ROOT = Authority.root("Web", "ecdsa256", Period.around(datetime.now(UTC)))
LOCALHOST = ROOT.issue("localhost", "ecdsa256", ["localhost", "127.0.0.1"], usages=GATEWAY_USAGES)
OTHER = ROOT.issue("other.test", "ecdsa256", usages=GATEWAY_USAGES)


def list_(transport: Any, request: bytes) -> None:
    transport.write(ok(b"a list"))


@pytest.fixture
def trusting(tmp_path: Path) -> Downloads:
    """Knows the authority of the servers here."""
    return Downloads(QUICK, REACTOR, maybeDeferred, tmp_path, lambda: [ROOT.certificate])


# ---------------------------------------------------------------- TLS


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest_twisted.inlineCallbacks
def test_by_https_of_a_host_that_an_authority_of_ours_vouches_for(
    serve: Serve, trusting: Downloads, host: str
) -> Any:
    server = serve(list_, identity=LOCALHOST)
    assert (yield trusting.fetch(server.url(host=host))) == b"a list"


@pytest_twisted.inlineCallbacks
def test_nobody_else_is_believed(serve: Serve, downloads: Downloads) -> Any:
    server = serve(list_, identity=LOCALHOST)
    assert "certificate verify failed" in (yield failure_of(downloads.fetch(server.url())))
    assert not server.requests


@pytest_twisted.inlineCallbacks
def test_nor_under_another_name(serve: Serve, trusting: Downloads) -> Any:
    server = serve(list_, identity=OTHER)
    yield failure_of(trusting.fetch(server.url(host="localhost")))
    assert not server.requests


@pytest_twisted.inlineCallbacks
def test_from_http_to_https_by_a_redirect(serve: Serve, trusting: Downloads) -> Any:
    secure = serve(list_, identity=LOCALHOST)
    plain = serve(lambda transport, request: transport.write(redirect(secure.url())))
    assert (yield trusting.fetch(plain.url())) == b"a list"


# ---------------------------------------------------------------- IPv6


@pytest_twisted.inlineCallbacks
def test_over_IPv6_where_that_is_allowed(serve: Serve, downloads: Downloads) -> Any:
    server = serve(list_, host="::1")
    assert "::1 is no public address" in (yield failure_of(downloads.fetch(server.url())))
    downloads.settings = evolve(QUICK, retry_seconds=0.0, networks=(ip_network("::1/128"),))
    downloads._failures.clear()
    assert (yield downloads.fetch(server.url())) == b"a list"
    assert len(server.requests) == 1


# ---------------------------------------------------------------- a proxy


class Pipe(Protocol):
    """One end of a tunnel; `other` is the other's transport."""

    other: Any = None

    def dataReceived(self, data: bytes) -> None:
        self.other.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.other.abortConnection()


def proxying(serve: Serve, *, says: bytes = b"HTTP/1.1 200 Connected\r\n\r\n") -> Server:
    """A proxy that carries what comes after CONNECT to this host, and answers everything else itself."""

    def behave(transport: Any, request: bytes) -> None:
        if not request.startswith(b"CONNECT "):
            list_(transport, request)
            return
        port = int(request.split(b" ")[1].rpartition(b":")[2])
        pipe = Pipe()
        pipe.other = transport

        def connected(_: object) -> None:
            transport.protocol.dataReceived = pipe.transport.write  # type: ignore[union-attr]
            transport.write(says)

        connectProtocol(TCP4ClientEndpoint(REACTOR, "127.0.0.1", port), pipe).addCallback(connected)

    return serve(behave)


def through(proxy: Server, tmp_path: Path, **more: Any) -> Downloads:
    settings = evolve(QUICK, proxy=Proxy("127.0.0.1", proxy.number), **more)
    return Downloads(settings, REACTOR, maybeDeferred, tmp_path, lambda: [ROOT.certificate])


@pytest_twisted.inlineCallbacks
def test_a_proxy_is_given_the_whole_URL(serve: Serve, tmp_path: Path) -> Any:
    proxy = proxying(serve)
    downloads = through(proxy, tmp_path)
    assert (yield downloads.fetch("http://nobody-knows-it.test/root.crl")) == b"a list"
    (request,) = proxy.requests
    assert request.startswith(b"GET http://nobody-knows-it.test/root.crl HTTP/1.1\r\n")
    assert b"Host: nobody-knows-it.test\r\n" in request


@pytest_twisted.inlineCallbacks
def test_and_carries_TLS_without_seeing_into_it(serve: Serve, tmp_path: Path) -> Any:
    server, proxy = serve(list_, identity=LOCALHOST), proxying(serve)
    assert (yield through(proxy, tmp_path).fetch(server.url(host="localhost"))) == b"a list"
    assert proxy.requests[0].startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % server.number)


@pytest_twisted.inlineCallbacks
def test_whom_the_proxy_leads_elsewhere_by_TLS_notices(serve: Serve, tmp_path: Path) -> Any:
    server, proxy = serve(list_, identity=LOCALHOST), proxying(serve)
    yield failure_of(through(proxy, tmp_path).fetch(server.url(host="elsewhere.test")))
    assert not server.requests


@pytest.mark.parametrize("says", [b"HTTP/1.1 403 Forbidden\r\n\r\n", b"rubbish\r\n\r\n", bytes(9000)])
@pytest_twisted.inlineCallbacks
def test_a_proxy_that_refuses(serve: Serve, tmp_path: Path, says: bytes) -> Any:
    server, proxy = serve(list_, identity=LOCALHOST), proxying(serve, says=says)
    told = yield failure_of(through(proxy, tmp_path).fetch(server.url(host="localhost")))
    assert "the proxy does not connect us to localhost" in told


@pytest_twisted.inlineCallbacks
def test_a_proxy_that_hangs_up(serve: Serve, tmp_path: Path) -> Any:
    proxy = serve(lambda transport, request: transport.loseConnection())
    told = yield failure_of(through(proxy, tmp_path).fetch("https://ca.test/root.crl"))
    assert "the proxy does not connect us to ca.test:443: it says 'nothing'" in told


@pytest_twisted.inlineCallbacks
def test_a_proxy_that_is_silent_costs_no_more_than_the_time_limit(serve: Serve, tmp_path: Path) -> Any:
    proxy = serve(lambda transport, request: None)
    for scheme in ("http", "https"):
        told = yield failure_of(through(proxy, tmp_path, seconds=0.1).fetch(f"{scheme}://ca.test/root.crl"))
        assert "no whole answer within 0.1 s" in told


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/root.crl", "https://[fd00::1]/root.crl", "http://[::1]:80/"]
)
@pytest_twisted.inlineCallbacks
def test_nobody_outside_makes_the_proxy_connect_to_a_private_address(
    serve: Serve, tmp_path: Path, url: str
) -> Any:
    proxy = proxying(serve)
    assert "is no public address" in (yield failure_of(through(proxy, tmp_path).fetch(url)))
    assert not proxy.requests


@pytest_twisted.inlineCallbacks
def test_nor_by_a_redirect_through_it(serve: Serve, tmp_path: Path) -> Any:
    proxy = serve(lambda transport, request: transport.write(redirect("http://10.0.0.1/root.crl")))
    told = yield failure_of(through(proxy, tmp_path).fetch("http://ca.test/root.crl"))
    assert "10.0.0.1 is no public address" in told
    assert len(proxy.requests) == 1
