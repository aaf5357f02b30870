"""The sessions of a gateway: found by their ids, counted by their users, and what may be asked of them (`ports.Sessions`)."""

from collections.abc import Hashable
from typing import TYPE_CHECKING

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, fail

from ikegw.ike.running_session import RunningSession
from ikegw.ike.seats import Seats
from ikegw.policy.identities import display
from ikegw.ports import Usage
from ikegw.session import EndCause, Grant, Session

if TYPE_CHECKING:
    from ikegw.ike.sa import IkeSa


@define(eq=False)
class SessionTable:
    """Every session that is up, and those whose last counts are awaited."""

    _running: dict[str, RunningSession] = field(factory=dict, init=False, repr=False)
    _ending: set[RunningSession] = field(factory=set, init=False, repr=False)
    _seats: Seats = field(factory=Seats, init=False, repr=False)

    # ------------------------------------------------------------ as the IKE SAs go

    def begin(self, sa: "IkeSa") -> RunningSession:
        """An IKE SA is mature."""
        session = RunningSession(sa, sa.surroundings.clock.seconds())
        self._running[sa.session_id] = session
        session.begin()
        return session

    def end(self, sa: "IkeSa") -> None:
        """An IKE SA that nothing takes the place of ended."""
        self._seats.leave(sa.number)
        session, sa.session = sa.session, None
        if session is None:
            return
        self._running.pop(sa.session_id, None)
        self._ending.add(session)
        session.told.addCallback(lambda _: self._ending.discard(session))
        session.end()

    def all_told(self) -> Deferred[None]:
        """Fires when no end is left to be told."""
        return DeferredList([_watch(session) for session in self._ending]).addCallback(lambda _: None)

    # ------------------------------------------------------------ Port-Limit (RFC 2865 §5.42), and `unique`

    def take_seat(self, sa: "IkeSa", leaving: set[int], alone: Hashable | None) -> str:
        """A peer logs in, and takes the place of the IKE SAs that are `leaving`; why there is none, if there is none.

        `alone` is whose only session it must be, if it must (`unique` refuses others).
        """
        user, limit = (sa.connection.aaa, sa.user), sa.terms.port_limit
        if sa.user and limit is not None and self._seats.others(user, leaving) >= limit:
            others = self._seats.others(user, leaving)
            return (
                f"{sa.user} has {others} sessions already, and {_who_limits(sa)} allows {limit} (Port-Limit)"
            )
        if alone is not None and self._seats.others(alone, leaving):
            who = sa.user or display(sa.peer)
            return f'{who} has a session already, and its connection has unique = "refuse"'
        for key in filter(None, (user if sa.user else None, alone)):
            self._seats.take(key, sa.number)
        return ""

    # ------------------------------------------------------------ ports.Sessions

    def sessions(self) -> tuple[Session, ...]:
        """See `ports.Sessions`."""
        return tuple(session.value for session in self._running.values())

    def usage(self, session: str) -> Deferred[Usage]:
        """See `ports.Sessions`."""
        running = self._running.get(session)
        return fail(KeyError(session)) if running is None else running.usage()

    def terminate(self, session: str, cause: EndCause, reason: str) -> bool:
        """See `ports.Sessions.end`."""
        running = self._running.get(session)
        if running is not None:
            running.sa.phase.told_to_end(reason, cause)
        return running is not None

    def objection(self, session: str, grant: Grant) -> str:
        """See `ports.Sessions`."""
        running = self._running.get(session)
        return "" if running is None else running.objection(grant)

    def change(self, session: str, grant: Grant) -> bool:
        """See `ports.Sessions`."""
        running = self._running.get(session)
        if running is not None:
            running.change(grant)
        return running is not None


def _who_limits(sa: "IkeSa") -> str:
    return f"its group {sa.group.name}" if sa.grant.port_limit is None else "its AAA server"


def _watch(session: RunningSession) -> Deferred[None]:
    watcher: Deferred[None] = Deferred()
    session.told.addCallback(watcher.callback)
    return watcher
