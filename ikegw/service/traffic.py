"""What CHILD SAs carry, asked of the data plane a few at a time: with many sessions the answers are older, not dearer."""

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import define, field
from twisted.python.failure import Failure

from ikegw.ports import DataPlane, Usage

MOST_ASKED: Final = 50


@define(eq=False)
class Traffic:
    """Remembers the latest counts of those that were asked about."""

    plane: DataPlane
    _known: dict[bytes, tuple[int, int]] = field(factory=dict, init=False, repr=False)
    _asking: set[bytes] = field(factory=set, init=False, repr=False)
    _next: int = field(default=0, init=False)

    def ask(self, spis: Sequence[bytes]) -> None:
        """Ask about the next few of these, and forget all others."""
        self._known = {spi: self._known.get(spi, (0, 0)) for spi in spis}
        first = self._next if self._next < len(spis) else 0
        few = spis[first : first + MOST_ASKED]
        self._next = first + len(few)
        for spi in few:
            if spi not in self._asking:  # a data plane that is slow is not asked again meanwhile
                self._asking.add(spi)
                self.plane.usage(spi).addBoth(self._told, spi)

    def carried(self, spis: Iterable[bytes]) -> tuple[int, int]:
        """Octets received and sent, as far as is known, of all of these together."""
        counts = [self._known.get(spi, (0, 0)) for spi in spis]
        return sum(received for received, _ in counts), sum(sent for _, sent in counts)

    def _told(self, usage: Usage | Failure, spi: bytes) -> None:
        """A CHILD SA may have ended while we asked: then there is nothing to know."""
        self._asking.discard(spi)
        if isinstance(usage, Usage) and spi in self._known:
            self._known[spi] = usage.inbound_octets, usage.outbound_octets
