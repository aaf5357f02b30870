"""An operator's script told of tunnels: up when the first SA of one stands, down when its last is gone, once each, in order."""

from typing import Final

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.ports import Announced, DataPlane, DataPlaneError, Selectors, TunnelSa, Usage
from ikegw.programs.around import PlaneAround
from ikegw.programs.running import ProgramFailed, ProgramReactor, run
from ikegw.programs.turns import Turns
from ikegw.programs.variables import variables
from ikegw.session import SaName

AT_ONCE: Final = 8
"""So many scripts run at a time; others wait for their turn."""

Tunnel = tuple[SaName, str, Selectors, Selectors]
"""What stays the same when an SA is rekeyed: whose it is, its child, local and remote selectors."""


@define(eq=False)
class _Standing:
    """A tunnel that its script was told of, or is being told of: its newest SA, and the inbound SPIs of all."""

    newest: TunnelSa
    spis: set[bytes] = field(factory=set)


class AnnouncingPlane(PlaneAround):
    """Tells scripts of what `plane` carries; all else is the plane's."""

    _log = Logger()

    def __init__(self, plane: DataPlane, reactor: ProgramReactor) -> None:
        super().__init__(plane)
        self._reactor = reactor
        self._standing: dict[Tunnel, _Standing] = {}
        self._by_spi: dict[bytes, Tunnel] = {}
        self._turns: Turns[Tunnel, str] = Turns(AT_ONCE)

    # ------------------------------------------------------------ what is told of

    def install(self, sa: TunnelSa) -> Deferred[None]:
        """See `ports.DataPlane`. DataPlaneError too where the script is required and fails: then it is removed again."""
        installed = self._plane.install(sa)
        return installed if sa.announced is None else installed.addCallback(lambda _: self._is_up(sa))

    def remove(self, inbound_spi: bytes, linger: float = 0.0) -> Deferred[Usage]:
        """See `ports.DataPlane`."""
        tunnel = self._by_spi.pop(inbound_spi, None)
        standing = None if tunnel is None else self._standing[tunnel]
        if tunnel is not None and standing is not None:
            standing.spis.discard(inbound_spi)
            if not standing.spis:
                del self._standing[tunnel]
                self._tell("down", tunnel, standing.newest)
        return self._plane.remove(inbound_spi, linger)

    def finish(self) -> Deferred[None]:
        """Tell of the end of all that still stands; fires when every script has ended. Cancelled: those that run are killed."""
        for tunnel, standing in self._standing.items():
            self._tell("down", tunnel, standing.newest)
        self._standing.clear()
        self._by_spi.clear()

        return self._turns.idle()

    # ------------------------------------------------------------ scripts

    def _is_up(self, sa: TunnelSa) -> Deferred[None] | None:
        about = _about(sa)
        tunnel = (about.sa, about.child, sa.local_selectors, sa.remote_selectors)
        standing = self._standing.get(tunnel)
        is_new = standing is None
        if standing is None:
            standing = self._standing[tunnel] = _Standing(sa)
        standing.newest = sa
        standing.spis.add(sa.inbound_spi)
        self._by_spi[sa.inbound_spi] = tunnel
        if not is_new:
            return None
        told = self._tell("up", tunnel, sa)
        return self._required(told, sa) if about.script.required else None

    def _required(self, told: "Deferred[str]", sa: TunnelSa) -> Deferred[None]:
        def unwanted(_: object) -> None:
            self.remove(sa.inbound_spi).addErrback(lambda _: None)

        waiting: Deferred[None] = Deferred(unwanted)

        def judged(problem: str) -> None:
            if waiting.called:
                return
            if not problem:
                waiting.callback(None)
                return
            gone = self.remove(sa.inbound_spi)
            refused = DataPlaneError(f"{sa.name}: its updown script is required to succeed: {problem}")
            gone.addBoth(lambda _: None if waiting.called else waiting.errback(refused))

        told.addCallback(judged)
        return waiting

    def _tell(self, verb: str, tunnel: Tunnel, sa: TunnelSa) -> "Deferred[str]":
        """Run the script once its earlier run for this tunnel has ended; fires with what went wrong, or nothing."""
        return self._turns.take(tunnel, lambda: self._run(verb, sa))

    def _run(self, verb: str, sa: TunnelSa) -> "Deferred[str]":
        script = _about(sa).script

        def said(line: str) -> None:
            self._log.info("{name}: updown ({verb}): {line}", name=sa.name, verb=verb, line=line)

        def failed(failure: Failure) -> str:
            failure.trap(ProgramFailed, CancelledError)  # type: ignore[no-untyped-call]
            why = failure.getErrorMessage() or "it was killed, since the gateway ends"
            self._log.error(
                "{name}: updown ({verb}): {script}: {why}",
                name=sa.name,
                verb=verb,
                script=script.path,
                why=why,
            )
            return f"{script.path}: {why}"

        ran = run(self._reactor, (script.path,), variables(verb, sa, self.device), script.seconds, said)
        return ran.addCallbacks(lambda _: "", failed)


def _about(sa: TunnelSa) -> Announced:
    if sa.announced is None:
        raise AssertionError(f"nobody is told of {sa.name}")
    return sa.announced
