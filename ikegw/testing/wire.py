"""A wire between gateways in one process: datagrams arrive later, on the one clock, and a test may look at and alter each."""

from collections.abc import Callable
from random import Random as Generator

from attrs import define, field, frozen
from twisted.internet.task import Clock

from ikegw.paths import NAT_T_PORT, Address, Endpoint, Path


@frozen
class Datagram:
    """One datagram under way; `path` is the sender's."""

    path: Path
    octets: bytes = field(repr=False)


Tap = Callable[[Datagram], list[Datagram]]
"""Gives what really goes over the wire in place of a datagram: nothing, the same, another, or several."""


def pass_on(datagram: Datagram) -> list[Datagram]:
    """A wire that loses nothing."""
    return [datagram]


@define(eq=False)
class Wire:
    """Joins hosts by their addresses. `latency` is in seconds; `tap` may be replaced at any time."""

    clock: Clock
    latency: float = 0.005
    tap: Tap = pass_on
    history: list[Datagram] = field(factory=list, init=False)
    _hosts: dict[Address, Callable[[Path, bytes], None]] = field(factory=dict, init=False)

    def join(self, address: Address, received: Callable[[Path, bytes], None]) -> None:
        """A host comes up at `address`."""
        self._hosts[address] = received

    def leave(self, address: Address) -> None:
        """A host is gone; what is sent to it is lost."""
        self._hosts.pop(address, None)

    def carry(self, datagram: Datagram) -> None:
        """Take a datagram from its sender."""
        self.history.append(datagram)
        for each in self.tap(datagram):
            self.clock.callLater(self.latency, self.deliver, each)

    def deliver(self, datagram: Datagram) -> None:
        """Hand a datagram to whoever is at its destination, now."""
        received = self._hosts.get(datagram.path.remote.address)
        if received is not None:
            received(Path(datagram.path.remote, datagram.path.local), datagram.octets)


@frozen
class WireTransport:
    """`ports.Transport` of one host on a `Wire`."""

    wire: Wire
    address: Address

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
        if wanted not in (None, self.address):
            return None
        return Endpoint(self.address, 500)


def seeded(seed: int) -> Callable[[int], bytes]:
    """Randomness that is the same every time: for tests alone."""
    return Generator(seed).randbytes  # noqa: S311 - not for secrets that matter
