"""One IKE SA: who its ends are, its CHILD SAs and its lease, what it takes over and leaves behind.

What may happen next is not here but in the machine of the phase that it is in: `initiating`, `responding` or `living`.
"""

from collections.abc import Callable
from typing import cast

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.events import AddressReleased, IkeDown, IkeMoved, Refused, StateEntered
from ikegw.ike.child import ChildSa
from ikegw.ike.configuration import addresses_of
from ikegw.ike.conversation import Conversation
from ikegw.ike.phase import EstablishedPhase, Phase, Table
from ikegw.ike.roaming import Roaming, follow_mapping
from ikegw.ike.running_session import RunningSession
from ikegw.ike.standings import Together
from ikegw.ike.tenancy import Tenancy
from ikegw.machines.tracing import trace
from ikegw.paths import Address, Endpoint, Path
from ikegw.policy.connections import ChildPolicy, Connection
from ikegw.policy.groups import NO_GROUP, Group
from ikegw.policy.identities import from_address
from ikegw.policy.selectors import behind, narrow, resolve
from ikegw.ports import Lease, Standing
from ikegw.session import NOTHING_GRANTED, EndCause, Grant, SaName
from ikegw.wire.identification import Identity
from ikegw.wire.selectors import TrafficSelector

GIVE_WAY_SECONDS = 10.0
"""How long a peer that authenticated anew may take to move its traffic and to delete the old IKE SA itself."""


@define(eq=False)
class IkeSa(Conversation):
    """An IKE SA of ours, from its first message to SM_DEAD."""

    table: Table = field(repr=False)
    created: float
    children: dict[bytes, ChildSa] = field(factory=dict, init=False, repr=False)
    asking_children: dict[ChildSa, None] = field(factory=dict, init=False, repr=False)
    """Those with something to ask; one that was never installed is nowhere else."""

    deleted_early: set[bytes] = field(factory=set, init=False, repr=False)
    """The peer's SPIs of children that it deleted before its answer came which would have named them."""

    tenancy: Tenancy | None = field(default=None, init=False)
    """The addresses that were lent to the peer, or to us."""

    local_identity: Identity = field(init=False)
    remote_identity: Identity | None = field(default=None, init=False)
    method: str = field(default="", init=False)
    user: str = field(default="", init=False)
    """The name by which an AAA server knows the peer: the User-Name of its Accept, else the EAP identity."""

    grant: Grant = field(default=NOTHING_GRANTED, init=False, repr=False)
    """What the Accept said."""

    group: Group = field(default=NO_GROUP, init=False)
    """Which of its connection's groups the user is in."""

    session: RunningSession | None = field(default=None, init=False, repr=False)
    """Only in the newest IKE SA of a line, from SM_MATURE on."""
    examination: Standing | None = field(default=None, init=False, repr=False)
    """By what we believe who the peer is, and whom to ask whether that still holds."""

    behind_nat: bool = field(default=False, init=False)
    roaming: Roaming | None = field(default=None, init=False, repr=False)
    """MOBIKE; None unless both sides speak it."""

    moved_at: float = field(default=0.0, init=False)
    """When it went over to another path last."""

    successor: "IkeSa | None" = field(default=None, init=False, repr=False)
    """The IKE SA that took this one's place when it was rekeyed."""

    awaits: "IkeSa | None" = field(default=None, init=False, repr=False)
    """The IKE SA that this one is to replace, until it does."""

    initiator_of_session: bool = field(init=False)
    """Did we begin the first of the line, before any rekeying? Then addresses were lent to us, not by us."""

    stage: str = field(default="", init=False)
    """Whose machine it is in: `initiator`, `responder` or `mature`."""

    takes_no_more_children: bool = field(default=False, init=False)
    """Did the peer say NO_ADDITIONAL_SAS (row C-08)? Then we ask for none in this IKE SA again."""

    giving_way: str = field(default="", init=False)
    """Why it ends before long, if its peer has a newer one."""

    peer_lost: bool = field(default=False, init=False)
    peer_closed: bool = field(default=False, init=False)
    opened_from: Endpoint | None = field(default=None, init=False)
    """Where a half-open responder's peer began from."""

    came_up: Callable[[], None] | None = field(default=None, init=False, repr=False)
    """Who waits for it to come up."""
    peer_unauthentic: bool = field(default=False, init=False)
    ended: Deferred[None] = field(factory=Deferred, init=False, repr=False)

    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self.belong_to(self.connection)
        self.initiator_of_session = self.initiator
        self.local_identity = self.connection.local.identity or from_address(self.path.local.address)

    def belong_to(self, connection: Connection) -> None:
        """Be of another connection from now on, which its name tells."""
        self.connection = connection
        self.name = SaName(connection.name, self.number)

    @property
    def lease(self) -> Lease | None:
        """The addresses and parameters that were lent to the peer, or to us."""
        return None if self.tenancy is None else self.tenancy.lease

    @property
    def own_spi(self) -> bytes:
        """The SPI that we chose: what the gateway finds it by."""
        return self.spi_initiator if self.initiator else self.spi_responder

    @property
    def session_id(self) -> str:
        """The session's (Acct-Session-Id), before it begins too: the same through every rekeying, and never another's."""
        return f"{self.surroundings.boot}-{self.number:x}"

    @property
    def peer(self) -> Identity:
        """Who the peer says it is; only after IKE_AUTH."""
        if self.remote_identity is None:
            raise AssertionError(f"{self.name} has not heard who its peer is")
        return self.remote_identity

    @property
    def established(self) -> EstablishedPhase:
        """The phase, where the machines guarantee that it is the established one."""
        return cast(EstablishedPhase, self.phase)

    @property
    def udp_encapsulated(self) -> bool:
        """Does its ESP travel in UDP?"""
        return self.behind_nat or self.peer_behind_nat or self.connection.force_encapsulation

    # ------------------------------------------------------------ phases

    def enter(self, phase: Phase, kind: str) -> None:
        """Go on in another phase; its machine's transitions are told from now on."""
        self.phase, self.stage = phase, kind
        publish = self.surroundings.publish

        def told(before: str, cause: str, after: str) -> None:
            publish(StateEntered(self.name, kind, before, cause, after))

        trace(phase.machine, told)

    def stand_by(self, standing: Standing) -> None:
        """The peer has proved itself, and if it did so before, in this way too."""
        before = self.examination
        self.examination = standing if before is None else Together((before, standing))

    def come_after(self, old: "IkeSa") -> None:
        """Be the same session as `old`, which is being rekeyed."""
        self.awaits = old
        self.initiator_of_session, self.method = old.initiator_of_session, old.method
        self.user, self.grant, self.group = old.user, old.grant, old.group
        self.examination = old.examination
        self.local_identity, self.remote_identity = old.local_identity, old.remote_identity
        self.behind_nat, self.peer_behind_nat = old.behind_nat, old.peer_behind_nat
        self.moved_at = old.moved_at
        if old.roaming is not None:
            self.roaming = old.roaming.passed_on(self)
        self.last_heard = self.surroundings.clock.seconds()
        self.answering.size = self.connection.window
        if old.fragmentation is not None:
            self.agree_on_fragments(old.fragmentation.packet_octets)

    def take_over(self, old: "IkeSa") -> None:
        """Row Q-03: everything of the IKE SA that this one replaces, but its keys and windows."""
        self.awaits = None
        self.children, old.children = old.children, {}
        self.asking_children, old.asking_children = old.asking_children, {}
        for child in (*self.children.values(), *self.asking_children):
            child.sa = self
        self.tenancy, old.tenancy = old.tenancy, None
        self.giving_way = old.giving_way
        if self.giving_way:
            self._give_way_soon()
        self.up_since = old.up_since
        self.user, self.grant, self.group = old.user, old.grant, old.group
        self.session, old.session = old.session, None
        if self.session is not None:
            self.session.sa = self
        if old.moved_at > self.moved_at:
            self.path, self.moved_at = old.path, old.moved_at
            self.behind_nat, self.peer_behind_nat = old.behind_nat, old.peer_behind_nat
            self.roaming = None if old.roaming is None else old.roaming.passed_on(self)
        if self.roaming is None or self.roaming.is_settled:
            self.lead_children()
        self.start_keepalives()

    @property
    def may_reauthenticate(self) -> bool:
        """Can we authenticate anew by ourselves (row Q-16), or only the peer (row Q-19)?"""
        return self.initiator_of_session and self.connection.peer is not None

    def selectors_for(
        self, child: ChildSa
    ) -> tuple[tuple[TrafficSelector, ...], tuple[TrafficSelector, ...]]:
        """(local, remote) to ask for: what a child to be rekeyed has, or what its policy says."""
        if child.state == "SA_REKEY_WAIT":
            return child.tunnel.local_selectors, child.tunnel.remote_selectors
        _, peers = self.dynamic_addresses
        behind_peer = behind(child.policy.remote_selectors, self.grant.routes)
        return (
            self.reached(child.policy),
            (*resolve(child.policy.remote_selectors, peers), *behind_peer),
        )

    def reached(self, policy: ChildPolicy) -> tuple[TrafficSelector, ...]:
        """What the peer may reach on our side by a child of this policy: what its group reaches, if that says so."""
        mine, _ = self.dynamic_addresses
        all_of_it = resolve(policy.local_selectors, mine)
        return narrow(all_of_it, resolve(self.group.reach, mine)) if self.group.reach else all_of_it

    @property
    def terms(self) -> Grant:
        """What holds for the session: what the Accept said, and where that is silent, what the group says."""
        return self.group.terms(self.grant)

    @property
    def makes_a_child(self) -> bool:
        """Is the answer under way that names a child which the peer has made already?"""
        children = (*self.asking_children, *self.children.values())
        return any(child.state in ("SA_CREATE_WAIT", "SA_REKEY_WAIT") for child in children)

    @property
    def virtual(self) -> tuple[Address, ...]:
        """The addresses that were lent to us: every CHILD SA of ours carries them."""
        return addresses_of(self.lease) if self.initiator_of_session else ()

    @property
    def dynamic_addresses(self) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
        """What stands for `dynamic` in a policy, on our side and on the peer's: lent addresses, else the path's ends."""
        lent = addresses_of(self.lease)
        mine: tuple[Address, ...] = (self.path.local.address,)
        peers: tuple[Address, ...] = (self.path.remote.address,)
        return (lent or mine, peers) if self.initiator_of_session else (mine, lent or peers)

    # ------------------------------------------------------------ where the peer is, and where we are

    def asked_on(self, path: Path) -> None:
        """See `Conversation`: before it is established, the peer is wherever it speaks from."""
        if self.up_since is None and self.awaits is None:
            self.path = path
        elif self.roaming is None:
            follow_mapping(self, path)

    def answered_on(self, path: Path) -> None:
        """See `Conversation`."""
        if self.roaming is not None:
            self.roaming.heard_on(path)
        elif self.up_since is not None:
            follow_mapping(self, path)

    def path_for_try(self) -> Path:
        """See `Conversation`."""
        return self.path if self.roaming is None else self.roaming.path_for(self.tries)

    def go_over(self, path: Path, nats: tuple[bool, bool] | None = None) -> None:
        """Send what we ask over another path from now on; `nats`: (we are behind one, the peer is), if that was found out."""
        before, known = self.path, (self.behind_nat, self.peer_behind_nat)
        self.path = path
        if nats is not None:
            self.behind_nat, self.peer_behind_nat = nats
        if path == before and nats in (None, known):
            return
        self.moved_at = self.surroundings.clock.seconds()
        self.start_keepalives()
        if path != before:
            publish = self.surroundings.publish
            publish(IkeMoved(self.name, before, path, self.behind_nat, self.peer_behind_nat))
            if self.session is not None:
                self.session.changed()

    def lead_children(self, *, anew: bool = False) -> None:
        """Have every CHILD SA carried on our path; `anew`: and be told once more of a peer that is elsewhere."""
        for child in self.children.values():
            child.follow(anew=anew)

    def tell_refused(self, notify: str, detail: str, *, by_peer: bool = False) -> None:
        """Tell the operator of a negotiation that came to nothing."""
        self.surroundings.publish(Refused(self.name, self.path, by_peer, notify, detail))

    def start_keepalives(self) -> None:
        """Keep our NAT's mapping alive, if we are behind one (RFC 3948 §4)."""
        if self.behind_nat and self.connection.keepalive_seconds:
            self.arm("keepalive", self.connection.keepalive_seconds, self._keep_alive)

    def _keep_alive(self) -> None:
        self.surroundings.transport.keepalive(self.path)
        self.start_keepalives()

    def give_way_to(self, newer: "IkeSa") -> None:
        """The same peer has another IKE SA, and is to have only one (`unique`).

        From the same address it may only authenticate anew, make before break (RFC 7296 §2.8.3): it makes all its children in the
        new IKE SA before it deletes the old one itself. Ended at once, their traffic would be lost.
        """
        self.giving_way = f"replaced by {newer.name}, of the same identity"
        if self.path.remote.address == newer.path.remote.address:
            self._give_way_soon()
        else:
            self.phase.told_to_end(self.giving_way, EndCause.PORT_PREEMPTED)

    def doubt(self) -> None:
        """Somebody says that the peer is elsewhere now: ask whether it is there still."""
        if self.up_since is not None:
            self.established.doubt()

    def _give_way_soon(self) -> None:
        def give_way() -> None:
            self.phase.told_to_end(self.giving_way, EndCause.PORT_PREEMPTED)

        self.arm("give way", GIVE_WAY_SECONDS, give_way)

    def broke(self, failure: Failure) -> None:
        """A fault of ours while working for this IKE SA: it ends, everyone else goes on."""
        self._log.failure("{name}: internal error; this IKE SA ends", failure, name=str(self.name))
        self.ends_because("an internal error, which the log tells", EndCause.NAS_ERROR)
        self.end()

    # ------------------------------------------------------------ the end

    def end(self) -> None:
        """Row IE-21, the one place where an IKE SA ends: timers, waits, children, lease, keys, tables."""
        if self.ended.called:
            return
        self.fall_silent()
        self.wait_no_more()
        for child in dict.fromkeys((*self.children.values(), *self.asking_children)):
            child.ike_sa_gone(self.ending)
        self.table.session_over(self)
        self._release_lease()
        self.table.forget(
            self, self.answering.answer_to(self.answering.expected - 1) if self.has_keys else ()
        )
        self._channel = None
        if self.successor is None and self.awaits is None:
            up = self.up_since is not None
            self.surroundings.publish(IkeDown(self.name, self.path, self.remote_identity, self.ending, up))
        self.ended.callback(None)

    def _release_lease(self) -> None:
        tenancy, self.tenancy = self.tenancy, None
        if tenancy is None or self.initiator_of_session:
            return
        if tenancy.leave():
            self.surroundings.addresses.release(tenancy.lease).addErrback(self.not_released)
        self._tell_released(tenancy.lease)

    def lose_lease(self) -> None:
        """Row Q-23: its provider lends it no more. No packet may use its addresses, so its CHILD SAs end before all else."""
        tenancy, self.tenancy = self.tenancy, None
        for child in dict.fromkeys((*self.children.values(), *self.asking_children)):
            child.ike_sa_gone(self.ending)
        if tenancy is not None:
            self._tell_released(tenancy.lease)

    def _tell_released(self, lease: Lease) -> None:
        addresses = tuple(address for address in (lease.ip4, lease.ip6) if address is not None)
        self.surroundings.publish(AddressReleased(self.name, addresses))

    def not_released(self, failure: Failure) -> None:
        """A provider failed to take a lease back."""
        self._log.failure("{name}: its address could not be given back", failure, name=str(self.name))
