"""What an event is about, in a word that an operator can set a log level for: `ikegwctl log debug auth`."""

from typing import Final

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
    IkeBegun,
    IkeDown,
    IkeMoved,
    IkeRekeyed,
    IkeUp,
    Refused,
    Retransmitted,
    RevocationUnknown,
    ServerAnswered,
    ServerSilent,
    SessionBegan,
    SessionChanged,
    SessionEnded,
    StateEntered,
)

_SUBJECTS: Final[dict[str, tuple[type, ...]]] = {
    "states": (StateEntered,),
    "ike": (IkeBegun, IkeUp, IkeDown, IkeRekeyed, IkeMoved, Refused, Retransmitted),
    "child": (ChildUp, ChildDown, ChildRekeyed),
    "auth": (AuthFailed, RevocationUnknown),
    "addresses": (AddressLeased, AddressReleased),
    "sessions": (SessionBegan, SessionChanged, SessionEnded),
    "servers": (AaaServerDead, AaaServerBack, ServerAnswered, ServerSilent),
    "gate": (Dropped,),
}
_BY_KIND: Final = {kind: subject for subject, kinds in _SUBJECTS.items() for kind in kinds}

SUBJECTS: Final = tuple(_SUBJECTS)


def subject_of(event: Event) -> str:
    """The word for an event."""
    return _BY_KIND[type(event)]
