"""All that goes between us and one port of one server: as many requests at a time as are allowed, each a Deferred."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from ikegw.config.radius import RadiusServer, Schedule, Service
from ikegw.events import AaaServerBack, AaaServerDead, Publish, ServerAnswered, ServerSilent
from ikegw.machines.tracing import state_of
from ikegw.ports import Random
from ikegw.radius.flight import Flight, Request, Unanswered
from ikegw.radius.lane import Lane
from ikegw.radius.link import OpenLink
from ikegw.radius.liveness import Liveness, LivenessMachine
from ikegw.radius.packets import AUTHENTICATOR_OCTETS, Attribute, BadReply, Code, Reply, Why, seal

KIND = "radius"
"""What kind of server events tell of."""

PROBE = Schedule(first=1.0, tries=3, longest=1.0)
"""How a server that is silent is asked whether it lives (RFC 5997 §4.2)."""

LEAVING_AT_ONCE, LEAVING_PAUSE = 32, 0.001
"""Of those that leave a dead server, each of which takes some 0.3 ms to ask the next one; and seconds between two such crowds."""

SUSPICIONS: Final[Mapping[Why, str]] = {
    Why.UNSIGNED: "an answer carries no Message-Authenticator (CVE-2024-3596): update it, have it sign rejections too "
    "(FreeRADIUS: `eap` in Post-Auth-Type REJECT), or set `old` if you trust the way to it",
    Why.PROXY_STATE: "an answer carries a Proxy-State that we never sent: a proxy on the way must take out its own",
    Why.FORGED: "answers came that its secret does not fit: is it the same at both ends?",
}
"""What was dropped may be why nothing is answered. Anybody can forge, so that is believed only if there is nothing else."""


@define(eq=False)
class Association:
    """One port of one server.

    `counts` says what became of packets: `requests`, `answered`, `unanswered`, `overloaded`, `unreachable`, and of
    those that were dropped, the words of `packets.Why`.
    """

    server: RadiusServer
    service: Service
    _open_link: OpenLink = field(repr=False)
    _clock: IReactorTime = field(repr=False)
    _random: Random = field(repr=False)
    _publish: Publish = field(repr=False)
    counts: Counter[str] = field(factory=Counter, init=False)
    _lanes: list[Lane] = field(factory=list, init=False, repr=False)
    _flying: dict[Request, tuple[Lane, int]] = field(factory=dict, init=False, repr=False)
    _waiting: deque[Request] = field(factory=deque, init=False, repr=False)
    _heard_at: float = field(default=float("-inf"), init=False)
    _suspicion: str = field(default="", init=False)
    _probe: "Request | None" = field(default=None, init=False, repr=False)
    _rest: IDelayedCall | None = field(default=None, init=False, repr=False)
    _leaving: IDelayedCall | None = field(default=None, init=False, repr=False)
    _liveness: Liveness = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._liveness = LivenessMachine(self)

    def __str__(self) -> str:
        return f"{self.server.name} ({self.server.endpoint(self.service)})"

    @property
    def standing(self) -> str:
        """The state of its liveness: ALIVE, SUSPECT, DEAD, DEAD_ASKED or CLOSED."""
        return state_of(self._liveness)

    @property
    def is_alive(self) -> bool:
        """It is not known to be dead."""
        return not self.standing.startswith("DEAD")

    @property
    def load(self) -> int:
        """How many requests are in flight, or wait to be."""
        return len(self._flying) + len(self._waiting)

    def request(
        self, code: Code, attributes: tuple[Attribute, ...], *, elsewhere: bool = False
    ) -> "Deferred[Reply]":
        """Ask, and fire with the authentic answer; cancelling forgets the request.

        Errback Unanswered, at once if too many wait already; BadReply; ValueError for attributes that no packet can hold.
        `elsewhere`: another server can be asked, so give up as soon as this one is found dead, and if it is, after one try.
        """
        schedule = self.server.schedule
        if elsewhere and not self.is_alive:
            schedule = evolve(schedule, tries=1)
        request = self._make(code, attributes, schedule, elsewhere)
        if self.standing == "CLOSED":
            request.answer.errback(Unanswered(self._closed()))
        elif len(self._flying) < self.server.most_in_flight:
            self._launch(request)
        elif len(self._waiting) < self.server.most_waiting:
            self._waiting.append(request)
        else:
            self.counts["overloaded"] += 1
            text = f"{self}: {len(self._flying)} requests are in flight and {len(self._waiting)} wait already"
            request.answer.errback(Unanswered(text))
        return request.answer

    def close(self) -> None:
        """Close every socket; whatever waits fails, and whatever is still asked."""
        self._liveness.close()

    # ------------------------------------------------------------ requests out

    def _make(
        self, code: Code, attributes: tuple[Attribute, ...], schedule: Schedule, elsewhere: bool
    ) -> Request:
        request = Request(code, attributes, schedule, elsewhere)
        request.answer = Deferred(lambda _: self._forget(request))
        return request

    def _launch(self, request: Request) -> None:
        lane = self._lane()
        try:
            sealed = seal(
                request.code,
                lane.next_identifier(),
                self._random(AUTHENTICATOR_OCTETS),
                self.server.secret,
                request.attributes,
            )
        except ValueError:
            request.answer.errback()
            return
        self.counts["requests"] += 1
        link = lane.link
        flight = Flight(request, sealed, not link.reliable, link.send, self, self._clock, self._random)
        self._flying[request] = lane, lane.assign(flight)
        flight.start()

    def _lane(self) -> Lane:
        """One with a free identifier; for more than 256 requests at a time, more links are needed than one."""
        for lane in self._lanes:
            if not lane.full:
                return lane
        lane = Lane(self, self.server.old)
        lane.open(self._open_link)
        self._lanes.append(lane)
        return lane

    def _forget(self, request: Request) -> None:
        """It is over, however it ends; whoever waits longest is next."""
        if request not in self._flying:
            self._waiting.remove(request)
            return
        lane, identifier = self._flying.pop(request)
        lane.land(identifier)
        while self._waiting and len(self._flying) < self.server.most_in_flight:
            self._launch(self._waiting.popleft())

    def _fail(self, requests: list[Request], text: str) -> None:
        for request in requests:
            if not request.answer.called:
                self._forget(request)
                request.answer.errback(Unanswered(text))

    # ------------------------------------------------------------ what lanes and flights tell

    def answered(self, flight: Flight, answer: Reply | BadReply) -> None:
        """See `lane.Dispatcher`."""
        self.counts["answered"] += 1
        self._heard_at = self._clock.seconds()
        self._suspicion = ""
        self._liveness.answered()
        request = flight.request
        if request.answer.called:  # a probe, which `answered` has ended
            return
        self._publish(ServerAnswered(KIND, self.server.name, self._heard_at - flight.began))
        self._forget(request)
        if isinstance(answer, BadReply):
            request.answer.errback(BadReply(f"{self} sent {answer}"))
        else:
            request.answer.callback(answer)

    def dropped(self, why: Why) -> None:
        """See `lane.Dispatcher`."""
        self.counts[why.value] += 1
        if why in SUSPICIONS and (why is not Why.FORGED or not self._suspicion):
            self._suspicion = SUSPICIONS[why]

    def connected(self) -> None:
        """See `lane.Dispatcher`."""
        self._liveness.rested()

    def unreachable(self, lane: Lane, why: str) -> None:
        """See `lane.Dispatcher`. Anybody may have caused it, so it does not end anything: it makes us look sooner."""
        self.counts["unreachable"] += 1
        self._suspicion = why
        for flight in lane.flights.values():
            if flight.request.code is Code.STATUS_SERVER:
                flight.hurry()
        self._liveness.unanswered()

    def waited(self, flight: Flight) -> None:
        """See `flight.Watcher`."""
        if self._heard_at < flight.began:
            self._liveness.unanswered()

    def gave_up(self, flight: Flight) -> None:
        """See `flight.Watcher`."""
        self.counts["unanswered"] += 1
        request, seconds = flight.request, self._clock.seconds() - flight.began
        if request.code is not Code.STATUS_SERVER:
            self._publish(ServerSilent(KIND, self.server.name))
        silent = self._heard_at < flight.began
        because = f": {self._suspicion}" if self._suspicion else ""
        tries = "once" if flight.sent == 1 else f"{flight.sent} times"
        self._fail([request], f"{self} did not answer, asked {tries} in {seconds:.0f} s{because}")
        if silent:
            self._liveness.gave_up()

    # ------------------------------------------------------------ what the liveness machine has done (`liveness.Driver`)

    def ask_status(self) -> None:
        """Send Status-Server, beside whatever else is in flight."""
        if not self.server.status_server:
            return
        self._probe = self._make(Code.STATUS_SERVER, (), PROBE, elsewhere=False)
        self._probe.answer.addErrback(_of_a_probe)
        self._launch(self._probe)

    def ask_no_more(self) -> None:
        """Whatever its status was to tell is known."""
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.answer.cancel()
        rest, self._rest = self._rest, None
        if rest is not None and rest.active():
            rest.cancel()

    def declare_dead(self) -> None:
        """Those that can ask elsewhere do it now; others go on asking here, for here their dialogue is known."""
        why = self._suspicion or "it does not answer"
        self._publish(AaaServerDead(self.server.name, self.server.endpoint(self.service), why))
        self.look_again()
        for lane in self._lanes:
            lane.link.renew()
        self._leave(f"{self} is dead: {why}")

    def _leave(self, text: str) -> None:
        """So many in a turn of the reactor that nobody else has to wait for them."""
        leaving = [request for request in (*self._waiting, *self._flying) if request.elsewhere]
        self._fail(leaving[:LEAVING_AT_ONCE], text)
        more = len(leaving) > LEAVING_AT_ONCE
        self._leaving = self._clock.callLater(LEAVING_PAUSE, self._leave, text) if more else None

    def look_again(self) -> None:
        """After about `probe_seconds`."""
        spread = int.from_bytes(self._random(2), "big") / 65535
        self._rest = self._clock.callLater(
            self.server.probe_seconds * (0.9 + 0.2 * spread), self._liveness.rested
        )

    def ask_status_of_dead(self) -> None:
        """See `Driver`."""
        if self.server.status_server:
            self.ask_status()
        else:
            self._liveness.to_be_tried()

    def declare_alive(self) -> None:
        """See `Driver`."""
        self._publish(AaaServerBack(self.server.name, self.server.endpoint(self.service)))

    def let_go(self) -> None:
        """See `Driver`."""
        leaving, self._leaving = self._leaving, None
        if leaving is not None:
            leaving.cancel()
        self._fail([*self._waiting, *self._flying], self._closed())
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            lane.link.close()

    def _closed(self) -> str:
        return f"{self} is no longer configured"


def _of_a_probe(failure: Failure) -> Failure | None:
    """The machine knows already what it means."""
    return None if isinstance(failure.value, (Unanswered, BadReply, CancelledError)) else failure
