"""Bad weather: datagrams get lost, doubled and late, clients come, go, change their minds. Nothing is left when all have left."""

from ipaddress import IPv4Address
from random import Random

import pytest
from attrs import define, evolve, field
from fake_server import OTHER, SERVER, SETTINGS, FakeServer, Waiting, World, asking

from ikegw.config.dhcp import LeasePer, Strategy
from ikegw.dhcp.packet4 import Packet4
from ikegw.dhcp.registry import Message4, Option4
from ikegw.paths import Endpoint
from ikegw.ports import Lease

NAMES = [f"user{number}" for number in range(8)]


class BadWeather(World):
    """Two servers behind a wire that loses, doubles and delays. `spoiled`: clients that lost what nobody sends again."""

    def __init__(self, chance: Random, loss: float) -> None:
        settings = evolve(
            SETTINGS,
            servers=(SERVER, OTHER),
            strategy=chance.choice(list(Strategy)),
            lease_per=chance.choice(list(LeasePer)),
        )
        super().__init__(settings, FakeServer(SERVER), FakeServer(OTHER))
        self.chance, self.loss = chance, loss
        self.spoiled: set[bytes] = set()

    def deliver(self, packet: Packet4 | bytes, source: IPv4Address = SERVER) -> None:
        assert isinstance(packet, Packet4)
        if self._lost(packet):
            return
        for _ in range(1 + (self.chance.random() < self.loss)):
            late = self.chance.random() * 0.2 if self.loss else 0.0
            self.clock.callLater(late, self.relay.datagram_received, packet.encode(), Endpoint(source, 67))

    def _send(self, octets: bytes, to: Endpoint) -> None:
        if not self._lost(Packet4.decode(octets)):
            super()._send(octets, to)

    def _lost(self, packet: Packet4) -> bool:
        lost = self.chance.random() < self.loss
        if lost and packet.kind in (Message4.RELEASE, Message4.ACK):
            self.spoiled.add(packet.hardware)
        return lost


@define
class People:
    """Those who log in and out."""

    world: BadWeather
    waiting: list[Waiting] = field(factory=list)
    standing: list[Lease] = field(factory=list)

    def act(self) -> None:
        """Do something, whatever it is."""
        self.take_what_came()
        chance = self.world.chance
        chance.choice(
            (self.log_in, self.log_in, self.change_mind, self.renew, self.go_while_renewing, self.log_out)
        )()

    def take_what_came(self) -> None:
        for each in [one for one in self.waiting if one.results]:
            self.waiting.remove(each)
            self.standing += [result for result in each.results if isinstance(result, Lease)]

    def log_in(self) -> None:
        self.waiting.append(self.world.ask(asking(self.world.chance.choice(NAMES))))

    def change_mind(self) -> None:
        """Before there is an address; who waits for a renewal has one."""
        self.world.chance.shuffle(self.waiting)
        if self.waiting:
            self.waiting.pop().deferred.cancel()

    def renew(self) -> None:
        if self.standing:
            lease = self._somebody()
            renewing = self.world.renew(lease)
            self.world.clock.advance(self.world.chance.random() * 0.05)
            if renewing.waits:
                renewing.deferred.cancel()
                self.standing.append(lease)
            else:
                self.waiting.append(renewing)

    def go_while_renewing(self) -> None:
        if self.standing:
            lease = self._somebody()
            self.world.renew(lease)
            self.world.provider.release(lease)

    def log_out(self) -> None:
        if self.standing:
            self.world.provider.release(self._somebody())

    def all_leave(self) -> None:
        self.take_what_came()
        while self.waiting:
            self.change_mind()
        while self.standing:
            self.log_out()

    def _somebody(self) -> Lease:
        return self.standing.pop(self.world.chance.randrange(len(self.standing)))


@pytest.mark.parametrize("loss", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_left_when_all_have_left(seed: int, loss: float) -> None:
    world = BadWeather(Random(seed), loss)
    people = People(world)
    for _ in range(300):
        people.act()
        world.clock.pump([0.05] * world.chance.randrange(12))
    people.all_leave()
    world.clock.pump([0.5] * 300)
    assert not world.clock.getDelayedCalls()
    assert not world.relay._open
    assert not world.provider.bound
    hardware = {packet.options[Option4.CLIENT_IDENTIFIER]: packet.hardware for _, _, packet in world.sent}
    left = {hardware[client] for server in world.servers.values() for client in server.leases}
    assert left <= world.spoiled, "only what was lost and is not sent again; the lease's own time ends it"
    assert world.relay.counts["answer"] > 100


def test_a_gateway_that_dies_leaves_leases_that_end_and_clients_that_come_back() -> None:
    world = World()
    before = {name: world.lease(asking(name)).ip4 for name in NAMES}
    after = World(SETTINGS, world.server)
    assert {name: after.lease(asking(name)).ip4 for name in reversed(NAMES)} == before
