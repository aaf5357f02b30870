"""Beginning IKE SAs that are to stand without anybody asking: again after a failure, as often as the connection says."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.policy.connections import Connection
from ikegw.ports import Random
from ikegw.session import SaName

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0


@define(eq=False)
class Calling:
    """Calls peers. `configured` says whether a connection still is as it was; with another one nobody is called again."""

    clock: IReactorTime = field(repr=False)
    random: Random = field(repr=False)
    configured: Callable[[Connection], bool] = field(repr=False)
    _timers: dict[str, IDelayedCall] = field(factory=dict, init=False, repr=False)

    _log = Logger()

    def call(self, connection: Connection, begin: Callable[[], Deferred[SaName]]) -> None:
        """Have `begin` begin it, until it comes up or `connection.tries` (0: for ever) are over; each pause is longer."""
        self.stop_calling(connection.name)
        self._try(connection, begin, 1)

    def stop_calling(self, name: str) -> None:
        """Do not begin the connection of that name again."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def stop(self) -> None:
        """Begin nothing again."""
        for name in tuple(self._timers):
            self.stop_calling(name)

    def _try(self, connection: Connection, begin: Callable[[], Deferred[SaName]], number: int) -> None:
        def failed(failure: Failure) -> None:
            why = failure.getErrorMessage()
            if not self.configured(connection) or number == connection.tries:
                self._log.error("{name}: {reason}", name=connection.name, reason=why)
                return
            pause = self._pause(number)
            again = "{name}: {reason}; begun again in {pause:.0f} s"
            self._log.error(again, name=connection.name, reason=why, pause=pause)
            self._timers[connection.name] = self.clock.callLater(pause, retry)

        def retry() -> None:
            del self._timers[connection.name]
            if self.configured(connection):
                self._try(connection, begin, number + 1)

        begin().addErrback(failed)

    def _pause(self, number: int) -> float:
        most = min(FIRST_PAUSE * 2.0 ** min(number - 1, 10), LONGEST_PAUSE)
        return most * (0.75 + int.from_bytes(self.random(2), "big") / 65536 / 4)
