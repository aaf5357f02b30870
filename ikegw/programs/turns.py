"""Work that waits for its turn: what belongs together one after the other, and all in all not too much at a time."""

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class GivenUp(Exception):
    """Nobody waits any more for jobs; the text says how many ran and waited."""


@define(eq=False)
class Turns(Generic[K, T]):
    """At most `at_once` jobs run; of those with the same key one, in the order in which they came."""

    at_once: int
    _waiting: deque[tuple[K, Callable[[], Deferred[T]], Deferred[T]]] = field(factory=deque, init=False)
    _running: dict[K, Deferred[Any]] = field(factory=dict, init=False)
    _idle: list[Deferred[None]] = field(factory=list, init=False)

    def take(self, key: K, job: Callable[[], Deferred[T]]) -> Deferred[T]:
        """Begin `job` when it is its turn; fires as it does."""
        result: Deferred[T] = Deferred()
        self._waiting.append((key, job, result))
        self._begin()
        return result

    def idle(self) -> Deferred[None]:
        """Fires when no job runs or waits. Cancelled: those that wait never begin, those that run are cancelled; GivenUp."""
        if not self._running and not self._waiting:
            return succeed(None)
        idle: Deferred[None] = Deferred(self._give_up)
        self._idle.append(idle)
        return idle

    def _begin(self) -> None:
        while len(self._running) < self.at_once:
            found = next((each for each in self._waiting if each[0] not in self._running), None)
            if found is None:
                return
            self._waiting.remove(found)
            key, job, result = found
            self._running[key] = running = job()
            running.addBoth(self._ended, key, result)

    def _ended(self, outcome: "T | Failure", key: K, result: Deferred[T]) -> None:
        # A job may have ended before it was known to run.
        self._running.pop(key, None)
        if isinstance(outcome, Failure):
            result.errback(outcome)
        else:
            result.callback(outcome)
        self._begin()
        if not self._running and not self._waiting:
            idle, self._idle = self._idle, []
            for one in idle:
                if not one.called:
                    one.callback(None)

    def _give_up(self, idle: Deferred[None]) -> None:
        waiting, running = len(self._waiting), tuple(self._running.values())
        idle.errback(GivenUp(f"{len(running)} were ended, {waiting} never begun"))
        self._waiting.clear()
        for one in running:
            one.cancel()
