"""What happened to each IKE SA, kept so that it can be told afterwards why a login failed.

Fed by the events that everybody is fed with. Of the logins the latest are kept, those that failed apart from those that worked:
neither a busy morning nor somebody who knocks all night drives the others out.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

from attrs import define, field

from ikegw.events import (
    AuthFailed,
    Dropped,
    Event,
    IkeBegun,
    IkeDown,
    IkeMoved,
    IkeUp,
    SessionBegan,
    StateEntered,
)
from ikegw.paths import Address, Path
from ikegw.policy.identities import display
from ikegw.session import SaName

MOST_STORIES: Final = 1000
"""Of each kind: under way, failed, worked."""

MOST_EVENTS: Final = 200
"""Of one story: half of them are its first, the others its latest."""

MOST_SOURCES: Final = 1000


@define(eq=False)
class Story:
    """One IKE SA. `who` is everything that its peer was called: identities, user names."""

    name: SaName
    began: float
    initiator: bool
    path: Path
    who: list[str] = field(factory=list, init=False)
    events: list[tuple[float, Event]] = field(factory=list, init=False)
    left_out: int = field(default=0, init=False)
    """How many events between the first and the latest are not kept."""

    came_up: float | None = field(default=None, init=False)
    ended: float | None = field(default=None, init=False)

    def add(self, at: float, event: Event) -> None:
        """One more event."""
        if len(self.events) >= MOST_EVENTS:
            del self.events[MOST_EVENTS // 2]
            self.left_out += 1
        self.events.append((at, event))

    @property
    def is_doomed(self) -> bool:
        """It was refused, and is there only until its peer has heard."""
        return self.came_up is None and any(isinstance(event, AuthFailed) for _, event in self.events)

    def called(self, name: str) -> None:
        """Its peer goes by another name."""
        if name and name not in self.who:
            self.who.append(name)

    def is_about(self, peer: str) -> bool:
        """Is `peer` a name of the IKE SA, of its connection, or of its peer, or the peer's address?"""
        known = (
            str(self.name),
            str(self.name.number),
            self.name.connection,
            str(self.path.remote.address),
            *self.who,
        )
        return peer.lower() in (each.lower() for each in known)


@define(eq=False)
class Knocking:
    """Datagrams of one source that came to nothing, by the reason."""

    reasons: Counter[str] = field(factory=Counter)
    latest: dict[str, tuple[float, str]] = field(factory=dict)
    """When each came last, and its detail."""


@define(eq=False)
class Stories:
    """Keeps stories (`events.Publish`); `now` gives the time that they are told in."""

    now: Callable[[], float]
    _under_way: "OrderedDict[int, Story]" = field(factory=OrderedDict, init=False)
    _failed: "OrderedDict[int, Story]" = field(factory=OrderedDict, init=False)
    _worked: "OrderedDict[int, Story]" = field(factory=OrderedDict, init=False)
    _knocking: "OrderedDict[Address, Knocking]" = field(factory=OrderedDict, init=False)

    def publish(self, event: Event) -> None:
        """Keep one event, if it belongs to a story that is kept."""
        if isinstance(event, StateEntered):  # most events are
            story = self._of(event)[1]
            if story is not None:
                story.add(self.now(), event)
            return
        if isinstance(event, Dropped):
            self._dropped(event)
            return
        if isinstance(event, IkeBegun):
            _keep(self._under_way, event.sa.number, Story(event.sa, self.now(), event.initiator, event.path))
        number, story = self._of(event)
        if story is None:
            return
        story.add(self.now(), event)
        self._learn(story, event)
        if isinstance(event, IkeUp):
            story.came_up = self.now()
            self._move(number, self._under_way, self._worked)
        elif isinstance(event, IkeDown):
            story.ended = self.now()
            self._move(number, self._under_way, self._failed)

    def about(self, peer: str, most: int = 5) -> list[Story]:
        """The latest stories about a peer, the latest first; what is asked may be any name of it (see `Story.is_about`)."""
        found = [story for story in self._all() if story.is_about(peer)]
        return sorted(found, key=lambda story: story.began, reverse=True)[:most]

    def numbered(self, number: int) -> Story | None:
        """The story of the IKE SA with this number."""
        return next((shelf[number] for shelf in self._shelves() if number in shelf), None)

    def knocking(self, address: Address) -> Knocking | None:
        """What came from an address and was dropped."""
        return self._knocking.get(address)

    def failed(self) -> Iterable[Story]:
        """Every login that is kept and did not come up, or will not, the latest first."""
        doomed = (story for story in reversed(self._under_way.values()) if story.is_doomed)
        return chain(doomed, reversed(self._failed.values()))

    def concerns(self, event: Event, peer: str) -> bool:
        """Is an event that was published about this peer?"""
        if isinstance(event, Dropped):
            return str(event.path.remote.address) == peer
        number, story = self._of(event)
        story = story or self._failed.get(number)
        return story is not None and story.is_about(peer)

    # ------------------------------------------------------------ keeping

    def _shelves(self) -> "tuple[OrderedDict[int, Story], ...]":
        return self._under_way, self._failed, self._worked

    def _all(self) -> Iterator[Story]:
        return (story for shelf in self._shelves() for story in shelf.values())

    def _of(self, event: Event) -> tuple[int, Story | None]:
        name = event.session.sa if hasattr(event, "session") else getattr(event, "sa", None)
        if not isinstance(name, SaName):
            return 0, None
        number = name.number
        story = self._under_way.get(number) or self._worked.get(number)
        if story is not None:
            story.name = name  # which connection it belongs to may show only later
        return number, story

    def _learn(self, story: Story, event: Event) -> None:
        if isinstance(event, IkeUp | IkeDown | AuthFailed) and event.remote is not None:
            story.called(display(event.remote))
        if isinstance(event, SessionBegan):
            story.called(event.session.user)
        if isinstance(event, IkeUp | IkeDown | IkeMoved | AuthFailed):
            story.path = event.path

    def _move(self, number: int, before: "OrderedDict[int, Story]", after: "OrderedDict[int, Story]") -> None:
        story = before.pop(number, None)
        if story is not None:
            _keep(after, number, story)

    def _dropped(self, event: Dropped) -> None:
        address = event.path.remote.address
        known = self._knocking.pop(address, None) or Knocking()
        known.reasons[event.reason] += 1
        known.latest[event.reason] = self.now(), event.detail
        self._knocking[address] = known
        if len(self._knocking) > MOST_SOURCES:
            self._knocking.popitem(last=False)


def _keep(shelf: "OrderedDict[int, Story]", number: int, story: Story) -> None:
    shelf[number] = story
    if len(shelf) > MOST_STORIES:
        shelf.popitem(last=False)
