"""Who lends clients their addresses: pools, a DHCP server, a RADIUS server's word (rows R-15…R-17, Q-20…Q-23)."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from ikegw.paths import Path
from ikegw.session import NOTHING_GRANTED, Grant
from ikegw.wire.identification import Identity


@frozen
class AddressRequest:
    """What a client asks by CP(CFG_REQUEST), and who it is. `requested` are addresses that it would like.

    `user` is the name that EAP made certain, empty without EAP: whoever keeps an address for a client keeps it for `user`, else
    for `identity`, since with EAP that may be anything (Windows sends its own address). `pools` are the providers in their order.
    """

    connection: str
    identity: Identity
    pools: tuple[str, ...]
    wants_ip4: bool
    wants_ip6: bool
    requested: tuple[IPv4Address | IPv6Address, ...] = ()
    user: str = ""
    session: str = ""
    path: Path | None = None
    grant: Grant = NOTHING_GRANTED
    group: str = ""


@frozen
class Lease:
    """Addresses and parameters lent to one client until released. `token` is the provider's own.

    `subnets` are what the client is told to send through the tunnel; none: what the tunnel's selectors say. `domains` are
    resolved by the `dns` servers. `renew_seconds` from now it is to be renewed (T1); None: it has no end. `dhcp` are servers
    that the client may ask more by DHCP, through the tunnel.
    """

    ip4: IPv4Interface | None
    ip6: IPv6Interface | None
    dns: tuple[IPv4Address | IPv6Address, ...] = ()
    token: object = None
    subnets: tuple[IPv4Network | IPv6Network, ...] = ()
    nbns: tuple[IPv4Address, ...] = ()
    domains: tuple[str, ...] = ()
    renew_seconds: float | None = None
    dhcp: tuple[IPv4Address | IPv6Address, ...] = ()


class NoAddress(Exception):
    """No provider had an address; the text says which were asked and what each answered."""


class Addresses(Protocol):
    """A configuration provider."""

    def lease(self, request: AddressRequest) -> Deferred[Lease]:
        """Obtain addresses; errback with NoAddress. A provider that need not wait gives a Deferred that has fired.

        Cancelled: nothing stays lent, also not what a server sends later.
        """
        ...

    def renew(self, lease: Lease) -> Deferred[Lease]:
        """Row Q-20: the same addresses with new times. NoAddress: they may no longer be used (row Q-23), nor need be released.

        Cancelled: the lease that was given stands, to be renewed again or released.
        """
        ...

    def release(self, lease: Lease) -> Deferred[None]:
        """Give a lease back; releasing twice does nothing."""
        ...
