"""Events go only to whom they concern: thousands of logins a minute make tens of thousands of them."""

from collections.abc import Iterable
from typing import ClassVar, Protocol

from ikegw.events import Event, Publish


class Hearer(Protocol):
    """Hears of a few kinds of events."""

    HEARS: ClassVar[tuple[type[Event], ...]]

    def publish(self, event: Event) -> None:
        """Hear of one."""


def by_kind(hearers: Iterable[Hearer]) -> dict[type[Event], tuple[Publish, ...]]:
    """Whom to tell of each kind."""
    whom: dict[type[Event], tuple[Publish, ...]] = {}
    for hearer in hearers:
        for kind in hearer.HEARS:
            whom[kind] = (*whom.get(kind, ()), hearer.publish)
    return whom
