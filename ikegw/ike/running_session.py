"""A session that is up, through all the IKE SAs that rekeying puts in each other's place: what it is told as, and its one end."""

from typing import TYPE_CHECKING

from attrs import define, evolve, field
from twisted.internet.defer import Deferred

from ikegw.events import SessionBegan, SessionChanged, SessionEnded
from ikegw.ike.configuration import addresses_of
from ikegw.ike.session_times import SessionTimes
from ikegw.ike.tally import Tally
from ikegw.paths import Address
from ikegw.policy.groups import group_of, said_of
from ikegw.policy.identities import display
from ikegw.policy.selectors import within
from ikegw.ports import Usage
from ikegw.session import EndCause, Grant, Session

if TYPE_CHECKING:
    from ikegw.ike.child import ChildSa
    from ikegw.ike.sa import IkeSa

COUNTS_SECONDS = 10.0
"""How long the data plane may take to tell the last counts; then those that are known must do."""


@define(eq=False)
class RunningSession:
    """Between SessionBegan and SessionEnded. `sa` is the newest IKE SA of its line."""

    sa: "IkeSa" = field(repr=False)
    began: float
    addresses: tuple[Address, ...] = field(init=False)
    """What is lent does not change while a session is up, and is told still when it was lost."""

    tally: Tally = field(init=False, repr=False)
    told: Deferred[None] = field(factory=Deferred, init=False, repr=False)
    """Fires when SessionEnded was published."""

    _at_login: bool = field(default=True, init=False)
    """Were its times told to the peer in IKE_AUTH?"""

    _times: SessionTimes = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        surroundings = self.sa.surroundings
        self.addresses = tuple(addresses_of(self.sa.lease))
        self.tally = Tally(surroundings.data_plane)
        self._times = SessionTimes(surroundings.clock, self.usage, self._renew, self._end)

    @property
    def value(self) -> Session:
        """What it is now."""
        sa = self.sa
        return Session(
            sa.session_id,
            sa.name,
            sa.path,
            sa.local_identity,
            sa.peer,
            sa.user or display(sa.peer),
            sa.method,
            self.began,
            "" if sa.initiator_of_session else sa.connection.accounting,
            self.addresses,
            sa.terms,
            sa.group.name,
            sa.connection.aaa if sa.user else "",
        )

    def begin(self) -> None:
        """Tell it, and start its times."""
        self.sa.surroundings.publish(SessionBegan(self.value))
        self._times.set(self.sa.terms)
        self._at_login = False

    def changed(self) -> None:
        """Tell that it goes on otherwise."""
        self.sa.surroundings.publish(SessionChanged(self.value))

    def change(self, grant: Grant) -> None:
        """See `ports.Sessions`."""
        sa, before = self.sa, self.sa.terms
        self._times.set(grant)
        sa.grant = self._with(grant)
        group = group_of(sa.connection.groups, sa.grant)
        if group is not None and group != sa.group:  # else nobody asked whether there is an objection
            sa.group = group
            self._times.set(self._newly(before, grant))
            for child in tuple(sa.children.values()):
                self.keep_within_reach(child)
        self.changed()

    def objection(self, grant: Grant) -> str:
        """See `ports.Sessions`."""
        groups, changed = self.sa.connection.groups, self._with(grant)
        if group_of(groups, changed) is not None:
            return ""
        names = ", ".join(group.name for group in groups)
        return f"{said_of(changed)} is in no group of connection {self.sa.connection.name} ({names})"

    def _with(self, grant: Grant) -> Grant:
        """What was granted, and now this."""
        told = {name: value for name in _LIVE if (value := getattr(grant, name)) not in (None, ())}
        if grant.session_seconds is not None:
            # 0 stays 0, without limit; any other counts from the login here.
            told["session_seconds"] = grant.session_seconds and self._age + grant.session_seconds
            told["termination"] = grant.termination
        return evolve(self.sa.grant, **told)

    @property
    def _age(self) -> int:
        return round(self.sa.surroundings.clock.seconds() - self.began)

    def _newly(self, before: Grant, grant: Grant) -> Grant:
        """The times that another group brings, as seconds from now; those that `grant` has named itself hold already."""
        terms, session, idle = self.sa.terms, None, None
        if grant.session_seconds is None and terms.session_seconds != before.session_seconds:
            session = max(terms.session_seconds - self._age, 1) if terms.session_seconds else 0
        if grant.idle_seconds is None and terms.idle_seconds != before.idle_seconds:
            idle = terms.idle_seconds or 0
        return Grant(session_seconds=session, idle_seconds=idle, termination=terms.termination)

    def keep_within_reach(self, child: "ChildSa") -> None:
        """End a CHILD SA that leads further than the user's group reaches; a narrower one is for the peer to ask for."""
        sa = self.sa
        if sa.group.reach and not within(child.tunnel.local_selectors, sa.reached(child.policy)):
            child.remove(f"the session's group is {sa.group.name} now, which does not reach all of it")

    def usage(self) -> Deferred[Usage]:
        """What it has carried by now."""
        return self.tally.total(self.sa.children)

    def end(self) -> None:
        """Its last IKE SA ends; its children are being removed already. SessionEnded follows with their last counts."""
        self._times.stop()
        sa, session, clock = self.sa, self.value, self.sa.surroundings.clock
        cause, reason, seconds = sa.cause, sa.ending, clock.seconds() - self.began

        def counted(usage: Usage) -> None:
            sa.surroundings.publish(
                SessionEnded(
                    session,
                    cause,
                    reason,
                    seconds,
                    usage.inbound_octets,
                    usage.inbound_packets,
                    usage.outbound_octets,
                    usage.outbound_packets,
                )
            )
            self.told.callback(None)

        self.tally.close().addTimeout(COUNTS_SECONDS, clock).addCallback(counted).addErrback(sa.broke)

    def _renew(self, seconds: float) -> None:
        self.sa.established.authenticated_for(seconds, told=self._at_login)

    def _end(self, reason: str, cause: EndCause) -> None:
        self.sa.phase.told_to_end(reason, cause)


_LIVE = ("idle_seconds", "interim_seconds", "filters")
"""What of a grant may be changed while a session is up, besides its time."""
