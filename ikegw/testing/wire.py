"""A wire between gateways in one process: datagrams arrive later, on the one clock, and a test may look at and alter each."""

from collections.abc import Callable, Iterable
from random import Random as Generator

from attrs import define, evolve, field, frozen
from twisted.internet.task import Clock

from ikegw.paths import NAT_T_PORT, Address, Endpoint, Path


@frozen
class Datagram:
    """One datagram under way; `path` is the sender's."""

    path: Path
    octets: bytes = field(repr=False)


Tap = Callable[[Datagram], list[Datagram]]
"""Gives what really goes over the wire in place of a datagram: nothing, the same, another, or several."""


Route = Callable[[Path], Path | None]
"""Where a datagram of a sender's path really goes, and where it seems to come from: what a NAT does. None: it is lost."""


def straight(path: Path) -> Path | None:
    """No NAT."""
    return path


def pass_on(datagram: Datagram) -> list[Datagram]:
    """A wire that loses nothing."""
    return [datagram]


@define(eq=False)
class Wire:
    """Joins hosts by their addresses. `latency` is in seconds; `tap` and `route` may be replaced at any time."""

    clock: Clock
    latency: float = 0.005
    tap: Tap = pass_on
    route: Route = straight
    history: list[Datagram] = field(factory=list, init=False)
    _hosts: dict[Address, Callable[[Path, bytes], None]] = field(factory=dict, init=False)

    def join(self, address: Address, received: Callable[[Path, bytes], None]) -> None:
        """A host comes up at `address`."""
        self._hosts[address] = received

    def leave(self, address: Address) -> None:
        """A host is gone; what is sent to it is lost."""
        self._hosts.pop(address, None)

    def carry(self, datagram: Datagram) -> None:
        """Take a datagram from its sender; `history` has it as it was sent, `tap` sees it after any NAT."""
        self.history.append(datagram)
        path = self.route(datagram.path)
        if path is None or datagram.path.local.address not in self._hosts:
            return
        for each in self.tap(evolve(datagram, path=path)):
            self.clock.callLater(self.latency, self.deliver, each)

    def deliver(self, datagram: Datagram) -> None:
        """Hand a datagram to whoever is at its destination, now."""
        received = self._hosts.get(datagram.path.remote.address)
        if received is not None:
            received(Path(datagram.path.remote, datagram.path.local), datagram.octets)


@define(eq=False)
class WireTransport:
    """`ports.Transport` of one host on a `Wire`. `others` are more addresses of it; `preferred` is what routing picks."""

    wire: Wire
    address: Address
    others: tuple[Address, ...] = ()
    preferred: Address = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.preferred = self.address

    def send(self, path: Path, octets: bytes) -> None:
        """See `ports.Transport`."""
        self.wire.carry(Datagram(path, octets))

    def keepalive(self, path: Path) -> None:
        """See `ports.Transport`; a keepalive is one octet that no gateway hears."""
        self.wire.history.append(Datagram(path, b"\xff"))

    def nat_t_port(self, path: Path) -> int:
        """See `ports.Transport`."""
        return NAT_T_PORT

    def source(self, remote: Address, wanted: Address | None) -> Endpoint | None:
        """See `ports.Transport`."""
        ours = self.addresses()
        if wanted is not None:
            return Endpoint(wanted, 500) if wanted in ours else None
        fitting = [one for one in (self.preferred, *ours) if one.version == remote.version and one in ours]
        return Endpoint(fitting[0], 500) if fitting else None

    def addresses(self) -> tuple[Address, ...]:
        """See `ports.Transport`."""
        return (self.address, *self.others)

    def have(self, addresses: Iterable[Address], received: Callable[[Path, bytes], None]) -> None:
        """From now on the host has these addresses instead, of which routing prefers the first."""
        for gone in self.addresses():
            self.wire.leave(gone)
        self.address, *others = addresses
        self.others, self.preferred = tuple(others), self.address
        for each in self.addresses():
            self.wire.join(each, received)


def seeded(seed: int) -> Callable[[int], bytes]:
    """Randomness that is the same every time: for tests alone."""
    return Generator(seed).randbytes  # noqa: S311 - not for secrets that matter
