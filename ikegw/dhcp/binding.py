"""One address that a DHCP server binds to one client of ours: what drives Figure 9."""

from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ikegw.config.dhcp import Strategy
from ikegw.dhcp.answers import Answer, Kind
from ikegw.dhcp.dialect import Dialect
from ikegw.dhcp.explaining import Course, Said, ip_of, quoted
from ikegw.dhcp.relay import Relay
from ikegw.events import Publish, ServerAnswered, ServerSilent
from ikegw.machines.lease import Lease, LeaseMachine
from ikegw.machines.tracing import state_of
from ikegw.paths import Address, Endpoint
from ikegw.ports import NoAddress

KIND: Final = "dhcp"
"""What these servers are in events."""
_SOONEST_SECONDS: Final = 1.0
"""No lease is renewed sooner than that, whatever T1 a server sends."""


@frozen
class Patience:
    """Whom we ask and how long we wait for each answer (TIMEOUT1, doubled each time) until TIMEOUT2.

    `name` is that of their table in the configuration.
    """

    name: str
    servers: tuple[Endpoint, ...]
    strategy: Strategy
    timeout_seconds: float
    tries: int
    renewal_tries: int

    def asked(self, sending: int) -> tuple[Endpoint, ...]:
        """Who gets a DHCPDISCOVER the `sending`th time (from 0)."""
        if self.strategy is Strategy.ALL:
            return self.servers
        return (self.servers[sending % len(self.servers)],)


def _among(servers: Iterable[Endpoint], address: Address) -> bool:
    return any(server.address == address for server in servers)


@define(eq=False)
class _Exchange:
    """A message that waits for its answer. Of (seconds elapsed, how often sent) `build` makes its octets and who gets them."""

    number: int
    began: float
    tries: int
    build: Callable[[float, int], tuple[bytes, tuple[Endpoint, ...]]]
    sent: int = 0
    asked: list[Endpoint] = field(factory=list)
    answered: list[Address] = field(factory=list)


@define(eq=False)
class Binding:
    """The driver of one machine. `over` is told when it has ended, in error or in order.

    It has as many holders as there are sessions with this lease, or waiting for it; when the last one leaves, it is released.
    """

    dialect: Dialect
    relay: Relay = field(repr=False)
    patience: Patience = field(repr=False)
    over: Callable[["Binding"], None] = field(repr=False)
    clock: IReactorTime = field(repr=False)
    publish: Publish = field(repr=False)
    holders: int = field(default=0, init=False)
    why: str = field(default="", init=False)
    """Why there is no lease, once there is none."""
    _machine: Lease = field(init=False, repr=False)
    _exchange: _Exchange | None = field(default=None, init=False, repr=False)
    _timer: IDelayedCall | None = field(default=None, init=False, repr=False)
    _waiting: list[Deferred[Answer]] = field(factory=list, init=False, repr=False)
    _heard: Said | None = field(default=None, init=False, repr=False)
    _offer: Said | None = field(default=None, init=False, repr=False)
    _bound: Said | None = field(default=None, init=False, repr=False)
    _since: float = field(default=0.0, init=False, repr=False)
    """When the lease began: its request was sent."""
    _remark: str = field(default="", init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._machine = LeaseMachine(self)

    # ------------------------------------------------------------ for those who hold it

    def begin(self) -> None:
        """Ask for an address."""
        self._machine.begin()

    def join(self) -> Deferred[Answer]:
        """Hold it, and hear of it once it is bound; NoAddress if that fails."""
        self.holders += 1
        return succeed(self._bound[0]) if self._bound is not None else self._wait()

    def renew(self) -> Deferred[Answer]:
        """T1: what it is bound to from now on; NoAddress if that is nothing any more. One renewal serves all who wait for it."""
        if self.why or self._bound is None:
            return fail(NoAddress(self.why or "nothing is leased"))
        if self._bound[0].lease_seconds == inf:
            return succeed(self._bound[0])
        renewed = self._wait()
        if self._exchange is None:
            self._machine.renewal_due()
        return renewed

    def leave(self) -> None:
        """One holder less. Whoever leaves while waiting hears nothing."""
        self.holders -= 1
        if not self.holders and not self.why:
            self._waiting.clear()
            self._machine.client_gone()

    def hurry(self) -> None:
        """Its client is here again, with another binding: what may still come is for that one (row H-18)."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._machine.timeout1()

    @property
    def state(self) -> str:
        """The state of its machine, in the paper's names."""
        return state_of(self._machine)

    @property
    def address(self) -> Address | None:
        """What it is bound to."""
        return None if self._bound is None else ip_of(self._bound[0])

    @property
    def server(self) -> Address | None:
        """Who leased it."""
        return None if self._bound is None else self._bound[1].address

    @property
    def renewal_seconds(self) -> float | None:
        """Until T1, from now; None: never."""
        if self._bound is None or self._bound[0].t1 == inf:
            return None
        return max(self._since + self._bound[0].t1 - self.clock.seconds(), _SOONEST_SECONDS)

    def _wait(self) -> Deferred[Answer]:
        waiting: Deferred[Answer] = Deferred()
        self._waiting.append(waiting)
        return waiting

    # ------------------------------------------------------------ what servers answer

    def knows(self, server: Address) -> bool:
        """`relay.Asker`: whether this is one of our servers."""
        return _among(self.patience.servers, server)

    def answered(self, answer: Answer, server: Endpoint) -> None:
        """`relay.Asker`: rows H-04, H-06, H-11, H-19 have guards; what passes them is an input."""
        if not self.dialect.concerns(answer):
            self.relay.counts["other-client"] += 1
            return
        judged = self._judged(answer, server)
        self._note(answer, server.address)
        if judged is None:
            self.relay.counts["useless"] += 1
            self._remark = f"{server.address} answered with nothing usable" + quoted(answer.text)
            return
        self._heard = answer, server
        judged()

    def _judged(self, answer: Answer, server: Endpoint) -> Callable[[], None] | None:
        """The input that the answer is; None if it must not be one."""
        machine = self._machine
        if answer.kind is Kind.OFFER:
            return machine.offered if answer.server and answer.address else None
        if self._exchange is None or not _among(self._exchange.asked, server.address):
            return None
        awaited = self._bound or self._offer
        if answer.kind is Kind.NAK:
            return machine.refused if awaited is None or server.address == awaited[1].address else None
        if awaited is None:
            return machine.acknowledged  # out of turn: the state discards it
        if answer.lease_seconds is None or not answer.server:
            return None
        if ip_of(answer) == ip_of(awaited[0]):
            chosen = self._bound is not None or answer.server == awaited[0].server
            return machine.acknowledged if chosen else None
        return machine.refused if self._bound is not None else None

    def _note(self, answer: Answer, server: Address) -> None:
        """It answered what it was asked; an offer besides the one that was taken answers nothing any more."""
        exchange = self._exchange
        late = answer.kind is Kind.OFFER and (self._offer or self._bound) is not None
        if exchange is None or late or not _among(exchange.asked, server) or server in exchange.answered:
            return
        exchange.answered.append(server)
        self.publish(ServerAnswered(KIND, self._called(server), self.clock.seconds() - exchange.began))

    def _called(self, server: Address) -> str:
        return f"{self.patience.name} {server}"

    # ------------------------------------------------------------ what the machine has done

    def discover(self) -> None:
        """Row H-01."""
        number = self.relay.begin(self)
        self._ask(
            number,
            self.patience.tries,
            lambda elapsed, sent: (self.dialect.discover(number, elapsed), self.patience.asked(sent)),
        )

    def request(self) -> None:
        """Row H-04: to the server that offered, in the transaction of its offer."""
        assert self._heard is not None and self._exchange is not None  # noqa: S101, PT018 - an offer was heard
        self._offer = offer, server = self._heard
        number = self._exchange.number
        self._ask(
            number,
            self.patience.tries,
            lambda elapsed, _: (self.dialect.request(number, elapsed, offer), (server,)),
        )

    def ask_renewal(self) -> None:
        """Row H-10; the second half of the tries may ask every server, where the family knows rebinding."""
        assert self._bound is not None  # noqa: S101 - the machine was in BOUND
        bound, server = self._bound
        number = self.relay.begin(self)
        tries = self.patience.renewal_tries

        def build(elapsed: float, sent: int) -> tuple[bytes, tuple[Endpoint, ...]]:
            rebind = self.dialect.rebind(number, elapsed, bound) if 2 * sent >= tries else None
            if rebind is not None:
                return rebind, self.patience.servers
            return self.dialect.renew(number, elapsed, bound), (server,)

        self._ask(number, tries, build)

    def send_again(self) -> None:
        """Rows H-02, H-08, H-13."""
        self._send()

    def bound(self) -> None:
        """Rows H-06, H-11: the times run from when it was asked for, so that ours end no later than the server's."""
        assert self._exchange is not None and self._heard is not None  # noqa: S101, PT018 - its answer is here
        self._bound, self._since = self._heard, self._exchange.began
        self._heard = self._offer = None
        answer, _ = self._bound
        self._close()
        self._tell(lambda waiting: waiting.callback(answer))

    def failed(self) -> None:
        """Rows H-03, H-07, H-09, H-12, H-14, H-20."""
        self.why = self._explanation()
        self._complain()
        self._close()
        self.over(self)
        self._tell(lambda waiting: waiting.errback(NoAddress(self.why)))

    def release(self) -> None:
        """Rows H-15, H-16."""
        if self._bound is not None:
            bound, server = self._bound
            self.relay.send(self.dialect.release(self.relay.once(), bound), server)

    def stay_deaf(self) -> None:
        """Row H-18."""
        self._arm(self.patience.timeout_seconds, self._machine.timeout1)

    def release_unwanted(self) -> None:
        """Row H-18: the server leased it all the same."""
        self._bound = self._heard
        self.release()

    def ended(self) -> None:
        """Row H-20."""
        self.why = "it was given back"
        self._close()
        self.over(self)

    def discard(self) -> None:
        """Rows H-05, H-19."""
        self._heard = None
        self.relay.counts["meaningless"] += 1

    # ------------------------------------------------------------ exchanges

    def _ask(
        self, number: int, tries: int, build: Callable[[float, int], tuple[bytes, tuple[Endpoint, ...]]]
    ) -> None:
        self._heard = None
        self._exchange = _Exchange(number, self.clock.seconds(), tries, build)
        self._send()

    def _send(self) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        octets, servers = exchange.build(self.clock.seconds() - exchange.began, exchange.sent)
        exchange.sent += 1
        exchange.asked += servers
        for server in servers:
            self.relay.send(octets, server)
        wait = self.patience.timeout_seconds * 2 ** (exchange.sent - 1)
        self._arm(min(wait, max(self._remaining(), 0.0)), self._look_first)

    def _remaining(self) -> float:
        """Seconds until the lease runs out; endless as long as there is none."""
        if self._bound is None or self._bound[0].lease_seconds is None:
            return inf
        return self._since + self._bound[0].lease_seconds - self.clock.seconds()

    def _look_first(self) -> None:
        """The answer may have come while we were busy: what is in the socket by now is read before anything is sent again."""
        self._arm(0.0, self._unanswered)

    def _unanswered(self) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.sent < exchange.tries and self._remaining() > 0:
            self._machine.timeout1()
        else:
            self._machine.timeout2()

    def _arm(self, seconds: float, elapsed: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()

        self._timer = self.clock.callLater(seconds, self._fired, elapsed)

    def _fired(self, elapsed: Callable[[], None]) -> None:
        self._timer = None
        elapsed()

    def _complain(self) -> None:
        """Of those that were asked and said nothing at all."""
        exchange = self._exchange
        if exchange is not None:
            for server in dict.fromkeys(each.address for each in exchange.asked):
                if server not in exchange.answered:
                    self.publish(ServerSilent(KIND, self._called(server)))

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._exchange is not None:
            self.relay.end(self._exchange.number)
            self._exchange = None

    def _tell(self, tell: Callable[[Deferred[Answer]], None]) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            tell(each)

    def _explanation(self) -> str:
        exchange = self._exchange
        return Course(
            self.dialect.family,
            self.patience.servers,
            self.clock.seconds() - exchange.began if exchange is not None else 0.0,
            self._heard,
            self._offer,
            self._bound,
            self._remaining() <= 0,
            self._remark,
        ).why()
