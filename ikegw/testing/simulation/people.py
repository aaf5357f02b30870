"""Who makes trouble: users that want to be connected, operators that end, rekey and reload, and power cuts."""

from collections.abc import Callable
from random import Random as Generator

from attrs import define, evolve, field, fields

from ikegw.ike.living import Living
from ikegw.ike.sa import IkeSa
from ikegw.ike.slot import Intent
from ikegw.ports import HardExpired, SoftExpired
from ikegw.testing.simulation.faults import Habits
from ikegw.testing.simulation.party import Party
from ikegw.testing.simulation.town import MORE, NET, Town

LOOKS_EVERY = 3.0
"""Seconds after which a user looks whether the tunnel stands."""


@define(eq=False)
class User:
    """Keeps one client connected, as long as it wants to be."""

    party: Party
    random: Generator = field(repr=False)
    wants: bool = field(default=True, init=False)
    left: bool = field(default=False, init=False)
    """Gone for good."""

    def begin(self) -> None:
        """Look now, and again and again."""
        self.party.world.clock.callLater(self.random.random(), self._look)

    def _look(self) -> None:
        if self.wants and not self.left and self.party.alive:
            self._keep_up()
        self.party.world.clock.callLater(LOOKS_EVERY * (0.5 + self.random.random()), self._look)

    def _keep_up(self) -> None:
        party, sas = self.party, self.party.sas
        if not sas:
            party.ask(party.host.gateway.initiate(party.connection.name, NET))  # type: ignore[arg-type]
            return
        for sa in sas:
            if (
                sa.state == "SM_MATURE"
                and sa.successor is None
                and sa.awaits is None
                and not has_child(sa, NET)
            ):
                party.ask(party.host.gateway.create_child(sa.number, NET))  # type: ignore[arg-type]


def has_child(sa: IkeSa, name: str) -> bool:
    """Does it have, or is it asking for, a child of that name?"""
    phase = sa.phase
    held = isinstance(phase, Living) and phase.slot.held
    known = (*sa.children.values(), *sa.asking_children)
    return held or any(child.policy.name == name and child.state != "SA_REMOVE" for child in known)


@define(eq=False)
class Trouble:
    """Does things to the hosts at random times, each according to its weight, until told to stop."""

    town: Town
    users: dict[str, User]
    habits: Habits
    random: Generator = field(repr=False)
    log: list[tuple[float, str]] = field(factory=list, init=False)
    """What was done, and when."""
    _stopped: bool = field(default=True, init=False)

    def begin(self) -> None:
        """Make trouble from now on."""
        self._stopped = False
        self._again()

    def stop(self) -> None:
        """Leave everything alone: power is on, nothing is cut."""
        self._stopped = True
        self.town.network.cut.clear()
        for party in self.town.parties:
            if not party.alive:
                self._note(f"{party.name} boots")
                party.boot()

    def _again(self) -> None:
        self._later(self.random.expovariate(1 / self.habits.every), self._act)

    def _act(self) -> None:
        names = [each.name for each in fields(Habits) if each.name != "every"]
        weights = [getattr(self.habits, name) for name in names]
        (name,) = self.random.choices(names, weights)
        action: Callable[[Party], None] = getattr(self, f"_{name}")
        action(self.random.choice(self.town.clients))
        self._again()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        def unless_stopped() -> None:
            if not self._stopped:
                action()

        self.town.world.clock.callLater(seconds, unless_stopped)

    def _note(self, what: str) -> None:
        self.log.append((self.town.world.clock.seconds(), what))

    def _some_sa(self, party: Party) -> IkeSa | None:
        living = [sa for sa in party.sas if isinstance(sa.phase, Living)]
        return self.random.choice(living) if living else None

    def _both_ends(self, client: Party) -> tuple[Party, IkeSa | None]:
        party = self.random.choice((client, self.town.gateway))
        return party, self._some_sa(party)

    # ------------------------------------------------------------ what there is to do; the names are those of `Habits`

    def _disconnect(self, client: Party) -> None:
        sa = self._some_sa(client)
        if sa is None:
            return
        self._note(f"{client.name} disconnects")
        user = self.users[client.name]
        user.wants = False
        client.ask(client.host.gateway.terminate(sa.number))  # type: ignore[arg-type]
        self.town.world.clock.callLater(self.random.uniform(0.0, 20.0), setattr, user, "wants", True)

    def _end_at_gateway(self, client: Party) -> None:
        gateway = self.town.gateway
        sa = self._some_sa(gateway)
        if sa is not None:
            self._note(f"the gateway's operator ends {sa.name}")
            gateway.ask(gateway.host.gateway.terminate(sa.number))  # type: ignore[arg-type]

    def _rekey_ike(self, client: Party) -> None:
        party, sa = self._both_ends(client)
        if sa is not None:
            self._note(f"{party.name} rekeys IKE SA {sa.name}")
            party.host.gateway.rekey(sa.number)

    def _rekey_child(self, client: Party) -> None:
        party, sa = self._both_ends(client)
        if sa is not None and sa.children:
            spi = self.random.choice(list(sa.children))
            self._note(f"{party.name} rekeys child {spi.hex()} of {sa.name}")
            party.host.gateway._data_plane_told(SoftExpired(spi))

    def _collide(self, client: Party) -> None:
        """Several things at both ends within the time that a datagram takes."""
        actions = (
            self._rekey_ike,
            self._rekey_child,
            self._rekey_child,
            self._remove_child,
            self._reauthenticate,
        )
        reach = 3 * self.town.plan.faults.latency
        for _ in range(self.random.choice((2, 2, 3))):
            action = self.random.choice(actions)
            self._later(self.random.uniform(0, reach), lambda action=action: action(client))  # type: ignore[misc]

    def _more_children(self, client: Party) -> None:
        """By the client alone: the protocol has no collision of two that create the same, and both would stand."""
        sa = self._some_sa(client)
        newest = sa is not None and sa.successor is None and sa.awaits is None
        if sa is not None and newest and sa.state == "SM_MATURE" and not has_child(sa, MORE):
            self._note(f"{client.name} wants another child in {sa.name}")
            client.ask(client.host.gateway.create_child(sa.number, MORE))  # type: ignore[arg-type]

    def _remove_child(self, client: Party) -> None:
        party, sa = self._both_ends(client)
        if sa is not None and sa.children:
            spi = self.random.choice(list(sa.children))
            self._note(f"child {spi.hex()} of {sa.name} expires at {party.name}")
            party.host.gateway._data_plane_told(HardExpired(spi))

    def _reauthenticate(self, client: Party) -> None:
        sa = self._some_sa(client)
        if sa is not None and sa.successor is None and isinstance(sa.phase, Living):
            self._note(f"{client.name} re-authenticates {sa.name}")
            sa.phase.slot.post(Intent.REAUTH)

    def _vanish(self, client: Party) -> None:
        if client.alive:
            self._note(f"{client.name} loses power")
            client.die()
            self._later(self.random.uniform(1.0, 60.0), lambda: self._return(client))

    def _crash_gateway(self, client: Party) -> None:
        self._vanish(self.town.gateway)

    def _return(self, party: Party) -> None:
        if not party.alive:
            self._note(f"{party.name} boots")
            party.boot()

    def _shut_down_gateway(self, client: Party) -> None:
        """In order, and then it is started anew."""
        gateway = self.town.gateway
        if not gateway.alive:
            return
        self._note("the gateway is shut down")
        stopping, stopped_host = gateway.host.gateway.shutdown(), gateway.host

        def stopped(_: None) -> None:
            if gateway.alive and gateway.host is stopped_host:
                self._note("the gateway has shut down and starts again")
                gateway.die()
                gateway.boot()

        stopping.addCallback(stopped)

    def _reload(self, client: Party) -> None:
        gateway = self.town.gateway
        if not gateway.alive:
            return
        self._note("the gateway's configuration is loaded anew")
        before = gateway.connection
        gateway.connection = evolve(before, half_open_seconds=61.0 - before.half_open_seconds)
        gateway.host.gateway.reload((gateway.connection,))

    def _cut(self, client: Party) -> None:
        there, here = (client.address, self.town.gateway.address), (self.town.gateway.address, client.address)
        pairs = self.random.choice(({there, here}, {there, here}, {there}, {here}))
        self._note(f"cut: {', '.join(f'{a} to {b}' for a, b in sorted(pairs))}")
        self.town.network.cut.update(pairs)
        self._later(self.random.uniform(0.5, 40.0), lambda: self.town.network.cut.difference_update(pairs))

    def _rebind(self, client: Party) -> None:
        nat = self.town.network.nats.get(client.address)
        if nat is not None:
            self._note(f"the NAT of {client.name} forgets it")
            nat.rebind()
