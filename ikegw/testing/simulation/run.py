"""One seed, one run: rounds of trouble, after each of which everything comes to rest, and in the end everyone leaves."""

from random import Random as Generator

from attrs import define, evolve, field, frozen
from twisted.logger import LogEvent, globalLogPublisher

from ikegw.dataplane.matching import InnerPacket
from ikegw.events import ChildRekeyed, Event, IkeRekeyed, IkeUp
from ikegw.ike.roaming import SETTLING_SECONDS
from ikegw.testing.simulation.faults import Faults, Plan, dice
from ikegw.testing.simulation.invariants import Doubles, OneEnd, Violation, disagreement, of_client, remains
from ikegw.testing.simulation.ladder import Ladder
from ikegw.testing.simulation.party import Party
from ikegw.testing.simulation.people import Trouble, User
from ikegw.testing.simulation.town import Town

STEP = 1.0
"""Seconds between two looks at everything."""

REST_SECONDS = 180.0
"""How long after the wire healed everything must be at rest: liveness check, retransmission, guard time and TIMEOUT in a row."""

FLOW_SECONDS, FLOW_EVERY = 5.0, 0.25
FLOWS = 20
"""So many clients send at the most: the model of the data plane looks through all its SAs for each packet."""

COUNTED = (IkeUp, IkeRekeyed, ChildRekeyed)


@frozen
class Outcome:
    """What came of a run. `violation` is '' if all held; `digest` is of every datagram and event in order."""

    seed: int
    violation: str
    digest: str
    seconds: float
    counts: dict[str, int]
    story: tuple[tuple[float, str], ...] = field(default=(), repr=False)
    """What was done to the hosts and, if asked for, the wire's ladder."""


@define(eq=False)
class Simulation:
    """A plan, running."""

    plan: Plan
    watched: bool = False
    town: Town = field(init=False)
    trouble: Trouble = field(init=False, repr=False)
    users: dict[str, User] = field(init=False, repr=False)
    counts: dict[str, int] = field(init=False)
    _ladder: Ladder = field(init=False, repr=False)
    _doubles: Doubles = field(init=False, repr=False)
    _one_end: OneEnd = field(factory=OneEnd, init=False, repr=False)
    _random: Generator = field(init=False, repr=False)
    _broken: list[LogEvent] = field(factory=list, init=False, repr=False)
    _story: list[tuple[float, str]] = field(factory=list, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.town = Town(self.plan, self._heard)
        self._random = dice(self.plan.seed + 3)
        self.counts = dict.fromkeys((kind.__name__ for kind in COUNTED), 0)
        self.users = {party.name: User(party, self._random) for party in self.town.clients}
        self.trouble = Trouble(self.town, self.users, self.plan.habits, self._random)
        self._doubles = Doubles(self.town)
        self._ladder = Ladder(self.town)

    def _heard(self, party: Party, event: Event) -> None:
        self._one_end.hear(party, event)
        if isinstance(event, COUNTED):
            self.counts[type(event).__name__] += 1

    def run(self) -> Outcome:
        """From boot to the end; whatever breaks is in the outcome."""
        globalLogPublisher.addObserver(self._logged)  # type: ignore[arg-type]
        if self.watched:
            self._ladder.begin()
        violation = ""
        try:
            self._live()
        except Violation as error:
            violation = str(error)
        except Exception as error:  # noqa: BLE001 - what a timer raised is a finding like any other
            violation = f"raised {type(error).__name__}: {error}"
        finally:
            globalLogPublisher.removeObserver(self._logged)  # type: ignore[arg-type]
        network = self.town.network
        story = sorted([*self.trouble.log, *self._story, *self._ladder.lines])
        seconds = self.town.world.clock.seconds()
        return Outcome(
            self.plan.seed, violation, network.digest.hexdigest(), seconds, dict(self.counts), tuple(story)
        )

    def _logged(self, event: LogEvent) -> None:
        if "log_failure" in event:
            self._broken.append(event)

    def _live(self) -> None:
        for party in self.town.parties:
            party.boot()
        for user in self.users.values():
            user.begin()
        for _ in range(self.plan.rounds):
            self._suffer()
            self._rest()
            self._flow()
        self._leave()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and look at everything every step of the way."""
        for _ in range(round(seconds / STEP)):
            self.town.world.clock.advance(STEP)
            self._look()

    def _look(self) -> None:
        if self._broken:
            failure = self._broken[0]["log_failure"]
            raise Violation(f"internal error: {failure.getErrorMessage()}\n{failure.getTraceback()}")
        self._doubles.check()
        self._one_end.check()

    def _note(self, what: str) -> None:
        self._story.append((self.town.world.clock.seconds(), f"---- {what}"))

    # ------------------------------------------------------------ the parts of a run

    def _suffer(self) -> None:
        self._note("trouble begins")
        self.town.network.faults = self.plan.faults
        self.town.trouble_server(self.plan.lease_failures)
        self.town.mood.share = self.plan.login_failures
        self.trouble.begin()
        self.pass_time(self.plan.trouble)
        self.trouble.stop()

    def _heal(self) -> None:
        self.town.trouble_server(0.0)
        self.town.mood.share = 0.0
        self.town.network.faults = Faults(latency=self.plan.faults.latency, spread=0.0)
        self._note("the wire heals")

    def _rest(self) -> None:
        self._heal()
        waiting = list(self.town.clients)
        for _ in range(round(REST_SECONDS / STEP)):
            self.pass_time(STEP)
            waiting = [client for client in waiting if disagreement(self.town.gateway, client)]
            if not waiting:
                self._note("at rest")
                self._check_leases()
                return
        why = "; ".join(f"{client.name}: {disagreement(self.town.gateway, client)}" for client in waiting)
        raise Violation(f"not at rest {REST_SECONDS:.0f} s after the wire healed: {why}")

    def _check_leases(self) -> None:
        """Every address in use is one that the server still lends, each to one client."""
        if self.town.server is not None:
            # A client that authenticates anew has its address in both sessions for a moment.
            held = {
                (sa.lease.token, sa.remote_identity) for sa in self.town.gateway.sas if sa.lease is not None
            }
            tokens = [token for token, _ in held]
            if not all(map(self.town.server.stands, tokens)) or len(set(tokens)) < len(tokens):
                raise Violation(f"addresses are used that are not lent, or lent twice: {held}")

    def _flow(self) -> None:
        """Traffic both ways for a while: a packet lost on a perfect wire is a fault, also while keys are renewed."""
        arrived: set[int] = set()

        def came(packet: InnerPacket) -> None:
            high, low = packet.ports or (0, 0)
            arrived.add(high << 16 | low)

        self._speak_from_behind_nats()
        for party in self.town.parties:
            party.arrived = came
        sent: dict[int, tuple[str, str]] = {}
        renewed: set[str] = set()
        for _ in range(round(FLOW_SECONDS / FLOW_EVERY)):
            for client in self.town.clients[:FLOWS]:
                self._send_both_ways(client, sent)
                if len({sa.number for sa in client.sas}) > 1 or logs_in(client) or self._is_losing(client):
                    renewed.add(client.name)
            self.town.world.clock.advance(FLOW_EVERY)
            self._look()
        self.pass_time(STEP)
        # Who logs in anew (re-authentication) gets another address, and what the old one had under way goes with it.
        lost = [
            what for number, (name, what) in sent.items() if number not in arrived and name not in renewed
        ]
        if lost:
            raise Violation(f"{len(lost)} of {len(sent)} packets lost on a perfect wire, the first {lost[0]}")

    def _speak_from_behind_nats(self) -> None:
        """A NAT that forgot its mapping lets nothing in until its host speaks: only from then on is a lost packet a fault.

        It speaks for as long as a gateway does not follow ESP after a move.
        """
        natted = [client for client in self.town.clients[:FLOWS] if client.address in self.town.network.nats]
        for _ in range(round(SETTLING_SECONDS / STEP) + 1 if natted else 0):
            for client in natted:
                source = None if logs_in(client) else lent_address(client)
                if source is not None:
                    client.send(source, "10.1.0.9", 0)
            self.pass_time(STEP)

    def _is_losing(self, client: Party) -> bool:
        """Does the gateway end its session, because a server would not renew its lease?"""
        ending = [sa.state in ("SM_TERMINATE", "SM_DYING") for sa in of_client(self.town.gateway, client)]
        return bool(self.plan.lease_failures) and any(ending)

    def _send_both_ways(self, client: Party, sent: dict[int, tuple[str, str]]) -> None:
        gateway, now = self.town.gateway, self.town.world.clock.seconds()
        address = lent_address(client)
        if address is None and (logs_in(client) or self.plan.lease_failures):
            return  # a lease that a server would not renew ended the session just now
        if address is None:
            raise Violation(f"{client.name} has lost its address: {disagreement(gateway, client)}")
        for sender, source, destination in ((client, address, "10.1.0.9"), (gateway, "10.1.0.9", address)):
            number = len(sent)
            state = disagreement(gateway, client) or "at rest"
            sent[number] = client.name, f"from {sender.name} at {now:.3f}: {state}"
            sender.send(source, destination, number)

    def _leave(self) -> None:
        """Everyone leaves, each in a way of their own; a bounded time later nothing is left anywhere."""
        for user in self.users.values():
            user.left = True
        self.town.network.faults = self._random.choice((self.plan.faults, self.town.network.faults))
        self._random.choice((self._users_leave, self._users_leave, self._gateway_stops, self._power_fails))()
        left: dict[str, dict[str, object]] = {}
        for _ in range(round(REST_SECONDS / STEP / 5)):
            self.pass_time(5 * STEP)
            self._leave_what_came_up()
            left = {party.name: found for party in self.town.parties if (found := remains(party))}
            if self.town.leases:
                left["the server of addresses"] = {"leases": self.town.leases}
            if not left:
                self._all_ended()
                return
        raise Violation(f"left behind {REST_SECONDS:.0f} s after everyone left: {left}")

    def _all_ended(self) -> None:
        for party in self.town.parties:
            open_still = self._one_end.never_ended(party) if party.alive else []
            if open_still:
                raise Violation(f"the ends of sessions of {party.name} were never told: {open_still}")

    def _leave_what_came_up(self) -> None:
        """A client that called again by itself, because its gateway was dead, leaves too."""
        for client in self.town.clients:
            for sa in client.sas:
                if sa.state == "SM_MATURE" and sa.successor is None:
                    client.host.gateway.terminate(sa.number).addErrback(lambda _: None)

    def _users_leave(self) -> None:
        self._note("every user disconnects")
        self._leave_what_came_up()

    def _gateway_stops(self) -> None:
        self._note("the gateway is shut down for good")
        self.town.gateway.host.gateway.shutdown()

    def _power_fails(self) -> None:
        dying = self._random.choice(([self.town.gateway], self.town.clients))
        self._note(f"power fails at {', '.join(party.name for party in dying)}")
        for party in dying:
            party.die()


def lent_address(client: Party) -> str | None:
    """The address that it has within the tunnel, if it has one: the newest, for that of a former login lingers."""
    return next((str(one) for sa in reversed(client.host.plane.installed) for one in sa.virtual), None)


def logs_in(client: Party) -> bool:
    """Is a login under way?"""
    return any(sa.up_since is None and sa.awaits is None for sa in client.sas)


def simulate(plan: Plan, *, watched: bool = False) -> Outcome:
    """Run a plan; `watched`: with the wire's ladder in the story."""
    return Simulation(plan, watched).run()


def without_wire_faults(plan: Plan) -> Plan:
    """The same people on a wire that loses nothing: to see whether a failure needs the wire."""
    return evolve(plan, faults=Faults(latency=plan.faults.latency))
