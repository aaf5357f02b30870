"""Packets through the models of the data plane, counted: what was sent, and what the other side got."""

from ipaddress import ip_address

from attrs import define, field

from ikegw.dataplane.matching import InnerPacket
from ikegw.dataplane.memory import MemoryPlane
from ikegw.testing.pair import Pair


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
            self._send(self.pair.client.plane, self.pair.gateway.plane, there)
            self._send(self.pair.gateway.plane, self.pair.client.plane, back)
            clock.advance(every)
        self.pair.world.run(0.1)

    def _send(self, sender: MemoryPlane, receiver: MemoryPlane, packet: InnerPacket) -> None:
        self.sent += 1
        datagram = sender.send(packet)
        if datagram is not None:
            self.pair.world.clock.callLater(self.delay, self._deliver, receiver, datagram)

    def _deliver(self, receiver: MemoryPlane, datagram: object) -> None:
        if receiver.receive(datagram) is not None:  # type: ignore[arg-type]
            self.arrived += 1
