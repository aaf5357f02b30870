"""A session that is up, through all the IKE SAs that rekeying puts in each other's place: what it is told as, and its one end."""

from typing import TYPE_CHECKING

from attrs import define, evolve, field
from twisted.internet.defer import Deferred

from ikegw.events import SessionBegan, SessionChanged, SessionEnded
from ikegw.ike.configuration import addresses_of
from ikegw.ike.session_times import SessionTimes
from ikegw.ike.tally import Tally
from ikegw.paths import Address
from ikegw.policy.identities import display
from ikegw.ports import Usage
from ikegw.session import EndCause, Grant, Session

if TYPE_CHECKING:
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
            sa.grant,
        )

    def begin(self) -> None:
        """Tell it, and start its times."""
        self.sa.surroundings.publish(SessionBegan(self.value))
        self._times.set(self.sa.grant)
        self._at_login = False

    def changed(self) -> None:
        """Tell that it goes on otherwise."""
        self.sa.surroundings.publish(SessionChanged(self.value))

    def change(self, grant: Grant) -> None:
        """See `ports.Sessions`."""
        self._times.set(grant)
        now = self.sa.surroundings.clock.seconds()
        told = {name: value for name in _LIVE if (value := getattr(grant, name)) not in (None, ())}
        if grant.session_seconds is not None:
            # 0 stays 0, without limit; any other counts from the login here.
            told["session_seconds"] = (
                grant.session_seconds and round(now - self.began) + grant.session_seconds
            )
            told["termination"] = grant.termination
        self.sa.grant = evolve(self.sa.grant, **told)
        self.changed()

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
