"""A site without a network: what a browser would send goes in as octets, and what it would get comes out."""

from typing import Any

from attrs import define, field
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import IResource

from ikegw.web.page import StatusPage
from ikegw.web.serving import Connections, site
from ikegw.web.snapshot import Snapshot


class Connection(StringTransport):
    """One connection to the site; `producer` is who writes to it."""

    disconnected = False

    def abortConnection(self) -> None:
        self.disconnected = True

    def loseConnection(self) -> None:
        self.disconnected = True


@define
class Browsing:
    """Whoever asks a site."""

    served: Connections

    @classmethod
    def of(cls, root: IResource, clock: Clock) -> "Browsing":
        return cls(site(root, clock))

    def ask(
        self, path: str, *headers: str, host: str = "localhost:9440", method: str = "GET"
    ) -> tuple[Any, Connection]:
        """The protocol and the connection of a request that was sent."""
        connection, protocol = Connection(), self.served.buildProtocol(None)
        protocol.makeConnection(connection)
        head = "\r\n".join((f"{method} {path} HTTP/1.1", f"Host: {host}", *headers))
        protocol.dataReceived(f"{head}\r\n\r\n".encode())
        return protocol, connection

    def answer(self, path: str, *headers: str, host: str = "localhost:9440", method: str = "GET") -> str:
        """What came back."""
        return self.ask(path, *headers, host=host, method=method)[1].value().decode()


@define
class Looking:
    """A status page about what a test puts into `now`."""

    now: Snapshot = field(factory=lambda: Snapshot({"totals": {"up": 0}}))
    seconds: float = 0.0
    """How long a look takes."""
    looks: int = 0
    clock: Clock = field(factory=Clock)
    page: StatusPage = field(init=False)
    browsing: Browsing = field(init=False)

    def __attrs_post_init__(self) -> None:
        def look() -> Snapshot:
            self.looks += 1
            self.clock.rightNow += self.seconds
            return self.now

        stories = {7: {"name": "road[7]", "who": ["<b>alice</b>"]}}
        self.page = StatusPage(self.clock, look, stories.get, lambda: ("gateway.example.org",))
        self.browsing = Browsing.of(self.page.guarded(), self.clock)
