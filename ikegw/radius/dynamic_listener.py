"""The port of CoA and Disconnect requests: who may send them, that each is done once, and that it is not an old one."""

import errno
import socket
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final

from attrs import define, field
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from ikegw.config.coa import CoaClient, CoaSettings
from ikegw.events import Dropped as DroppedDatagram
from ikegw.events import Publish
from ikegw.paths import Endpoint, Path
from ikegw.radius.dynamic import DynamicAuthorization
from ikegw.radius.dynamic_packet import DynamicRequest, ErrorCause, Refused, open_request
from ikegw.radius.packets import LARGEST_PACKET, Dropped

WINDOW_SECONDS: Final = 300.0
"""How far an Event-Timestamp may be from our clock (RFC 5176 §6.3), and how long answers are kept for what is sent again."""

MOST_ANSWERS: Final = 4096

_ANYWHERE: Final = (ip_address("0.0.0.0"), ip_address("::"))


class CannotHear(Exception):
    """The port cannot be had; the text says which, and why."""


@define(eq=False)
class DynamicListener:
    """Hears requests, and answers them. `now` is seconds since 1970; `counts` says what became of datagrams."""

    settings: CoaSettings
    authorization: DynamicAuthorization = field(repr=False)
    reactor: Any = field(repr=False)
    now: Callable[[], float] = field(repr=False)
    publish: Publish = field(repr=False)
    counts: Counter[str] = field(factory=Counter, init=False)
    _ports: list["_Port"] = field(factory=list, init=False, repr=False)
    _answers: dict[tuple[str, str, int, bytes], tuple[float, bytes]] = field(
        factory=dict, init=False, repr=False
    )

    _log = Logger(namespace="ikegw")

    def start(self) -> None:
        """Listen, if there is a client that may be heard; CannotHear, and then nothing is open."""
        if not self.settings.clients:
            return
        for address in self.settings.addresses or _ANYWHERE:
            end = Endpoint(address, self.settings.port)
            try:
                self._ports.append(_Port(self, end).open(self.reactor))
            except OSError as error:
                if address in _ANYWHERE and error.errno == errno.EAFNOSUPPORT:
                    continue  # a host without IPv6
                self.stop()
                raise CannotHear(f"CoA cannot be heard at {end}: {error.strerror}; see [coa]") from None

    def stop(self) -> None:
        """Hear no more."""
        ports, self._ports = self._ports, []
        for port in ports:
            port.close()

    def configure(self, settings: CoaSettings) -> None:
        """Take over other settings; CannotHear, and then nothing is heard."""
        before, self.settings = self.settings, settings
        where = before.addresses, before.port, bool(before.clients)
        if where != (settings.addresses, settings.port, bool(settings.clients)):
            self.stop()
            self.start()

    def received(self, octets: bytes, path: Path) -> bytes | None:
        """One datagram; what to answer, None for nothing. Nothing is raised."""
        client = self.settings.client(path.remote.address)
        if client is None:
            self._drop(path, "coa-unknown-client", "it is not in [coa.clients]")
            return None
        try:
            request = open_request(octets, client)
            return self._once(request, client, path) if self._is_timely(request, client, path) else None
        except Dropped as dropped:
            self._drop(path, f"coa-{dropped.why.value}", _HINTS.get(dropped.why.value, ""))
        except Exception:  # noqa: BLE001 - one datagram must never stop the others
            self._log.failure("internal error at a CoA request from {remote}", remote=str(path.remote))
        return None

    def _is_timely(self, request: DynamicRequest, client: CoaClient, path: Path) -> bool:
        at = request.timestamp
        if at is None:
            if client.timestamped:
                self._drop(path, "coa-no-timestamp", "it has no Event-Timestamp (require_timestamp)")
            return not client.timestamped
        away = self.now() - at
        if abs(away) > WINDOW_SECONDS:
            self._drop(path, "coa-stale", f"its Event-Timestamp is {away:.0f} s old: are both clocks right?")
        return abs(away) <= WINDOW_SECONDS

    def _once(self, request: DynamicRequest, client: CoaClient, path: Path) -> bytes:
        """What was authentic and answered before gets the same answer; nothing is done twice (RFC 5080 §2.2.2)."""
        key = client.name, str(path.remote.address), request.identifier, request.authenticator
        self._forget_old()
        if key in self._answers:
            self.counts["again"] += 1
            return self._answers[key][1]
        octets = request.answer(self._obey(request, client, path))
        self._answers[key] = self.now(), octets
        return octets

    def _obey(self, request: DynamicRequest, client: CoaClient, path: Path) -> ErrorCause | None:
        name = request.code.name.replace("_", "-")
        try:
            done = self.authorization.obey(request, client)
        except Refused as refused:
            self.counts["refused"] += 1
            said = "{name} of {client} at {remote} refused: {cause} ({number}): {why}"
            self._log.warn(
                said,
                name=name,
                client=client.name,
                remote=str(path.remote),
                cause=refused.cause.name,
                number=int(refused.cause),
                why=refused,
            )
            return refused.cause
        self.counts["done"] += 1
        self._log.info("{name} of {client}: {done}", name=name, client=client.name, done=done)
        return None

    def _forget_old(self) -> None:
        """The answers stand in the order in which they were given."""
        oldest = self.now() - WINDOW_SECONDS
        while self._answers:
            key, (at, _) = next(iter(self._answers.items()))
            if at >= oldest and len(self._answers) < MOST_ANSWERS:
                break
            del self._answers[key]

    def _drop(self, path: Path, reason: str, detail: str = "") -> None:
        self.counts[reason] += 1
        self.publish(DroppedDatagram(path, reason, detail))


_HINTS: Final = {
    "forged": "is its secret the one in [secrets.coa]?",
    "no-message-authenticator": "have it sign its requests, or set `old` if it cannot",
}


@define(eq=False)
class _Port(DatagramProtocol):
    """One socket."""

    noisy = False

    _listener: DynamicListener
    _endpoint: Endpoint
    _port: Any = field(default=None, init=False)

    def open(self, reactor: Any) -> "_Port":
        """Bind it; OSError."""
        address = self._endpoint.address
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as bound:
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.setblocking(False)
            bound.bind((str(address), self._endpoint.port))
            self._port = reactor.adoptDatagramPort(bound.fileno(), family, self, LARGEST_PACKET)
        return self

    def close(self) -> None:
        """Hear no more."""
        self._port.stopListening()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: N802 - Twisted's name
        """A datagram from anybody."""
        address = ip_address(addr[0].split("%")[0])
        answer = self._listener.received(datagram, Path(self._endpoint, Endpoint(address, addr[1])))
        if answer is not None:
            self._port.write(answer, addr)
