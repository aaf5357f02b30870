"""What ESP packets travel in: UDP datagrams on the NAT-T sockets (RFC 3948 §2.1), or IP protocol 50 itself.

UDP goes out in trains: one system call for many datagrams of one size (UDP_SEGMENT), and comes in so (UDP_GRO), where the kernel
can. The outer "don't fragment" bit is clear (IP_PMTUDISC_DONT): what is too long for the path is fragmented, and the kernel puts
received fragments together. ECN is carried as RFC 6040 wants it, a train having one codepoint; DSCP stays zero.
"""

import errno
import select
import socket
from contextlib import suppress
from struct import Struct
from typing import Final, Protocol

from ikegw.dataplane.marks import SOCKET_MARK
from ikegw.paths import Endpoint

SocketName = tuple[str, int] | tuple[str, int, int, int]
"""A peer as Python's sockets name it."""

MOST_SEGMENTS: Final = 64
MOST_OCTETS: Final = 65000
"""Limits of one train: the kernel's count, and what a UDP length can say."""

_UDP_SEGMENT, _UDP_GRO = 103, 104
_IP_TOS, _IP_MTU, _IP_MTU_DISCOVER, _IP_RECVTOS = 1, 14, 10, 13
_IPV6_TCLASS, _IPV6_RECVTCLASS, _IPV6_MTU, _IPV6_MTU_DISCOVER = 67, 66, 24, 23
_DONT: Final = 0
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_SEND_BUFFER, _RECEIVE_BUFFER = 4 << 20, 8 << 20

_SHORT: Final = Struct("=H")
_INT: Final = Struct("=i")
_CONTROL_OCTETS: Final = socket.CMSG_SPACE(4) * 2

_TOO_LONG: Final = frozenset((errno.EMSGSIZE, errno.EINVAL))
_NO_TRAINS: Final = frozenset((errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT))
_WAIT_MS: Final = 5
_DATAGRAM: Final = 65536
_TRY_AGAIN_AFTER: Final = 256

Control = list[tuple[int, int, bytes]]


class Carrier(Protocol):
    """One local socket that ESP leaves from and comes to."""

    overhead: int
    """Octets of outer headers around an ESP packet."""
    dropped: int
    """ESP packets that the kernel would not take."""

    def fileno(self) -> int:
        """For epoll."""
        ...

    def send(self, train: memoryview, size: int, to: SocketName, ecn: int) -> None:
        """Send the train's ESP packets, each of `size` octets but the last, which may be shorter."""
        ...

    def receive(self, into: memoryview) -> tuple[int, int, SocketName, int]:
        """Octets received, size of each ESP packet in them, from whom, ECN; BlockingIOError when there are none."""
        ...


class UdpCarrier:
    """A NAT-T socket; `number` is its place among those that the gateway handed over."""

    def __init__(self, udp: socket.socket, endpoint: Endpoint, number: int) -> None:
        self.endpoint, self.number = endpoint, number
        self.dropped = 0
        self._six = udp.family == socket.AF_INET6
        self.overhead = 48 if self._six else 28
        self._socket = udp
        self._controls: dict[tuple[int, int], Control] = {}
        self._refused: dict[SocketName, int] = {}
        self._singly = 0
        self._trains = _allows(udp, socket.IPPROTO_UDP, _UDP_SEGMENT, 0)
        self.batched_receive = _allows(udp, socket.IPPROTO_UDP, _UDP_GRO, 1)
        _prepare(udp)

    def fileno(self) -> int:
        """For epoll."""
        return self._socket.fileno()

    def close(self) -> None:
        """Our duplicate of the socket; the gateway has its own. Others will read datagrams one by one again."""
        with suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 0)
        self._socket.close()

    def send(self, train: memoryview, size: int, to: SocketName, ecn: int) -> None:
        """See `Carrier`. A train longer than the path allows goes out one by one, in fragments."""
        if len(train) <= size:
            self._send(train, 0, to, ecn)
            return
        if self._trains and size < self._refused.get(to, _DATAGRAM):
            try:
                self._send(train, size, to, ecn)
                return
            except OSError as error:
                if error.errno in _NO_TRAINS:
                    self._trains = False
                self._refused[to] = size
        self._singly += 1
        if not self._singly % _TRY_AGAIN_AFTER:  # the path may have become wider
            self._refused.clear()
        for start in range(0, len(train), size):
            self._send(train[start : start + size], 0, to, ecn)

    def _send(self, octets: memoryview, size: int, to: SocketName, ecn: int) -> None:
        control = self._controls.get((size, ecn))
        if control is None:
            if len(self._controls) > 1024:
                self._controls.clear()
            control = self._controls[size, ecn] = self._control(size, ecn)
        try:
            self._socket.sendmsg((octets,), control, 0, to)
        except BlockingIOError:
            self._send_when_possible(octets, control, to, size)
        except OSError as error:
            if size and (error.errno in _NO_TRAINS or error.errno in _TOO_LONG):
                raise
            self.dropped += 1 if not size else -(-len(octets) // size)

    def _send_when_possible(self, octets: memoryview, control: Control, to: SocketName, size: int) -> None:
        """The send buffer is full: wait a moment, so that the queue before the TUN feels it, then let go."""
        waiter = select.poll()
        waiter.register(self._socket, select.POLLOUT)
        waiter.poll(_WAIT_MS)
        try:
            self._socket.sendmsg((octets,), control, 0, to)
        except OSError:
            self.dropped += 1 if not size else -(-len(octets) // size)

    def _control(self, size: int, ecn: int) -> Control:
        control: Control = []
        if size:
            control.append((socket.IPPROTO_UDP, _UDP_SEGMENT, _SHORT.pack(size)))
        if ecn:
            level, kind = (socket.IPPROTO_IPV6, _IPV6_TCLASS) if self._six else (socket.IPPROTO_IP, _IP_TOS)
            control.append((level, kind, _INT.pack(ecn)))
        return control

    def receive(self, into: memoryview) -> tuple[int, int, SocketName, int]:
        """See `Carrier`."""
        octets, control, _flags, source = self._socket.recvmsg_into((into,), _CONTROL_OCTETS)
        size, ecn = octets, 0
        for level, _kind, value in control:
            if level == socket.IPPROTO_UDP:
                size = _INT.unpack_from(value)[0]
            else:
                ecn = value[0] & 3
        return octets, size, source, ecn


class RawCarrier:
    """Protocol 50 on one local address. Needs CAP_NET_RAW: PermissionError."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._six = endpoint.address.version == 6
        family = socket.AF_INET6 if self._six else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 50)
        self.dropped = 0
        self.overhead = 40 if self._six else 20
        try:
            _prepare(self._socket)
            self._socket.bind((str(endpoint.address), 0))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For epoll."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def send(self, train: memoryview, size: int, to: SocketName, ecn: int) -> None:
        """See `Carrier`: one system call for each packet."""
        level, kind = (socket.IPPROTO_IPV6, _IPV6_TCLASS) if self._six else (socket.IPPROTO_IP, _IP_TOS)
        control = ((level, kind, _INT.pack(ecn)),) if ecn else ()
        name = (to[0], 0, *to[2:])
        for start in range(0, len(train), size):
            try:
                self._socket.sendmsg((train[start : start + size],), control, 0, name)
            except OSError:
                self.dropped += 1

    def receive(self, into: memoryview) -> tuple[int, int, SocketName, int]:
        """See `Carrier`; for IPv4 the kernel gives the outer header too, which is moved out of the way."""
        octets, control, _flags, source = self._socket.recvmsg_into((into,), _CONTROL_OCTETS)
        ecn = control[0][2][0] & 3 if control else 0
        if not self._six:
            header = (into[0] & 15) * 4
            octets = max(octets - header, 0)
            into[:octets] = bytes(into[header : header + octets])
        return octets, octets, source, ecn


def name_of(endpoint: Endpoint) -> SocketName:
    """An endpoint as sockets name it; ValueError for the scope of a link that is not there."""
    address = endpoint.address
    if address.version == 4:
        return str(address), endpoint.port
    scope = address.scope_id
    try:
        number = socket.if_nametoindex(scope) if scope else 0
    except OSError as error:
        raise ValueError(f"{endpoint}: there is no link {scope}") from error
    return str(address), endpoint.port, 0, number


def path_mtu(to: SocketName) -> int:
    """What the kernel knows of the path's MTU; 1500 where it has no route."""
    six = len(to) == 4
    family = socket.AF_INET6 if six else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        with suppress(PermissionError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, SOCKET_MARK)
        try:
            probe.connect((to[0], to[1] or 4500, *to[2:]))
            level, kind = (socket.IPPROTO_IPV6, _IPV6_MTU) if six else (socket.IPPROTO_IP, _IP_MTU)
            return probe.getsockopt(level, kind)
        except OSError:
            return 1500


def _prepare(sock: socket.socket) -> None:
    sock.setblocking(False)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _DONT)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVTCLASS, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _DONT)
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTOS, 1)
    with suppress(PermissionError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, SOCKET_MARK)
    for force, plain, octets in (
        (_SO_SNDBUFFORCE, socket.SO_SNDBUF, _SEND_BUFFER),
        (_SO_RCVBUFFORCE, socket.SO_RCVBUF, _RECEIVE_BUFFER),
    ):
        if not _allows(sock, socket.SOL_SOCKET, force, octets):
            sock.setsockopt(socket.SOL_SOCKET, plain, octets)


def _allows(sock: socket.socket, level: int, option: int, value: int) -> bool:
    try:
        sock.setsockopt(level, option, value)
    except OSError:
        return False
    return True
