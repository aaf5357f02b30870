"""One IKE SA: what lives as long as it does, and the one way in and out for its messages.

What may happen next is not here but in the machine of the phase that it is in: `initiating`, `responding` or `living`.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol, TypeVar, cast

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.crypto.protection import IntegrityError
from ikegw.events import AddressReleased, Dropped, IkeDown, Refused, SaName, StateEntered
from ikegw.ike.channel import Channel, MalformedInside
from ikegw.ike.child import ChildSa
from ikegw.ike.configuration import addresses_of
from ikegw.ike.fragmentation import ORDINARY_PACKET, SMALLER_AFTER, Fragmentation, is_fragment
from ikegw.ike.fragments import KEPT_SECONDS, Collection, Unwanted
from ikegw.ike.retransmission import Retransmission
from ikegw.ike.slot import Answered
from ikegw.ike.surroundings import Surroundings
from ikegw.ike.window import AnsweringWindow, AskingWindow, Datagrams, Verdict
from ikegw.machines.tracing import state_of, trace
from ikegw.paths import Address, Endpoint, Path
from ikegw.policy.connections import ChildPolicy, Connection
from ikegw.policy.identities import from_address
from ikegw.policy.selectors import resolve
from ikegw.ports import Lease
from ikegw.wire.errors import ParseError
from ikegw.wire.identification import Identity
from ikegw.wire.message import Header, Message, Payload
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType
from ikegw.wire.selectors import TrafficSelector
from ikegw.wire.shapes import shape_of

T = TypeVar("T")
E = TypeVar("E", bound=Exception)

_FRAGMENTS = ("fragments of a request", "fragments of a response")
"""The timers that limit how long they are kept, by `is_response`."""


class Phase(Protocol):
    """What drives the machine that the IKE SA is in at present."""

    machine: Any
    serves: ClassVar[frozenset[ExchangeType]]
    """The exchanges whose requests are looked at (the table of §9); all others are dropped unopened (row RE-15)."""

    def request(self, message: Message) -> None:
        """Act on an authentic request of the peer, new in the window and of a shape that its exchange allows."""

    def response(self, message: Message, octets: bytes) -> None:
        """Act on the answer to our outstanding request."""

    def malformed(self, error: ParseError) -> None:
        """Answer an authentic request that cannot be read."""

    def timeout(self) -> None:
        """Our request was never answered."""

    def told_to_end(self, reason: str) -> None:
        """MSG_IKE_TERMINATE."""


class EstablishedPhase(Phase, Protocol):
    """The phase in which there are CHILD SAs, as these see it."""

    def await_slot(self, child: ChildSa) -> None:
        """A child has something to ask; it will be told `slot_free`."""

    def leave_queue(self, child: ChildSa) -> None:
        """A child has nothing more to ask."""

    def release_slot(self) -> None:
        """Whoever held the slot is through."""

    def send(self, exchange: ExchangeType, payloads: Sequence[Payload], answered: Answered) -> None:
        """Ask the peer, holding the slot; `answered` releases it, or asks again."""

    def send_delete(self, inbound_spi: bytes, answered: Answered) -> None:
        """Tell the peer that a child ends, holding the slot likewise."""

    def create_child(self, policy: ChildPolicy) -> ChildSa:
        """MSG_CHILD_CREATE (row C-02)."""


class Table(Protocol):
    """The gateway, as an IKE SA sees it."""

    def established(self, sa: "IkeSa", initial_contact: bool) -> None:
        """It is mature; `initial_contact`: and the peer says that it has no other."""

    def succeed(
        self, old: "IkeSa", spis: tuple[bytes, bytes], channel: Channel, *, initiator: bool
    ) -> "IkeSa":
        """A new IKE SA for rekeying `old`, mature, with nothing of the old one yet; `spis` are (SPIi, SPIr)."""

    def reauthenticate(self, sa: "IkeSa") -> Deferred[SaName]:
        """Begin a new IKE SA with the same peer; fires when it is mature."""

    def forget(self, sa: "IkeSa", last_answer: Datagrams) -> None:
        """It ended; the answer sent last stays known for a while."""


@define(eq=False)
class IkeSa:
    """An IKE SA of ours, from its first message to SM_DEAD."""

    surroundings: Surroundings = field(repr=False)
    number: int
    connection: Connection = field(repr=False)
    initiator: bool
    path: Path
    spi_initiator: bytes
    spi_responder: bytes
    table: "Table" = field(repr=False)
    created: float
    phase: Phase = field(init=False, repr=False)
    _channel: Channel | None = field(default=None, init=False, repr=False)
    answering: AnsweringWindow = field(factory=AnsweringWindow, init=False, repr=False)
    asking: AskingWindow = field(factory=AskingWindow, init=False, repr=False)
    fragmentation: Fragmentation | None = field(default=None, init=False, repr=False)
    """None until both sides have said that they do it."""

    children: dict[bytes, ChildSa] = field(factory=dict, init=False, repr=False)
    asking_children: dict[ChildSa, None] = field(factory=dict, init=False, repr=False)
    """Those with something to ask; one that was never installed is nowhere else."""

    lease: Lease | None = field(default=None, init=False)
    name: SaName = field(init=False)
    """How logs and tables call it."""

    local_identity: Identity = field(init=False)
    remote_identity: Identity | None = field(default=None, init=False)
    method: str = field(default="", init=False)
    behind_nat: bool = field(default=False, init=False)
    peer_behind_nat: bool = field(default=False, init=False)
    up_since: float | None = field(default=None, init=False)
    last_heard: float = field(default=0.0, init=False)
    """When something authentic came in last."""

    successor: "IkeSa | None" = field(default=None, init=False, repr=False)
    """The IKE SA that took this one's place when it was rekeyed."""

    awaits: "IkeSa | None" = field(default=None, init=False, repr=False)
    """The IKE SA that this one is to replace, until it does."""

    initiator_of_session: bool = field(init=False)
    """Did we begin the first of the line, before any rekeying? Then addresses were lent to us, not by us."""

    takes_no_more_children: bool = field(default=False, init=False)
    """Did the peer say NO_ADDITIONAL_SAS (row C-08)? Then we ask for none in this IKE SA again."""

    peer_lost: bool = field(default=False, init=False)
    opened_from: Endpoint | None = field(default=None, init=False)
    """Where a half-open responder's peer began from."""

    came_up: Callable[[], None] | None = field(default=None, init=False, repr=False)
    """Who waits for it to come up."""
    ending: str = field(default="", init=False)
    """Why it ends, once it does."""

    peer_unauthentic: bool = field(default=False, init=False)
    ended: Deferred[None] = field(factory=Deferred, init=False, repr=False)
    _retransmission: Retransmission | None = field(default=None, init=False, repr=False)
    _reply_path: Path | None = field(default=None, init=False, repr=False)
    _timers: dict[str, IDelayedCall] = field(factory=dict, init=False, repr=False)
    _waiting: set[Deferred[Any]] = field(factory=set, init=False, repr=False)

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
    def own_spi(self) -> bytes:
        """The SPI that we chose: what the gateway finds it by."""
        return self.spi_initiator if self.initiator else self.spi_responder

    @property
    def channel(self) -> Channel:
        """The keys; the machines ask for them only where they are."""
        if self._channel is None:
            raise AssertionError(f"{self.name} has no keys")
        return self._channel

    @channel.setter
    def channel(self, channel: Channel) -> None:
        self._channel = channel

    @property
    def peer(self) -> Identity:
        """Who the peer says it is; only after IKE_AUTH."""
        if self.remote_identity is None:
            raise AssertionError(f"{self.name} has not heard who its peer is")
        return self.remote_identity

    @property
    def has_keys(self) -> bool:
        """Can anything be protected?"""
        return self._channel is not None

    @property
    def state(self) -> str:
        """The state of its machine, in the paper's names."""
        return state_of(self.phase.machine)

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
        self.phase = phase
        publish = self.surroundings.publish

        def told(before: str, cause: str, after: str) -> None:
            publish(StateEntered(self.name, kind, before, cause, after))

        trace(phase.machine, told)

    def come_after(self, old: "IkeSa") -> None:
        """Be the same session as `old`, which is being rekeyed."""
        self.awaits = old
        self.initiator_of_session, self.method = old.initiator_of_session, old.method
        self.local_identity, self.remote_identity = old.local_identity, old.remote_identity
        self.behind_nat, self.peer_behind_nat = old.behind_nat, old.peer_behind_nat
        self.last_heard = self.surroundings.clock.seconds()
        if old.fragmentation is not None:
            self.agree_on_fragments(old.fragmentation.packet_octets)

    def agree_on_fragments(self, packet_octets: int = ORDINARY_PACKET) -> None:
        """Both sides can cut and join messages, and do so from now on (RFC 7383 §2.3)."""
        self.fragmentation = Fragmentation(self.surroundings.fragments, packet_octets)

    def take_over(self, old: "IkeSa") -> None:
        """Row Q-03: everything of the IKE SA that this one replaces, but its keys and windows."""
        self.awaits = None
        self.children, old.children = old.children, {}
        self.asking_children, old.asking_children = old.asking_children, {}
        for child in (*self.children.values(), *self.asking_children):
            child.sa = self
        self.lease, old.lease = old.lease, None
        self.up_since = old.up_since
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
        mine, peers = self.dynamic_addresses
        return resolve(child.policy.local_selectors, mine), resolve(child.policy.remote_selectors, peers)

    @property
    def dynamic_addresses(self) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
        """What stands for `dynamic` in a policy, on our side and on the peer's: lent addresses, else the path's ends."""
        lent = addresses_of(self.lease)
        mine: tuple[Address, ...] = (self.path.local.address,)
        peers: tuple[Address, ...] = (self.path.remote.address,)
        return (lent or mine, peers) if self.initiator_of_session else (mine, lent or peers)

    # ------------------------------------------------------------ messages in

    def receive(self, path: Path, header: Header, octets: bytes) -> None:
        """One datagram of this IKE SA, not yet opened. Nothing in it is believed before it opens."""
        if header.is_response:
            self._receive_response(path, header, octets)
        else:
            self._receive_request(path, header, octets)

    def _receive_response(self, path: Path, header: Header, octets: bytes) -> None:
        if not self.asking.expects(header.message_id):
            self.drop(path, "response-not-awaited")
            return
        try:
            opened = self._open(path, octets, is_response=True)
        except MalformedInside as inside:
            self.drop(path, "malformed-response", str(inside.error))
            return
        if opened is not None and self._fits(path, opened[0]):
            self.answered()
            self.phase.response(*opened)

    def _receive_request(self, path: Path, header: Header, octets: bytes) -> None:
        verdict = self.answering.judge(header.message_id, octets)
        if verdict is Verdict.REPLAY:
            self._answer_again(path)
        elif verdict is Verdict.REPEATED_OTHERWISE and self.fragmentation is not None:
            self._asked_otherwise(path, octets, self.fragmentation)
        elif verdict is not Verdict.NEW:
            self.drop(path, f"request-{verdict.value}")
        elif header.exchange not in self.phase.serves:
            self.drop(path, "exchange-not-now", f"{header.exchange.name} in {self.state}")
        else:
            self._serve(path, octets)

    def _serve(self, path: Path, octets: bytes) -> None:
        try:
            opened = self._open(path, octets, is_response=False)
        except MalformedInside as inside:
            self._take(path, inside.octets, inside.header)
            self.phase.malformed(inside.error)
            return
        if opened is None:
            return
        message, octets = opened
        self._take(path, octets, message.header)
        try:
            shape_of(message)
        except ParseError as error:
            self.phase.malformed(error)
        else:
            self.phase.request(message)

    _serving: Header | None = field(default=None, init=False, repr=False)

    def _take(self, path: Path, octets: bytes, header: Header) -> None:
        self._serving = header
        self.answering.taken(octets)
        self._forget_fragments(is_response=False)
        self._reply_path = path
        if self.up_since is None or self.peer_behind_nat:
            self.path = path

    def _open(self, path: Path, octets: bytes, *, is_response: bool) -> tuple[Message, bytes] | None:
        """The message that this datagram makes whole, and what stands for it in the window: its first datagram."""
        fragmentation = self.fragmentation
        if fragmentation is not None and is_fragment(octets):
            collection = fragmentation.collection(is_response)
            whole = self._authentic(path, lambda channel: collection.take(channel, octets))
            if whole is None:
                self._limit(collection, is_response)
                return None
            fragmentation.heard(whole)
            return self.channel.read(whole.header, whole.first, whole.plain, whole.opening), whole.opening
        message = self._authentic(path, lambda channel: channel.open(octets))
        return None if message is None else (message, octets)

    def _authentic(self, path: Path, opening: Callable[[Channel], T]) -> T | None:
        if self._channel is None:
            self.drop(path, "no-keys-yet")
            return None
        try:
            opened = opening(self._channel)
        except IntegrityError:
            self.drop(path, "forged")
        except ParseError as error:
            self.drop(path, "malformed", str(error))
        except Unwanted as unwanted:
            self.drop(path, unwanted.reason, unwanted.detail)
        else:
            self.last_heard = self.surroundings.clock.seconds()
            return opened
        return None

    def _limit(self, collection: Collection, is_response: bool) -> None:
        timer = _FRAGMENTS[is_response]
        if collection.is_begun and not self.armed(timer):
            self.arm(timer, KEPT_SECONDS, collection.drop)

    def _forget_fragments(self, is_response: bool) -> None:
        if self.fragmentation is not None:
            self.fragmentation.drop(is_response)
            self.disarm(_FRAGMENTS[is_response])

    def _asked_otherwise(self, path: Path, octets: bytes, fragmentation: Fragmentation) -> None:
        if self._authentic(path, lambda channel: fragmentation.is_repeat(channel, octets)):
            self._answer_again(path, cut_otherwise=is_fragment(octets))

    def _answer_again(self, path: Path, *, cut_otherwise: bool = False) -> None:
        """Row L-03, except that an answer lost too often, or to a peer that makes the trial itself, is cut smaller."""
        answer, repeats = self.answering.last_answer, self.answering.repeated()
        if self.fragmentation is not None and (cut_otherwise or repeats > SMALLER_AFTER):
            answer = self.fragmentation.smaller(self.channel, answer, path)
            self.answering.recut(answer)
        self._send(answer, path)

    def _fits(self, path: Path, message: Message) -> bool:
        try:
            shape_of(message)
        except ParseError as error:
            self.drop(path, "malformed-response", str(error))
            return False
        return True

    # ------------------------------------------------------------ messages out

    def respond(self, payloads: Sequence[Payload]) -> None:
        """Answer the request being served, protected, and keep the answer for repeats."""
        request = self._serving
        if request is None:
            raise AssertionError(f"{self.name} is serving no request")
        header = self._header(request.exchange, request.message_id, is_response=True)
        self._answer(self._seal(header, payloads, self._reply_path or self.path))

    def respond_clear(self, answer: bytes, request: bytes) -> None:
        """Answer an IKE_SA_INIT request, unprotected; both are whole datagrams."""
        self.answering.taken(request)
        self._reply_path = self.path
        self._answer((answer,))

    def repeat_opening(self, path: Path, octets: bytes) -> bool:
        """Row D-06: the same IKE_SA_INIT request again gets the same answer; False if it is another one."""
        if self.answering.judge(0, octets) is not Verdict.REPLAY:
            return False
        self._send(self.answering.last_answer, path)
        return True

    def refuse_to_read(self, error: ParseError) -> None:
        """Answer a request that cannot be read (rows P-10, P-11, RE-16)."""
        self.respond((refusal_of(error),))

    def no_answer(self) -> None:
        """Leave the request being served unanswered, as if it had not come (row RE-15)."""
        self.answering.dropped()
        self._serving = None

    def _answer(self, datagrams: Datagrams) -> None:
        self.answering.answered(datagrams)
        self._serving = None
        self._send(datagrams, self._reply_path or self.path)

    def ask(self, exchange: ExchangeType, payloads: Sequence[Payload]) -> None:
        """Send a protected request, again and again until it is answered or the phase hears `timeout`."""
        header = self._header(exchange, self.asking.ask(), is_response=False)
        self.transmit(self._seal(header, payloads, self.path))

    def _seal(self, header: Header, payloads: Sequence[Payload], path: Path) -> Datagrams:
        if self.fragmentation is None:
            return (self.channel.seal(header, payloads),)
        return self.channel.seal_within(header, payloads, self.fragmentation.room(path))

    def transmit(self, datagrams: Datagrams) -> None:
        """Send these octets of the outstanding request until it is answered."""
        if self._retransmission is None:
            self._retransmission = Retransmission(
                self.surroundings.clock,
                self.surroundings.random,
                self.connection.retransmit,
                lambda them: self._send(them, self.path),
                self._unanswered,
                self._smaller,
            )
        self._retransmission.start(datagrams)

    def _smaller(self, datagrams: Datagrams) -> Datagrams:
        if self.fragmentation is None:
            return datagrams
        return self.fragmentation.smaller(self.channel, datagrams, self.path)

    def answered(self) -> None:
        """The outstanding request needs no more sending."""
        self.asking.answered()
        self._forget_fragments(is_response=True)
        if self._retransmission is not None:
            self._retransmission.stop()
            self._retransmission = None

    def _unanswered(self) -> None:
        self.asking.answered()
        self.ending = self.ending or f"no answer from {self.path.remote}"
        self.phase.timeout()

    def _header(self, exchange: ExchangeType, message_id: int, *, is_response: bool) -> Header:
        return Header(
            self.spi_initiator, self.spi_responder, exchange, is_response, self.initiator, message_id
        )

    def _send(self, datagrams: Datagrams, path: Path) -> None:
        for octets in datagrams:
            self.surroundings.transport.send(path, octets)

    def tell_refused(self, notify: str, detail: str, *, by_peer: bool = False) -> None:
        """Tell the operator of a negotiation that came to nothing."""
        self.surroundings.publish(Refused(self.name, self.path, by_peer, notify, detail))

    def drop(self, path: Path, reason: str, detail: str = "") -> None:
        """Count a datagram that changes nothing."""
        self.surroundings.publish(Dropped(path, reason, detail))

    def start_keepalives(self) -> None:
        """Keep our NAT's mapping alive, if we are behind one (RFC 3948 §4)."""
        if self.behind_nat and self.connection.keepalive_seconds:
            self.arm("keepalive", self.connection.keepalive_seconds, self._keep_alive)

    def _keep_alive(self) -> None:
        self.surroundings.transport.keepalive(self.path)
        self.start_keepalives()

    # ------------------------------------------------------------ waiting

    def arm(self, name: str, seconds: float, elapsed: Callable[[], None]) -> None:
        """Start the timer called `name`, anew if it runs already."""
        self.disarm(name)

        def fired() -> None:
            del self._timers[name]
            elapsed()

        self._timers[name] = self.surroundings.clock.callLater(seconds, fired)

    def armed(self, name: str) -> bool:
        """Is the timer called `name` running?"""
        return name in self._timers

    def disarm(self, name: str) -> None:
        """Stop the timer called `name`, if it runs."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def wait_for(
        self,
        waited: Deferred[T],
        done: Callable[[T], None],
        expected: type[E] | tuple[type[E], ...],
        failed: Callable[[E], None],
    ) -> None:
        """Go on with `done` when `waited` fires, or with `failed` if it fails as `expected`; other failures are our own fault.

        If the IKE SA ends before, `waited` is cancelled and neither is called.
        """
        self._waiting.add(waited)

        def settled(result: Any) -> None:
            if waited not in self._waiting:
                return
            self._waiting.discard(waited)
            if not isinstance(result, Failure):
                done(result)
            elif isinstance(result.value, expected):
                failed(result.value)
            else:
                self.broke(result)

        waited.addBoth(settled).addErrback(self.broke)

    def broke(self, failure: Failure) -> None:
        """A fault of ours while working for this IKE SA: it ends, everyone else goes on."""
        self._log.failure("{name}: internal error; this IKE SA ends", failure, name=str(self.name))
        self.ending = self.ending or "an internal error, which the log tells"
        self.end()

    # ------------------------------------------------------------ the end

    def end(self) -> None:
        """Row IE-21, the one place where an IKE SA ends: timers, waits, children, lease, keys, tables."""
        if self.ended.called:
            return
        if self._retransmission is not None:
            self._retransmission.stop()
        for name in tuple(self._timers):
            self.disarm(name)
        self._forget_fragments(is_response=False)
        self._forget_fragments(is_response=True)
        waiting, self._waiting = self._waiting, set()
        for waited in waiting:
            waited.cancel()
        for child in dict.fromkeys((*self.children.values(), *self.asking_children)):
            child.ike_sa_gone(self.ending)
        self._release()
        self.table.forget(self, self.answering.last_answer if self.has_keys else ())
        self._channel = None
        if self.successor is None and self.awaits is None:
            up = self.up_since is not None
            self.surroundings.publish(IkeDown(self.name, self.path, self.remote_identity, self.ending, up))
        self.ended.callback(None)

    def _release(self) -> None:
        lease, self.lease = self.lease, None
        if lease is None or self.initiator_of_session:
            return
        addresses = tuple(address for address in (lease.ip4, lease.ip6) if address is not None)
        self.surroundings.addresses.release(lease).addErrback(self._not_released)
        self.surroundings.publish(AddressReleased(self.name, addresses))

    def _not_released(self, failure: Failure) -> None:
        self._log.failure("{name}: its address could not be given back", failure, name=str(self.name))


def refusal_of(error: ParseError) -> Notify:
    """The notify that tells a peer why its request cannot be read (RFC 7296 §2.5, §2.21)."""
    if error.unsupported_critical is not None:
        return Notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, bytes([error.unsupported_critical]))
    return Notify(NotifyType.INVALID_SYNTAX)
