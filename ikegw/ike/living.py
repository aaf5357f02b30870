"""Driving Figures 6 and 7: an established IKE SA asks and answers, until it is deleted."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import ClassVar, Self

from attrs import define, field, frozen

from ikegw.events import IkeUp, Refused
from ikegw.ike.child import ChildSa
from ikegw.ike.sa import IkeSa
from ikegw.machines.mature import SM_TERMINATE, Mature, MatureMachine
from ikegw.wire.delete import Delete
from ikegw.wire.errors import ParseError
from ikegw.wire.message import Message, Payload
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType, ProtocolId


@frozen
class Asked:
    """A request of ours, and what follows when its answer comes."""

    payloads: tuple[Payload, ...]
    answered: Callable[[Message], None]


@define(eq=False)
class Living:
    """The phase of an IKE SA from SM_MATURE, or from SM_TERMINATE if it never came so far."""

    serves: ClassVar[frozenset[ExchangeType]] = frozenset(
        (ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL)
    )
    sa: IkeSa = field(repr=False)
    machine: Mature = field(init=False, repr=False)
    _in_slot: Asked | None = field(default=None, init=False, repr=False)
    _waiting: deque[Asked] = field(factory=deque, init=False, repr=False)

    # ------------------------------------------------------------ ways in

    @classmethod
    def begin(cls, sa: IkeSa, child: ChildSa | None, *, initial_contact: bool = False) -> Self:
        """Enter SM_MATURE, with the child that IKE_AUTH made."""
        phase = cls(sa)
        phase.machine = MatureMachine(phase)
        sa.enter(phase, "mature")
        sa.disarm("half-open")
        sa.ending = ""
        sa.up_since = sa.surroundings.clock.seconds()
        sa.start_keepalives()
        phase._tell_up()
        sa.established(sa, initial_contact)
        if child is not None:
            child.machine.installed()
        came_up, sa.came_up = sa.came_up, None
        if came_up is not None:
            came_up()
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

    # ------------------------------------------------------------ our requests: one slot, a queue before it

    def ask(
        self, payloads: Sequence[Payload], answered: Callable[[Message], None], *, first: bool = False
    ) -> None:
        """Send an INFORMATIONAL request when the slot is free; `first` goes before what waits."""
        asked = Asked(tuple(payloads), answered)
        if first:
            self._waiting.appendleft(asked)
        else:
            self._waiting.append(asked)
        self._fill_slot()

    def _fill_slot(self) -> None:
        if self._in_slot is None and self._waiting and self.sa.has_keys:
            self._in_slot = self._waiting.popleft()
            self.sa.ask(ExchangeType.INFORMATIONAL, self._in_slot.payloads)

    def response(self, message: Message, octets: bytes) -> None:
        """The slot is free again."""
        asked, self._in_slot = self._in_slot, None
        if asked is not None:
            asked.answered(message)
        self._fill_slot()

    def ask_to_delete(self, inbound_spi: bytes, answered: Callable[[], None]) -> None:
        """Row C-34."""
        self.ask((Delete(ProtocolId.ESP, (inbound_spi,)),), lambda message: answered())

    def request_delete(self) -> None:
        """Rows Q-26, IE-14, IE-08, IE-15: what was in the slot is forgotten, and what waited too."""
        sa = self.sa
        self._waiting.clear()
        if not sa.has_keys:
            self.machine.nothing_to_send()
            return
        if self._in_slot is not None or sa.asking.outstanding is not None:
            self._in_slot = None
            sa.answered()
        payload: Payload = Delete(ProtocolId.IKE, ())
        if sa.peer_unauthentic:
            payload = Notify(NotifyType.AUTHENTICATION_FAILED)
        self.ask((payload,), lambda message: self.machine.delete_answered())

    def told_to_end(self, reason: str) -> None:
        """MSG_IKE_TERMINATE."""
        self.sa.ending = self.sa.ending or reason
        self.machine.terminate()

    # ------------------------------------------------------------ the peer's requests: acted on and answered at once

    def request(self, message: Message) -> None:
        """§6 and §9."""
        if message.header.exchange is ExchangeType.INFORMATIONAL:
            self._inform(message)
        else:
            self._refuse_child()

    def _inform(self, message: Message) -> None:
        deletes = message.every(Delete)
        if any(delete.protocol is ProtocolId.IKE for delete in deletes):
            self.sa.respond(())
            self.sa.ending = self.sa.ending or "the peer deleted it"
            self.machine.peer_deleted()
        elif message.notify(NotifyType.AUTHENTICATION_FAILED) is not None:
            self._rejected()
        else:
            self.sa.respond(self._delete_children(deletes))

    def _rejected(self) -> None:
        """RFC 7296 §2.21.2: an initiator that does not believe our IKE_AUTH response says so, and that deletes the IKE SA."""
        sa = self.sa
        sa.respond(())
        why = "the peer does not believe who we are; its log says why"
        sa.surroundings.publish(Refused(sa.name, sa.path, True, NotifyType.AUTHENTICATION_FAILED.name, why))
        sa.ending = sa.ending or why
        self.machine.peer_deleted()

    def _delete_children(self, deletes: Sequence[Delete]) -> tuple[Payload, ...]:
        """Rows P-03, K-04, K-06: our inbound SPIs of the pairs that were alive, and none for what is gone or going."""
        ours = []
        for spi in (spi for delete in deletes if delete.protocol is ProtocolId.ESP for spi in delete.spis):
            child = next((c for c in self.sa.children.values() if c.tunnel.outbound_spi == spi), None)
            if child is None:
                continue
            if child.state == "SA_MATURE":
                ours.append(child.tunnel.inbound_spi)
            child.peer_deleted()
        return (Delete(ProtocolId.ESP, tuple(ours)),) if ours else ()

    def _refuse_child(self) -> None:
        dying = self.sa.state != "SM_MATURE"
        notify = NotifyType.TEMPORARY_FAILURE if dying else NotifyType.NO_ADDITIONAL_SAS
        self.sa.respond((Notify(notify),))

    def malformed(self, error: ParseError) -> None:
        """Rows P-10 (fatal) and P-11 (told, and that is all)."""
        self.sa.refuse_to_read(error)
        if error.unsupported_critical is None:
            self.sa.ending = self.sa.ending or f"a request of the peer cannot be read: {error}"
            self.machine.malformed()

    # ------------------------------------------------------------ ends

    def timeout(self) -> None:
        """Row Q-25."""
        self.machine.timeout()

    def dead(self) -> None:
        """Row IE-21."""
        self.sa.end()
