"""One CHILD SA of an IKE SA: the driver of Figure 8's machine."""

from collections.abc import Callable

from attrs import define, field

from ikegw.events import ChildUp, StateEntered
from ikegw.ike.child_requests import REDUNDANT, ChildRequests
from ikegw.machines.child import ChildMachine
from ikegw.machines.tracing import trace

GUARD_SECONDS = 30.0
"""How long a peer that rekeyed has to delete what it replaced (§10)."""


@define(eq=False)
class ChildSa(ChildRequests):
    """A CHILD SA that the data plane carries, or that is wanted."""

    decided: Callable[[str], None] | None = field(default=None, init=False, repr=False)
    """Who waits for it: told "" when it is up, or why it never will be."""

    def __attrs_post_init__(self) -> None:
        self.machine = ChildMachine(self)
        kind = f"child {self.policy.name}"

        def told(before: str, cause: str, after: str) -> None:
            self.sa.surroundings.publish(StateEntered(self.sa.name, kind, before, cause, after))

        trace(self.machine, told)

    # ------------------------------------------------------------ inputs, with their reason

    def remove(self, reason: str) -> None:
        """EXPIRE_HARD, or MSG_CHILD_REMOVE of the operator."""
        self.ending = self.ending or reason
        self.machine.remove()

    def soft_expired(self) -> None:
        """EXPIRE_SOFT; what is being replaced or removed anyway needs no rekeying."""
        if self.state == "SA_MATURE" and self.successor is None and self.policy.rekey_seconds:
            self.machine.soft_expired()

    def peer_deleted(self) -> None:
        """The peer's DELETE names it."""
        self.ending = self.ending or ("rekeyed" if self.successor else "the peer deleted it")
        self.machine.peer_deleted()
        for other in tuple(self.sa.children.values()):
            # What was itself replaced goes in order, and a redundant one is nobody's to fall back on.
            if other.successor is self and self.successor is None and other.ending != REDUNDANT:
                other._reprieved()

    def _reprieved(self) -> None:
        """The peer took back what it had made in this one's place: it lives on."""
        self.successor, self._peers_nonces = None, None
        if self.state == "SA_MATURE":
            self._stop_timer()

    def ike_sa_gone(self, reason: str) -> None:
        """Its IKE SA ended."""
        self.ending = self.ending or reason
        self.machine.ike_sa_gone()

    def peer_rekeys(self, nonces: tuple[bytes, bytes] | None) -> None:
        """The peer's CREATE_CHILD_SA with N(REKEY_SA) is accepted, and will be answered when the data plane is ready.

        `nonces` are its (Ni, Nr): our own answer may come before that, and must be judged by them. None: it came to nothing.
        """
        self._peers_nonces = nonces

    def rekeyed_by_peer(self, successor: "ChildSa") -> None:
        """It was answered, and `successor` is what it made."""
        if self.successor is not None:
            successor._lost_to(self.successor)
            return
        self.successor = successor
        if self.state != "SA_REKEY_WAIT":  # else our own answer decides which one survives
            self._tell_rekeyed(successor)
        if not self._carried:  # removed while the data plane made the other, which waited for that to send
            successor.send_now()
        if self.state not in (
            "SA_REMOVE",
            "SA_DEAD",
        ):  # it may have been removed while the data plane made the other
            self.machine.superseded()

    # ------------------------------------------------------------ other outputs

    def started(self) -> None:
        """Rows C-01, C-05, C-11."""
        self.sa.asking_children.pop(self, None)
        tunnel = self.tunnel
        self.sa.children[tunnel.inbound_spi] = self
        self.follow()
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
        self._tell_decision("")
        self._keep_within_reach()

    def _keep_within_reach(self) -> None:
        """An AAA server may have narrowed what the peer reaches while this was being made, or renewed in vain."""
        if self.sa.session is not None:
            self.sa.session.keep_within_reach(self)

    def _tell_decision(self, why_not: str) -> None:
        decided, self.decided = self.decided, None
        if decided is not None:
            decided(why_not)

    def superseded(self) -> None:
        """Rows C-30, C-22, K-09."""
        self._start_timer(GUARD_SECONDS, lambda: self.remove("the peer rekeyed it and did not delete it"))

    def rekey_no_more(self) -> None:
        """Row C-27: soft limits are told once, so nothing brings it about again."""
        self._keep_within_reach()

    def begin_anew(self) -> None:
        """Row C-25; not if the peer deleted it by its own wish, nor if there is another for the same traffic."""
        if self.successor is None:
            for older in tuple(self.sa.children.values()):
                if older.successor is self and older.state == "SA_MATURE" and older.ending != REDUNDANT:
                    # The peer never heard our answer that made this one: what it was to replace is what both have.
                    older._reprieved()
                    older.soft_expired()
                    return
        if (
            self._carried
            and self.successor is None
            and not any(self._is_like(child) for child in self.sa.children.values())
        ):
            self.sa.established.create_child(self.policy)

    def _is_like(self, other: "ChildSa") -> bool:
        mine, others = self.tunnel, other.tunnel
        return (
            other is not self
            and other.state != "SA_REMOVE"
            and mine.local_selectors == others.local_selectors
            and mine.remote_selectors == others.remote_selectors
        )

    def gone(self) -> None:
        """Row C-38."""
        self._tell_decision(self.ending or "it came to nothing")
        self._stop_timer()
        self.sa.asking_children.pop(self, None)
        if self._asking is not None:
            self.sa.surroundings.data_plane.release_spi(self._asking.spi)
        if self._carried:
            self._carried = False
            self._take_out()
        elif self._disowned_spi:
            self.sa.surroundings.data_plane.release_spi(self._disowned_spi)
