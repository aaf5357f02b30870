"""Driving SM_LEASE_RENEW: the provider is asked to renew what it lent to the peer (rows Q-20, Q-22, Q-23)."""

from typing import TYPE_CHECKING

from attrs import define, field
from twisted.internet import defer
from twisted.internet.defer import Deferred

from ikegw.ike.sa import IkeSa
from ikegw.ports import Lease, NoAddress
from ikegw.session import EndCause

if TYPE_CHECKING:
    from ikegw.ike.living import Living

RENEWAL_SECONDS = 60.0
"""How long a provider may take to renew; one that has a server to ask gives that up long before."""


@define(eq=False)
class Renewal:
    """The renewal of one IKE SA's lease, while it is under way. The peer is served meanwhile, and children may ask."""

    living: "Living" = field(repr=False)
    _asked: Deferred[Lease] | None = field(default=None, init=False, repr=False)

    @property
    def _sa(self) -> IkeSa:
        return self.living.sa

    def begin(self) -> None:
        """Row Q-20."""
        tenancy = self._sa.tenancy
        if tenancy is None:  # it was lost, and this IKE SA ends
            self.living.machine.lease_renewed()
            return
        asked = self._sa.surroundings.addresses.renew(tenancy.lease)
        asked.addTimeout(RENEWAL_SECONDS, self._sa.surroundings.clock)
        self._asked = asked
        self._sa.wait_for(asked, self._answered, (NoAddress, defer.TimeoutError), self._failed)

    def give_up(self) -> None:
        """The IKE SA that takes over asks anew, for the answer would come to one that is gone."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self._sa.give_up(asked)

    def _answered(self, lease: Lease) -> None:
        sa, tenancy = self._sa, self._sa.tenancy
        self._asked = None
        if tenancy is None:
            return
        if (lease.ip4, lease.ip6) != (tenancy.lease.ip4, tenancy.lease.ip6):
            sa.surroundings.addresses.release(lease).addErrback(sa.not_released)
            self._lost("the provider renewed it with another address, which no tunnel can be changed to")
            return
        tenancy.renew(lease, sa.surroundings.clock.seconds())
        self.living.lifetimes.start_renewal()
        if sa.state == "SM_LEASE_RENEW":
            self.living.machine.lease_renewed()

    def _failed(self, error: Exception) -> None:
        self._asked = None
        silent = f"no answer within {RENEWAL_SECONDS:.0f} s"
        self._lost(silent if isinstance(error, defer.TimeoutError) else str(error))

    def _lost(self, why: str) -> None:
        """Row Q-23: traffic ends at once, for the address may be another's before the peer has answered our DELETE."""
        sa = self._sa
        sa.ends_because(f"its address could not be renewed: {why}", EndCause.LOST_SERVICE)
        if sa.state == "SM_LEASE_RENEW":
            self.living.machine.lease_lost()
        sa.lose_lease()
