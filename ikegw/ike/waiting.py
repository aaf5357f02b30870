"""What an IKE SA waits for: timers by name, and Deferreds; all of it ends when the IKE SA does."""

from collections.abc import Callable
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from ikegw.ike.surroundings import Surroundings

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


@define(eq=False)
class Waiting:
    """Timers and Deferreds of one IKE SA."""

    surroundings: Surroundings = field(repr=False)
    _timers: dict[str, IDelayedCall] = field(factory=dict, init=False, repr=False)
    _waiting: set[Deferred[Any]] = field(factory=set, init=False, repr=False)

    def arm(self, name: str, seconds: float, elapsed: Callable[[], None]) -> None:
        """Start the timer called `name`, anew if it runs already."""
        self.disarm(name)

        def fired() -> None:
            del self._timers[name]
            elapsed()

        self._timers[name] = self.surroundings.clock.callLater(seconds, fired)

    def armed(self, name: str) -> bool:
        """Is the timer called `name` running?"""
        return name in self._timers

    def disarm(self, name: str) -> None:
        """Stop the timer called `name`, if it runs."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def wait_for(
        self,
        waited: Deferred[T],
        done: Callable[[T], None],
        expected: type[E] | tuple[type[E], ...],
        failed: Callable[[E], None],
        unwanted: Callable[[T], object] | None = None,
    ) -> None:
        """Go on with `done` when `waited` fires, or with `failed` if it fails as `expected`; other failures are our own fault.

        If the IKE SA ends before, `waited` is cancelled and neither is called; what comes all the same goes to `unwanted`.
        """
        self._waiting.add(waited)

        def settled(result: Any) -> None:
            if waited not in self._waiting:
                if unwanted is not None and not isinstance(result, Failure):
                    unwanted(result)
                return
            self._waiting.discard(waited)
            if not isinstance(result, Failure):
                done(result)
            elif isinstance(result.value, expected):
                failed(result.value)
            else:
                self.broke(result)

        waited.addBoth(settled).addErrback(self.broke)

    def give_up(self, waited: Deferred[Any]) -> None:
        """Wait for this one no more: it is cancelled, and whatever comes of it is not heard."""
        if waited in self._waiting:
            self._waiting.discard(waited)
            waited.cancel()

    def wait_no_more(self) -> None:
        """Stop every timer, cancel every Deferred."""
        for name in tuple(self._timers):
            self.disarm(name)
        waiting, self._waiting = self._waiting, set()
        for waited in waiting:
            waited.cancel()

    def broke(self, failure: Failure) -> None:
        """A fault of ours while working for this IKE SA."""
        raise NotImplementedError
