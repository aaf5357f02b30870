"""The process: one epoll loop over the TUN, the sockets, and the gateway's pipe."""

import contextlib
import json
import os
import select
import socket
import time
import traceback
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from attrs import asdict

from ikegw.dataplane.interface import STRICT_REVERSE_PATH, quiet_ipv6, reverse_path_is_strict
from ikegw.dataplane.routing import Routing
from ikegw.dataplane.rtnetlink import AddressChanges, Netlink
from ikegw.dataplane.userspace.carriers import Carrier, RawCarrier, SocketName, UdpCarrier
from ikegw.dataplane.userspace.control import BadFrame, Frames, Json, Kind, encode_ike, frame, json_frame
from ikegw.dataplane.userspace.database import Database, Refused
from ikegw.dataplane.userspace.description import shunt_in
from ikegw.dataplane.userspace.inbound import Inbound
from ikegw.dataplane.userspace.outbound import Outbound
from ikegw.dataplane.userspace.traps import Traps
from ikegw.dataplane.userspace.tun import Tun
from ikegw.paths import Endpoint

_TUN_QUEUE: Final = 4096
"""Packets that the TUN may hold for us: a burst of TCP's, cut, is some hundreds."""

_TOLD_IN_FULL: Final = 20
_AT_A_TURN: Final = 1 << 12
"""Octets of requests that are read before packets get their turn again: half a dozen installs, some milliseconds."""

_HELD_IKE: Final = 1 << 20
"""Octets that may wait for the gateway before IKE messages are dropped; answers and events never are."""


class Process:
    """All of it. Reads requests from descriptor `requests`, writes to `answers`; `run` returns when the gateway is gone."""

    def __init__(self, requests: int, answers: int, random: Callable[[int], bytes]) -> None:
        self._requests, self._answers, self._random = requests, answers, random
        self._frames, self._held = Frames(), bytearray()
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._running = True
        self._started: _Started | None = None
        self.lost_ike = self.unforeseen = 0
        for descriptor in (requests, answers):
            os.set_blocking(descriptor, False)
        self._watch(requests, self._read_requests)

    def run(self) -> None:
        """Until the gateway asks to stop, or its end of the pipe closes."""
        try:
            while self._running:
                wait = self._started.database.tick() if self._started else None
                for descriptor, _ in self._epoll.poll(wait):
                    handler = self._handlers.get(descriptor)
                    if handler is not None:
                        self._guarded(handler)
        finally:
            if self._started is not None:
                self._started.close()

    def _guarded(self, handler: Callable[[], None]) -> None:
        """No packet ends the process: what nobody foresaw is said on standard error, the first few times."""
        try:
            handler()
        except OSError:
            raise
        except Exception:  # noqa: BLE001 - see above
            self.unforeseen += 1
            if self.unforeseen <= _TOLD_IN_FULL:
                traceback.print_exc()

    # ------------------------------------------------------------ the gateway's pipe

    def _watch(self, descriptor: int, handler: Callable[[], None], event: int = select.EPOLLIN) -> None:
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, event)

    def _read_requests(self) -> None:
        try:
            octets = os.read(self._requests, _AT_A_TURN)
        except BlockingIOError:
            return
        if not octets:
            self._running = False
            return
        try:
            for kind, number, body in self._frames.feed(octets):
                self._request(kind, number, json.loads(body))
        except BadFrame:
            self._running = False

    def _request(self, kind: Kind, number: int, body: Json) -> None:
        try:
            answer = self._done(kind, body)
        except (Refused, OSError) as error:
            self._write(json_frame(Kind.REFUSAL, number, {"reason": str(error)}))
        except Exception as error:  # noqa: BLE001 - whoever asked waits for an answer
            traceback.print_exc()
            self._write(json_frame(Kind.REFUSAL, number, {"reason": f"{type(error).__name__}: {error}"}))
        else:
            self._write(json_frame(Kind.REPLY, number, answer))

    def _done(self, kind: Kind, body: Json) -> Json:
        if kind is Kind.START:
            self._started = _Started(self, body)
            return self._started.said
        if self._started is None:
            raise Refused("not started")
        if kind is Kind.STOP:
            self._running = False
            self._started.close()
            self._started = None
            return {}
        if kind is Kind.COUNTS:
            return self._started.counts() | {"ike_lost": self.lost_ike, "unforeseen": self.unforeseen}
        if kind is Kind.TRAP:
            self._started.traps.lay(body)
            return {}
        if kind is Kind.UNTRAP:
            self._started.traps.remove(body["name"])
            return {}
        if kind is Kind.SHUNT:
            self._started.shunts.lay(shunt_in(body))
            return {}
        if kind is Kind.UNSHUNT:
            self._started.shunts.lift(body["name"])
            return {}
        return self._asked_of(self._started.database, kind, body)

    @staticmethod
    def _asked_of(database: Database, kind: Kind, body: Json) -> Json:
        if kind is Kind.INSTALL:
            database.install(body)
            return {}
        if kind is Kind.ACTIVATE:
            database.activate(body["spi"])
            return {}
        if kind is Kind.RETIRE:
            return database.retire(body["spi"])
        if kind is Kind.MOVE:
            database.move(body["spi"], _endpoint(body["local"]), _endpoint(body["remote"]), body["udp"])
            return {}
        if kind is Kind.REMOVE:
            return database.remove(body["spi"])
        if kind is Kind.USAGE:
            return database.usage(body["spi"])
        raise Refused(f"nobody asks for {kind.name}")

    def _write(self, octets: bytes) -> None:
        """To the gateway, now or when its pipe has room."""
        if not self._held:
            self._watch(self._answers, self._write_held, select.EPOLLOUT)
        self._held += octets
        self._write_held()

    def _write_held(self) -> None:
        try:
            written = os.write(self._answers, self._held)
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._running, written = False, len(self._held)
        del self._held[:written]
        if not self._held:
            self._epoll.unregister(self._answers)
            del self._handlers[self._answers]

    # ------------------------------------------------------------ what the started parts call

    def watch(self, descriptor: int, handler: Callable[[], None]) -> None:
        """Call `handler` when there is something to read."""
        self._watch(descriptor, handler)

    def unwatch(self, descriptor: int) -> None:
        """Undo `watch`."""
        self._epoll.unregister(descriptor)
        del self._handlers[descriptor]

    def tell(self, event: Json) -> None:
        """Send an event."""
        self._write(json_frame(Kind.EVENT, 0, event))

    def hand_over(self, carrier: Carrier, source: SocketName, octets: bytes) -> None:
        """An IKE message for the gateway."""
        if len(self._held) > _HELD_IKE or not isinstance(carrier, UdpCarrier):
            self.lost_ike += 1
            return
        self._write(frame(Kind.IKE, 0, encode_ike(carrier.number, source[0], source[1], octets)))

    @property
    def random(self) -> Callable[[int], bytes]:
        """The source of IVs."""
        return self._random


class _Started:
    """TUN, sockets and SAs, once the gateway has said which."""

    def __init__(self, process: Process, wanted: Json) -> None:
        self._process = process
        self._undo = contextlib.ExitStack()
        self._notes: list[str] = []
        self._carriers: list[Carrier] = []
        try:
            self._open(wanted)
        except BaseException:
            self._undo.close()
            raise
        self.said: Json = {"tun": self._tun.name, "notes": self._notes}

    def _open(self, wanted: Json) -> None:
        process, mtu = self._process, wanted["mtu"]
        self._netlink = netlink = Netlink()
        self._undo.callback(netlink.close)
        self._tun = tun = Tun.open(wanted["tun"])
        self._undo.callback(tun.close)
        quiet_ipv6(tun.name)
        netlink.set_up(tun.index, mtu, _TUN_QUEUE)
        self._routing = routing = Routing(netlink, tun.index)
        self._undo.callback(routing.clear)
        self.shunts = routing.shunts
        netlink.delete_rules()
        self._udp: dict[Endpoint, UdpCarrier] = {}
        self._raw: dict[str, RawCarrier] = {}
        self.database = database = Database(
            routing, mtu, self._carrier_for, process.random, time.monotonic, process.tell, self._changed
        )
        self.traps = traps = Traps(routing, time.monotonic, process.tell)
        self._outbound = Outbound(tun.descriptor, database.policies, database.alarm, traps.meet)
        self._inbound = Inbound(
            tun.descriptor, database.sas, process.hand_over, database.alarm, database.moved, time.monotonic
        )
        if reverse_path_is_strict():
            self._notes.append(STRICT_REVERSE_PATH)
        self._open_carriers([(_endpoint(pair), fd) for *pair, fd in wanted["sockets"]])
        self._listen(tun.descriptor, self._outbound.pump)
        self._changes = changes = AddressChanges()
        self._undo.callback(changes.close)
        self._listen(changes.fileno(), self._learn_addresses)
        self._learn_addresses()

    def _open_carriers(self, sockets: list[tuple[Endpoint, int]]) -> None:
        refused = ""
        for number, (endpoint, descriptor) in enumerate(sockets):
            udp = UdpCarrier(socket.socket(fileno=descriptor), endpoint, number)
            self._udp[endpoint] = udp
            self._carry(udp, udp.close)
            host = str(endpoint.address)
            if host in self._raw:
                continue
            try:
                self._raw[host] = raw = RawCarrier(endpoint)
            except OSError as error:
                refused = str(error)
                continue
            self._carry(raw, raw.close)
        if refused:
            self._notes.append(f"no protocol 50, only UDP encapsulation ({refused})")

    def _carry(self, carrier: Carrier, close: Callable[[], None]) -> None:
        self._carriers.append(carrier)
        self._undo.callback(close)
        self._listen(carrier.fileno(), lambda: self._inbound.pump(carrier))

    def _listen(self, descriptor: int, handler: Callable[[], None]) -> None:
        self._process.watch(descriptor, handler)
        self._undo.callback(self._process.unwatch, descriptor)

    def _carrier_for(self, local: Endpoint, udp: bool) -> Carrier:
        found: Carrier | None = self._udp.get(local) if udp else self._raw.get(str(local.address))
        if found is None:
            kind = f"NAT-T socket on {local}" if udp else f"raw socket for protocol 50 on {local.address}"
            have = ", ".join(str(e) for e in self._udp) if udp else ", ".join(self._raw)
            raise Refused(f"there is no {kind}; there are {have or 'none'}")
        return found

    def _changed(self) -> None:
        self._outbound.forget_flows()
        for packet in self.traps.released(self._outbound.is_taken):
            self._outbound.send(packet)

    def counts(self) -> Json:
        """Packets that were dropped, by reason."""
        inbound, outbound = asdict(self._inbound.counts), asdict(self._outbound.counts)
        return {
            **{f"in_{reason}": count for reason, count in inbound.items()},
            **{f"out_{reason}": count for reason, count in outbound.items()},
            "in_refused_by_tun": self._inbound.coalescer.refused,
            "out_refused_by_kernel": sum(carrier.dropped for carrier in self._carriers),
        }

    def _learn_addresses(self) -> None:
        self._changes.drain()
        self._routing.ours = ours = tuple(self._netlink.addresses())
        self._inbound.coalescer.local = frozenset(address.packed for address in ours)
        self.traps.addresses_changed()

    def close(self) -> None:
        """Rules, routes, addresses and the device go."""
        self._undo.close()


def _endpoint(pair: list[str | int]) -> Endpoint:
    return Endpoint(ip_address(pair[0]), int(pair[1]))
