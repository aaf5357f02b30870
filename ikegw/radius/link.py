"""What carries packets between us and one port of a server: a UDP socket, or a TLS connection. Each has 256 identifiers."""

from collections.abc import Callable
from typing import Protocol


class LinkEnd(Protocol):
    """Whom a link tells what happens."""

    def received(self, octets: bytes) -> None:
        """A packet came, or what is meant to be one."""

    def connected(self) -> None:
        """What was sent before may be lost: whatever has no answer is to be sent again. UDP never tells this."""

    def unreachable(self, why: str) -> None:
        """The server's host, or something on the way, says that nobody is there; anybody may have made it say so."""


class Link(Protocol):
    """One socket or connection. `reliable`: what is sent arrives, as long as the connection stands."""

    reliable: bool

    def send(self, octets: bytes) -> None:
        """Send one packet. Never raises; what is lost is lost."""

    def renew(self) -> None:
        """The server is silent: a connection is made anew, for it may have died without our knowing."""

    def close(self) -> None:
        """Tell nothing more."""


OpenLink = Callable[[LinkEnd], Link]
"""Makes one more link to the same port of the same server."""
