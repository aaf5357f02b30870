"""The SAs that are installed, with their policies, routes and addresses, and what becomes of them in time (RFC 4301 §4.4)."""

import math
from collections.abc import Callable
from heapq import heappop, heappush
from ipaddress import ip_address
from typing import Any

from ikegw.crypto.keymat import ChildKeys
from ikegw.crypto.suites import EspSuite
from ikegw.crypto.transforms import BY_NAME, Encryption, Integrity
from ikegw.dataplane.prefixes import Selector
from ikegw.dataplane.routing import Lead, Routing
from ikegw.dataplane.userspace.carriers import Carrier, SocketName, name_of
from ikegw.dataplane.userspace.ciphers import opener, sealer, shape_of
from ikegw.dataplane.userspace.control import Json
from ikegw.dataplane.userspace.policy import OutboundPolicy
from ikegw.dataplane.userspace.replay import ReplayWindow
from ikegw.dataplane.userspace.sa import Sa, Thresholds
from ikegw.paths import Endpoint


class Refused(Exception):
    """What was asked cannot be done; the text goes to the gateway."""


class Database:
    """The SAD and SPD of the process. `tell(event)` sends an event to the gateway; `changed()` follows every change.

    `carrier_for(local, udp)` finds the socket that ESP leaves from, or raises Refused.
    """

    def __init__(
        self,
        routing: Routing,
        mtu: int,
        carrier_for: Callable[[Endpoint, bool], Carrier],
        random: Callable[[int], bytes],
        clock: Callable[[], float],
        tell: Callable[[Json], None],
        changed: Callable[[], None],
    ) -> None:
        self.sas: dict[int, Sa] = {}
        self.policies: dict[int, OutboundPolicy[Sa]] = {4: OutboundPolicy(32), 6: OutboundPolicy(128)}
        self._routing, self._mtu, self._carrier_for = routing, mtu, carrier_for
        self._random, self._clock, self._tell, self._changed = random, clock, tell, changed
        self._leads: dict[int, Lead] = {}
        self._timers: list[tuple[float, int, Sa, bool]] = []
        self._timer_number = 0

    # ------------------------------------------------------------ what the gateway asks

    def install(self, wanted: Json) -> None:
        """Install a pair of SAs, wholly or not at all; Refused, or an OSError of the kernel's."""
        sa = self._made(wanted)
        if sa.spi in self.sas:
            raise Refused(f"{sa.name}: an SA with inbound SPI {sa.spi:08x} is installed already")
        virtual = [ip_address(text) for text in wanted["virtual"]]
        self._leads[sa.spi] = self._routing.lead(sa.local, sa.remotes, virtual)
        self.sas[sa.spi] = sa
        if not wanted["standby"]:
            self._let_send(sa, True)
        self._schedule(sa, wanted["soft_seconds"], wanted["hard_seconds"])
        self._changed()

    def activate(self, spi: int) -> None:
        """Let an SA on standby send; one that is not there, that sends, or that is retired stays as it is."""
        sa = self.sas.get(spi)
        if sa is not None and not sa.sends and not sa.retired:
            self._let_send(sa, True)
            self._changed()

    def retire(self, spi: int) -> Json:
        """Let it only receive from now on, until it is removed; its counts so far, or none."""
        sa = self.sas.get(spi)
        if sa is None:
            return {}
        sa.retired = True
        self._let_send(sa, False)
        self._changed()
        return self._counts(sa)

    def move(self, spi: int, local: Endpoint, remote: Endpoint, udp: bool) -> None:
        """Send over another path."""
        sa = self._sa(spi)
        sa.follow(_name_of(remote, udp), self._carrier_for(local, udp), self._mtu)

    def remove(self, spi: int) -> Json:
        """Remove all of it; its last counts, or none."""
        sa = self.sas.pop(spi, None)
        if sa is None:
            return {}
        self._let_send(sa, False)
        sa.expired = True
        self._leads.pop(spi).undo()
        self._changed()
        return self._counts(sa)

    def usage(self, spi: int) -> Json:
        """The counts so far; Refused if there is no such SA."""
        return self._counts(self._sa(spi))

    # ------------------------------------------------------------ what time and traffic bring

    def alarm(self, sa: Sa) -> None:
        """A count has reached an alarm."""
        soft, hard = sa.passed()
        if soft:
            self._soften(sa)
        if hard:
            self._harden(sa)
        sa.set_alarms()

    def moved(self, sa: Sa, carrier: Carrier, source: SocketName) -> None:
        """Authentic ESP came from elsewhere: told once for each new place."""
        if source != sa.told_remote:
            sa.told_remote = source
            number = getattr(carrier, "number", None)
            self._tell({"event": "moved", "spi": sa.spi, "socket": number, "remote": list(source[:2])})

    def tick(self) -> float | None:
        """Expire what is due; seconds until the next, None if nothing is to come."""
        now = self._clock()
        while self._timers:
            due, _, sa, hard = self._timers[0]
            if sa.retired or self.sas.get(sa.spi) is not sa:
                heappop(self._timers)
            elif due > now:
                return due - now
            else:
                heappop(self._timers)
                (self._harden if hard else self._soften)(sa)
                sa.set_alarms()
        return None

    def _soften(self, sa: Sa) -> None:
        if not sa.soft_told and not sa.expired:
            sa.soft_told = True
            self._tell({"event": "soft", "spi": sa.spi})

    def _harden(self, sa: Sa) -> None:
        if not sa.expired:
            sa.expired = True
            self._changed()
            self._tell({"event": "hard", "spi": sa.spi})

    # ------------------------------------------------------------ inside

    def _sa(self, spi: int) -> Sa:
        sa = self.sas.get(spi)
        if sa is None:
            raise Refused(f"no SA with inbound SPI {spi:08x} is installed")
        return sa

    def _made(self, wanted: Json) -> Sa:
        suite = _suite(wanted)
        remote = _name_of(_endpoint(wanted["remote"]), wanted["udp"])
        carrier = self._carrier_for(_endpoint(wanted["local"]), wanted["udp"])
        try:
            shape = shape_of(suite)
            sa = Sa(
                name=wanted["name"],
                spi=wanted["in"],
                carrier=carrier,
                remote=remote,
                shape=shape,
                extended=suite.esn,
                seal=sealer(suite, _keys(wanted["out_keys"]), wanted["out"], self._random),
                open=opener(suite, _keys(wanted["in_keys"])),
                window=ReplayWindow(wanted["window"]),
                local=tuple(Selector.of(*each) for each in wanted["local_ts"]),
                remotes=tuple(Selector.of(*each) for each in wanted["remote_ts"]),
                octet_limits=Thresholds(*(_or_never(each) for each in wanted["octets"])),
                packet_limits=Thresholds(*(_or_never(each) for each in wanted["packets"])),
            )
        except ValueError as error:
            raise Refused(f"{wanted['name']}: {error}") from error
        sa.follow(remote, carrier, self._mtu)
        return sa

    def _let_send(self, sa: Sa, sends: bool) -> None:
        """Add or remove its outbound policies."""
        if sa.sends == sends:
            return
        sa.sends = sends
        for remote in sa.remotes:
            for local in sa.local:
                if remote.version == local.version:
                    policy = self.policies[remote.version]
                    (policy.add if sends else policy.remove)(remote, local, sa)

    def _schedule(self, sa: Sa, soft: float | None, hard: float | None) -> None:
        now = self._clock()
        for seconds, is_hard in ((soft, False), (hard, True)):
            if seconds is not None:
                self._timer_number += 1
                heappush(self._timers, (now + seconds, self._timer_number, sa, is_hard))

    def _counts(self, sa: Sa) -> Json:
        return {
            "inbound_octets": sa.received_octets,
            "inbound_packets": sa.received_packets,
            "outbound_octets": sa.sent_octets,
            "outbound_packets": sa.sequence,
            "last_inbound": None if sa.heard_at is None else self._clock() - sa.heard_at,
            "replays": sa.replays,
            "forgeries": sa.forgeries,
        }


def _or_never(limit: int | None) -> float:
    return math.inf if limit is None else limit


def _endpoint(pair: list[Any]) -> Endpoint:
    return Endpoint(ip_address(pair[0]), pair[1])


def _name_of(endpoint: Endpoint, udp: bool) -> SocketName:
    """As a packet's source will be told; ESP itself has no ports."""
    try:
        return name_of(endpoint if udp else Endpoint(endpoint.address, 0))
    except ValueError as error:
        raise Refused(str(error)) from error


def _keys(pair: list[str]) -> ChildKeys:
    return ChildKeys(bytes.fromhex(pair[0]), bytes.fromhex(pair[1]))


def _suite(wanted: Json) -> EspSuite:
    encryption = BY_NAME.get(wanted["encryption"])
    integrity = BY_NAME.get(wanted["integrity"]) if wanted["integrity"] else None
    if not isinstance(encryption, Encryption) or not (integrity is None or isinstance(integrity, Integrity)):
        raise Refused(f"{wanted['name']}: no ESP suite {wanted['encryption']}-{wanted['integrity']}")
    return EspSuite(encryption, integrity, None, wanted["esn"])
