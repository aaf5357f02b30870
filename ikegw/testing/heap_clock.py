"""A clock for thousands of timers: Twisted's own sorts them all at every call, and runs what is late at the end of a step."""

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock

_Entry = tuple[float, int, DelayedCall]


class HeapClock(Clock):
    """`task.Clock` on a heap: each call runs at its own time, those of one time in the order in which they were made."""

    def __init__(self) -> None:
        super().__init__()
        self._heap: list[_Entry] = []
        self._made = 0
        self._cancelled = 0

    def callLater(  # noqa: N802 - Twisted's name
        self,
        delay: float,
        callable: Callable[..., object],  # noqa: A002
        *args: object,
        **kw: object,
    ) -> IDelayedCall:
        """See `IReactorTime`."""
        call = DelayedCall(
            self.rightNow + max(delay, 0.0), callable, args, kw, self._cancel, self._push, self.seconds
        )
        self._push(call)
        return call

    def _push(self, call: DelayedCall) -> None:
        self._made += 1
        heappush(self._heap, (call.getTime(), self._made, call))

    def _cancel(self, call: DelayedCall) -> None:
        self._cancelled += 1
        if self._cancelled > 1000 and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].active()]
            heapify(self._heap)
            self._cancelled = 0

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:  # noqa: N802
        """See `IReactorTime`; each call once."""
        return list({id(call): call for _, _, call in self._heap if call.active()}.values())

    def advance(self, amount: float) -> None:
        """Let so many seconds pass; what is due runs at its own time."""
        end = self.rightNow + amount
        while self._heap and self._heap[0][0] <= end:
            self.run_next()
        self.rightNow = end

    def run_next(self) -> None:
        """Go to the next call and run it; one that was cancelled or put off does nothing."""
        due, _, call = heappop(self._heap)
        if not call.active():
            return
        if call.getTime() > due:
            self._push(call)
            return
        self.rightNow = max(self.rightNow, due)
        call.called = 1
        call.func(*call.args, **call.kw)
