"""What an IKE SA, its phases, its CHILD SAs and the gateway's table are to each other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred

from ikegw.crypto.keymat import IkeKeys
from ikegw.crypto.suites import IkeSuite
from ikegw.ike.slot import Answered
from ikegw.ike.window import Datagrams
from ikegw.policy.connections import ChildPolicy
from ikegw.ports import AddressRequest
from ikegw.session import EndCause, SaName
from ikegw.wire.errors import ParseError
from ikegw.wire.message import Header, Message, Payload
from ikegw.wire.registry import ExchangeType

if TYPE_CHECKING:
    from ikegw.ike.child import ChildSa
    from ikegw.ike.running_session import RunningSession
    from ikegw.ike.sa import IkeSa
    from ikegw.ike.tenancy import Tenancy


class Phase(Protocol):
    """What drives the machine that the IKE SA is in at present."""

    machine: Any

    @property
    def serves(self) -> frozenset[ExchangeType]:
        """The exchanges whose requests are looked at (the table of §9); all others are dropped unopened (row RE-15)."""

    def request(self, message: Message) -> None:
        """Act on an authentic request of the peer, new in the window and of a shape that its exchange allows."""

    def response(self, message: Message, octets: bytes) -> None:
        """Act on the answer to our outstanding request."""

    def malformed(self, error: ParseError, header: Header) -> None:
        """Answer an authentic request that cannot be read; `header` is the request's."""

    def timeout(self) -> None:
        """Our request was never answered."""

    def told_to_end(self, reason: str, cause: EndCause = EndCause.NAS_REQUEST) -> None:
        """MSG_IKE_TERMINATE."""


class EstablishedPhase(Phase, Protocol):
    """The phase in which there are CHILD SAs, as these see it."""

    def await_slot(self, child: "ChildSa") -> None:
        """A child has something to ask; it will be told `slot_free`."""

    def leave_queue(self, child: "ChildSa") -> None:
        """A child has nothing more to ask."""

    def release_slot(self) -> None:
        """Whoever held the slot is through."""

    def send(self, exchange: ExchangeType, payloads: Sequence[Payload], answered: Answered) -> None:
        """Ask the peer, holding the slot; `answered` releases it, or asks again."""

    def send_delete(self, inbound_spi: bytes, answered: Answered) -> None:
        """Tell the peer that a child ends, holding the slot likewise."""

    def create_child(self, policy: ChildPolicy) -> "ChildSa":
        """MSG_CHILD_CREATE (row C-02)."""

    def take_rival(self) -> None:
        """Row K-16: what the peer's rekeying made takes over, though we are rekeying too."""

    def doubt(self) -> None:
        """Ask the peer whether it is alive, unless it was heard just now (row L-08)."""

    def update(self) -> None:
        """MSG_IKE_UPDATE: MOBIKE has something to ask."""

    def authenticated_for(self, seconds: float, *, told: bool) -> None:
        """The peer, which may have been told so already, is to authenticate anew within this time, or it ends (row Q-19)."""


class Table(Protocol):
    """The gateway, as an IKE SA sees it."""

    def initial_contact(self, sa: "IkeSa") -> None:
        """Its peer is authentic and says that it has no other: those that we know end, unheard, and give back what was lent."""

    def tenancy_of_its_peer(self, sa: "IkeSa", request: AddressRequest, *, anew: bool) -> "Tenancy | None":
        """What was lent to the session of its peer that ends for this one, if that is what it asks for.

        `anew`: the peer says INITIAL_CONTACT.
        """

    def who_shares_lease(self, sa: "IkeSa") -> "Sequence[IkeSa]":
        """The other sessions of its peer that have the same tenancy."""

    def established(self, sa: "IkeSa") -> None:
        """It is mature."""

    def session_of(self, sa: "IkeSa") -> "RunningSession":
        """It is mature, and its first child up: a session begins."""

    def succeed(
        self, old: "IkeSa", spis: tuple[bytes, bytes], suite: IkeSuite, keys: IkeKeys, *, initiator: bool
    ) -> "IkeSa":
        """A new IKE SA for rekeying `old`, mature, with nothing of the old one yet; `spis` are (SPIi, SPIr)."""

    def session_over(self, sa: "IkeSa") -> None:
        """It ends, and its children are being removed: if nothing takes its place, neither has the session one any more."""

    def no_seat(self, sa: "IkeSa", *, initial_contact: bool) -> str:
        """Take the place of one more session of its user; else why there is none (Port-Limit)."""

    def reauthenticate(self, sa: "IkeSa") -> Deferred[SaName]:
        """Begin a new IKE SA with the same peer; fires when it is mature."""

    def bring_back_with_traffic(self, sa: "IkeSa", policy: ChildPolicy) -> None:
        """Its peer closed such a child: the next packet for it makes another."""

    def forget(self, sa: "IkeSa", last_answer: Datagrams) -> None:
        """It ended; the answer sent last stays known for a while."""
