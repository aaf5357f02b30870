"""What carries ESP: a kernel or a process of ours, behind one small set of operations and events."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred

from ikegw.crypto.keymat import ChildKeys
from ikegw.crypto.suites import EspSuite
from ikegw.paths import Address, Path
from ikegw.policy.carriage import PLAIN, Carriage
from ikegw.policy.shunts import Shunt
from ikegw.policy.updown import Script
from ikegw.session import SaName
from ikegw.wire.identification import Identity
from ikegw.wire.selectors import TrafficSelector


@frozen
class Limits:
    """When a CHILD SA is to be renewed (soft) and when it ends (hard). None: no limit. Time in seconds."""

    soft_seconds: float | None = None
    hard_seconds: float | None = None
    soft_octets: int | None = None
    hard_octets: int | None = None
    soft_packets: int | None = None
    hard_packets: int | None = None


@frozen
class Announced:
    """Whose tunnel it is, and the operator's script that is told when it comes up and goes. `user`: of an EAP login."""

    script: Script
    sa: SaName
    child: str
    local: Identity
    remote: Identity
    user: str = ""


@frozen
class NameServers:
    """DNS servers that are reached by a tunnel, and the domains that they are to be asked about (none: all)."""

    servers: tuple[Address, ...]
    domains: tuple[str, ...] = ()


@frozen
class TunnelSa:
    """A CHILD SA as the data plane carries it: both directions and their selectors; in tunnel mode, unless `carriage` says else.

    Our inbound SPI names it. `virtual` are addresses to put on our own end (we are the client of a gateway).
    """

    name: str
    path: Path
    udp_encapsulated: bool
    inbound_spi: bytes
    outbound_spi: bytes
    suite: EspSuite
    inbound_keys: ChildKeys = field(repr=False)
    outbound_keys: ChildKeys = field(repr=False)
    local_selectors: tuple[TrafficSelector, ...]
    remote_selectors: tuple[TrafficSelector, ...]
    virtual: tuple[IPv4Address | IPv6Address, ...] = ()
    limits: Limits = Limits()
    replay_window: int = 1024
    carriage: Carriage = PLAIN
    standby: bool = False
    """It receives, but does not send before `activate`: the peer may not be ready for it yet."""

    announced: Announced | None = None
    names: NameServers | None = None
    """Who is told of it besides, and what the peer lent us; no data plane heeds these."""


@frozen
class Usage:
    """What one CHILD SA has carried: octets are of inner packets; `last_inbound` is seconds since then, None if never.

    A kernel counts a packet that it deciphered and whose addresses the selectors then refuse.
    """

    inbound_octets: int = 0
    inbound_packets: int = 0
    outbound_octets: int = 0
    outbound_packets: int = 0
    last_inbound: float | None = None
    replays: int = 0
    forgeries: int = 0


@frozen
class SoftExpired:
    """The SA passed a soft limit: rekey it. Told once."""

    inbound_spi: bytes


@frozen
class HardExpired:
    """The SA passed a hard limit; it carries nothing any more."""

    inbound_spi: bytes


@frozen
class Acquired:
    """A packet met a trap that has no SA: `name` is the trap's. The selectors are the packet's own ends, no wider.

    Where its ports cannot be seen they are all ports.
    """

    name: str
    local_selector: TrafficSelector
    remote_selector: TrafficSelector


@frozen
class MappingChanged:
    """Authentic ESP, the newest of its SA so far, came from another remote endpoint than before (RFC 7296 §2.23).

    An SA without replay protection tells none: there an attacker could send old packets again from elsewhere.
    """

    inbound_spi: bytes
    path: Path


Selectors = tuple[TrafficSelector, ...]
DataPlaneEvent = SoftExpired | HardExpired | Acquired | MappingChanged


class DataPlaneError(Exception):
    """The data plane refused or failed; the text says what was wanted, what it said, and what to do."""


class DataPlane(Protocol):
    """A kernel or a process that carries ESP (RFC 4303). One contract, tested alike for every kind."""

    @property
    def description(self) -> str:
        """What it is and why it was chosen, in one line for the operator."""
        ...

    @property
    def device(self) -> str:
        """The network device that its packets come out of and go into, once it has started; empty: there is none."""
        ...

    def start(self, listener: Callable[[DataPlaneEvent], None]) -> Deferred[None]:
        """Make it ready; from now on `listener` hears its events."""
        ...

    def allocate_spi(self, path: Path) -> Deferred[bytes]:
        """Reserve an inbound SPI: 4 octets, first octet the worker's number, value above 255."""
        ...

    def release_spi(self, spi: bytes) -> None:
        """Give back a reserved SPI that was never installed."""
        ...

    def install(self, sa: TunnelSa) -> Deferred[None]:
        """Install both directions, policies, routes and virtual addresses: wholly, or not at all (DataPlaneError).

        The newest SA for the same selectors sends, unless it is on standby; older ones go on receiving until removed.
        """
        ...

    def activate(self, inbound_spi: bytes) -> Deferred[None]:
        """An SA on standby sends from now on; nothing happens to one that sends already, or is not there."""
        ...

    def move(self, inbound_spi: bytes, path: Path, udp_encapsulated: bool | None = None) -> Deferred[None]:
        """Carry on over another path, in UDP or not (None: as before): the answer to `MappingChanged`, or MOBIKE.

        DataPlaneError if there is no such SA. ESP that comes from elsewhere afterwards is told anew.
        """
        ...

    def remove(self, inbound_spi: bytes, linger: float = 0.0) -> Deferred[Usage]:
        """Remove all of it and tell its last counts. Removing what is not there gives an empty Usage.

        With `linger`, in seconds, it sends no more but receives for so long, for packets that are under way; then it is
        removed, and only then the Deferred fires.
        """
        ...

    def usage(self, inbound_spi: bytes) -> Deferred[Usage]:
        """The counts so far; DataPlaneError if there is no such SA."""
        ...

    def counts(self) -> Deferred[dict[str, int]]:
        """What came to nothing since the start, by a word of a fixed set for each reason: packets dropped, requests refused."""
        ...

    def trap(self, name: str, local_selectors: Selectors, remote_selectors: Selectors) -> Deferred[None]:
        """Lay a trap (RFC 4301 §4.4.1): what these select and no SA takes never leaves in the clear, but tells `Acquired`.

        SAs come first, however wide; of several traps the most specific is met. Each tells once in 2 seconds at most. The packet
        is dropped, or at best kept and sent once an SA takes it. A trap of a name that is laid already takes its place.
        """
        ...

    def untrap(self, name: str) -> Deferred[None]:
        """Take a trap away; nothing happens if there is none of that name."""
        ...

    def shunt(self, shunt: Shunt) -> Deferred[None]:
        """Let packets pass in the clear that would enter a tunnel, or drop those that would leave in the clear (RFC 4301 §4.4.1).

        Of what overlaps the longest remote prefix decides; at the same length what passes comes first, then SAs and traps, then
        what is dropped. A shunt of a name that is laid already takes its place. DataPlaneError if it cannot be, and then
        nothing has changed.
        """
        ...

    def unshunt(self, name: str) -> Deferred[None]:
        """Take a shunt away; nothing happens if there is none of that name."""
        ...

    def stop(self) -> Deferred[None]:
        """Remove everything that we installed and close."""
        ...
