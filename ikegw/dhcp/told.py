"""What each client was told with its address: so that it can be told again, by DHCP, inside its tunnel."""

from ipaddress import IPv4Address

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ikegw.ports import Addresses, AddressRequest, Lease, NoAddress


@frozen
class Told:
    """A lease that stands, and on which connection."""

    connection: str
    lease: Lease


class ToldAddresses:
    """`ports.Addresses` of another provider, which it passes everything on to, and remembers what stands.

    Sessions may share an address: the latest counts. `inform` is our address at which clients get answers by DHCP.
    """

    def __init__(self, addresses: Addresses) -> None:
        self.inform: IPv4Address | None = None
        self._addresses = addresses
        self._standing: dict[IPv4Address, list[Told]] = {}

    def told(self, address: IPv4Address) -> Told | None:
        """What the client with this address was told; None: nobody has it."""
        standing = self._standing.get(address)
        return standing[-1] if standing else None

    def lease(self, request: AddressRequest) -> Deferred[Lease]:
        """See `ports.Addresses`."""

        def leased(lease: Lease) -> Lease:
            whole = self._with_inform(lease)
            self._add(Told(request.connection, whole))
            return whole

        return self._addresses.lease(request).addCallback(leased)

    def renew(self, lease: Lease) -> Deferred[Lease]:
        """See `ports.Addresses`."""

        def renewed(again: Lease) -> Lease:
            told, whole = self._remove(lease), self._with_inform(again)
            if told is not None:
                self._add(Told(told.connection, whole))
            return whole

        def lost(failure: Failure) -> Failure:
            if isinstance(failure.value, NoAddress):
                self._remove(lease)
            return failure

        return self._addresses.renew(lease).addCallbacks(renewed, lost)

    def release(self, lease: Lease) -> Deferred[None]:
        """See `ports.Addresses`."""
        self._remove(lease)
        return self._addresses.release(lease)

    def _with_inform(self, lease: Lease) -> Lease:
        if self.inform is None or lease.ip4 is None:
            return lease
        return evolve(lease, dhcp=(self.inform, *lease.dhcp))

    def _add(self, told: Told) -> None:
        if told.lease.ip4 is not None:
            self._standing.setdefault(told.lease.ip4.ip, []).append(told)

    def _remove(self, lease: Lease) -> Told | None:
        address = None if lease.ip4 is None else lease.ip4.ip
        standing = self._standing.get(address, []) if address is not None else []
        found = next((told for told in standing if told.lease is lease), None)
        if found is not None and address is not None:
            standing.remove(found)
            if not standing:
                del self._standing[address]
        return found
