"""What the kernel tells unasked: limits that are met, packets that want an SA, peers that moved. A descriptor of the reactor."""

import errno
import socket
from collections import Counter
from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorFDSet
from twisted.logger import Logger

from ikegw.dataplane import netlink
from ikegw.dataplane.xfrm.decoding import BadMessage, decode
from ikegw.dataplane.xfrm.requests import widen
from ikegw.dataplane.xfrm.values import Told
from ikegw.dataplane.xfrm.watching import Watching

_GROUPS: Final = (1, 2, 8)
"""Acquires, expiries, mappings (linux/xfrm.h)."""

_DATAGRAM: Final = 1 << 16
_DATAGRAMS_PER_TURN: Final = 64


class Hearing:
    """`heard` gets each event; `overrun` is called when some were lost, since more came than the socket could hold."""

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorFDSet,
        sock: socket.socket,
        heard: Callable[[Told], None],
        overrun: Callable[[], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._socket, self._heard, self._overrun = sock, heard, overrun
        self._closed = False
        widen(sock)
        for group in _GROUPS:
            sock.setsockopt(netlink.SOL_NETLINK, netlink.ADD_MEMBERSHIP, group)
        self._watching = Watching(reactor, sock.fileno(), "XFRM events", self._read)

    def close(self) -> None:
        """Hear no more."""
        if not self._closed:
            self._closed = True
            self._watching.stop()
            self._socket.close()

    def _read(self) -> None:
        """Take what is there."""
        for _ in range(_DATAGRAMS_PER_TURN):
            if self._closed:
                return
            try:
                octets, sender = self._socket.recvfrom(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    self.counts["unread"] += 1
                    return
                self.counts["overrun"] += 1
                self._safely(self._overrun)
                continue
            if sender[0] != 0:
                self.counts["foreign"] += 1
                continue
            if not netlink.is_whole(octets):
                self.counts["truncated"] += 1
            for answer in netlink.messages(octets):
                self._take(answer)

    def _take(self, answer: netlink.Answer) -> None:
        try:
            told = decode(answer)
        except BadMessage:
            self.counts["bad"] += 1
            return
        if told is not None:
            self._safely(lambda: self._heard(told))

    def _safely(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:  # noqa: BLE001 - one event must never close the socket
            self._log.failure("internal error at an event of the kernel's")
