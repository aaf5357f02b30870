"""What CHILD SAs carry, asked of the data plane a few at a time: with many sessions the answers are older, not dearer."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from ikegw.events import ChildDown, ChildUp, Event
from ikegw.ports import DataPlane, Usage

EVERY_SECONDS: Final = 1.0
MOST_ASKED: Final = 50


@define(eq=False)
class Traffic:
    """Hears of every CHILD SA from the start, and knows the latest counts of each, and of all together."""

    HEARS: ClassVar[tuple[type[Event], ...]] = (ChildUp, ChildDown)

    plane: DataPlane
    clock: IReactorTime
    trouble: Mapping[str, int] = field(factory=dict, init=False)
    """The data plane's `counts`."""

    _known: dict[bytes, tuple[int, int]] = field(factory=dict, init=False, repr=False)
    _ended: tuple[int, int] = field(default=(0, 0), init=False)
    _asking: set[bytes] = field(factory=set, init=False, repr=False)
    _counting: bool = field(default=False, init=False)
    _next: int = field(default=0, init=False)
    _ticking: LoopingCall = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._ticking = LoopingCall(self._ask)
        self._ticking.clock = self.clock

    def start(self) -> None:
        """Ask from now on."""
        self._ticking.start(EVERY_SECONDS)

    def stop(self) -> None:
        """Ask no more."""
        if self._ticking.running:
            self._ticking.stop()

    def publish(self, event: Event) -> None:
        """A CHILD SA came up, or went, with what it carried in all."""
        if isinstance(event, ChildUp):
            self._known[event.inbound_spi] = 0, 0
        elif isinstance(event, ChildDown):
            self._known.pop(event.inbound_spi, None)
            received, sent = self._ended
            self._ended = received + event.inbound_octets, sent + event.outbound_octets

    def carried(self, spis: Iterable[bytes]) -> tuple[int, int]:
        """Octets received and sent, as far as is known, of all of these together."""
        return _sum(self._known.get(spi, (0, 0)) for spi in spis)

    def total(self) -> tuple[int, int]:
        """Octets received and sent, of CHILD SAs that are up and of those that ended: it never falls."""
        return _sum((self._ended, *self._known.values()))

    def _ask(self) -> None:
        if not self._counting:
            self._counting = True
            self.plane.counts().addBoth(self._told_trouble)
        spis = list(self._known)
        first = self._next if self._next < len(spis) else 0
        few = spis[first : first + MOST_ASKED]
        self._next = first + len(few)
        for spi in few:
            if spi not in self._asking:  # a data plane that is slow is not asked again meanwhile
                self._asking.add(spi)
                usage: Deferred[Usage] = self.plane.usage(spi)
                usage.addBoth(self._told, spi)

    def _told_trouble(self, counts: Mapping[str, int] | Failure) -> None:
        self._counting = False
        if not isinstance(counts, Failure):
            self.trouble = counts

    def _told(self, usage: Usage | Failure, spi: bytes) -> None:
        """A CHILD SA may have ended while we asked: what it carried is known then."""
        self._asking.discard(spi)
        if isinstance(usage, Usage) and spi in self._known:
            self._known[spi] = usage.inbound_octets, usage.outbound_octets


def _sum(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    received = sent = 0
    for one in counts:
        received, sent = received + one[0], sent + one[1]
    return received, sent
