"""What a host of the simulation has of the world, and loses when it dies: its timers, as if its power were cut."""

from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

_PRUNED_AT = 64


@implementer(IReactorTime)
class MortalClock:
    """The one clock as one host sees it."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._calls: list[IDelayedCall] = []
        self._prune_at = _PRUNED_AT

    def seconds(self) -> float:
        """See `IReactorTime`."""
        return self._clock.seconds()

    def callLater(  # noqa: N802 - Twisted's name
        self,
        delay: float,
        callable: Callable[..., object],  # noqa: A002
        *args: object,
        **kwargs: object,
    ) -> IDelayedCall:
        """See `IReactorTime`."""
        call = self._clock.callLater(delay, callable, *args, **kwargs)
        self._calls.append(call)
        if len(self._calls) > self._prune_at:
            self._calls = [one for one in self._calls if one.active()]
            self._prune_at = 2 * len(self._calls) + _PRUNED_AT
        return call

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:  # noqa: N802
        """See `IReactorTime`: this host's."""
        return [call for call in self._calls if call.active()]

    def die(self) -> None:
        """Nothing that this host planned happens any more."""
        for call in self.getDelayedCalls():
            call.cancel()
        self._calls.clear()
