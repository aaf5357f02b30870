"""Our tunnel: two userspace data planes in namespaces, a gateway with 10.1.0.1 and a client with a virtual address."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address

from attrs import define
from twisted.internet.interfaces import IReactorCore, IReactorThreads
from twisted.internet.threads import blockingCallFromThread

from ikegw.dataplane.userspace.client import PlaneReactor
from ikegw.testing.plane_pair import RunningPlane, client_tunnel, sides, suite_named

GATEWAY = "10.1.0.1"


class Reactor(PlaneReactor, IReactorThreads, IReactorCore):
    """What we use of a reactor."""


@define
class Ours:
    """Runs in a thread beside the reactor's. The words put a command into the client's or the gateway's namespace."""

    name = "ikegw"
    reactor: Reactor
    gateway: RunningPlane
    client: RunningPlane
    others: int = 0
    current: bytes | None = None
    peer_spi: bytes = b""

    @property
    def client_words(self) -> list[str]:
        """What runs a command at the client."""
        return self.client.side.namespace.command()

    @property
    def server_words(self) -> list[str]:
        """What runs a command at the gateway."""
        return self.gateway.side.namespace.command()

    @property
    def pids(self) -> list[int]:
        """The two processes that carry ESP."""
        return [end.plane.process_id for end in (self.gateway, self.client)]

    def use(self, suite: str) -> None:
        """Replace the client's SA by one of another suite."""
        if self.current is not None:
            for end, spi in ((self.gateway, self.current), (self.client, self.peer_spi)):
                blockingCallFromThread(self.reactor, end.plane.remove, spi)
        one, other = client_tunnel(self.gateway.side, self.client.side, suite_named(suite), 1, "10.3.0.1")
        self.current, self.peer_spi = one.inbound_spi, other.inbound_spi
        blockingCallFromThread(self.reactor, self.gateway.plane.install, one)
        blockingCallFromThread(self.reactor, self.client.plane.install, other)

    def crowd(self, others: int) -> float:
        """Install or remove SAs of other clients at the gateway until there are so many; milliseconds for each."""
        begun, changed = time.monotonic(), abs(others - self.others)
        suite = suite_named("aes128gcm16")
        for number in range(min(others, self.others), max(others, self.others)):
            address = str(IPv4Address("10.4.0.0") + number)
            one, _ = client_tunnel(self.gateway.side, self.client.side, suite, number + 2, address)
            if others > self.others:
                blockingCallFromThread(self.reactor, self.gateway.plane.install, one)
            else:
                blockingCallFromThread(self.reactor, self.gateway.plane.remove, one.inbound_spi)
        self.others = others
        return (time.monotonic() - begun) * 1e3 / max(changed, 1)


@contextmanager
def our_tunnel(reactor: Reactor) -> Iterator[Ours]:
    """Both ends, with an AES-128-GCM tunnel."""
    with ExitStack() as stack:
        pair = stack.enter_context(sides(f"o{os.getpid() % 100000}"))
        ends = []
        for side in pair:
            end = blockingCallFromThread(reactor, RunningPlane.make, reactor, side)
            blockingCallFromThread(reactor, end.start)
            stack.callback(blockingCallFromThread, reactor, end.plane.stop)
            ends.append(end)
        ours = Ours(reactor, *ends)
        ours.use("aes128gcm16")
        yield ours
