"""Which way a request goes: straight, to addresses that are allowed, or through an HTTP proxy, which decides for names."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field, frozen
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI, Agent, ProxyAgent
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from ikegw.config.downloads import Proxy
from ikegw.download.destinations import Forbidden, GuardedReactor
from ikegw.download.metering import MeteredEndpoint
from ikegw.download.trust import Trust
from ikegw.download.tunnel import TunnelEndpoint

Allowed = Callable[[IPv4Address | IPv6Address], bool]
"""Whether we may connect to an address."""


@define(eq=False)
class Way:
    """For one request. No connection brings more than `most` octets."""

    _reactor: Any
    _trust: Trust
    _proxy: Proxy | None
    _allowed: Allowed
    _most: int
    _guarded: GuardedReactor = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._guarded = GuardedReactor(self._reactor, self._allowed)

    @property
    def refused(self) -> tuple[str, ...]:
        """Addresses that the host's name has and that are not allowed."""
        return tuple(dict.fromkeys(self._guarded.refused))

    def agent(self, url: str) -> Any:
        """An IAgent for this URL; Forbidden if the proxy is not to be asked for it."""
        if self._proxy is None:
            return self._by(lambda each: HostnameEndpoint(self._guarded, each.host, each.port))
        parts = urlsplit(url)
        self._require_allowed(parts.hostname or "")
        there: Any = HostnameEndpoint(self._reactor, self._proxy.host.encode("ascii"), self._proxy.port)
        if parts.scheme == "http":
            return ProxyAgent(MeteredEndpoint(there, self._most), self._reactor)  # type: ignore[no-untyped-call]
        return self._by(lambda each: TunnelEndpoint(there, f"{each.host.decode('ascii')}:{each.port}"))

    def _by(self, connect: Callable[[URI], Any]) -> Any:
        factory = _Endpoints(connect, self._trust, self._most)
        return Agent.usingEndpointFactory(self._reactor, factory)  # type: ignore[no-untyped-call]

    def _require_allowed(self, host: str) -> None:
        """Names are for the proxy to look up and to judge, but an address is one of ours, or none of our business."""
        try:
            address = ip_address(host)
        except ValueError:
            return
        if not self._allowed(address):
            raise Forbidden(f"{address} is no public address, and not in downloads.networks")


@implementer(IAgentEndpointFactory)
@frozen(eq=False)
class _Endpoints:
    connect: Callable[[URI], Any]
    trust: Trust
    most: int

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802 (Twisted's name)
        """See IAgentEndpointFactory."""
        endpoint = self.connect(uri)
        if uri.scheme == b"https":
            endpoint = wrapClientTLS(self.trust.creatorForNetloc(uri.host, uri.port), endpoint)
        return MeteredEndpoint(endpoint, self.most)
