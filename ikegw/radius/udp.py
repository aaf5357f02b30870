"""RADIUS over UDP (RFC 2865 §3): sockets that are connected, so that the kernel keeps everybody else's datagrams away."""

from typing import Any

from attrs import define, field
from twisted.internet.error import CannotListenError, MessageLengthError
from twisted.internet.protocol import DatagramProtocol

from ikegw.paths import Address, Endpoint
from ikegw.radius.link import Link, LinkEnd, OpenLink


@define(eq=False)
class UdpLink(DatagramProtocol):
    """One socket with a port of its own, which the kernel chooses at random (RFC 5080 §2.2.1)."""

    noisy = False
    reliable = False

    _end: LinkEnd
    _server: Endpoint
    _port: Any = field(default=None, init=False)

    def open(self, reactor: Any, source: Address | None) -> None:
        """Bind, to `source` if there is one, and connect."""
        anywhere = "::" if self._server.address.version == 6 else "0.0.0.0"
        try:
            self._port = reactor.listenUDP(0, self, interface=str(source or anywhere))
            self._port.connect(str(self._server.address), self._server.port)
        except (CannotListenError, OSError) as error:
            self.close()
            reactor.callLater(0, self._end.unreachable, str(error))  # whoever opens us does not know us yet

    def send(self, octets: bytes) -> None:
        """See `Link`."""
        if self._port is None:
            return
        try:
            self._port.write(octets)
        except (OSError, MessageLengthError) as error:
            self._end.unreachable(str(error))

    def close(self) -> None:
        """See `Link`."""
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: N802 - Twisted's name
        """From the server's address and port: the kernel lets nothing else in."""
        if self._port is not None:
            self._end.received(datagram)

    def connectionRefused(self) -> None:  # noqa: N802 - Twisted's name
        """ICMP says that nobody has the port."""
        if self._port is not None:
            self._end.unreachable("connection refused")


def open_udp(reactor: Any, server: Endpoint, source: Address | None) -> OpenLink:
    """What opens sockets to `server`, from `source` if there is one."""

    def opened(end: LinkEnd) -> Link:
        link = UdpLink(end, server)
        link.open(reactor, source)
        return link

    return opened
