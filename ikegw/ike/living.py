"""Driving Figure 6: an established IKE SA acts on one message at a time, until it is deleted. Figure 7 is in `serving`."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Self, cast

from attrs import define, field

from ikegw.events import IkeRekeyed, IkeUp
from ikegw.ike.child import ChildSa
from ikegw.ike.lifetimes import Lifetimes
from ikegw.ike.reauthenticating import Reauthenticating
from ikegw.ike.renewal import Renewal
from ikegw.ike.revoking import Revoking
from ikegw.ike.sa import IkeSa
from ikegw.ike.serving import serve
from ikegw.ike.slot import FOR_CHILDREN, Answered, Intent, Slot
from ikegw.ike.succession import Succession
from ikegw.machines.mature import SM_TERMINATE, Mature, MatureMachine
from ikegw.policy.connections import ChildPolicy
from ikegw.session import EndCause
from ikegw.wire.delete import Delete
from ikegw.wire.errors import ParseError
from ikegw.wire.message import Header, Message, Payload
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType, ProtocolId

UNDER_WAY = frozenset(("SA_CREATE_WAIT", "SA_REKEY_WAIT", "SA_REMOVE"))


@define(eq=False)
class Living:
    """The phase of an IKE SA from SM_MATURE, or from SM_TERMINATE if it never came so far."""

    serves: ClassVar[frozenset[ExchangeType]] = frozenset(
        (ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL)
    )  # and so neither IKE_SA_INIT nor IKE_AUTH (row P-12)
    sa: IkeSa = field(repr=False)
    machine: Mature = field(init=False, repr=False)
    lifetimes: Lifetimes = field(init=False, repr=False)
    slot: Slot = field(init=False, repr=False)
    succession: Succession = field(init=False, repr=False)
    renewal: Renewal = field(init=False, repr=False)
    reauthenticating: Reauthenticating = field(init=False, repr=False)
    revoking: Revoking = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.slot = Slot(self._may, self._let)
        self.succession = Succession(self)
        self.renewal = Renewal(self)
        self.reauthenticating = Reauthenticating(self)
        self.revoking = Revoking(self)
        self.lifetimes = Lifetimes(self.sa, self.slot.post, self.told_to_end)

    # ------------------------------------------------------------ ways in

    @classmethod
    def begin(cls, sa: IkeSa, child: ChildSa | None) -> Self:
        """Enter SM_MATURE, with the child that IKE_AUTH made."""
        phase = cls(sa)
        phase.machine = MatureMachine(phase)
        sa.enter(phase, "mature")
        sa.disarm("half-open")
        sa.ending = ""
        sa.answering.size = sa.connection.window
        sa.up_since = sa.surroundings.clock.seconds()
        sa.start_keepalives()
        phase._tell_up()
        phase.lifetimes.start()
        sa.table.established(sa)
        if child is not None:
            child.machine.installed()
        sa.session = sa.table.session_of(sa)
        came_up, sa.came_up = sa.came_up, None
        if came_up is not None:
            came_up()
        return phase

    @classmethod
    def begin_as_successor(cls, sa: IkeSa) -> Self:
        """Enter SM_MATURE with nothing yet of the IKE SA that is being rekeyed."""
        phase = cls(sa)
        phase.machine = MatureMachine(phase)
        sa.enter(phase, "mature")
        return phase

    @classmethod
    def begin_terminating(cls, sa: IkeSa) -> Self:
        """Enter SM_TERMINATE: end in order what was begun."""
        phase = cls(sa)
        phase.machine = MatureMachine(phase, SM_TERMINATE)
        sa.enter(phase, "mature")
        phase.machine.enter_terminate()
        return phase

    def _tell_up(self) -> None:
        sa = self.sa
        sa.surroundings.publish(
            IkeUp(
                sa.name,
                sa.path,
                sa.initiator,
                sa.local_identity,
                sa.peer,
                str(sa.channel.suite),
                sa.spi_initiator,
                sa.spi_responder,
                sa.method,
            )
        )

    # ------------------------------------------------------------ the slot

    def _may(self, waiting: Intent | ChildSa) -> bool:
        """§5: what may act now. A DELETE of a child goes in any living state, all else only where the slot is free."""
        if isinstance(waiting, ChildSa) and waiting.state == "SA_REMOVE":
            return self.sa.state not in ("SM_DYING", "SM_DEAD", "SM_TERMINATE", "SM_REKEY")
        if waiting is Intent.UPDATE:
            # Also of an IKE SA that is replaced: its peer may not know the new one yet.
            return self.sa.state == "SM_MATURE"
        free = FOR_CHILDREN if isinstance(waiting, ChildSa) else ("SM_MATURE",)
        if self.sa.state not in free or self.sa.successor is not None or self.succession.rival is not None:
            return False
        if waiting is Intent.REKEY:
            return not self.children_under_way
        return True

    def _let(self, waiting: Intent | ChildSa) -> None:
        if isinstance(waiting, ChildSa):
            self.slot.hold()
            waiting.machine.slot_free()
        elif waiting is Intent.DPD:
            if self.lifetimes.is_quiet:
                self.machine.dpd()
            else:
                self.slot.pump()
        elif waiting is Intent.UPDATE:
            if self.sa.roaming is not None and self.sa.roaming.has_to_ask:
                self.machine.update()
            else:
                self.slot.pump()
        elif waiting is Intent.REAUTH and self.reauthenticating.under_way:
            self.slot.pump()
        elif waiting is Intent.REAUTH and not self.sa.may_reauthenticate:
            self.machine.reauth_by_peer()
        else:
            _INPUTS[waiting](self.machine)

    @property
    def children_under_way(self) -> bool:
        """Is a child of ours in SA_CREATE_WAIT, SA_REKEY_WAIT or SA_REMOVE (rows Q-01, K-07)?"""
        children = (*self.sa.children.values(), *self.sa.asking_children)
        return any(child.state in UNDER_WAY for child in children) or (
            self.slot.held and self.sa.state in FOR_CHILDREN
        )

    def await_slot(self, child: ChildSa) -> None:
        """A child of ours has something to ask."""
        self.slot.post(child)

    def leave_queue(self, child: ChildSa) -> None:
        """A child of ours has nothing more to ask."""
        self.slot.withdraw(child)

    def release_slot(self) -> None:
        """Whoever held it is through; once the IKE SA ends, its DELETE has it until the end."""
        if self.sa.state != "SM_DYING":
            self.slot.release()

    def send(self, exchange: ExchangeType, payloads: Sequence[Payload], answered: Answered) -> None:
        """Ask the peer, holding the slot; `answered` releases it, or asks again."""
        self.slot.hold(answered)
        self.sa.ask(exchange, payloads)

    def send_delete(self, inbound_spi: bytes, answered: Answered) -> None:
        """Row C-34."""
        self.send(ExchangeType.INFORMATIONAL, (Delete(ProtocolId.ESP, (inbound_spi,)),), answered)

    def response(self, message: Message, octets: bytes) -> None:
        """The answer to what is in the slot."""
        self.slot.answer(message)

    def create_child(self, policy: ChildPolicy, decided: Callable[[str], None] | None = None) -> ChildSa:
        """MSG_CHILD_CREATE (row C-02)."""
        child = ChildSa(self.sa, policy)
        child.decided = decided
        child.machine.create()
        return child

    # ------------------------------------------------------------ rekeying (rows Q-01 … Q-07)

    def request_rekey(self) -> None:
        """Rows Q-02 and Q-04."""
        self.succession.request_rekey()

    def hand_over(self) -> None:
        """Row Q-03."""
        self.succession.hand_over()

    def yield_to_peers_rekey(self) -> None:
        """Row K-10."""
        self.succession.yield_to_peers_rekey()

    def take_rival(self) -> None:
        """Row K-16."""
        self.succession.take_rival()

    def retry_rekey(self) -> None:
        """Row Q-05."""
        self.succession.retry_rekey()

    def reauthenticate_instead(self) -> None:
        """Row Q-06."""
        self.slot.post(Intent.REAUTH)

    def give_all_to(self, new: IkeSa) -> None:
        """Children, queue, lease and timers go to the IKE SA that takes this one's place."""
        sa = self.sa
        waiting, self.slot.queue = self.slot.queue, []
        if sa.state == "SM_UPDATE_WAIT":
            waiting.append(Intent.UPDATE)  # the peer may delete the old one unanswered
        sa.successor = new
        if sa.state == "SM_LEASE_RENEW":
            self.renewal.give_up()
            self.machine.lease_left_to_heir()
        new.take_over(sa)
        new.surroundings.publish(
            IkeRekeyed(new.name, str(new.channel.suite), new.spi_initiator, new.spi_responder)
        )
        self.lifetimes.stop()
        heir = new.phase
        if not isinstance(heir, Living):
            raise AssertionError(f"{new.name} is made to take over, and is not established")
        heir.reauthenticating.under_way = self.reauthenticating.under_way
        heir.lifetimes.start(self.lifetimes)
        for each in waiting:
            if each not in (
                Intent.REKEY,
                Intent.LEASE_RENEW,
            ):  # the timers of the heir say when these are due
                heir.slot.post(each)

    # ------------------------------------------------------------ liveness, CRLs, re-authentication, the lease

    def idle(self) -> None:
        """SM_MATURE again."""
        self.slot.pump()

    def request_liveness(self) -> None:
        """Row Q-09."""
        about_nats = () if self.sa.roaming is None else self.sa.roaming.liveness()
        self.send(ExchangeType.INFORMATIONAL, about_nats, self._alive)

    def _alive(self, message: Message) -> None:
        self.slot.held = False
        if self.sa.roaming is not None:
            self.sa.roaming.alive(message)
        self.machine.alive()

    def update(self) -> None:
        """MSG_IKE_UPDATE."""
        self.slot.post(Intent.UPDATE)

    def request_update(self) -> None:
        """Row P-08, asked by us."""
        if self.sa.roaming is not None:
            self.send(ExchangeType.INFORMATIONAL, self.sa.roaming.request(), self._updated)

    def _updated(self, message: Message) -> None:
        if self.sa.roaming is not None and not self.sa.roaming.answered(message):
            why = "the peer answered another COOKIE2 than ours: someone else may answer for it"
            self.told_to_end(why, EndCause.USER_ERROR)
            return
        self.slot.held = False
        self.machine.updated()

    def update_crl(self) -> None:
        """Row Q-11."""
        self.revoking.ask()

    def begin_reauthentication(self) -> None:
        """Row Q-16."""
        self.reauthenticating.begin()

    def retry_reauthentication(self) -> None:
        """Row Q-18."""
        self.reauthenticating.retry()

    @property
    def newest(self) -> "Living":
        """What this IKE SA has become by rekeying."""
        sa = self.sa
        while sa.successor is not None:
            sa = sa.successor
        return cast("Living", sa.phase)

    def authenticated_for(self, seconds: float, *, told: bool) -> None:
        """See `EstablishedPhase`."""
        self.lifetimes.authenticated_for(seconds, told=told)

    def doubt(self) -> None:
        """See `EstablishedPhase`."""
        self.lifetimes.doubt()

    def tell_lifetime(self) -> None:
        """Row Q-19."""
        self.lifetimes.tell_lifetime()

    def renew_lease(self) -> None:
        """Rows Q-20 and Q-21."""
        self.renewal.begin()

    # ------------------------------------------------------------ the peer's requests

    def request(self, message: Message) -> None:
        """Figure 7."""
        serve(self, message)

    def malformed(self, error: ParseError, header: Header) -> None:
        """Rows P-10 (fatal) and P-11 (told, and that is all)."""
        self.sa.refuse_to_read(header, error)
        if error.unsupported_critical is None:
            self.sa.ends_because(f"a request of the peer cannot be read: {error}", EndCause.USER_ERROR)
            self.machine.malformed()

    # ------------------------------------------------------------ ends

    def told_to_end(self, reason: str, cause: EndCause = EndCause.NAS_REQUEST) -> None:
        """MSG_IKE_TERMINATE."""
        self.sa.ends_because(reason, cause)
        self.succession.told_to_end()
        self.machine.terminate()

    def request_delete(self) -> None:
        """Rows Q-26, IE-14, IE-08, IE-15; after what is outstanding was answered, for the peer's window is 1."""
        self.slot.queue.clear()
        if not self.sa.has_keys:
            self.machine.nothing_to_send()
        elif self.sa.asking.outstanding is not None:
            self.slot.hold(self._answered_before_the_end)
        else:
            self._send_ike_delete()

    def _answered_before_the_end(self, message: Message) -> None:
        self.succession.answered_before_the_end(message)
        self._send_ike_delete()

    def _send_ike_delete(self) -> None:
        payload: Payload = Delete(ProtocolId.IKE, ())
        if self.sa.peer_unauthentic:
            payload = Notify(NotifyType.AUTHENTICATION_FAILED)
        self.send(ExchangeType.INFORMATIONAL, (payload,), lambda message: self.machine.delete_answered())

    def timeout(self) -> None:
        """Rows Q-25, Q-27; that a DELETE stays unanswered is no loss of what was wanted."""
        self.sa.peer_lost = self.sa.state != "SM_DYING"
        self.machine.timeout()

    def dead(self) -> None:
        """Row IE-21."""
        self.lifetimes.stop()
        self.sa.end()


_INPUTS: dict[Intent, Callable[[Mature], None]] = {
    Intent.REKEY: lambda machine: machine.rekey(),
    Intent.CRL_UPDATE: lambda machine: machine.crl_update(),
    Intent.REAUTH: lambda machine: machine.reauth(),
    Intent.LEASE_RENEW: lambda machine: machine.lease_renew(),
}
