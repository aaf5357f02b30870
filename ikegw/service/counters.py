"""How often each thing happened since the start: counted events, by a word for each."""

from collections import Counter

from ikegw.events import (
    AaaServerBack,
    AaaServerDead,
    AddressLeased,
    AddressReleased,
    AuthFailed,
    ChildDown,
    ChildRekeyed,
    ChildUp,
    Dropped,
    Event,
    IkeDown,
    IkeMoved,
    IkeRekeyed,
    IkeUp,
    Refused,
    RevocationUnknown,
)

_WORDS: dict[type, str] = {
    IkeUp: "ike-up",
    RevocationUnknown: "revocation-unknown",
    AuthFailed: "authentication-failed",
    ChildUp: "child-up",
    ChildDown: "child-down",
    ChildRekeyed: "child-rekeyed",
    IkeRekeyed: "ike-rekeyed",
    IkeMoved: "ike-moved",
    AddressLeased: "address-leased",
    AddressReleased: "address-released",
    AaaServerDead: "aaa-server-dead",
    AaaServerBack: "aaa-server-back",
}


class Counters:
    """Counts events (`events.Publish`). The words are few: those above, and one for each notify and reason to drop."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def publish(self, event: Event) -> None:
        """Count one event; transitions of machines are not counted."""
        if isinstance(event, Dropped):
            self.counts[f"dropped-{event.reason}"] += 1
        elif isinstance(event, Refused):
            side, notify = "by-peer" if event.by_peer else "by-us", event.notify
            self.counts[f"refused-{side}-{'other' if notify.isdecimal() else notify}"] += 1
        elif isinstance(event, IkeDown):
            self.counts["ike-down" if event.was_up else "ike-never-up"] += 1
        elif word := _WORDS.get(type(event)):
            self.counts[word] += 1
