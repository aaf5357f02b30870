"""The HTTP server within limits: of connections, of time, and of what is kept of a request, which never changes anything."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.protocols.policies import TimeoutFactory, TimeoutProtocol
from twisted.web.http import Request as HttpRequest
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

MOST_CONNECTIONS: Final = 64
IDLE_SECONDS: Final = 60.0
"""After which a connection on which nothing came or went is ended."""


class ReadOnlyRequest(Request):
    """Only GET and HEAD. What is sent along is not kept: nobody reads it, and it could be as large as a disk."""

    def process(self) -> None:
        """See `Request`."""
        if self.method in (b"GET", b"HEAD"):
            super().process()  # type: ignore[no-untyped-call]
            return
        self.setResponseCode(405)
        self.setHeader("Allow", "GET, HEAD")  # type: ignore[no-untyped-call]
        self.setHeader("Content-Length", "0")  # type: ignore[no-untyped-call]
        self.finish()  # type: ignore[no-untyped-call]

    def gotLength(self, length: int | None) -> None:  # noqa: N802 (Twisted's name)
        """See `Request`."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 (Twisted's name)
        """See `Request`."""


class Idle(TimeoutProtocol):
    """One connection. Its end is no line in the operator's log, as that of Twisted's own time-out is."""

    def timeoutFunc(self) -> None:  # noqa: N802 (Twisted's name)
        """See `TimeoutProtocol`."""
        transport: Any = self.transport
        transport.abortConnection()


class Connections(TimeoutFactory):
    """No more than `MOST_CONNECTIONS` at once."""

    noisy = False
    protocol = Idle

    def __init__(self, served: Site, clock: IReactorTime) -> None:
        super().__init__(served, IDLE_SECONDS)  # type: ignore[no-untyped-call]
        self._clock = clock

    def callLater(self, period: float, func: Callable[[], Any]) -> IDelayedCall:  # noqa: N802 (Twisted's name)
        """See `TimeoutFactory`."""
        return self._clock.callLater(period, func)

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 (Twisted's name)
        """See `Factory`."""
        if len(self.protocols) >= MOST_CONNECTIONS:
            return None
        return super().buildProtocol(addr)  # type: ignore[no-untyped-call]

    def hang_up(self) -> None:
        """End every connection."""
        for protocol in tuple(self.protocols):
            protocol.transport.abortConnection()


class QuietSite(Site):
    """Without a line in the log for each request."""

    noisy = False

    def log(self, request: HttpRequest) -> None:
        """See `Site`."""


def site(root: IResource, clock: IReactorTime) -> Connections:
    """Serve `root`, within limits."""
    return Connections(QuietSite(root, requestFactory=ReadOnlyRequest, timeout=None), clock)  # type: ignore[no-untyped-call]
