"""A data plane that takes its time, as a process or a kernel does: what was asked for may be unwanted when it is there."""

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ikegw.dataplane.memory import MemoryPlane
from ikegw.paths import Path
from ikegw.ports import Random, TunnelSa

T = TypeVar("T")


class SlowPlane(MemoryPlane):
    """`MemoryPlane` that answers `delay` seconds later. What was cancelled meanwhile is given back."""

    delay = 0.0

    def __init__(self, clock: IReactorTime, random: Random, worker: int = 0) -> None:
        super().__init__(clock, random, worker)
        self._time = clock

    def _later(self, action: Callable[[], Deferred[T]], given_up: Callable[[], None]) -> Deferred[T]:
        if not self.delay:
            return action()

        def give_up(_: Deferred[T]) -> None:
            call.cancel()
            given_up()

        waited: Deferred[T] = Deferred(give_up)
        call = self._time.callLater(self.delay, lambda: action().chainDeferred(waited))
        return waited

    def allocate_spi(self, path: Path) -> Deferred[bytes]:
        """See `ports.DataPlane`."""
        return self._later(lambda: MemoryPlane.allocate_spi(self, path), lambda: None)

    def install(self, sa: TunnelSa) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._later(lambda: MemoryPlane.install(self, sa), lambda: self.release_spi(sa.inbound_spi))
