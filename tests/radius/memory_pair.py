"""An association with a server in memory, on a simulated clock, and what becomes of what it is asked."""

from collections.abc import Callable
from ipaddress import ip_address
from random import Random
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ikegw.config.radius import RadiusServer, Service
from ikegw.events import AaaServerBack, AaaServerDead, Event
from ikegw.radius.association import Association
from ikegw.radius.packets import Attribute, Code
from ikegw.testing.radius import Asked, MemoryServer

ALICE: tuple[Attribute, ...] = (("User-Name", "alice"),)


@define
class Answer:
    """What became of a Deferred."""

    deferred: "Deferred[Any]"
    results: list[Any] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.deferred.addBoth(self.results.append)

    @property
    def value(self) -> Any:
        (result,) = self.results
        assert not isinstance(result, Failure), result
        return result

    @property
    def error(self) -> Exception:
        (result,) = self.results
        assert isinstance(result, Failure), result
        assert isinstance(result.value, Exception)
        return result.value

    @property
    def waits(self) -> bool:
        return not self.results


@define
class Pair:
    """An association and its server."""

    clock: Clock
    server: MemoryServer
    association: Association
    events: list[Event]

    @property
    def told(self) -> list[tuple[bool, str]]:
        """Whether the server was found dead (False) or alive again, and why, each time."""
        found = [event for event in self.events if isinstance(event, AaaServerDead | AaaServerBack)]
        return [(False, e.reason) if isinstance(e, AaaServerDead) else (True, "") for e in found]

    def ask(
        self, *attributes: Attribute, code: Code = Code.ACCESS_REQUEST, elsewhere: bool = False
    ) -> Answer:
        return Answer(self.association.request(code, attributes or ALICE, elsewhere=elsewhere))

    def pump(self, seconds: float) -> None:
        self.clock.pump([0.1] * round(seconds * 10))


MakePair = Callable[..., Pair]


def make_pair(**settings: Any) -> Pair:
    server, events, clock = (
        MemoryServer(reliable=settings.pop("reliable", False)),
        list[Event](),
        Clock(),
    )
    association = Association(
        RadiusServer("one", ip_address("192.0.2.1"), server.secret, **settings),
        Service.AUTHENTICATION,
        server.open,
        clock,
        Random(1).randbytes,
        events.append,
    )
    return Pair(clock, server, association, events)


def accept(asked: Asked) -> None:
    asked.answer(Code.ACCESS_ACCEPT)


def answer_status(asked: Asked) -> None:
    if asked.code is Code.STATUS_SERVER:
        accept(asked)
