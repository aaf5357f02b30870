"""One CHILD SA of an IKE SA: the driver of Figure 8's machine."""

from typing import TYPE_CHECKING

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.events import ChildDown, ChildUp, StateEntered
from ikegw.machines.child import Child, ChildMachine
from ikegw.machines.tracing import state_of, trace
from ikegw.policy.connections import ChildPolicy
from ikegw.ports import TunnelSa, Usage

if TYPE_CHECKING:
    from ikegw.ike.sa import IkeSa


@define(eq=False)
class ChildSa:
    """A CHILD SA that the data plane carries, or is asked to."""

    sa: "IkeSa" = field(repr=False)
    policy: ChildPolicy = field(repr=False)
    tunnel: TunnelSa
    machine: Child = field(init=False, repr=False)
    ending: str = field(default="", init=False)

    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self.machine = ChildMachine(self)
        publish, kind = self.sa.surroundings.publish, f"child {self.policy.name}"

        def told(before: str, cause: str, after: str) -> None:
            publish(StateEntered(self.sa.name, kind, before, cause, after))

        trace(self.machine, told)

    @property
    def state(self) -> str:
        """The state of its machine, in the paper's names."""
        return state_of(self.machine)

    # ------------------------------------------------------------ inputs, with their reason

    def install(self) -> Deferred[None]:
        """Have the data plane carry it; errback DataPlaneError, and then nothing of it is left there."""
        return self.sa.surroundings.data_plane.install(self.tunnel)

    def remove(self, reason: str) -> None:
        """EXPIRE_HARD, or MSG_CHILD_REMOVE of the operator."""
        self.ending = self.ending or reason
        self.machine.remove()

    def peer_deleted(self) -> None:
        """The peer's DELETE names it."""
        self.ending = self.ending or "the peer deleted it"
        self.machine.peer_deleted()

    def ike_sa_gone(self, reason: str) -> None:
        """Its IKE SA ended."""
        self.ending = self.ending or reason
        self.machine.ike_sa_gone()

    # ------------------------------------------------------------ outputs

    def started(self) -> None:
        """Row C-01."""
        tunnel = self.tunnel
        self.sa.children[tunnel.inbound_spi] = self
        self.sa.surroundings.publish(
            ChildUp(
                self.sa.name,
                self.policy.name,
                tunnel.inbound_spi,
                tunnel.outbound_spi,
                str(tunnel.suite),
                tunnel.local_selectors,
                tunnel.remote_selectors,
                tunnel.udp_encapsulated,
            )
        )

    def request_delete(self) -> None:
        """Row C-34: when the slot is free."""
        self.sa.phase.ask_to_delete(self.tunnel.inbound_spi, self.machine.delete_answered)

    def gone(self) -> None:
        """Row C-38: the data plane gives it up and tells its last counts."""
        was_up = self.sa.children.pop(self.tunnel.inbound_spi, None) is not None
        removed = self.sa.surroundings.data_plane.remove(self.tunnel.inbound_spi)
        if was_up:
            removed.addErrback(self._not_removed).addCallback(self._tell_end)
        removed.addErrback(self._not_removed)

    def _tell_end(self, usage: Usage) -> None:
        self.sa.surroundings.publish(
            ChildDown(
                self.sa.name,
                self.policy.name,
                self.tunnel.inbound_spi,
                self.ending,
                usage.inbound_octets,
                usage.outbound_octets,
            )
        )

    def _not_removed(self, failure: Failure) -> Usage:
        self._log.failure(
            "{name}: the data plane could not remove a CHILD SA", failure, name=str(self.sa.name)
        )
        return Usage()
