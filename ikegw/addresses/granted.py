"""Addresses that an AAA server gave to a client and that are in no pool of ours (Framed-IP-Address, Framed-IPv6-Address)."""

from contextlib import suppress
from ipaddress import IPv4Interface, IPv6Interface
from itertools import count
from typing import Final

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed

from ikegw.addresses.owners import owner_of
from ikegw.addresses.space import Address
from ikegw.ports import AddressRequest, Lease, NoAddress
from ikegw.session import NOTHING_GRANTED, Grant

_CHOOSE: Final = (0xFFFFFFFF, 0xFFFFFFFE)
"""RFC 2865 §5.8: the client may choose, or the gateway is to: neither is an address."""


class GrantedAddresses:
    """Lends what the grant says, and never one address to two sessions, whatever an AAA server says."""

    def __init__(self) -> None:
        self._standing: dict[int, tuple[Address, ...]] = {}
        self._holders: dict[Address, str] = {}
        self._numbers = count(1)

    def lease(self, request: AddressRequest) -> Deferred[Lease]:
        """The addresses of the families wanted. NoAddress if one of them is another session's."""
        addresses = tuple(
            address
            for family, wanted in ((4, request.wants_ip4), (6, request.wants_ip6))
            if wanted and (address := granted_address(request.grant, family)) is not None
        )
        for address in addresses:
            if address in self._holders:
                return fail(NoAddress(f"{address} is lent to {self._holders[address]} at present"))
        token = next(self._numbers)
        self._standing[token] = addresses
        self._holders.update(dict.fromkeys(addresses, owner_of(request).name))
        ip4 = next((IPv4Interface(one) for one in addresses if one.version == 4), None)
        ip6 = next((IPv6Interface(one) for one in addresses if one.version == 6), None)
        return succeed(Lease(ip4, ip6, token=token))

    def renew(self, lease: Lease) -> Deferred[Lease]:
        """It has no end."""
        return succeed(lease)

    def release(self, lease: Lease) -> Deferred[None]:
        """It may be lent again."""
        if isinstance(lease.token, int):
            for address in self._standing.pop(lease.token, ()):
                del self._holders[address]
        return succeed(None)

    @property
    def lent(self) -> int:
        """How many are lent now."""
        return len(self._holders)


def granted_address(grant: Grant, family: int) -> Address | None:
    """The address of that family that the AAA server decided on, if it did."""
    if family == 6:
        return grant.ip6
    return grant.ip4 if grant.ip4 is not None and int(grant.ip4) not in _CHOOSE and int(grant.ip4) else None


def as_granted(lease: Lease, grant: Grant) -> Lease:
    """The lease with what the AAA server decided in place of what others say: its servers of names, and its netmask."""
    if grant == NOTHING_GRANTED:
        return lease
    ip4 = lease.ip4
    if ip4 is not None and ip4.ip == grant.ip4 and grant.ip4_netmask is not None:
        with suppress(ValueError):  # 255.0.255.0 and the like are none
            ip4 = IPv4Interface(f"{ip4.ip}/{grant.ip4_netmask}")
    return evolve(lease, ip4=ip4, dns=grant.dns or lease.dns, nbns=grant.nbns or lease.nbns)
