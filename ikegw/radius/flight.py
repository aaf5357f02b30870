"""A request in flight: sent, sent again at growing intervals, and ended once (RFC 5080 §2.2.1)."""

from collections.abc import Callable
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ikegw.config.radius import Schedule
from ikegw.ports import Random
from ikegw.radius.packets import Attribute, Code, Reply, Sealed

HURRY_SECONDS = 0.2
"""How long one who seems not to be there is given before he is asked again."""


class Unanswered(Exception):
    """Nobody answered, or nobody could be asked; the text says whom we asked, how often, and for how long."""


@define(eq=False)
class Request:
    """What is asked. `elsewhere`: whoever asks can ask another server, if this one is dead."""

    code: Code
    attributes: tuple[Attribute, ...] = field(repr=False)
    schedule: Schedule
    elsewhere: bool
    answer: "Deferred[Reply]" = field(init=False, repr=False)


class Watcher(Protocol):
    """Who is told how a flight goes. It may stop the flight within each."""

    def waited(self, flight: "Flight") -> None:
        """An interval has passed without an answer."""

    def gave_up(self, flight: "Flight") -> None:
        """The last one has."""


@define(eq=False)
class Flight:
    """One request on its way. `repeats`: it is sent again, as what carries it loses datagrams."""

    request: Request
    sealed: Sealed = field(repr=False)
    repeats: bool
    _carry: Callable[[bytes], None] = field(repr=False)
    _watcher: Watcher = field(repr=False)
    _clock: IReactorTime = field(repr=False)
    _random: Random = field(repr=False)
    began: float = field(default=0.0, init=False)
    sent: int = field(default=0, init=False)
    sent_at: float = field(default=0.0, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False, repr=False)

    def start(self) -> None:
        """Send it for the first time."""
        self.began = self._clock.seconds()
        self._next_interval()
        self.send()

    def send(self) -> None:
        """Send it now: it is its turn, or what was to carry it is gone."""
        self._carry(self.sealed.octets)

    def hurry(self) -> None:
        """Wait no longer than a moment for the answer to what was sent last."""
        timer = self._timer
        if timer is not None and timer.getTime() > self._clock.seconds() + HURRY_SECONDS:
            timer.reset(HURRY_SECONDS)

    def stop(self) -> None:
        """It is over."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _next_interval(self) -> None:
        self.sent += 1
        self.sent_at = self._clock.seconds()
        spread = int.from_bytes(self._random(2), "big") / 65535
        self._timer = self._clock.callLater(self.request.schedule.wait(self.sent, spread), self._elapsed)

    def _elapsed(self) -> None:
        self._timer = None
        if self.sent == self.request.schedule.tries:
            self._watcher.gave_up(self)
            return
        self._next_interval()
        if self.repeats:
            self.send()
        self._watcher.waited(self)
