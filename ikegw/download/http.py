"""One request by HTTP or HTTPS and the redirects that it meets; every octet of the answer is somebody else's idea."""

from io import BytesIO
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    FileBodyProducer,
    ResponseDone,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers

from ikegw import __version__
from ikegw.config.downloads import Proxy
from ikegw.download.agents import Allowed, Way
from ikegw.download.destinations import Forbidden
from ikegw.download.metering import HEAD_OCTETS
from ikegw.download.trust import Trust

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
KEEPING_METHOD: Final = frozenset({307, 308})
OK: Final = 200


class Refused(Exception):
    """An answer that is no answer to us; the text says why."""


@frozen(eq=False)
class Request:
    """What is asked, and within which limits; `allowed` says of each address whether we may connect to it."""

    url: str
    body: bytes | None
    content_type: str
    octets: int
    redirects: int
    allowed: Allowed
    trust: Trust
    proxy: Proxy | None = None


async def get(reactor: Any, request: Request) -> bytes:
    """The body of the answer; raises Refused, Forbidden, or whatever a connection dies of."""
    url, left = request.url, request.redirects
    while True:
        response = await _ask(reactor, url, request)
        if response.code not in REDIRECTS:
            return await _body(response, request.octets)
        target = response.headers.getRawHeaders("location", [""])[0]
        _drop(response)
        if not left:
            raise Refused(f"more than {request.redirects} redirects")
        if request.body is not None and response.code not in KEEPING_METHOD:
            raise Refused(f"a POST is answered by redirect {response.code}")
        url, left = _target(url, target), left - 1


def is_web(url: str) -> bool:
    """Whether it is an http or https URL that names a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _target(url: str, location: str) -> str:
    try:
        target = urljoin(url, location.strip())
    except ValueError:
        target = ""
    if not location or not is_web(target) or not _is_plain(target):
        raise Refused("it redirects to what is no http or https URL")
    return target


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


async def _ask(reactor: Any, url: str, request: Request) -> Any:
    if not _is_plain(url):
        raise Refused("the URL has characters that no URL has")
    way = Way(reactor, request.trust, request.proxy, request.allowed, request.octets + HEAD_OCTETS)
    agent = way.agent(url)
    headers = {"User-Agent": [f"ikegw/{__version__}"]}
    if request.body is None:
        asking = agent.request(b"GET", url.encode(), Headers(headers))
    else:
        headers["Content-Type"] = [request.content_type]
        body = FileBodyProducer(BytesIO(request.body))  # type: ignore[no-untyped-call]
        asking = agent.request(b"POST", url.encode(), Headers(headers), body)
    try:
        return await asking
    except DNSLookupError:
        if way.refused:
            raise Forbidden(
                f"{', '.join(way.refused)} is no public address, and not in downloads.networks"
            ) from None
        raise Refused("its host's name has no address") from None


def _body(response: Any, most: int) -> Deferred[bytes]:
    if response.code != OK:
        _drop(response)
        raise Refused(f"HTTP status {response.code}")
    if isinstance(response.length, int) and response.length > most:
        _drop(response)
        raise Refused(f"{response.length} octets are more than {most} (downloads.max_size)")
    collecting = _Collector(most)
    response.deliverBody(collecting)
    return collecting.whole


def _drop(response: Any) -> None:
    """Want nothing of it."""
    response.deliverBody(_Collector(0))


class _Collector(Protocol):
    """Puts a body together; more octets than `most` end it, and so does cancelling `whole`."""

    def __init__(self, most: int) -> None:
        self._most, self._length, self._parts = most, 0, list[bytes]()
        self._over = False
        self.whole: Deferred[bytes] = Deferred(lambda _: self._end())

    def connectionMade(self) -> None:  # noqa: N802
        """See IProtocol."""
        if not self._most:
            self._over = True
            self._end()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """See IProtocol."""
        if self._over:
            return
        self._length += len(data)
        if self._length > self._most:
            self._over = True
            self._end()
            self.whole.errback(Refused(f"it brings more than {self._most} octets (downloads.max_size)"))
            return
        self._parts.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        """See IProtocol."""
        if self._over or self.whole.called:
            return
        self._over = True
        if isinstance(reason.value, ResponseDone | PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(Refused("the connection ended in the middle of the answer"))

    def _end(self) -> None:
        self._over = True
        transport: Any = self.transport
        ending = getattr(transport, "abortConnection", None) or getattr(transport, "loseConnection", None)
        if ending is not None:
            ending()
