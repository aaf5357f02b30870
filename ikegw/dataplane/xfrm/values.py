"""What the kernel is told of SAs and policies, and what it tells, as values; the octets are made in `encoding`."""

from enum import IntEnum

from attrs import field, frozen

from ikegw.crypto.keymat import ChildKeys
from ikegw.crypto.suites import EspSuite
from ikegw.paths import Address
from ikegw.policy.carriage import Mark, Mode, Offload

Masked = tuple[int, int]
"""A port and the bits of it that count; (0, 0) is every port."""

EVERY_PORT: Masked = (0, 0)
UNLIMITED = (1 << 64) - 1


class Direction(IntEnum):
    """Which packets a policy is for: to this host, from it or through it, through it out of a tunnel."""

    IN = 0
    OUT = 1
    FORWARD = 2


class Action(IntEnum):
    """What becomes of a packet that a policy selects; ALLOW with a template: by an SA only."""

    ALLOW = 0
    BLOCK = 1


@frozen
class PacketSelector:
    """One network and one port (or block of ports) at each end. Addresses are packed; of ICMP the ports are type and code."""

    version: int
    source: bytes
    source_length: int
    destination: bytes
    destination_length: int
    protocol: int = 0
    source_port: Masked = EVERY_PORT
    destination_port: Masked = EVERY_PORT

    def reversed(self) -> "PacketSelector":
        """For packets the other way; of ICMP the type stays where it is."""
        ports = (self.destination_port, self.source_port)
        if self.protocol in (1, 58):
            ports = (self.source_port, self.destination_port)
        return PacketSelector(
            self.version,
            self.destination,
            self.destination_length,
            self.source,
            self.source_length,
            self.protocol,
            *ports,
        )


@frozen
class Template:
    """Which SA a policy wants. Without addresses any will do, as long as `reqid` is its."""

    reqid: int
    mode: Mode = Mode.TUNNEL
    source: Address | None = None
    destination: Address | None = None


@frozen
class Policy:
    """One entry of the kernel's SPD. The smaller its priority's number, the sooner it is asked."""

    direction: Direction
    selector: PacketSelector
    priority: int
    template: Template | None = None
    action: Action = Action.ALLOW
    if_id: int = 0
    mark: Mark | None = None


@frozen
class StateId:
    """What names an SA of the kernel's."""

    source: Address
    destination: Address
    spi: bytes
    mark: Mark | None = None


@frozen
class Replay:
    """Counters of an SA: the last sequence number sent, the highest received, and which of those before it were."""

    sent: int = 0
    received: int = 0
    bitmap: bytes = b""


@frozen
class Lifetime:
    """Limits of an SA; octets and packets from which it is soft or hard, seconds until it is hard (0: never)."""

    soft_octets: int = UNLIMITED
    hard_octets: int = UNLIMITED
    soft_packets: int = UNLIMITED
    hard_packets: int = UNLIMITED
    hard_seconds: int = 0


@frozen
class State:
    """One SA of the kernel's, in one direction. `encapsulation` is its UDP ports (source, destination), None for plain ESP."""

    id: StateId
    reqid: int
    suite: EspSuite
    keys: ChildKeys = field(repr=False)
    mode: Mode = Mode.TUNNEL
    window: int = 0
    replay: Replay = Replay()
    lifetime: Lifetime = Lifetime()
    encapsulation: tuple[int, int] | None = None
    mapping_seconds: int = 0
    """Tell of a moved peer at most once in so many seconds; 0: with each packet. Only of an inbound SA."""

    if_id: int = 0
    output_mark: Mark | None = None
    tfc_padding: int = 0
    offload: Offload = Offload.NO
    device: int = 0
    """The interface whose network card takes part."""

    inbound: bool = False


@frozen
class StateReport:
    """What the kernel says of an SA of its own. `last_used` is seconds since the epoch, None where the kernel keeps none."""

    id: StateId
    reqid: int
    octets: int = 0
    packets: int = 0
    replays: int = 0
    forgeries: int = 0
    replay: Replay = Replay()
    last_used: int | None = None
    selector: PacketSelector | None = None
    mode: Mode = Mode.TUNNEL


@frozen
class PolicyReport:
    """What it says of a policy; `reqids` are its templates'."""

    direction: int
    selector: PacketSelector
    index: int
    priority: int
    reqids: tuple[int, ...]
    last_used: int
    if_id: int = 0
    mark: Mark | None = None


@frozen
class Expired:
    """An SA met a limit; after a hard one it is gone."""

    state: StateReport
    hard: bool


@frozen
class Acquire:
    """A packet wants an SA with `reqid`; what `selector` says is its own two ends. `sequence` names what waits for it."""

    reqid: int
    selector: PacketSelector
    sequence: int
    source: Address
    destination: Address


@frozen
class Mapping:
    """UDP-encapsulated ESP of an SA came from another address or port."""

    spi: bytes
    local: Address
    reqid: int
    remote: Address
    port: int


Told = Expired | Acquire | Mapping | StateReport | PolicyReport
"""What a message of the kernel's can be."""
