"""RADIUS over UDP (RFC 2865 §3): sockets that are connected, so that the kernel keeps everybody else's datagrams away.

Not Twisted's own UDP ports: those close themselves when ICMP says that the server's port is not open, and what would still
come is lost.
"""

import errno
import socket
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ikegw.paths import Address, Endpoint
from ikegw.radius.link import Link, LinkEnd, OpenLink
from ikegw.radius.packets import LARGEST_PACKET

_SO_RCVBUFFORCE = 33  # Linux's number, which Python's socket module does not name
_RECEIVE_BUFFER_OCTETS = 1 << 20
_DATAGRAMS_PER_TURN = 64
"""Then others get their turn; what is left wakes the reactor again."""


@implementer(IReadDescriptor)
@define(eq=False)
class UdpLink:
    """One socket with a port of its own, which the kernel chooses at random (RFC 5080 §2.2.1)."""

    log = Logger()
    reliable = False

    _end: LinkEnd
    _reactor: IReactorFDSet
    _socket: socket.socket
    _open: bool = field(default=True, init=False)

    def send(self, octets: bytes) -> None:
        """See `Link`."""
        try:
            self._socket.send(octets)
        except OSError as error:
            self._end.unreachable(_said(error))

    def renew(self) -> None:
        """See `Link`: a socket is as good as new."""

    def close(self) -> None:
        """See `Link`."""
        self._open = False
        self._reactor.removeReader(self)
        self._socket.close()

    def fileno(self) -> int:
        """See `IReadDescriptor`."""
        return self._socket.fileno()

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """See `IReadDescriptor`."""
        return "RADIUS"

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """ICMP said something, which is all that a datagram socket can lose; or the reactor stops."""
        if self._open:
            number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                self._reactor.addReader(self)
                self._end.unreachable(_said(OSError(number, "")))

    def doRead(self) -> None:  # noqa: N802 - Twisted's name
        """Take what is there; the reactor drops a reader that raises, so nothing may."""
        for _ in range(_DATAGRAMS_PER_TURN):
            if not self._open:
                return
            try:
                octets = self._socket.recv(LARGEST_PACKET + 1)
            except BlockingIOError:
                return
            except OSError as error:
                self._end.unreachable(_said(error))
                return
            try:
                self._end.received(octets)
            except Exception:  # noqa: BLE001 - one datagram must never close the socket
                self.log.failure("internal error at a RADIUS packet")


class _NoSocket:
    """A link that could not be opened: there is no such source address, or no way to the server."""

    reliable = False

    def send(self, octets: bytes) -> None:
        """Nothing is sent; that nobody answers is found out soon enough."""

    def renew(self) -> None:
        """Who would be asked anew?"""

    def close(self) -> None:
        """There is nothing to close."""


def open_udp(reactor: Any, server: Endpoint, source: Address | None) -> OpenLink:
    """What opens sockets to `server`, from `source` if there is one."""

    def opened(end: LinkEnd) -> Link:
        try:
            link = UdpLink(end, reactor, _connected(server, source))
        except OSError as error:
            # Not at once: whoever opens us does not know us yet.
            reactor.callLater(0, end.unreachable, f"no socket: {_said(error)}")
            return _NoSocket()
        reactor.addReader(link)
        return link

    return opened


def _connected(server: Endpoint, source: Address | None) -> socket.socket:
    family = socket.AF_INET if server.address.version == 4 else socket.AF_INET6
    udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        _roomy(udp)
        if source is not None:
            udp.bind((str(source), 0))
        udp.connect((str(server.address), server.port))
    except OSError:
        udp.close()
        raise
    return udp


def _roomy(udp: socket.socket) -> None:
    """256 answers may come at once; the usual buffer holds hardly more."""
    try:
        udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_OCTETS)
    except PermissionError:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_OCTETS)


def _said(error: OSError) -> str:
    if error.errno == errno.ECONNREFUSED:
        return "connection refused"
    return errno.errorcode.get(error.errno or 0, "unknown error") if not error.strerror else error.strerror
