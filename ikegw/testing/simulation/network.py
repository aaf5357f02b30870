"""A bad wire: it loses, doubles, delays and overtakes, by a seed; it may be cut, and NATs may be in front of hosts."""

from collections.abc import Callable
from hashlib import blake2b
from random import Random as Generator
from typing import Any

from attrs import define, evolve, field

from ikegw.dataplane.memory import EspDatagram
from ikegw.paths import Address, Endpoint, Path
from ikegw.testing.simulation.faults import Faults
from ikegw.testing.wire import Datagram, Wire

PERFECT = Faults()


@define(eq=False)
class Nat:
    """A NAT in front of one host: every (host's endpoint) has a public one, until it is bound anew."""

    public: Address
    _next_port: int = field(default=20000, init=False)
    _outside: dict[Endpoint, Endpoint] = field(factory=dict, init=False)
    _inside: dict[Endpoint, Endpoint] = field(factory=dict, init=False)

    def out(self, host: Endpoint) -> Endpoint:
        """As whom the world sees `host`."""
        seen = self._outside.get(host)
        if seen is None:
            self._next_port += 1
            seen = self._outside[host] = Endpoint(self.public, self._next_port)
            self._inside[seen] = host
        return seen

    def back(self, public: Endpoint) -> Endpoint | None:
        """Who is behind a public endpoint; None if nobody is any more."""
        return self._inside.get(public)

    def rebind(self) -> None:
        """Forget every mapping: the next datagram out makes another one."""
        self._outside.clear()
        self._inside.clear()


@define(eq=False)
class Network(Wire):
    """`Wire` with faults, for IKE and ESP alike. `seen` hears of every datagram that a host sends; `digest` tells runs apart."""

    faults: Faults = PERFECT
    random: Generator = field(factory=Generator, kw_only=True, repr=False)
    seen: Callable[[Datagram, str], None] | None = field(default=None, init=False, repr=False)
    digest: Any = field(factory=lambda: blake2b(digest_size=16), init=False, repr=False)
    nats: dict[Address, Nat] = field(factory=dict, init=False)
    cut: set[tuple[Address, Address]] = field(factory=set, init=False)
    """(from, to) that nothing goes over at present."""

    _public: dict[Address, Nat] = field(factory=dict, init=False)
    _esp: dict[Address, Callable[[EspDatagram, Path], None]] = field(factory=dict, init=False)

    def put_nat_before(self, host: Address, public: Address) -> None:
        """From now on the world sees `host` as `public`."""
        self.nats[host] = self._public[public] = Nat(public)

    def join_esp(self, address: Address, received: Callable[[EspDatagram, Path], None]) -> None:
        """The data plane of a host comes up."""
        self._esp[address] = received

    def leave(self, address: Address) -> None:
        """A host is gone; what is sent to it is lost."""
        Wire.leave(self, address)
        self._esp.pop(address, None)

    # ------------------------------------------------------------ on the way

    def carry(self, datagram: Datagram) -> None:
        """Take a datagram from its sender."""
        self.digest.update(b"%.6f" % self.clock.seconds() + datagram.octets)
        waits = self._waits(datagram.path)
        if self.seen is not None:
            self.seen(datagram, "" if len(waits) == 1 else "lost" if not waits else f"{len(waits)} times")
        outside = Datagram(self._translated(datagram.path), datagram.octets)
        for wait in waits:
            self.clock.callLater(wait, self.deliver, outside)

    def carry_esp(self, datagram: EspDatagram) -> None:
        """Take an ESP packet from its sender's data plane."""
        path = self._translated(datagram.path)
        for wait in self._waits(datagram.path):
            self.clock.callLater(wait, self._deliver_esp, evolve(datagram, path=path))

    def _waits(self, path: Path) -> list[float]:
        """After how many seconds it arrives, once for each copy that does."""
        if self._is_cut(path):
            return []
        faults, random = self.faults, self.random
        copies = 0 if random.random() < faults.loss else 2 if random.random() < faults.duplication else 1
        return [self._wait(faults, random) for _ in range(copies)]

    def _wait(self, faults: Faults, random: Generator) -> float:
        late = random.random() * faults.lateness if random.random() < faults.late else 0.0
        return faults.latency + random.random() * faults.spread + late

    def _is_cut(self, path: Path) -> bool:
        there = path.remote.address
        nat = self._public.get(there)
        if nat is not None:
            there = next(host for host, one in self.nats.items() if one is nat)
        return (path.local.address, there) in self.cut

    def _translated(self, path: Path) -> Path:
        nat = self.nats.get(path.local.address)
        return path if nat is None else Path(nat.out(path.local), path.remote)

    def _inward(self, path: Path) -> Path | None:
        """The path as its receiver has it, behind its NAT if there is one; None if the NAT lets nothing in there."""
        local: Endpoint | None = path.remote
        nat = self._public.get(path.remote.address)
        if nat is not None:
            local = nat.back(path.remote)
        return None if local is None else Path(local, path.local)

    def deliver(self, datagram: Datagram) -> None:
        """Hand a datagram to whoever is at its destination, now."""
        path = self._inward(datagram.path)
        received = None if path is None else self._hosts.get(path.local.address)
        if received is not None and path is not None:
            received(path, datagram.octets)

    def _deliver_esp(self, datagram: EspDatagram) -> None:
        path = self._inward(datagram.path)
        received = None if path is None else self._esp.get(path.local.address)
        if received is not None and path is not None:
            received(datagram, path)
