"""Driving Figure 4: a peer begins an IKE SA; we answer, find its connection, and see the IKE_AUTH exchange through."""

from collections.abc import Sequence
from typing import ClassVar

from attrs import define, field

from ikegw.crypto.groups import BadPublicValue, generate
from ikegw.crypto.keymat import ike_keys
from ikegw.crypto.suites import IkeSuite
from ikegw.events import AuthFailed, AuthFailure, Refused
from ikegw.ike import nat
from ikegw.ike.conversation import refusal_of
from ikegw.ike.finalizing import Finalizing
from ikegw.ike.fragmentation import agreed, announcement
from ikegw.ike.greeting import (
    CHILDLESS,
    NONCE_OCTETS,
    SEVERAL_PROOFS,
    certificates_asked_for,
    hash_algorithms,
    hashes_of,
    nonce_is_sound,
)
from ikegw.ike.living import Living
from ikegw.ike.methods import allows, mismatch
from ikegw.ike.mobike import came_through_nat
from ikegw.ike.opening import Opening
from ikegw.ike.proofs import ByCredentials
from ikegw.ike.relaying import Relaying
from ikegw.ike.roaming import nat_detection
from ikegw.ike.rounds import Rounds
from ikegw.ike.sa import IkeSa
from ikegw.machines.responder import Responder, ResponderMachine
from ikegw.policy.connections import AuthKind, Connection, for_identities
from ikegw.policy.identities import display
from ikegw.policy.proposals import Chosen, choose_ike, explain, offers_suite
from ikegw.session import EndCause
from ikegw.wire.authentication import Authentication
from ikegw.wire.delete import Delete
from ikegw.wire.errors import ParseError
from ikegw.wire.identification import Identity, IdInitiator, IdResponder
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import Header, Message, Payload, encode_message
from ikegw.wire.nonce import Nonce
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import ExchangeType, NotifyType, ProtocolId


@define(eq=False)
class Responding:
    """The phase of a responder up to SM_MATURE. `candidates` are the connections for the addresses, best first."""

    serves: ClassVar[frozenset[ExchangeType]] = frozenset((ExchangeType.IKE_AUTH, ExchangeType.INFORMATIONAL))
    sa: IkeSa = field(repr=False)
    candidates: tuple[Connection, ...] = field(repr=False)
    message: Message = field(repr=False)
    octets: bytes = field(repr=False)
    machine: Responder = field(init=False, repr=False)
    _answer: tuple[Payload, ...] = field(default=(), init=False, repr=False)
    _asked: Header = field(init=False, repr=False)
    """The request that is being served: there is one at a time before SM_MATURE."""

    _opening: Opening = field(init=False, repr=False)
    _finalizing: Finalizing = field(init=False, repr=False)
    _relaying: Relaying | None = field(default=None, init=False, repr=False)
    """Only if the initiator logs in by EAP."""

    _rounds: Rounds | None = field(default=None, init=False, repr=False)
    """Only if the initiator proves itself twice."""

    def __attrs_post_init__(self) -> None:
        self.machine = ResponderMachine(self)
        self.sa.enter(self, "responder")

    # ------------------------------------------------------------ IKE_SA_INIT

    def begin(self) -> None:
        """Judge the IKE_SA_INIT request: rows R-01, R-02, R-03."""
        message = self.message
        proposed, theirs = message.need(SecurityAssociation), message.need(KeyExchange)
        nonce = message.need(Nonce).octets
        chosen = self._choose(proposed)
        if chosen is None:
            offers = tuple(offer for candidate in self.candidates for offer in candidate.proposals)
            why = f"no IKE proposal in common: {explain(offers, proposed)}"
            self._refuse(NotifyType.NO_PROPOSAL_CHOSEN, why)
            self.machine.no_proposal()
        elif chosen.suite.group.id != theirs.group:
            group = chosen.suite.group
            why = f"the peer guessed group {theirs.group.name}, we want {group.name}"
            self._refuse(NotifyType.INVALID_KE_PAYLOAD, why, group.id.to_bytes(2, "big"))
            self.machine.wrong_group()
        elif not nonce_is_sound(nonce, chosen.suite.prf):
            self._refuse(NotifyType.INVALID_SYNTAX, f"a nonce of {len(nonce)} octets is too short")
            self.machine.malformed()
        else:
            self._agree(chosen, theirs, nonce)

    def _choose(self, proposed: SecurityAssociation) -> Chosen[IkeSuite] | None:
        for candidate in self.candidates:
            chosen = choose_ike(candidate.proposals, proposed)
            if chosen is not None:
                self.sa.belong_to(candidate)
                return chosen
        return None

    def _agree(self, chosen: Chosen[IkeSuite], theirs: KeyExchange, their_nonce: bytes) -> None:
        sa, random = self.sa, self.sa.surroundings.random
        pair = generate(theirs.group, random)
        try:
            shared = pair.shared(theirs.public)
        except BadPublicValue as error:
            self._refuse(NotifyType.INVALID_SYNTAX, f"the peer's public value is bad: {error}")
            self.machine.malformed()
            return
        nonce = random(NONCE_OCTETS)
        keys = ike_keys(chosen.suite, shared, their_nonce, nonce, sa.spi_initiator, sa.spi_responder)
        sa.protect(chosen.suite, keys)
        if sa.connection.nat_traversal:
            sa.behind_nat, sa.peer_behind_nat = nat.detect(self.message, sa.path)
        if agreed(sa.connection, self.message):
            sa.agree_on_fragments()
        self._answer = (
            chosen.answer,
            KeyExchange(theirs.group, pair.public),
            Nonce(nonce),
            *self._nat_detection(),
            *certificates_asked_for(sa.surroundings.authenticator, self.candidates),
            *((hash_algorithms(),) if hashes_of(self.message) else ()),
            CHILDLESS,
            *((SEVERAL_PROOFS,) if self._wants_two_proofs else ()),
            *(announcement(sa.connection) if sa.fragmentation else ()),
        )
        response = encode_message(self._clear(sa.spi_responder, self._answer))
        self._opening = Opening(self.octets, response, their_nonce, nonce)
        self.machine.agreed()

    @property
    def _wants_two_proofs(self) -> bool:
        return any(candidate.second_remote is not None for candidate in self.candidates)

    def _nat_detection(self) -> tuple[Notify, ...]:
        sa = self.sa
        if not self.message.notify(NotifyType.NAT_DETECTION_SOURCE_IP):
            return ()
        return nat_detection(sa, sa.path)

    def _clear(self, responder_spi: bytes, payloads: Sequence[Payload]) -> Message:
        header = Header(self.sa.spi_initiator, responder_spi, ExchangeType.IKE_SA_INIT, True, False, 0)
        return Message(header, tuple(payloads))

    def answer_ike_sa_init(self) -> None:
        """Row R-01."""
        self.sa.arm("half-open", self.sa.connection.half_open_seconds, self._not_continued)
        self.sa.respond_clear(self._opening.response, self.octets)

    def _not_continued(self) -> None:
        self.sa.ending = self.sa.ending or "the initiator did not go on in time"
        self.machine.timeout()

    # ------------------------------------------------------------ IKE_AUTH

    def request(self, message: Message) -> None:
        """§9: IKE_AUTH first, and in an EAP login; INFORMATIONAL only to reject us (RE-14); all else is dropped (RE-15)."""
        exchange, self._asked = message.header.exchange, message.header
        if exchange is ExchangeType.IKE_AUTH and self._relaying is not None:
            self._go_on_with_login(self._relaying, message)
        elif exchange is ExchangeType.IKE_AUTH and self._rounds is not None:
            self._go_on_with_rounds(self._rounds, message)
        elif exchange is ExchangeType.IKE_AUTH:
            self._ike_auth(message)
        elif exchange is ExchangeType.INFORMATIONAL and _rejects_us(message):
            self.sa.ending = "the initiator rejected us"
            if self._relaying is not None:
                self._relaying.given_up()
            self.machine.peer_rejected_us()
        else:
            self.sa.no_answer(message.header)
            self.sa.drop(self.sa.path, "request-before-mature", exchange.name)

    def _ike_auth(self, message: Message) -> None:
        said, named = message.one(IdInitiator), message.one(IdResponder)
        if said is None:
            self.malformed(ParseError("IKE_AUTH begins with IDi"), message.header)
            return
        identity = said.identity
        idr = None if named is None else named.identity
        self.sa.remote_identity = identity
        fitting = for_identities(self._still_possible(), identity, idr)
        allowed = [connection for connection in fitting if allows(connection, message)]
        if not fitting:
            self._fail(AuthFailure.NO_CONFIGURATION, self._whom_we_know(identity, idr))
            self.machine.unconfigured()
        elif not allowed:
            self._fail(AuthFailure.METHOD_NOT_ALLOWED, mismatch(fitting, message))
            self.machine.method_not_allowed()
        elif allowed[0].mobike and came_through_nat(message, self.sa.path):
            self._refuse(NotifyType.UNEXPECTED_NAT_DETECTED, "the peer forbids NATs, and there is one")
            self.machine.method_not_allowed()
        else:
            self._admit(allowed, message, identity, idr)

    def _admit(
        self, allowed: Sequence[Connection], message: Message, identity: Identity, idr: Identity | None
    ) -> None:
        sa, connection = self.sa, allowed[0]
        sa.disarm("half-open")
        sa.belong_to(connection)
        sa.local_identity = self._ourselves(connection, idr)
        proofs = ByCredentials(sa, self._opening, message, identity, hashes_of(self.message))
        if message.one(Authentication) is None:
            self._relaying = Relaying(
                sa, self.machine, self._opening, message, identity, connection.remote, proofs, self._fail
            )
            self._relaying.begin()
        elif connection.second_remote is not None:
            self._rounds = Rounds(sa, self.machine, self._opening, message, allowed, proofs, self._fail)
            self.machine.first_of_two()
        else:
            self._finalizing = Finalizing(sa, self.machine, self._opening, message, proofs, identity)
            self.machine.admissible()

    def _ourselves(self, connection: Connection, idr: Identity | None) -> Identity:
        """As whom we answer: as configured, as asked (Windows never asks), as our certificate has it, or by our address."""
        if connection.local.identity or idr:
            return connection.local.identity or idr or self.sa.local_identity
        if connection.local.kind is not AuthKind.PUBKEY:
            return self.sa.local_identity
        authenticator = self.sa.surroundings.authenticator
        return authenticator.own_identity(connection.local) or self.sa.local_identity

    def _still_possible(self) -> tuple[Connection, ...]:
        """Row G-04: the candidates that would have agreed to the suite that was chosen."""
        suite = self.sa.channel.suite
        return tuple(one for one in self.candidates if offers_suite(one.proposals, suite))

    def _whom_we_know(self, identity: Identity, idr: Identity | None) -> str:
        wanted = "" if idr is None else f", which asked for us as {display(idr)}"
        known = "; ".join(f"{c.name}: remote.id {c.remote.identity}" for c in self.candidates[:8])
        return f"no connection fits {display(identity)}{wanted}; those for its address are: {known}"

    # ------------------------------------------------------------ two proofs

    @property
    def _first_round(self) -> Rounds:
        if self._rounds is None:
            raise AssertionError("the machine speaks of a first proof where one is all")
        return self._rounds

    def verify_round(self) -> None:
        """Row R-19."""
        self._first_round.verify()

    def download_for_round(self) -> None:
        """Row R-13, for the first of two proofs."""
        self._first_round.download()

    def answer_round(self) -> None:
        """Row R-20."""
        self.sa.arm("half-open", self.sa.connection.half_open_seconds, self._not_continued)
        self.sa.respond(self._asked, self._first_round.answer)

    def _go_on_with_rounds(self, rounds: Rounds, message: Message) -> None:
        self.sa.disarm("half-open")
        self._relaying = rounds.login(message)
        if self._relaying is not None:
            self._relaying.begin()

    # ------------------------------------------------------------ the EAP login

    def _go_on_with_login(self, relaying: Relaying, message: Message) -> None:
        self.sa.disarm("half-open")
        relaying.heard(message)

    @property
    def _login(self) -> Relaying:
        if self._relaying is None:
            raise AssertionError("the machine speaks of an EAP login that was never begun")
        return self._relaying

    def ask_aaa(self) -> None:
        """Rows R-05 and R-09."""
        self._login.ask()

    def prove_first(self) -> None:
        """Rows R-06 and R-07."""
        self._login.prove()

    def answer_eap(self) -> None:
        """Rows R-08, R-10, R-11 and RE-06: each answer gives the initiator its time anew."""
        self.sa.arm("half-open", self._login.patience, self._not_continued)
        self.sa.respond(self._asked, self._login.answer)

    # ------------------------------------------------------------ through

    def finalize_login(self) -> None:
        """Row R-12."""
        login = self._login
        self._finalizing = Finalizing(
            self.sa, self.machine, self._opening, login.message, login.proofs, self.sa.peer
        )
        self.finalize()

    def finalize(self) -> None:
        """SMR_AUTH_FINALIZE; should it fail, one answer tells the initiator no more than that."""
        self._answer = (Notify(NotifyType.AUTHENTICATION_FAILED),)
        self._finalizing.go_on()

    def download(self) -> None:
        """Row R-13."""
        self._finalizing.download()

    def answer_ike_auth(self) -> None:
        """Rows R-17 and R-18."""
        self.sa.respond(self._asked, self._finalizing.answer())
        Living.begin(self.sa, self._finalizing.child)

    # ------------------------------------------------------------ refusals

    def answer_refusal(self) -> None:
        """Send the one notify that tells no more than the RFC allows, then end."""
        if self.sa.answering.expected:
            self.sa.respond(self._asked, self._answer)
        else:
            self.sa.respond_clear(encode_message(self._clear(bytes(8), self._answer)), self.octets)
        self.sa.end()

    def answer_empty(self) -> None:
        """Row RE-14."""
        self.sa.respond(self._asked, ())
        self.sa.end()

    def malformed(self, error: ParseError, header: Header) -> None:
        """Row RE-16."""
        self._asked = header
        self._answer = (refusal_of(error),)
        self.sa.ending = f"a request of the peer cannot be read: {error}"
        self.machine.malformed()

    def _fail(self, reason: AuthFailure, detail: str) -> None:
        sa = self.sa
        sa.ending = detail
        sa.surroundings.publish(AuthFailed(sa.name, sa.path, sa.remote_identity, reason, detail))
        self._answer = (Notify(NotifyType.AUTHENTICATION_FAILED),)

    def _refuse(self, notify: NotifyType, detail: str, data: bytes = b"") -> None:
        sa = self.sa
        sa.ending = detail
        sa.surroundings.publish(Refused(sa.name, sa.path, False, notify.name, detail))
        self._answer = (Notify(notify, data),)

    # ------------------------------------------------------------ the other ends of this phase

    def told_to_end(self, reason: str, cause: EndCause = EndCause.NAS_REQUEST) -> None:
        """MSG_IKE_TERMINATE."""
        self.sa.ends_because(reason, cause)
        self.machine.terminate()

    def terminate(self) -> None:
        """Hand over to SM_TERMINATE (row IE-20); what was being waited for is wanted no more."""
        self.sa.wait_no_more()
        Living.begin_terminating(self.sa)

    def dead(self) -> None:
        """Row IE-21."""
        self.sa.end()

    def timeout(self) -> None:
        """A responder asks nothing before SM_MATURE, so nothing of its own can be unanswered."""

    def response(self, message: Message, octets: bytes) -> None:
        """A responder asks nothing before SM_MATURE, so nothing can be answered."""


def _rejects_us(message: Message) -> bool:
    if message.notify(NotifyType.AUTHENTICATION_FAILED) is not None:
        return True
    return any(delete.protocol is ProtocolId.IKE for delete in message.every(Delete))
