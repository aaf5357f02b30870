"""The sessions of a gateway: found by their ids, counted by their users, and what may be asked of them (`ports.Sessions`)."""

from typing import TYPE_CHECKING

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, fail

from ikegw.ike.running_session import RunningSession
from ikegw.ports import Usage
from ikegw.session import EndCause, Grant, Session

if TYPE_CHECKING:
    from ikegw.ike.sa import IkeSa


@define(eq=False)
class SessionTable:
    """Every session that is up, and those whose last counts are awaited."""

    _running: dict[str, RunningSession] = field(factory=dict, init=False, repr=False)
    _ending: set[RunningSession] = field(factory=set, init=False, repr=False)
    _seats: dict[tuple[str, str], set[int]] = field(factory=dict, init=False, repr=False)
    """By AAA server and user: the numbers of the IKE SAs that have the place of a session, which rekeying does not change."""

    # ------------------------------------------------------------ as the IKE SAs go

    def begin(self, sa: "IkeSa") -> RunningSession:
        """An IKE SA is mature."""
        session = RunningSession(sa, sa.surroundings.clock.seconds())
        self._running[sa.session_id] = session
        session.begin()
        return session

    def end(self, sa: "IkeSa") -> None:
        """An IKE SA that nothing takes the place of ended."""
        self._leave_seat(sa)
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

    # ------------------------------------------------------------ Port-Limit (RFC 2865 §5.42)

    def take_seat(self, sa: "IkeSa", leaving: set[int]) -> str:
        """A user logs in, and takes the place of the IKE SAs that are `leaving`; why there is none, if there is none.

        A place is taken before the session begins, so that of two logins at once no more come in than may.
        """
        if not sa.user:
            return ""
        key, limit = (sa.connection.aaa, sa.user), sa.grant.port_limit
        others = len(self._seats.get(key, set()) - leaving)
        if limit is not None and others >= limit:
            return f"{sa.user} has {others} sessions already, and its AAA server allows {limit} (Port-Limit)"
        self._seats.setdefault(key, set()).add(sa.number)
        return ""

    def _leave_seat(self, sa: "IkeSa") -> None:
        key = sa.connection.aaa, sa.user
        seats = self._seats.get(key, set())
        seats.discard(sa.number)
        if not seats:
            self._seats.pop(key, None)

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

    def change(self, session: str, grant: Grant) -> bool:
        """See `ports.Sessions`."""
        running = self._running.get(session)
        if running is not None:
            running.change(grant)
        return running is not None


def _watch(session: RunningSession) -> Deferred[None]:
    watcher: Deferred[None] = Deferred()
    session.told.addCallback(watcher.callback)
    return watcher
