"""Requests to the kernel and its answers: NETLINK_XFRM as a descriptor of the reactor, many requests under way at once.

The kernel works on a request while `send` takes it, and its answer waits by the time `send` returns; only what is long (a dump)
comes later. So answers are looked for at once, and then when the reactor says that there are some.
"""

import errno
import socket
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet
from twisted.logger import Logger

from ikegw.dataplane import netlink
from ikegw.dataplane.netlink import Answer, Refusal
from ikegw.dataplane.xfrm.encoding import Request
from ikegw.dataplane.xfrm.refusals import is_gone
from ikegw.dataplane.xfrm.watching import Watching

_REQUESTS_PER_SEND: Final = 64
"""So that all answers have room in the socket, each of which the kernel charges with a kilobyte."""

_OCTETS_PER_SEND: Final = 1 << 16
_DATAGRAM: Final = 1 << 17
_DATAGRAMS_PER_TURN: Final = 64
_SO_RCVBUFFORCE: Final = 33
_BUFFER: Final = 4 << 20
LOST: Final = Refusal(errno.ENOBUFS, "its answer was lost")


@define(eq=False)
class Outcome:
    """What became of one request: `refusal` is None if it was done; `told` is what the kernel had to say."""

    refusal: Refusal | None = None
    told: list[Answer] = field(factory=list)


@define(eq=False)
class _Batch:
    outcomes: list[Outcome]
    left: int
    done: "Deferred[list[Outcome]]" = field(factory=Deferred)

    def one_less(self) -> None:
        self.left -= 1
        if not self.left and not self.done.called:
            self.done.callback(self.outcomes)


@define(eq=False)
class _Pending:
    batch: _Batch
    outcome: Outcome
    wants_ack: bool
    is_dump: bool


def widen(sock: socket.socket) -> None:
    """As large a buffer as we may have for what the kernel says."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)


class Requests:
    """One socket for requests.

    `counts` tells of what was refused, `refused_ENOMEM`, unless it was gone already, and of answers that are none: `foreign`,
    `truncated`, `unasked`, `overrun`.
    """

    _log = Logger()

    def __init__(self, reactor: IReactorFDSet, sock: socket.socket) -> None:
        self.counts: Counter[str] = Counter()
        self._socket = sock
        self._numbers = count(1)
        self._pending: dict[int, _Pending] = {}
        self._closed = False
        widen(sock)
        self._watching = Watching(reactor, sock.fileno(), "XFRM", self._read)

    def ask(self, requests: Sequence[Request]) -> "Deferred[list[Outcome]]":
        """Have the kernel do all of them, in their order, whatever becomes of each; one outcome for each."""
        batch = _Batch([Outcome() for _ in requests], len(requests))
        if not requests:
            batch.done.callback([])
            return batch.done
        if self._closed:
            for outcome in batch.outcomes:
                outcome.refusal = Refusal(errno.EBADF, "we do not run")
            batch.done.callback(batch.outcomes)
            return batch.done
        parcel: list[tuple[int, bytes]] = []
        octets = 0
        for request, outcome in zip(requests, batch.outcomes, strict=True):
            sequence, packed = self._register(request, batch, outcome)
            if parcel and (len(parcel) == _REQUESTS_PER_SEND or octets + len(packed) > _OCTETS_PER_SEND):
                self._send(parcel)
                parcel, octets = [], 0
            parcel.append((sequence, packed))
            octets += len(packed)
        self._send(parcel)
        return batch.done

    def close(self) -> None:
        """Ask no more; what is under way was in vain."""
        if not self._closed:
            self._closed = True
            self._watching.stop()
            self._socket.close()
            self._lose_all(Refusal(errno.EBADF, "we do not run any more"))

    def _register(self, request: Request, batch: _Batch, outcome: Outcome) -> tuple[int, bytes]:
        kind, flags, body = request
        sequence = next(self._numbers) & 0xFFFFFFFF or next(self._numbers)
        is_dump = flags & netlink.DUMP == netlink.DUMP
        self._pending[sequence] = _Pending(batch, outcome, bool(flags & netlink.ACK), is_dump)
        return sequence, netlink.pack(kind, flags | netlink.REQUEST, sequence, body)

    def _send(self, parcel: list[tuple[int, bytes]]) -> None:
        try:
            self._socket.send(b"".join(packed for _, packed in parcel))
        except OSError as error:
            for sequence, _ in parcel:
                self._finish(sequence, Refusal(error.errno or errno.EIO, "the request could not be sent"))
            return
        self._read()

    # ------------------------------------------------------------ answers

    def _read(self) -> None:
        """Take the answers that are there."""
        for _ in range(_DATAGRAMS_PER_TURN):
            if self._closed:
                return
            try:
                octets, _, flags, sender = self._socket.recvmsg(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                self.counts["overrun"] += 1
                self._lose_all(LOST)
                if error.errno != errno.ENOBUFS:
                    return
                continue
            self._take(octets, flags, sender)

    def _take(self, octets: bytes, flags: int, sender: Any) -> None:
        if sender[0] != 0:
            self.counts["foreign"] += 1
            return
        if flags & socket.MSG_TRUNC or not netlink.is_whole(octets):
            self.counts["truncated"] += 1
            self._lose_all(LOST)
            return
        for answer in netlink.messages(octets):
            try:
                self._answer(answer)
            except Exception:  # noqa: BLE001 - whoever asked has a bug; the others want their answers all the same
                self._log.failure("internal error at an answer of the kernel's")

    def _answer(self, answer: Answer) -> None:
        pending = self._pending.get(answer.sequence)
        if pending is None:
            self.counts["unasked"] += 1
        elif answer.kind == netlink.ERROR:
            said = netlink.refusal(answer)
            self._finish(answer.sequence, said if said.number else None)
        elif answer.kind == netlink.DONE:
            self._finish(answer.sequence, None)
        elif answer.kind == netlink.OVERRUN:
            self._finish(answer.sequence, LOST)
        else:
            pending.outcome.told.append(answer)
            if not pending.is_dump and not pending.wants_ack:
                self._finish(answer.sequence, None)

    def _finish(self, sequence: int, said: Refusal | None) -> None:
        pending = self._pending.pop(sequence, None)
        if pending is not None:
            pending.outcome.refusal = said
            if said is not None and not is_gone(said):
                self.counts[f"refused_{errno.errorcode.get(said.number, 'unknown')}"] += 1
            pending.batch.one_less()

    def _lose_all(self, said: Refusal) -> None:
        for sequence in tuple(self._pending):
            self._finish(sequence, said)
