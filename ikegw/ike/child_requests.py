"""What a CHILD SA of ours asks the peer: to make it, to replace it, to end it; and what comes of that (Figure 8)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall

from ikegw.events import ChildRekeyed
from ikegw.ike import transport_mode
from ikegw.ike.backoff import Backoff
from ikegw.ike.carrying import Carrying
from ikegw.ike.child_asking import (
    ChildAsking,
    ChildMade,
    NotFound,
    OtherGroup,
    Postponed,
)
from ikegw.ike.child_asking import (
    Refused as RefusedByPeer,
)
from ikegw.ike.collision import redundant
from ikegw.ike.negotiation import tunnel
from ikegw.ike.slot import FOR_CHILDREN
from ikegw.machines.child import Child
from ikegw.machines.tracing import state_of
from ikegw.ports import DataPlaneError
from ikegw.session import EndCause
from ikegw.wire.message import Message
from ikegw.wire.registry import ExchangeType, NotifyType

if TYPE_CHECKING:
    from ikegw.ike.child import ChildSa

REDUNDANT = "redundant: both ends rekeyed at once"
"""Why the one ends that neither end will use."""


@define(eq=False)
class ChildRequests(Carrying):
    """The lower floor of a `ChildSa`: it is one, and knows only what its requests need."""

    machine: Child = field(init=False, repr=False)
    _rival: "ChildSa | None" = field(default=None, init=False, repr=False)
    """What the peer's simultaneous rekeying had made when our own was answered."""

    _asking: ChildAsking | None = field(default=None, init=False, repr=False)
    _peers_nonces: tuple[bytes, bytes] | None = field(default=None, init=False, repr=False)
    _backoff: Backoff = field(factory=Backoff, init=False, repr=False)
    _timer: IDelayedCall | None = field(default=None, init=False, repr=False)
    _disowned_spi: bytes = field(default=b"", init=False)

    @property
    def _child(self) -> "ChildSa":
        return cast("ChildSa", self)

    def _another(self) -> "ChildSa":
        """One like it, which the peer believes in or which is to replace it."""
        return cast("ChildSa", type(self)(self.sa, self.policy))

    @property
    def state(self) -> str:
        """The state of its machine, in the paper's names."""
        return state_of(self.machine)

    # ------------------------------------------------------------ waiting

    def await_slot(self) -> None:
        """Ask for the IKE SA's slot."""
        self.sa.asking_children[self._child] = None
        self.sa.established.await_slot(self._child)

    def leave_queue(self) -> None:
        """No longer."""
        self.sa.established.leave_queue(self._child)

    def retry_later(self) -> None:
        """Rows C-07 and C-24."""
        self._asking = None
        wait = self._backoff.next(self.sa.surroundings.random)
        if wait is None:
            why = "the peer answered TEMPORARY_FAILURE for minutes: out of step"
            self.sa.phase.told_to_end(why, EndCause.NAS_ERROR)
            return
        again = self.await_slot if self.state == "SA_CREATE" else self._child.soft_expired
        self._start_timer(wait, again)

    def _start_timer(self, seconds: float, elapsed: Callable[[], Any]) -> None:
        self._stop_timer()

        def fired() -> None:
            self._timer = None
            elapsed()

        self._timer = self.sa.surroundings.clock.callLater(seconds, fired)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    # ------------------------------------------------------------ our requests

    def request_create(self) -> None:
        """Rows C-04 and C-06."""
        self._request(b"")

    def request_rekey(self) -> None:
        """Rows C-21 and C-26."""
        self._request(self.tunnel.inbound_spi)

    def _request(self, replaced_spi: bytes) -> None:
        if self._asking is not None:
            self._send(self._asking)
            return
        sa = self.sa

        def reserved(spi: bytes) -> None:
            if sa.state not in FOR_CHILDREN:  # told to end meanwhile, which the child will hear
                sa.surroundings.data_plane.release_spi(spi)
                return
            local, remote = self.sa.selectors_for(self._child)
            self._asking = ChildAsking(
                self.policy,
                sa.channel,
                sa.surroundings.random,
                spi,
                local,
                remote,
                replaced_spi,
                transport_mode.wanted(sa, self.policy),
            )
            self._send(self._asking)

        sa.wait_for(sa.surroundings.data_plane.allocate_spi(sa.path), reserved, DataPlaneError, self._no_spi)

    def _no_spi(self, error: DataPlaneError) -> None:
        self._tell_refused("SPI", str(error), by_peer=False)
        self.machine.refused()
        self.sa.established.release_slot()  # at last: whoever waits for it may end this child

    def _send(self, asking: ChildAsking) -> None:
        self.sa.established.send(ExchangeType.CREATE_CHILD_SA, asking.payloads(), self._answered)

    def _answered(self, message: Message) -> None:
        asking = self._asking
        if asking is None:
            return
        outcome = asking.read(message)
        if isinstance(outcome, ChildMade) and outcome.peer_spi in self.sa.deleted_early:
            outcome = Postponed() if self._carried else RefusedByPeer("a DELETE that overtook its answer")
        self.sa.deleted_early.clear()
        if isinstance(outcome, ChildMade):
            self._make(asking, outcome)
        elif isinstance(outcome, OtherGroup):
            self.machine.other_group()
        else:
            self._asking = None
            self._failed(asking, outcome)
            self.sa.established.release_slot()

    def _failed(self, asking: ChildAsking, outcome: Any) -> None:
        release = self.sa.surroundings.data_plane.release_spi
        if isinstance(outcome, Postponed):
            release(asking.spi)
            self._lost_or(self.machine.postponed)
        elif isinstance(outcome, NotFound):
            release(asking.spi)
            self._lost_or(self._unknown_to_peer)
        elif isinstance(outcome, RefusedByPeer):
            release(asking.spi)
            self._tell_refused(
                outcome.notify, "the peer would not have the CHILD SA; its log says why", by_peer=True
            )
            self.ending = self.ending or f"the peer refused it with {outcome.notify}"
            if outcome.notify == NotifyType.NO_ADDITIONAL_SAS.name:
                self.sa.takes_no_more_children = True
            self._lost_or(self.machine.refused)
        else:
            self._disown(asking.spi, outcome.why)

    def _lost_or(self, otherwise: Callable[[], None]) -> None:
        """Our rekeying failed: if the peer's succeeded meanwhile, that one it is."""
        if self.state == "SA_REKEY_WAIT" and self.successor is not None:
            self._yield()
        elif self.state == "SA_REKEY_WAIT" and not self._carried:
            self.machine.not_found()
        else:
            otherwise()

    def _unknown_to_peer(self) -> None:
        self.ending = self.ending or "the peer does not know it"
        self.machine.not_found()

    def _yield(self) -> None:
        """The peer's simultaneous rekeying survives."""
        self.ending = self.ending or "rekeyed"
        if self.successor is not None:
            self._tell_rekeyed(self.successor)
        if self._carried:
            self.machine.rekey_redundant()
        else:
            self.machine.rekeyed_meanwhile_gone()

    def _disown(self, spi: bytes, why: str) -> None:
        """Row C-09: the peer believes that it exists under `spi`."""
        self._tell_refused("CHILD SA", why, by_peer=False)
        unwanted = self._child if self.state == "SA_CREATE_WAIT" else self._another()
        unwanted.ending = unwanted.ending or why
        unwanted._disowned_spi = spi
        unwanted.machine.unusable()
        if unwanted is not self:
            self._lost_or(self.machine.refused)

    # ------------------------------------------------------------ what the peer agreed to

    def _make(self, asking: ChildAsking, made: ChildMade) -> None:
        if self.state == "SA_CREATE_WAIT":
            self._install_as(self._child, asking, made, standby=False)
        else:
            survives = self._peers_nonces is None or not redundant(made.nonces, self._peers_nonces)
            child = self._another()
            self._rival = self.successor
            if survives:  # from now on, so that the peer no longer begins to rekey this one
                self.successor = child
            self._install_as(child, asking, made, standby=not survives)

    def _install_as(self, child: "ChildSa", asking: ChildAsking, made: ChildMade, *, standby: bool) -> None:
        sa = self.sa
        wanted = tunnel(
            sa.name,
            self.policy,
            sa.channel,
            made.nonces,
            made.suite,
            we_initiated=True,
            path=sa.path,
            udp_encapsulated=sa.udp_encapsulated,
            spis=(asking.spi, made.peer_spi),
            selectors=(made.local_selectors, made.remote_selectors),
            virtual=sa.virtual,
            shared=made.shared,
            random=sa.surroundings.random,
            standby=standby,
            transport=made.transport,
        )

        def installed(_: None) -> None:
            self._asking = None
            child.machine.installed()
            if made.peer_spi in sa.deleted_early:
                self._deleted_meanwhile(child)
            elif child is not self:
                self._replaced_by(child, standby=standby)
            sa.deleted_early.discard(made.peer_spi)
            sa.established.release_slot()

        def not_installed(error: DataPlaneError) -> None:
            self._asking = None
            if self.successor is child:
                self.successor = self._rival
            self._disown(asking.spi, f"our data plane refused it: {error}")
            sa.established.release_slot()

        sa.wait_for(child.install(wanted), installed, DataPlaneError, not_installed)

    def _deleted_meanwhile(self, child: "ChildSa") -> None:
        """The peer deleted what it had made while our data plane installed it."""
        if self.successor is child:
            self.successor = self._rival
        child.peer_deleted()
        if child is not self:
            self._lost_or(self.machine.postponed)

    def _replaced_by(self, child: "ChildSa", *, standby: bool) -> None:
        """Rows C-23, K-05 and K-09: our rekeying is through; `standby`: but the peer's survives."""
        self.ending = self.ending or "rekeyed"
        if standby:
            child.remove(REDUNDANT)
            self._yield()
            return
        if self._rival is not None:
            self._rival._lost_to(child)
        self._tell_rekeyed(child)
        if self._carried:
            self.machine.rekeyed()
        else:
            self.machine.rekeyed_meanwhile_gone()

    def _lost_to(self, survivor: "ChildSa") -> None:
        """Row K-09: the peer's rekeying made it, and ours survives: the peer is to delete it, and nobody rekeys it."""
        if self.state in ("SA_MATURE", "SA_REKEY"):
            self.successor, self.ending = survivor, self.ending or REDUNDANT
            self.machine.superseded()

    def _tell_rekeyed(self, child: "ChildSa") -> None:
        self.sa.surroundings.publish(
            ChildRekeyed(self.sa.name, self.policy.name, self.tunnel.inbound_spi, child.tunnel.inbound_spi)
        )

    def request_delete(self) -> None:
        """Row C-34."""
        spi = self._disowned_spi or self.tunnel.inbound_spi

        def answered(message: Message) -> None:
            self.sa.established.release_slot()
            self.machine.delete_answered()

        self.sa.established.send_delete(spi, answered)
