"""Driving SM_LEASE_RENEW (rows Q-20 … Q-23): a gateway asks its provider to renew an address, a client asks its gateway."""

from typing import TYPE_CHECKING

from attrs import define, evolve, field
from twisted.internet import defer
from twisted.internet.defer import Deferred

from ikegw.ike.being_configured import granted, request_for
from ikegw.ike.configuration import addresses_of
from ikegw.ike.sa import IkeSa
from ikegw.ike.tenancy import Tenancy
from ikegw.ports import Lease, NoAddress
from ikegw.session import EndCause
from ikegw.wire.configuration import Configuration
from ikegw.wire.message import Message
from ikegw.wire.registry import ConfigType, ExchangeType

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
        """Rows Q-20 and Q-21."""
        tenancy = self._sa.tenancy
        if tenancy is None:  # it was lost, and this IKE SA ends
            self.living.machine.lease_renewed()
            return
        if tenancy.request is None:
            wish = request_for(tenancy.addresses, expiry=True)
            self.living.send(ExchangeType.INFORMATIONAL, (wish,), self._told)
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
        self._renewed(tenancy, lease)

    def _told(self, message: Message) -> None:
        """The gateway's answer to row Q-21. Servers and networks stay as they were told first: tunnels were made so."""
        sa, tenancy = self._sa, self._sa.tenancy
        self.living.slot.held = False
        if (
            tenancy is None or sa.state != "SM_LEASE_RENEW"
        ):  # it was rekeyed meanwhile, and the heir asks anew
            return
        answer = message.one(Configuration)
        if answer is None or answer.type is not ConfigType.REPLY:
            self._lost("the gateway was asked, and did not say that it is still ours")
            return
        lease = granted(answer, expiry=True)
        if addresses_of(lease) != tenancy.addresses:
            self._lost("the gateway lends another address now, which no tunnel can be changed to")
            return
        self._renewed(tenancy, evolve(tenancy.lease, renew_seconds=lease.renew_seconds))

    def _renewed(self, tenancy: Tenancy, lease: Lease) -> None:
        """Row Q-22."""
        tenancy.renew(lease, self._sa.surroundings.clock.seconds())
        self.living.lifetimes.start_renewal()
        if self._sa.state == "SM_LEASE_RENEW":
            self.living.machine.lease_renewed()

    def _failed(self, error: Exception) -> None:
        self._asked = None
        silent = f"no answer within {RENEWAL_SECONDS:.0f} s"
        self._lost(silent if isinstance(error, defer.TimeoutError) else str(error))

    def _lost(self, why: str) -> None:
        """Row Q-23: traffic ends at once, for the address may be another's before the peer has answered our DELETE.

        The client may have logged in anew meanwhile, with the same address: that session loses it too.
        """
        sa, reason = self._sa, f"its address could not be renewed: {why}"
        sharing = sa.table.who_shares_lease(sa)
        sa.ends_because(reason, EndCause.LOST_SERVICE)
        if sa.state == "SM_LEASE_RENEW":
            self.living.machine.lease_lost()
        sa.lose_lease()
        for other in sharing:
            other.phase.told_to_end(reason, EndCause.LOST_SERVICE)
            other.lose_lease()
