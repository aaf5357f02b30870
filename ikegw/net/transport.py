"""IKE over UDP: `ports.Transport`, and the way in.

On NAT-T sockets four zero octets, the non-ESP marker, stand before an IKE message, and ESP and one-octet keepalives
share the port (RFC 3948 §2; row L-07). Where a data plane process reads the NAT-T sockets, we only send on them.
"""

import errno
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import ip_address

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ikegw.net.sockets import IkeSocket
from ikegw.paths import IKE_PORT, NAT_T_PORT, Address, Endpoint, Path

Received = Callable[[Path, bytes], None]
Tap = Callable[[Path, bool, bytes], None]
"""Sees each datagram of IKE: its path, whether we sent it, and the UDP payload, marker and all. It raises nothing."""

_NON_ESP_MARKER = bytes(4)
_KEEPALIVE = b"\xff"
_LARGEST_DATAGRAM = 65535
_DATAGRAMS_PER_TURN = 64
"""Then others get their turn; what is left wakes the reactor again."""


class UdpTransport:
    """Sends on the given sockets, which it owns from now on, and reads them once `start` was called.

    `counts` says what became of datagrams: `sent`, `received`, `keepalive`, `esp`, `short`, `unsent-EXXX` and
    `unread-EXXX`. `taps` see every IKE message.
    """

    def __init__(self, sockets: Iterable[IkeSocket]) -> None:
        self.counts: Counter[str] = Counter()
        self.taps: set[Tap] = set()
        self._sockets = {each.endpoint: each for each in sockets}
        self._nat_t_ports = {e.address: e.port for e, each in self._sockets.items() if each.is_nat_t}
        self._reading: list[_Reader] = []
        self._reactor: IReactorFDSet | None = None

    def endpoints(self) -> tuple[Endpoint, ...]:
        """List where we listen."""
        return tuple(self._sockets)

    def sockets(self) -> tuple[IkeSocket, ...]:
        """List all sockets, for a data plane that must let IKE pass; they stay ours."""
        return tuple(self._sockets.values())

    def nat_t_sockets(self) -> tuple[IkeSocket, ...]:
        """List the NAT-T sockets, for a data plane that reads them itself; they stay ours."""
        return tuple(each for each in self._sockets.values() if each.is_nat_t)

    def start(self, reactor: IReactorFDSet, received: Received, read_nat_t: bool = True) -> None:
        """Read the sockets, the NAT-T ones too if `read_nat_t`, and hand each IKE message without marker to `received`."""
        self._reactor = reactor
        for each in self._sockets.values():
            if each.is_nat_t and not read_nat_t:
                continue
            each.socket.setblocking(False)
            kind = _NatTReader if each.is_nat_t else _Reader
            reader = kind(each, received, self.arrived, self.counts)
            self._reading.append(reader)
            reactor.addReader(reader)

    def arrived(self, path: Path, octets: bytes) -> None:
        """To be called for each IKE message that came in, without marker, by whoever read it."""
        self.counts["received"] += 1
        if self.taps:
            local = self._sockets.get(path.local)
            self._tapped(
                path, False, _NON_ESP_MARKER + octets if local is not None and local.is_nat_t else octets
            )

    def _tapped(self, path: Path, sent: bool, payload: bytes) -> None:
        for tap in tuple(self.taps):
            tap(path, sent, payload)

    def stop(self) -> Deferred[None]:
        """Read no more and close every socket; sending afterwards only counts a loss."""
        reading, self._reading = self._reading, []
        for reader in reading:
            if self._reactor is not None:
                self._reactor.removeReader(reader)
        sockets, self._sockets = self._sockets, {}
        for each in sockets.values():
            each.socket.close()
        return succeed(None)

    def send(self, path: Path, octets: bytes) -> None:
        """Send one IKE message (`ports.Transport.send`)."""
        local = self._sockets.get(path.local)
        if local is not None and local.is_nat_t:
            octets = _NON_ESP_MARKER + octets
        self._send(local, path.remote, octets)
        self._tapped(path, True, octets)

    def keepalive(self, path: Path) -> None:
        """Send one NAT keepalive (`ports.Transport.keepalive`)."""
        self._send(self._sockets.get(path.local), path.remote, _KEEPALIVE)

    def nat_t_port(self, path: Path) -> int:
        """Give the NAT-T port of this local address (`ports.Transport.nat_t_port`)."""
        return self._nat_t_ports.get(path.local.address, NAT_T_PORT)

    def source(self, remote: Address, wanted: Address | None = None) -> Endpoint | None:
        """Choose where to call `remote` from: `wanted` if given, else the address that the route to it prefers.

        None if we listen on nothing that fits; where the route prefers an address that we do not listen on, the first
        of its family that we do.
        """
        ours = {e.address: e for e, each in self._sockets.items() if not each.is_nat_t}
        if wanted is not None:
            return ours.get(wanted)
        same_family = [e for e in ours.values() if e.address.version == remote.version]
        if not same_family:
            return None
        preferred = _routed_source(remote, self._sockets[same_family[0]].socket)
        return ours.get(preferred, same_family[0]) if preferred else same_family[0]

    def addresses(self) -> tuple[Address, ...]:
        """List the addresses that we listen on (`ports.Transport.addresses`)."""
        return tuple(dict.fromkeys(endpoint.address for endpoint in self._sockets))

    def _send(self, local: IkeSocket | None, remote: Endpoint, octets: bytes) -> None:
        if local is None:
            self.counts["unsent-no-socket"] += 1
            return
        try:
            local.socket.sendto(octets, (str(remote.address), remote.port))
        except OSError as error:
            # Retransmission repairs what is lost here as it repairs what is lost on the way.
            self.counts[f"unsent-{errno.errorcode.get(error.errno or 0, 'unknown')}"] += 1
        else:
            self.counts["sent"] += 1


def _routed_source(remote: Address, like: socket.socket) -> Address | None:
    """Ask the kernel which source address it would take: connecting a UDP socket sends nothing."""
    with socket.socket(like.family, socket.SOCK_DGRAM) as probe:
        try:
            mark = like.getsockopt(socket.SOL_SOCKET, socket.SO_MARK)
            if mark:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            probe.connect((str(remote), IKE_PORT))
        except OSError:
            return None
        return ip_address(probe.getsockname()[0])


@implementer(IReadDescriptor)
class _Reader:
    """Reads one IKE socket. Twisted's own UDP port would write a line of its own for each into the operator's log."""

    _log = Logger()

    def __init__(self, udp: IkeSocket, received: Received, arrived: Received, counts: Counter[str]) -> None:
        self._local = udp.endpoint
        self._socket = udp.socket
        self._received = received
        self._arrived = arrived
        self._counts = counts

    def fileno(self) -> int:
        return self._socket.fileno()

    def logPrefix(self) -> str:  # noqa: N802 (Twisted's name)
        return f"IKE on {self._local.address}"

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 (Twisted's name)
        """The reactor stops; `UdpTransport.stop` closes the socket."""

    def doRead(self) -> None:  # noqa: N802 (Twisted's name)
        """Take what is there; the reactor drops a reader that raises, so nothing may."""
        for _ in range(_DATAGRAMS_PER_TURN):
            try:
                octets, source = self._socket.recvfrom(_LARGEST_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:  # an ICMP error that belongs to something sent before
                self._counts[f"unread-{errno.errorcode.get(error.errno or 0, 'unknown')}"] += 1
                return
            try:
                self._take(octets, source)
            except Exception:  # noqa: BLE001 - one datagram must never close the socket
                self._log.failure("internal error at a datagram from {source}", source=source)

    def _take(self, datagram: bytes, source: tuple[str, int]) -> None:
        self._hand_on(datagram, source)

    def _hand_on(self, octets: bytes, source: tuple[str, int]) -> None:
        path = Path(self._local, Endpoint(_parsed(source[0]), source[1]))
        self._arrived(path, octets)
        self._received(path, octets)


class _NatTReader(_Reader):
    """Reads one NAT-T socket: the marker off, keepalives and ESP away."""

    def _take(self, datagram: bytes, source: tuple[str, int]) -> None:
        if datagram.startswith(_NON_ESP_MARKER):
            self._hand_on(datagram[4:], source)
        elif datagram == _KEEPALIVE:
            self._counts["keepalive"] += 1
        else:
            self._counts["esp" if len(datagram) >= len(_NON_ESP_MARKER) else "short"] += 1


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Address:
    return ip_address(text)
