"""What all CHILD SAs of a session have carried: those that are up, those that still receive, and those that are gone."""

from collections.abc import Iterable

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.python.failure import Failure

from ikegw.ports import DataPlane, DataPlaneError, Usage


def added(one: Usage, other: Usage) -> Usage:
    """Both together; `last_inbound` is that of the one that received last."""
    heard = [usage.last_inbound for usage in (one, other) if usage.last_inbound is not None]
    return Usage(
        one.inbound_octets + other.inbound_octets,
        one.inbound_packets + other.inbound_packets,
        one.outbound_octets + other.outbound_octets,
        one.outbound_packets + other.outbound_packets,
        min(heard) if heard else None,
        one.replays + other.replays,
        one.forgeries + other.forgeries,
    )


@define(eq=False)
class Tally:
    """Adds up. Nothing is counted twice, and where the data plane fails to answer, what it told before counts."""

    plane: DataPlane = field(repr=False)
    _gone: Usage = field(factory=Usage, init=False)
    _present: dict[bytes, Usage] = field(factory=dict, init=False)
    """What was last heard of each that is not gone yet, by inbound SPI."""

    _leaving: dict[bytes, bool] = field(factory=dict, init=False)
    """Those whose last counts are awaited: does it only linger?"""

    _closed: Deferred[Usage] | None = field(default=None, init=False)

    def total(self, spis: Iterable[bytes]) -> Deferred[Usage]:
        """The counts by now; `spis` are those that are up. Cancelled: as they are known."""
        for spi in spis:
            self._present.setdefault(spi, Usage())
        asked = [self._ask(spi) for spi in self._present]
        return DeferredList(asked).addCallback(lambda _: self.known)

    def _ask(self, spi: bytes) -> Deferred[None]:
        def told(usage: Usage) -> None:
            if spi in self._present:  # else its last counts were told meanwhile
                self._present[spi] = usage

        return self.plane.usage(spi).addCallbacks(told, _not_told)

    @property
    def known(self) -> Usage:
        """The counts as they were heard last."""
        total = evolve(self._gone, last_inbound=None)
        for usage in self._present.values():
            total = added(total, usage)
        return total

    def leaves(self, spi: bytes, removed: Deferred[Usage | None], *, lingers: bool) -> None:
        """The data plane removes one, and `removed` will tell its last counts; None where it failed to."""
        self._present.setdefault(spi, Usage())
        self._leaving[spi] = lingers

        def told(usage: Usage | None) -> Usage | None:
            before = self._present.pop(spi, Usage())
            self._gone = added(self._gone, before if usage is None else usage)
            self._leaving.pop(spi, None)
            if self._closed is not None and not self._leaving:
                self._closed.callback(self.known)
            return usage

        removed.addCallback(told)

    def close(self) -> Deferred[Usage]:
        """The session is over: what only lingers ends now; fires with the last counts of all. Cancelled: with what is known."""
        if not self._leaving:
            return succeed(self.known)
        closed: Deferred[Usage] = Deferred(self._give_up)
        self._closed = closed
        for spi, lingers in tuple(self._leaving.items()):
            if lingers:
                self.plane.remove(spi).addErrback(
                    _not_told
                )  # its first Deferred fires too, and is what counts
        return closed

    def _give_up(self, closed: Deferred[Usage]) -> None:
        self._closed = None
        closed.callback(self.known)


def _not_told(failure: Failure) -> None:
    failure.trap(DataPlaneError, CancelledError)  # type: ignore[no-untyped-call]
