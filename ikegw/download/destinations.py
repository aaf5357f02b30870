"""Where a URL may lead: names are resolved by the reactor, and addresses that policy does not allow are never connected to."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from attrs import define, field, frozen
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from zope.interface import implementer

Networks = tuple[IPv4Network | IPv6Network, ...]

_SITE_NAT64: Final = IPv6Network("64:ff9b:1::/48")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")


class Forbidden(Exception):
    """A name leads only to addresses that policy does not allow; the text names them, and the key that would."""


def is_allowed(address: IPv4Address | IPv6Address, networks: Networks) -> bool:
    """Whether what came from outside may make us connect there: the public Internet, and `networks`.

    An IPv6 address that stands for an IPv4 address is as good as that one.
    """
    if any(address in network for network in networks):
        return True
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_allowed(address.ipv4_mapped, networks)
        if address in _NAT64:
            return is_allowed(IPv4Address(address.packed[12:]), networks)
        if address in _SIX_TO_FOUR or address in _SITE_NAT64:
            return False
    return address.is_global and not address.is_multicast


@implementer(IReactorPluggableNameResolver)
@define(eq=False)
class GuardedReactor:
    """What an endpoint needs of a reactor, with a resolver that tells only `allowed` addresses; literal ones pass it too."""

    _reactor: Any
    _allowed: Callable[[IPv4Address | IPv6Address], bool]
    refused: list[str] = field(factory=list)
    """Addresses that were not told."""

    @property
    def nameResolver(self) -> IHostnameResolver:  # noqa: N802 (Twisted's name)
        """See IReactorPluggableNameResolver."""
        return _Resolver(self._reactor.nameResolver, self._allowed, self.refused)

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:  # noqa: N802
        """See IReactorPluggableNameResolver; there is one resolver here."""
        raise NotImplementedError("the resolver of a GuardedReactor is its reactor's")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


@implementer(IHostnameResolver)
@frozen(eq=False)
class _Resolver:
    resolver: IHostnameResolver
    allowed: Callable[[IPv4Address | IPv6Address], bool]
    refused: list[str]

    def resolveHostName(  # noqa: N802
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        """See IHostnameResolver."""
        receiver = _Receiver(resolutionReceiver, self.allowed, self.refused)
        return self.resolver.resolveHostName(receiver, hostName, portNumber, addressTypes, transportSemantics)


@implementer(IResolutionReceiver)
@frozen(eq=False)
class _Receiver:
    receiver: IResolutionReceiver
    allowed: Callable[[IPv4Address | IPv6Address], bool]
    refused: list[str]

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N802, N803
        """See IResolutionReceiver."""
        self.receiver.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: Any) -> None:  # noqa: N802
        """See IResolutionReceiver."""
        host = address.host.partition("%")[0]
        if self.allowed(ip_address(host)):
            self.receiver.addressResolved(address)
        else:
            self.refused.append(host)

    def resolutionComplete(self) -> None:  # noqa: N802
        """See IResolutionReceiver."""
        self.receiver.resolutionComplete()
