"""What waits in the kernel for an SA: a packet that met a policy without one. While it waits, no other packet is told of."""

from typing import Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ikegw.dataplane.admission import QUIET_SECONDS
from ikegw.dataplane.xfrm import encoding
from ikegw.dataplane.xfrm.ours import IF_ID
from ikegw.dataplane.xfrm.reading import readable
from ikegw.dataplane.xfrm.requests import Outcome, Requests
from ikegw.dataplane.xfrm.values import Acquire, StateReport

_NAMING: Final = range(0x100, 0x200)
"""SPIs for what waits: without one it cannot be named, and so not be removed."""


@define(eq=False)
class Larvae:
    """Those that wait for one of our reqids. Each is given up after some seconds, so that the next packet is told of."""

    clock: IReactorTime
    requests: Requests
    _waiting: dict[int, tuple[IDelayedCall, Acquire]] = field(factory=dict)

    def told(self, met: Acquire) -> None:
        """The kernel told of one; it has thirty seconds for its SA, of which we let it have two."""
        self.give_up(met.reqid)
        call = self.clock.callLater(QUIET_SECONDS, self.give_up, met.reqid)
        self._waiting[met.reqid] = (call, met)

    def give_up(self, reqid: int) -> "Deferred[list[Outcome]] | None":
        """Remove what waits for this reqid, if something does."""
        call, met = self._waiting.pop(reqid, (None, None))
        if call is None or met is None:
            return None
        if call.active():
            call.cancel()
        ends = (met.source, met.destination)
        asked = self.requests.ask([encoding.allocate_spi(*ends, reqid, met.sequence, _NAMING, IF_ID)])

        def named(outcomes: list[Outcome]) -> "Deferred[list[Outcome]]":
            waiting = [each.id for each in readable(outcomes) if isinstance(each, StateReport)]
            return self.requests.ask([encoding.delete_state(each) for each in waiting])

        return asked.addCallback(named)

    def give_up_all(self) -> None:
        """Remove all that waits."""
        for reqid in tuple(self._waiting):
            self.give_up(reqid)
