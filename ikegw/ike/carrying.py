"""What the data plane carries of a CHILD SA: from its installation to its last counts."""

from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.events import ChildDown, Refused
from ikegw.policy.connections import ChildPolicy
from ikegw.ports import Announced, DataPlaneError, NameServers, TunnelSa, Usage

if TYPE_CHECKING:
    from ikegw.ike.child import ChildSa
    from ikegw.ike.sa import IkeSa

LINGER_SECONDS = 5.0
"""How long packets under way are still received on what was replaced."""


@define(eq=False)
class Carrying:
    """A CHILD SA as far as the data plane is concerned."""

    sa: "IkeSa" = field(repr=False)
    policy: ChildPolicy = field(repr=False)
    ending: str = field(default="", init=False)
    successor: "ChildSa | None" = field(default=None, init=False, repr=False)
    """What replaced it, made by whichever side."""

    _tunnel: TunnelSa | None = field(default=None, init=False)
    _carried: bool = field(default=False, init=False)

    _log = Logger()

    @property
    def tunnel(self) -> TunnelSa:
        """What the data plane carries; only once it was agreed."""
        if self._tunnel is None:
            raise AssertionError(f"{self.sa.name}.{self.policy.name} was never agreed")
        return self._tunnel

    def install(self, made: TunnelSa) -> Deferred[None]:
        """Have the data plane carry it; errback DataPlaneError, and then nothing of it is left there."""
        self._tunnel = made = evolve(made, announced=self._announced, names=self._names)
        return self.sa.surroundings.data_plane.install(made).addCallback(self._is_carried)

    @property
    def _announced(self) -> Announced | None:
        script, sa = self.policy.updown, self.sa
        if script is None:
            return None
        return Announced(script, sa.name, self.policy.name, sa.local_identity, sa.peer, sa.user)

    @property
    def _names(self) -> NameServers | None:
        lease = self.sa.lease
        lent = lease is not None and lease.dns and self.sa.initiator_of_session
        return NameServers(lease.dns, lease.domains) if lent and lease is not None else None

    def _is_carried(self, _: None) -> None:
        self._carried = True

    def follow(self, *, anew: bool = False) -> None:
        """Be carried where the IKE SA is now, which may have moved; `anew`: stay, and be told once more of a peer elsewhere."""
        sa, tunnel = self.sa, self.tunnel
        path, udp = (tunnel.path, tunnel.udp_encapsulated) if anew else (sa.path, sa.udp_encapsulated)
        if not self._carried or ((tunnel.path, tunnel.udp_encapsulated) == (path, udp) and not anew):
            return
        self._tunnel = evolve(tunnel, path=path, udp_encapsulated=udp)
        moving = sa.surroundings.data_plane.move(tunnel.inbound_spi, path, udp)
        moving.addErrback(self._not_moved)

    def _not_moved(self, failure: Failure) -> None:
        if not isinstance(failure.value, DataPlaneError):
            self._not_done(failure)
        elif self._carried:
            self._tell_refused("CHILD SA", f"our data plane did not move it: {failure.value}", by_peer=False)

    def send_now(self) -> None:
        """Be on standby no longer: what it replaces is gone."""
        activated = self.sa.surroundings.data_plane.activate(self.tunnel.inbound_spi)
        activated.addErrback(self._not_done)

    def stop_carrying(self) -> None:
        """Row K-05."""
        if self._carried:
            self._carried = False
            self._take_out()

    def _take_out(self) -> None:
        """The data plane gives it up and tells its last counts; what was replaced still receives what is under way."""
        plane, spi, name = self.sa.surroundings.data_plane, self.tunnel.inbound_spi, self.sa.name
        told = self.sa.children.pop(spi, None) is not None
        successor = self.successor
        if successor is not None and successor._carried:
            successor.send_now()
        lingering = self.sa.has_keys and successor is not None
        removed = plane.remove(spi, LINGER_SECONDS if lingering else 0.0).addErrback(self._not_done)
        if self.sa.session is not None:
            self.sa.session.tally.leaves(spi, removed, lingers=lingering)
        if told:
            removed.addCallback(lambda usage: self._tell_end(usage, spi, name))
        removed.addErrback(self._not_done)

    def _tell_end(self, usage: Usage | None, spi: bytes, name: Any) -> None:
        used = usage or Usage()
        self.sa.surroundings.publish(
            ChildDown(name, self.policy.name, spi, self.ending, used.inbound_octets, used.outbound_octets)
        )

    def _not_done(self, failure: Failure) -> None:
        self._log.failure(
            "{name}: the data plane failed to move or to end a CHILD SA", failure, name=str(self.sa.name)
        )

    def _tell_refused(self, notify: str, detail: str, *, by_peer: bool) -> None:
        self.sa.surroundings.publish(Refused(self.sa.name, self.sa.path, by_peer, notify, detail))
