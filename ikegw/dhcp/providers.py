"""All `[dhcp.NAME]` of a configuration: their providers by name, and the sockets that they share."""

from collections.abc import Iterable
from typing import Any

from ikegw.config.dhcp import DhcpServers
from ikegw.dhcp.provider import DhcpProvider
from ikegw.dhcp.relay import Relay
from ikegw.dhcp.sockets import CannotBind, RelaySockets
from ikegw.events import Publish
from ikegw.paths import Endpoint
from ikegw.ports import NoAddress, Random


class DhcpProviders:
    """Providers live on through reloads, with the leases that they gave; sockets are open as long as one needs them."""

    def __init__(self, reactor: Any, random: Random, publish: Publish) -> None:
        self.sockets = RelaySockets(reactor, random)
        self._reactor, self._publish = reactor, publish
        self._all: dict[str, DhcpProvider] = {}
        self._configured: frozenset[str] = frozenset()

    def reload(self, settings: Iterable[DhcpServers]) -> tuple[str, ...]:
        """Ask these servers from now on. The sentences tell which of our addresses cannot be had; they are tried again later."""
        wanted = {each.name: each for each in settings}
        for name, each in wanted.items():
            if name in self._all:
                self._all[name].settings = each
            else:
                self._all[name] = DhcpProvider(each, self._relay, self._reactor, self._publish)
        self._configured = frozenset(wanted)
        self._all = {
            name: provider for name, provider in self._all.items() if name in wanted or provider.bound
        }
        needed = {
            local for each in wanted.values() for family in each.families if (local := local_of(each, family))
        }
        self.sockets.keep_only(needed | {local for each in self._all.values() for local in each.locals})
        return tuple(self._problems(needed))

    def provider(self, name: str) -> DhcpProvider | None:
        """The provider called `name`; None: there is none in the configuration."""
        return self._all[name] if name in self._configured else None

    @property
    def all(self) -> tuple[DhcpProvider, ...]:
        """Those of the configuration, and former ones whose leases still stand."""
        return tuple(self._all.values())

    def stop(self) -> None:
        """Close every socket."""
        self.sockets.close()

    def _problems(self, needed: Iterable[Endpoint]) -> Iterable[str]:
        for local in sorted(needed, key=str):
            try:
                self.sockets.relay(local)
            except CannotBind as error:
                yield str(error)

    def _relay(self, settings: DhcpServers, family: int) -> Relay:
        local = local_of(settings, family)
        if local is None:
            raise NoAddress(f"dhcp:{settings.name} has no address of ours for IPv{family} servers")
        try:
            return self.sockets.relay(local)
        except CannotBind as error:
            raise NoAddress(str(error)) from None


def local_of(settings: DhcpServers, family: int) -> Endpoint | None:
    """Where servers of this IP version answer us."""
    if family == 4:
        return Endpoint(settings.giaddr, settings.port) if settings.giaddr else None
    return Endpoint(settings.source6, settings.port6) if settings.source6 else None
