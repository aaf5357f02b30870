"""What an IKE SA has of a lease: the addresses, what they were asked for, and when they are to be renewed (rows Q-20 … Q-23).

A tenancy goes with its session from an IKE SA to the one that it is rekeyed into. Two sessions share one for a moment when a
client logs in anew: the address stays its own although the old session ends only later, and the last to leave gives it back.
"""

from typing import Self

from attrs import define, field

from ikegw.ike.configuration import addresses_of
from ikegw.paths import Address
from ikegw.ports import AddressRequest, Lease


@define(eq=False)
class Tenancy:
    """A lease that stands. `request` is None where it was lent to us: then it is not ours to give back."""

    lease: Lease
    request: AddressRequest | None = None
    renew_at: float | None = field(default=None, init=False)
    """When MSG_IKE_LEASE_RENEW is due, by the gateway's clock."""

    _holders: int = field(default=1, init=False)

    @classmethod
    def begin(cls, lease: Lease, request: AddressRequest | None, now: float) -> Self:
        """The tenancy of a lease that was given just now."""
        tenancy = cls(lease, request)
        tenancy.renew(lease, now)
        return tenancy

    def renew(self, lease: Lease, now: float) -> None:
        """Row Q-22: new times."""
        self.lease = lease
        self.renew_at = None if lease.renew_seconds is None else now + lease.renew_seconds

    @property
    def addresses(self) -> tuple[Address, ...]:
        """What is lent, bare."""
        return addresses_of(self.lease)

    def suits(self, request: AddressRequest) -> bool:
        """Would the same client, asking so, be given the same? Not if its AAA server says other things of it now."""
        return self.request is not None and _essence(self.request) == _essence(request)

    def join(self) -> Self:
        """One session more holds it."""
        self._holders += 1
        return self

    def leave(self) -> bool:
        """One session less holds it: True if that was the last one, and the lease is to be given back."""
        self._holders -= 1
        return self._holders == 0 and self.request is not None


def _essence(request: AddressRequest) -> tuple[object, ...]:
    """What decides which addresses one client gets; what it would like does not: it has some already."""
    grant = request.grant
    granted = (grant.ip4, grant.ip6, grant.pools4, grant.pools6)
    return request.connection, request.pools, request.wants_ip4, request.wants_ip6, request.user, granted
