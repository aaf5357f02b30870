"""A host of the simulation: it boots, it may lose its power and boot again remembering nothing, and packets go through it."""

from collections.abc import Callable
from ipaddress import ip_address

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ikegw.addresses.pool import Pool
from ikegw.auth.credentials import Credentials
from ikegw.dataplane.matching import InnerPacket
from ikegw.dataplane.memory import EspDatagram
from ikegw.events import Event, IkeUp
from ikegw.ike.sa import IkeSa
from ikegw.paths import Address, Path
from ikegw.policy.connections import Connection
from ikegw.ports import Aaa, Random, Supplicants
from ikegw.testing.simulation.mortal import MortalClock
from ikegw.testing.simulation.network import Network
from ikegw.testing.simulation.slow_plane import SlowPlane
from ikegw.testing.world import Host, MakeAddresses, World, at_once_from_pool

Heard = Callable[["Party", Event], None]


def nobody(party: "Party", event: Event) -> None:
    """Nobody listens to events."""


@define(eq=False)
class Party:
    """One gateway or client. `arrived` hears of every inner packet that comes out of its data plane."""

    world: World = field(repr=False)
    network: Network = field(repr=False)
    name: str
    address: Address
    connection: Connection = field(repr=False)
    credentials: Credentials = field(repr=False)
    pools: tuple[Pool, ...] = field(default=(), repr=False)
    heard: Heard = field(default=nobody, repr=False)
    plane_delay: float = 0.0
    make_addresses: MakeAddresses = field(default=at_once_from_pool, repr=False)
    make_aaa: Callable[[IReactorTime], Aaa] | None = field(default=None, repr=False)
    make_supplicants: Callable[[IReactorTime], Supplicants] | None = field(default=None, repr=False)
    arrived: Callable[[InnerPacket], None] | None = field(default=None, init=False, repr=False)
    logins: int = field(default=0, init=False)
    asked: list[Deferred[object]] = field(factory=list, init=False, repr=False)
    """What was asked of the gateway and has not been answered."""

    _host: Host | None = field(default=None, init=False, repr=False)
    _clock: MortalClock | None = field(default=None, init=False, repr=False)

    @property
    def alive(self) -> bool:
        """Is its power on?"""
        return self._host is not None

    @property
    def host(self) -> Host:
        """What runs there; only while it is alive."""
        if self._host is None:
            raise AssertionError(f"{self.name} is dead")
        return self._host

    def boot(self) -> None:
        """Start, remembering nothing."""
        clock = MortalClock(self.world.clock)
        self._clock = clock
        self._host = self.world.host(
            str(self.address),
            (self.connection,),
            self.credentials,
            self.pools,
            clock=clock,
            publish=self._publish,
            make_plane=self._make_plane,
            make_addresses=self.make_addresses,
            aaa=None if self.make_aaa is None else self.make_aaa(clock),
            supplicants=None if self.make_supplicants is None else self.make_supplicants(clock),
        )
        self.network.join_esp(self.address, self._receive)

    def _make_plane(self, clock: IReactorTime, random: Random) -> SlowPlane:
        plane = SlowPlane(clock, random)
        plane.delay = self.plane_delay
        return plane

    def die(self) -> None:
        """Lose power: no DELETE, no answer, no memory."""
        if self._clock is not None:
            self._clock.die()
        self.network.leave(self.address)
        self._host = self._clock = None
        self.asked.clear()

    @property
    def timers(self) -> int:
        """How many timers of its gateway and its data plane run."""
        return 0 if self._clock is None else len(self._clock.getDelayedCalls())

    def _publish(self, event: Event) -> None:
        self.network.digest.update(type(event).__name__.encode())
        if isinstance(event, IkeUp):
            self.logins += 1
        self.heard(self, event)

    # ------------------------------------------------------------ what is asked of it

    def ask(self, wanted: Deferred[object]) -> None:
        """Remember a Deferred of the gateway until it has fired; that it failed is no fault."""
        self.asked.append(wanted)

        def answered(_: object) -> None:
            if wanted in self.asked:
                self.asked.remove(wanted)

        wanted.addBoth(answered)

    @property
    def sas(self) -> list[IkeSa]:
        """Every IKE SA that it knows, half-made and ending ones among them."""
        return list(self.host.gateway._by_spi.values()) if self.alive else []

    # ------------------------------------------------------------ packets

    def send(self, source: str, destination: str, number: int) -> None:
        """A packet to be protected, if there is an SA for it; its number is in its ports."""
        if not self.alive:
            return
        packet = InnerPacket(ip_address(source), ip_address(destination), 17, (number >> 16, number & 0xFFFF))
        datagram = self.host.plane.send(packet)
        if datagram is not None:
            self.network.carry_esp(datagram)

    def _receive(self, datagram: EspDatagram, path: Path) -> None:
        packet = self.host.plane.receive(datagram, path)
        if packet is not None and self.arrived is not None:
            self.arrived(packet)
