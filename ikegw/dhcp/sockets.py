"""The sockets on which DHCP servers answer us: one for each address of ours, opened when first needed."""

import errno
import socket
from collections.abc import Callable, Collection
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ikegw.dhcp.messages4 import read4
from ikegw.dhcp.messages6 import read6
from ikegw.dhcp.relay import Relay
from ikegw.paths import Endpoint
from ikegw.ports import Random

_LARGEST_DATAGRAM: Final = 65535
_DATAGRAMS_PER_TURN: Final = 256
"""A login takes two answers. Of those under way all go on before new ones begin, of which the IKE sockets read 64 in a turn."""
_RECEIVE_BUFFER_OCTETS: Final = 4 << 20
_SO_RCVBUFFORCE: Final = 33  # Linux's number, which Python's socket module does not name


class CannotBind(Exception):
    """A socket could not be had; the text says where and why, and what to do."""


class RelaySockets:
    """Relays by their addresses, each with its socket on `reactor`."""

    def __init__(self, reactor: Any, random: Random) -> None:
        self._reactor, self._random = reactor, random
        self._relays: dict[Endpoint, tuple[Relay, DatagramReader]] = {}

    def relay(self, local: Endpoint) -> Relay:
        """The relay at an address of ours, made if there is none yet; CannotBind."""
        if local not in self._relays:
            udp = bound_socket(local)
            read, octets = (read4, 4) if local.address.version == 4 else (read6, 3)

            def send(datagram: bytes, to: Endpoint) -> None:
                udp.sendto(datagram, (str(to.address), to.port))

            relay = Relay(local, read, send, self._reactor, self._random, octets)
            reader = DatagramReader(self._reactor, udp, relay.datagram_received)
            self._relays[local] = relay, reader
        return self._relays[local][0]

    @property
    def relays(self) -> tuple[Relay, ...]:
        """Those that are open."""
        return tuple(relay for relay, _ in self._relays.values())

    def keep_only(self, used: Collection[Endpoint]) -> None:
        """Close all others."""
        for local in self._relays.keys() - set(used):
            self._relays.pop(local)[1].close()

    def close(self) -> None:
        """Close all of them."""
        self.keep_only(())


def bound_socket(local: Endpoint, device: str | None = None) -> socket.socket:
    """A UDP socket at an address of ours, of one `device` alone if that is named; CannotBind.

    Others may be on the same port of other addresses or devices: the wildcard address too (SO_REUSEADDR).
    """
    family = socket.AF_INET if local.address.version == 4 else socket.AF_INET6
    udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _make_roomy(udp)
        if family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if device is not None:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        udp.bind((str(local.address), local.port))
    except OSError as error:
        udp.close()
        raise CannotBind(_sentence(local, error)) from None
    return udp


def _make_roomy(udp: socket.socket) -> None:
    """Hundreds of answers may come at once, at the end of a site's power cut."""
    try:
        udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_OCTETS)
    except PermissionError:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_OCTETS)


def _sentence(local: Endpoint, error: OSError) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return (
            f"cannot hear DHCP servers at {local}: it is not an address of this host; see giaddr and source6"
        )
    if error.errno == errno.EADDRINUSE:
        return (
            f"cannot hear DHCP servers at {local}: another program is there; stop that DHCP server or relay"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"cannot hear DHCP servers at {local}: ports below 1024 need root or CAP_NET_BIND_SERVICE"
    return f"cannot hear DHCP servers at {local}: {error.strerror or error}"


@lru_cache(maxsize=256)
def _endpoint(host: str, port: int) -> Endpoint:
    return Endpoint(ip_address(host.partition("%")[0]), port)


@implementer(IReadDescriptor)
class DatagramReader:
    """Reads one socket, which it owns, from now on until `close`."""

    _log = Logger()

    def __init__(self, reactor: Any, udp: socket.socket, received: Callable[[bytes, Endpoint], None]) -> None:
        self._reactor, self._udp, self._received = reactor, udp, received
        reactor.addReader(self)

    def close(self) -> None:
        """Read no more."""
        self._reactor.removeReader(self)
        self._udp.close()

    def fileno(self) -> int:
        """The socket's descriptor, for the reactor."""
        return self._udp.fileno()

    def logPrefix(self) -> str:  # noqa: N802 (Twisted's name)
        """What the reactor calls it."""
        return "DHCP"

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 (Twisted's name)
        """The reactor stops; `close` closes the socket."""

    def doRead(self) -> None:  # noqa: N802 (Twisted's name)
        """Take what is there; the reactor drops a reader that raises, so nothing may."""
        for _ in range(_DATAGRAMS_PER_TURN):
            try:
                octets, source = self._udp.recvfrom(_LARGEST_DATAGRAM)
            except (
                OSError
            ):  # nothing is there any more, or an ICMP error that belongs to something sent before
                return
            try:
                self._received(octets, _endpoint(*source[:2]))
            except Exception:  # noqa: BLE001 - one datagram must never close the socket
                self._log.failure("internal error at a datagram from {source}", source=source)
