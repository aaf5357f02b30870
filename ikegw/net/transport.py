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
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IReactorSocket
from twisted.internet.protocol import DatagramProtocol

from ikegw.net.sockets import IkeSocket
from ikegw.paths import IKE_PORT, NAT_T_PORT, Address, Endpoint, Path

Received = Callable[[Path, bytes], None]

_NON_ESP_MARKER = bytes(4)
_KEEPALIVE = b"\xff"
_LARGEST_DATAGRAM = 65535
"""Given to the reactor, which would otherwise cut datagrams silently at 8,192 octets."""


class UdpTransport:
    """Sends on the given sockets, which it owns from now on, and reads them once `start` was called.

    `counts` says what became of datagrams: `sent`, `received`, `keepalive`, `esp`, `short`, and `unsent-EXXX`.
    """

    def __init__(self, sockets: Iterable[IkeSocket]) -> None:
        self.counts: Counter[str] = Counter()
        self._sockets = {each.endpoint: each for each in sockets}
        self._nat_t_ports = {e.address: e.port for e, each in self._sockets.items() if each.is_nat_t}
        self._reading: list[Any] = []

    def endpoints(self) -> tuple[Endpoint, ...]:
        """List where we listen."""
        return tuple(self._sockets)

    def nat_t_sockets(self) -> tuple[IkeSocket, ...]:
        """List the NAT-T sockets, for a data plane that reads them itself; they stay ours."""
        return tuple(each for each in self._sockets.values() if each.is_nat_t)

    def start(self, reactor: IReactorSocket, received: Received, read_nat_t: bool = True) -> None:
        """Read the sockets, the NAT-T ones too if `read_nat_t`, and hand each IKE message without marker to `received`."""
        for each in self._sockets.values():
            if each.is_nat_t and not read_nat_t:
                continue
            kind = _NatTReader if each.is_nat_t else _Reader
            reader = kind(each.endpoint, received, self.counts)
            udp = each.socket
            self._reading.append(
                reactor.adoptDatagramPort(udp.fileno(), udp.family, reader, _LARGEST_DATAGRAM)
            )

    def stop(self) -> Deferred[None]:
        """Read no more and close every socket; sending afterwards only counts a loss."""
        stopped = DeferredList([maybeDeferred(port.stopListening) for port in self._reading])
        self._reading.clear()
        sockets, self._sockets = self._sockets, {}
        for each in sockets.values():
            each.socket.close()
        return stopped.addCallback(lambda _: None)

    def send(self, path: Path, octets: bytes) -> None:
        """Send one IKE message (`ports.Transport.send`)."""
        local = self._sockets.get(path.local)
        if local is not None and local.is_nat_t:
            octets = _NON_ESP_MARKER + octets
        self._send(local, path.remote, octets)

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


class _Reader(DatagramProtocol):
    """Reads one IKE socket."""

    noisy = False

    def __init__(self, local: Endpoint, received: Received, counts: Counter[str]) -> None:
        self._local = local
        self._received = received
        self._counts = counts

    def logPrefix(self) -> str:  # noqa: N802 (Twisted's name)
        return f"IKE on {self._local.address}"

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:  # noqa: N802 (Twisted's name)
        self._hand_on(datagram, addr)

    def _hand_on(self, octets: bytes, addr: tuple[str, int]) -> None:
        self._counts["received"] += 1
        self._received(Path(self._local, Endpoint(_parsed(addr[0]), addr[1])), octets)


class _NatTReader(_Reader):
    """Reads one NAT-T socket: the marker off, keepalives and ESP away."""

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:  # noqa: N802 (Twisted's name)
        if datagram.startswith(_NON_ESP_MARKER):
            self._hand_on(datagram[4:], addr)
        elif datagram == _KEEPALIVE:
            self._counts["keepalive"] += 1
        else:
            self._counts["esp" if len(datagram) >= len(_NON_ESP_MARKER) else "short"] += 1


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Address:
    return ip_address(text)
