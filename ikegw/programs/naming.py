"""DNS servers that a gateway lent us, handed to this host's resolver while a tunnel stands by which they are reached."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.ports import DataPlane, NameServers, TunnelSa, Usage
from ikegw.programs.around import PlaneAround
from ikegw.programs.resolvers import Command, Resolver
from ikegw.programs.running import ProgramFailed, ProgramReactor, run
from ikegw.programs.turns import Turns

_SECONDS: Final = 10.0


class NamingPlane(PlaneAround):
    """Tells `resolver` (None: nobody) of name servers as the tunnels that have some come and go."""

    _log = Logger()

    def __init__(self, plane: DataPlane, reactor: ProgramReactor, resolver: Resolver | None) -> None:
        super().__init__(plane)
        self._reactor, self._resolver = reactor, resolver
        self._lent: dict[bytes, NameServers] = {}
        self._used: NameServers | None = None
        self._turns: Turns[str, None] = Turns(1)

    def clean(self) -> None:
        """At the start: take back what a killed gateway left."""
        if self._resolver is not None:
            self._have_done(self._resolver, self._resolver.clean())

    def configure(self, resolver: Resolver | None) -> None:
        """Tell another one from now on."""
        if resolver == self._resolver:
            return
        lent, self._lent = self._lent, {}
        self._follow()
        self._resolver, self._lent = resolver, lent
        self.clean()
        self._follow()

    def install(self, sa: TunnelSa) -> Deferred[None]:
        """See `ports.DataPlane`. Nobody waits for the resolver."""
        installed = self._plane.install(sa)
        return installed if sa.names is None else installed.addCallback(lambda _: self._comes(sa))

    def remove(self, inbound_spi: bytes, linger: float = 0.0) -> Deferred[Usage]:
        """See `ports.DataPlane`."""
        if self._lent.pop(inbound_spi, None) is not None:
            self._follow()
        return self._plane.remove(inbound_spi, linger)

    def finish(self) -> Deferred[None]:
        """Take all back; fires when that is done."""
        self._lent.clear()
        self._follow()
        return self._turns.idle()

    def _comes(self, sa: TunnelSa) -> None:
        if sa.names is None:
            return
        if self._resolver is None:
            servers = ", ".join(map(str, sa.names.servers))
            text = "{name}: the peer lent us DNS servers ({servers}), and there is no resolver to be told: see resolver.kind"
            self._log.info(text, name=sa.name, servers=servers)
        self._lent[sa.inbound_spi] = sa.names
        self._follow()

    def _follow(self) -> None:
        """Have the resolver know what all tunnels together say; nothing happens if it does."""
        wanted = _together(tuple(self._lent.values()))
        if wanted == self._used:
            return
        self._used = wanted
        if self._resolver is None:
            return
        device = self.device
        if wanted is None:
            self._have_done(self._resolver, self._resolver.use_none(device))
        else:
            self._have_done(self._resolver, self._resolver.use(device, wanted))

    def _have_done(self, resolver: Resolver, commands: Sequence[Command]) -> None:
        for words, given in commands:
            self._turns.take(resolver.name, partial(self._run, resolver, words, given))

    def _run(self, resolver: Resolver, words: tuple[str, ...], given: bytes) -> Deferred[None]:
        def said(line: str) -> None:
            self._log.info("{resolver}: {line}", resolver=resolver.name, line=line)

        def failed(failure: Failure) -> None:
            failure.trap(ProgramFailed, CancelledError)  # type: ignore[no-untyped-call]
            why = failure.getErrorMessage() or "it was killed, since the gateway ends"
            self._log.error(
                "{resolver}: {words}: {why}", resolver=resolver.name, words=" ".join(words), why=why
            )

        return run(self._reactor, words, {}, _SECONDS, said, given).addErrback(failed)


def _together(lent: tuple[NameServers, ...]) -> NameServers | None:
    """All servers; for some domains only if that is so of each."""
    if not lent:
        return None
    servers = tuple(dict.fromkeys(server for names in lent for server in names.servers))
    domains = tuple(dict.fromkeys(domain for names in lent for domain in names.domains))
    return NameServers(servers, domains if all(names.domains for names in lent) else ())
