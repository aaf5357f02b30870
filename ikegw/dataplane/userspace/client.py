"""The Twisted side: `ports.DataPlane` as requests to the process, which this starts and whose death it tells."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path as FilePath
from socket import socket
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IProcessTransport, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

import ikegw
from ikegw.dataplane.admission import check_installable
from ikegw.dataplane.spis import SpiSpace
from ikegw.dataplane.userspace.control import BadFrame, Frames, Json, Kind, decode_ike, json_frame
from ikegw.paths import Endpoint, Path
from ikegw.ports import (
    DataPlaneError,
    DataPlaneEvent,
    HardExpired,
    MappingChanged,
    Random,
    SoftExpired,
    TunnelSa,
    Usage,
)
from ikegw.wire.selectors import TrafficSelector

_FIRST_SOCKET = 3


class PlaneReactor(IReactorProcess, IReactorTime):
    """What the plane needs of a reactor."""


class UserspacePlane:
    """`ports.DataPlane` in a process of its own, which also reads the NAT-T sockets.

    `nat_t_sockets` are bound UDP sockets with their endpoints; after `start` only the process reads them, and hands what is IKE
    to `ike_received(path, octets)`, without the non-ESP marker. `lost(reason)` is called if the process dies unasked.
    """

    def __init__(
        self,
        reactor: PlaneReactor,
        nat_t_sockets: Sequence[tuple[Endpoint, socket]],
        ike_received: Callable[[Path, bytes], None],
        random: Random,
        tun_name: str = "ikegw0",
        mtu: int = 1400,
        worker: int = 0,
        lost: Callable[[str], None] | None = None,
    ) -> None:
        self.description = f"userspace: ESP over the TUN device {tun_name}, in a process of its own"
        self._reactor, self._sockets, self._ike_received = reactor, tuple(nat_t_sockets), ike_received
        self._tun_name, self._mtu, self._lost = tun_name, mtu, lost
        self._spis = SpiSpace(random, worker)
        self._installed: dict[bytes, TunnelSa] = {}
        self._lingering: dict[bytes, _Lingering] = {}
        self._link: _Link | None = None
        self._listener: Callable[[DataPlaneEvent], None] | None = None

    def start(self, listener: Callable[[DataPlaneEvent], None]) -> Deferred[None]:
        """Start the process; errback with DataPlaneError if it cannot make its device."""
        if self._link is not None:
            return fail(DataPlaneError("the data plane runs already"))
        self._listener = listener
        self._link = link = _Link(self._event, self._ike, self._ended)
        descriptors: dict[int, Any] = {0: "w", 1: "r", 2: "r"}
        for number, (_, sock) in enumerate(self._sockets):
            descriptors[_FIRST_SOCKET + number] = sock.fileno()
        root = str(FilePath(ikegw.__file__).parents[1])
        self._reactor.spawnProcess(
            link,
            sys.executable,
            [sys.executable, "-m", "ikegw.dataplane.userspace"],
            env={**os.environ, "PYTHONPATH": root},
            childFDs=descriptors,
        )
        sockets = [
            [str(endpoint.address), endpoint.port, _FIRST_SOCKET + number]
            for number, (endpoint, _) in enumerate(self._sockets)
        ]
        asked = link.ask(Kind.START, {"tun": self._tun_name, "mtu": self._mtu, "sockets": sockets})
        return asked.addCallbacks(self._ready, self._not_ready)

    def allocate_spi(self, path: Path) -> Deferred[bytes]:
        """See `ports.DataPlane`; SPIs are chosen here, so nobody waits."""
        spi: Deferred[bytes] = Deferred()
        try:
            spi.callback(self._spis.reserve())
        except DataPlaneError as error:
            spi.errback(error)
        return spi

    def release_spi(self, spi: bytes) -> None:
        """See `ports.DataPlane`; the SPI of an installed SA stays taken."""
        if spi not in self._installed:
            self._spis.free(spi)

    def install(self, sa: TunnelSa) -> Deferred[None]:
        """See `ports.DataPlane`. Cancelled: what the process installs all the same is removed."""
        if sa.inbound_spi in self._installed:
            return fail(
                DataPlaneError(
                    f"{sa.name}: an SA with inbound SPI {sa.inbound_spi.hex()} is installed already"
                )
            )
        try:
            check_installable(sa)
        except DataPlaneError as error:
            return fail(error)
        self._spis.taken.add(sa.inbound_spi)
        self._installed[sa.inbound_spi] = sa
        asked = self._ask(Kind.INSTALL, _description(sa), lambda _: self.remove(sa.inbound_spi))

        def refused(failure: Failure) -> Failure:
            if self._installed.get(sa.inbound_spi) is sa:
                del self._installed[sa.inbound_spi]
                self._spis.free(sa.inbound_spi)
            return failure

        return asked.addCallbacks(lambda _: None, refused)

    def move(self, inbound_spi: bytes, path: Path) -> Deferred[None]:
        """See `ports.DataPlane`."""
        sa = self._installed.get(inbound_spi)
        body = _named(inbound_spi) | {
            "local": _pair(path.local),
            "remote": _pair(path.remote),
            "udp": sa is None or sa.udp_encapsulated,
        }
        return self._ask(Kind.MOVE, body).addCallback(lambda _: None)

    def activate(self, inbound_spi: bytes) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._ask(Kind.ACTIVATE, _named(inbound_spi)).addCallback(lambda _: None)

    def remove(self, inbound_spi: bytes, linger: float = 0.0) -> Deferred[Usage]:
        """See `ports.DataPlane`. Removing an SA that lingers ends that at once; both Deferreds fire."""
        earlier = self._lingering.pop(inbound_spi, None)
        if earlier is not None:
            earlier.cancel()
        if linger and earlier is None and inbound_spi in self._installed and self._link is not None:
            return self._removed_later(inbound_spi, linger)
        self._installed.pop(inbound_spi, None)
        asked = self._ask(Kind.REMOVE, _named(inbound_spi))

        def removed(counts: Json) -> Usage:
            if inbound_spi not in self._installed:
                self._spis.free(inbound_spi)
            usage = Usage(**counts)
            if earlier is not None:
                earlier.fire(usage)
            return usage

        return asked.addCallback(removed)

    def _removed_later(self, inbound_spi: bytes, linger: float) -> Deferred[Usage]:
        def now() -> None:
            self.remove(inbound_spi).addErrback(lambda _: lingering.fire(lingering.usage))

        def retired(counts: Json) -> None:
            lingering.usage = Usage(**counts)

        lingering = _Lingering(self._reactor.callLater(linger, now))
        self._lingering[inbound_spi] = lingering
        self._ask(Kind.RETIRE, _named(inbound_spi)).addCallbacks(retired, lambda _: None)
        return lingering.deferred

    def usage(self, inbound_spi: bytes) -> Deferred[Usage]:
        """See `ports.DataPlane`."""
        asked = self._ask(Kind.USAGE, _named(inbound_spi))
        return asked.addCallback(lambda counts: Usage(**counts))

    def stop(self) -> Deferred[None]:
        """Ask the process to remove everything and end; fires when it is gone."""
        link = self._link
        if link is None:
            done: Deferred[None] = Deferred()
            done.callback(None)
            return done
        self._installed.clear()
        self._spis.taken.clear()
        link.end()
        return link.gone

    @property
    def process_id(self) -> int:
        """The process's, 0 if there is none."""
        return 0 if self._link is None else self._link.process_id

    # ------------------------------------------------------------ inside

    def _ready(self, said: Json) -> None:
        notes = "".join(f"; {note}" for note in said["notes"])
        self.description = f"userspace: ESP over the TUN device {said['tun']}, in a process of its own{notes}"

    def _not_ready(self, failure: Failure) -> Deferred[None]:
        """The process is of no use: let it end first, then say why."""
        return self.stop().addCallback(lambda _: failure)

    def _ask(self, kind: Kind, body: Json, undo: Callable[[Json], object] | None = None) -> "Deferred[Json]":
        if self._link is None:
            return fail(DataPlaneError("the data plane is not running: start it first"))
        return self._link.ask(kind, body, undo)

    def _event(self, event: Json) -> None:
        spi = event["spi"].to_bytes(4, "big")
        told: DataPlaneEvent
        if event["event"] == "soft":
            told = SoftExpired(spi)
        elif event["event"] == "hard":
            told = HardExpired(spi)
        else:
            sa = self._installed.get(spi)
            if sa is None:
                return
            local = sa.path.local if event["socket"] is None else self._sockets[event["socket"]][0]
            host, port = event["remote"]
            told = MappingChanged(spi, Path(local, Endpoint(ip_address(host), port or sa.path.remote.port)))
        if self._listener is not None:
            self._listener(told)

    def _ike(self, body: bytes) -> None:
        number, host, port, octets = decode_ike(body)
        self._ike_received(Path(self._sockets[number][0], _remote(host, port)), octets)

    def _ended(self, reason: str | None) -> None:
        self._link = None
        lingering, self._lingering = self._lingering, {}
        for one in lingering.values():
            one.cancel()
            one.fire(one.usage)
        self._installed.clear()
        self._spis.taken.clear()
        if reason is not None and self._lost is not None:
            self._lost(reason)


@define(eq=False)
class _Lingering:
    """An SA that only receives, until `call`; `usage` is what it had carried when it stopped sending."""

    call: IDelayedCall
    deferred: "Deferred[Usage]" = field(factory=Deferred)
    usage: Usage = field(factory=Usage)

    def cancel(self) -> None:
        """It is not to be removed by the clock."""
        if self.call.active():
            self.call.cancel()

    def fire(self, usage: Usage) -> None:
        """It is gone."""
        if not self.deferred.called:
            self.deferred.callback(usage)


@define
class _Pending:
    """A request without an answer yet; `undo` is called with an answer that nobody wants any more."""

    deferred: "Deferred[Json]"
    undo: Callable[[Json], object] | None
    wanted: bool = True


@define(eq=False)
class _Link(ProcessProtocol):
    """The pipes: requests by number, answers in any order. Its end fails all that wait."""

    log = Logger()

    on_event: Callable[[Json], None]
    on_ike: Callable[[bytes], None]
    on_end: Callable[[str | None], None]
    gone: "Deferred[None]" = field(factory=Deferred)
    _frames: Frames = field(factory=Frames)
    _pending: dict[int, _Pending] = field(factory=dict)
    _number: int = 0
    _asked_to_end: bool = False

    def ask(self, kind: Kind, body: Json, undo: Callable[[Json], object] | None = None) -> "Deferred[Json]":
        """Send a request; the answer, or DataPlaneError."""
        self._number += 1
        number = self._number

        def cancelled(_: object) -> None:
            self._pending[number].wanted = False

        pending = _Pending(Deferred(cancelled), undo)
        self._pending[number] = pending
        self._process.writeToChild(0, json_frame(kind, number, body))
        return pending.deferred

    def end(self) -> None:
        """Have the process stop; `gone` fires when it has."""
        if not self._asked_to_end:
            self._asked_to_end = True
            self._process.writeToChild(0, json_frame(Kind.STOP, 0, {}))
            self._process.closeChildFD(0)

    @property
    def process_id(self) -> int:
        """The process's."""
        return int(getattr(self.transport, "pid", 0) or 0)

    @property
    def _process(self) -> IProcessTransport:
        return cast(IProcessTransport, self.transport)

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N802, N803 - Twisted's names
        """Answers, events and IKE messages; what comes on standard error goes to the log."""
        if childFD == 2:
            self.log.error("data plane process: {text}", text=data.decode(errors="replace").rstrip())
            return
        try:
            for kind, number, body in self._frames.feed(data):
                self._heard(kind, number, body)
        except BadFrame as error:
            self.log.error("data plane process: {error}; ending it", error=error)
            self._kill()

    def _heard(self, kind: Kind, number: int, body: bytes) -> None:
        if kind is Kind.IKE:
            self.on_ike(body)
        elif kind is Kind.EVENT:
            self.on_event(json.loads(body))
        else:
            self._answered(kind, self._pending.pop(number, None), json.loads(body))

    def _answered(self, kind: Kind, pending: _Pending | None, body: Json) -> None:
        if pending is None:
            return
        if not pending.wanted:
            if kind is Kind.REPLY and pending.undo is not None:
                pending.undo(body)
        elif kind is Kind.REPLY:
            pending.deferred.callback(body)
        else:
            pending.deferred.errback(DataPlaneError(body["reason"]))

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """It is gone, asked or not: whatever waits fails."""
        clean = isinstance(reason.value, ProcessDone)
        text = f"the data plane process ended{'' if clean else ': ' + reason.getErrorMessage()}"
        if not self._asked_to_end:
            self.log.error("{text}; no ESP is carried until it is started again", text=text)
        self.on_end(None if self._asked_to_end else text)
        waiting, self._pending = self._pending, {}
        for pending in waiting.values():
            if pending.wanted:
                pending.deferred.errback(DataPlaneError(text))
        self.gone.callback(None)

    def _kill(self) -> None:
        try:
            self._process.signalProcess("KILL")
        except ProcessExitedAlready:
            return


@lru_cache(4096)
def _remote(host: str, port: int) -> Endpoint:
    return Endpoint(ip_address(host), port)


def _named(spi: bytes) -> Json:
    return {"spi": int.from_bytes(spi, "big")}


def _pair(endpoint: Endpoint) -> list[str | int]:
    return [str(endpoint.address), endpoint.port]


def _selector(selector: TrafficSelector) -> list[str | int]:
    ends: list[str | int] = [str(selector.start), str(selector.end)]
    return [*ends, selector.protocol, selector.start_port, selector.end_port]


def _description(sa: TunnelSa) -> Json:
    """The body of an INSTALL. It holds the keys."""
    limits, suite = sa.limits, sa.suite
    return {
        "name": sa.name,
        "local": _pair(sa.path.local),
        "remote": _pair(sa.path.remote),
        "udp": sa.udp_encapsulated,
        "in": int.from_bytes(sa.inbound_spi, "big"),
        "out": int.from_bytes(sa.outbound_spi, "big"),
        "encryption": suite.encryption.name,
        "integrity": suite.integrity.name if suite.integrity else None,
        "esn": suite.esn,
        "in_keys": [sa.inbound_keys.encryption.hex(), sa.inbound_keys.integrity.hex()],
        "out_keys": [sa.outbound_keys.encryption.hex(), sa.outbound_keys.integrity.hex()],
        "local_ts": [_selector(one) for one in sa.local_selectors],
        "remote_ts": [_selector(one) for one in sa.remote_selectors],
        "virtual": [str(address) for address in sa.virtual],
        "soft_seconds": limits.soft_seconds,
        "hard_seconds": limits.hard_seconds,
        "octets": [limits.soft_octets, limits.hard_octets],
        "packets": [limits.soft_packets, limits.hard_packets],
        "window": sa.replay_window,
        "standby": sa.standby,
    }
