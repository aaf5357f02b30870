"""The Twisted side: `ports.DataPlane` as requests to the process, which this starts and whose death it tells."""

import os
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path as FilePath
from socket import socket
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorProcess, IReactorTime
from twisted.python.failure import Failure

import ikegw
from ikegw.dataplane.admission import QUIET_SECONDS, check_installable, check_plain, check_trap
from ikegw.dataplane.shunts import check_shunt
from ikegw.dataplane.spis import SpiSpace
from ikegw.dataplane.userspace.control import Json, Kind, decode_ike
from ikegw.dataplane.userspace.description import (
    description,
    named,
    pair,
    selector_in,
    shunt_description,
    trap_description,
)
from ikegw.dataplane.userspace.link import Link
from ikegw.paths import Endpoint, Path
from ikegw.policy.shunts import Shunt
from ikegw.ports import (
    Acquired,
    DataPlaneError,
    DataPlaneEvent,
    HardExpired,
    MappingChanged,
    Random,
    Selectors,
    SoftExpired,
    TunnelSa,
    Usage,
)

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
        self.device = ""
        self._reactor, self._sockets, self._ike_received = reactor, tuple(nat_t_sockets), ike_received
        self._tun_name, self._mtu, self._lost = tun_name, mtu, lost
        self._spis = SpiSpace(random, worker)
        self._installed: dict[bytes, TunnelSa] = {}
        self._lingering: dict[bytes, _Lingering] = {}
        self._link: Link | None = None
        self._listener: Callable[[DataPlaneEvent], None] | None = None

    def start(self, listener: Callable[[DataPlaneEvent], None]) -> Deferred[None]:
        """Start the process; errback with DataPlaneError if it cannot make its device."""
        if self._link is not None:
            return fail(DataPlaneError("the data plane runs already"))
        self._listener = listener
        self._link = link = Link(self._event, self._ike, self._ended)
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
            check_plain(sa, "userspace")
        except DataPlaneError as error:
            return fail(error)
        self._spis.taken.add(sa.inbound_spi)
        self._installed[sa.inbound_spi] = sa
        asked = self._ask(Kind.INSTALL, description(sa), lambda _: self.remove(sa.inbound_spi))

        def refused(failure: Failure) -> Failure:
            if self._installed.get(sa.inbound_spi) is sa:
                del self._installed[sa.inbound_spi]
                self._spis.free(sa.inbound_spi)
            return failure

        return asked.addCallbacks(lambda _: None, refused)

    def move(self, inbound_spi: bytes, path: Path, udp_encapsulated: bool | None = None) -> Deferred[None]:
        """See `ports.DataPlane`."""
        before = self._installed.get(inbound_spi)
        udp = udp_encapsulated
        if udp is None:
            udp = before is None or before.udp_encapsulated
        body = named(inbound_spi) | {"local": pair(path.local), "remote": pair(path.remote), "udp": udp}

        def moved(_: Json) -> None:
            sa = self._installed.get(inbound_spi)
            if sa is not None:
                self._installed[inbound_spi] = evolve(sa, path=path, udp_encapsulated=udp)

        return self._ask(Kind.MOVE, body).addCallback(moved)

    def activate(self, inbound_spi: bytes) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._ask(Kind.ACTIVATE, named(inbound_spi)).addCallback(lambda _: None)

    def remove(self, inbound_spi: bytes, linger: float = 0.0) -> Deferred[Usage]:
        """See `ports.DataPlane`. Removing an SA that lingers ends that at once; both Deferreds fire."""
        earlier = self._lingering.pop(inbound_spi, None)
        if earlier is not None:
            earlier.cancel()
        if linger and earlier is None and inbound_spi in self._installed and self._link is not None:
            return self._removed_later(inbound_spi, linger)
        self._installed.pop(inbound_spi, None)
        asked = self._ask(Kind.REMOVE, named(inbound_spi))

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
        self._ask(Kind.RETIRE, named(inbound_spi)).addCallbacks(retired, lambda _: None)
        return lingering.deferred

    def usage(self, inbound_spi: bytes) -> Deferred[Usage]:
        """See `ports.DataPlane`."""
        asked = self._ask(Kind.USAGE, named(inbound_spi))
        return asked.addCallback(lambda counts: Usage(**counts))

    def trap(self, name: str, local_selectors: Selectors, remote_selectors: Selectors) -> Deferred[None]:
        """See `ports.DataPlane`. Cancelled: it is taken away again."""
        try:
            check_trap(name, local_selectors, remote_selectors)
        except DataPlaneError as error:
            return fail(error)
        body = trap_description(name, local_selectors, remote_selectors, QUIET_SECONDS)
        return self._ask(Kind.TRAP, body, lambda _: self.untrap(name)).addCallback(lambda _: None)

    def untrap(self, name: str) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._ask(Kind.UNTRAP, {"name": name}).addCallback(lambda _: None)

    def shunt(self, shunt: Shunt) -> Deferred[None]:
        """See `ports.DataPlane`. Cancelled: it is taken away again."""
        try:
            check_shunt(shunt)
        except DataPlaneError as error:
            return fail(error)
        asked = self._ask(Kind.SHUNT, shunt_description(shunt), lambda _: self.unshunt(shunt.name))
        return asked.addCallback(lambda _: None)

    def unshunt(self, name: str) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._ask(Kind.UNSHUNT, {"name": name}).addCallback(lambda _: None)

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

    def counts(self) -> Deferred[dict[str, int]]:
        """See `ports.DataPlane`: packets that were dropped, by reason: `in_unknown` (SPIs), `out_no_policy`, …"""
        return self._ask(Kind.COUNTS, {})

    @property
    def process_id(self) -> int:
        """The process's, 0 if there is none."""
        return 0 if self._link is None else self._link.process_id

    # ------------------------------------------------------------ inside

    def _ready(self, said: Json) -> None:
        notes = "".join(f"; {note}" for note in said["notes"])
        self.description = f"userspace: ESP over the TUN device {said['tun']}, in a process of its own{notes}"
        self.device = str(said["tun"])

    def _not_ready(self, failure: Failure) -> Deferred[None]:
        """The process is of no use: let it end first, then say why."""
        return self.stop().addCallback(lambda _: failure)

    def _ask(self, kind: Kind, body: Json, undo: Callable[[Json], object] | None = None) -> "Deferred[Json]":
        if self._link is None:
            return fail(DataPlaneError("the data plane is not running: start it first"))
        return self._link.ask(kind, body, undo)

    def _event(self, event: Json) -> None:
        if event["event"] == "acquired":
            ends = selector_in(event["local"]), selector_in(event["remote"])
            self._tell(Acquired(event["name"], *ends))
            return
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
        self._tell(told)

    def _tell(self, told: DataPlaneEvent) -> None:
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


@lru_cache(4096)
def _remote(host: str, port: int) -> Endpoint:
    return Endpoint(ip_address(host), port)
