"""Packets through the models of the data plane, counted: what was sent, and what the other side got."""

from ipaddress import ip_address

from attrs import define, field

from ikegw.dataplane.matching import InnerPacket
from ikegw.dataplane.memory import EspDatagram
from ikegw.paths import Path
from ikegw.testing.pair import Pair
from ikegw.testing.world import Host


@define(eq=False)
class Flow:
    """A steady stream both ways between the client's address and a host behind the gateway, over a wire with `delay` seconds."""

    pair: Pair
    delay: float = 0.004
    sent: int = field(default=0, init=False)
    arrived: int = field(default=0, init=False)

    @property
    def lost(self) -> int:
        """Packets that were sent, or should have been, and did not arrive."""
        return self.sent - self.arrived

    def run(self, seconds: float, every: float = 0.01) -> None:
        """Send a packet each way every so many seconds, while the world goes on; then let the last ones arrive."""
        clock = self.pair.world.clock
        there = InnerPacket(ip_address("10.3.0.1"), ip_address("10.1.0.9"), 17, (5000, 5001))
        back = InnerPacket(ip_address("10.1.0.9"), ip_address("10.3.0.1"), 17, (5001, 5000))
        for _ in range(round(seconds / every)):
            self._send(self.pair.client, self.pair.gateway, there)
            self._send(self.pair.gateway, self.pair.client, back)
            clock.advance(every)
        self.pair.world.run(0.1)

    def _send(self, sender: Host, receiver: Host, packet: InnerPacket) -> None:
        self.sent += 1
        datagram = sender.plane.send(packet)
        if datagram is None or datagram.path.local.address not in sender.gateway.transport.addresses():
            return
        path = self.pair.world.wire.route(datagram.path)
        if path is not None:
            self.pair.world.clock.callLater(self.delay, self._deliver, receiver, datagram, path)

    def _deliver(self, receiver: Host, datagram: EspDatagram, path: Path) -> None:
        if path.remote.address not in receiver.gateway.transport.addresses():
            return
        if receiver.plane.receive(datagram, Path(path.remote, path.local)) is not None:
            self.arrived += 1
