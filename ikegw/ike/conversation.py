"""The one way in and the one way out for the messages of an IKE SA: window, keys, fragments, retransmission."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from attrs import define, field

from ikegw.crypto.keymat import IkeKeys
from ikegw.crypto.protection import IntegrityError
from ikegw.crypto.suites import IkeSuite
from ikegw.events import Dropped, Retransmitted
from ikegw.ike.channel import Channel, MalformedInside
from ikegw.ike.fragmentation import ORDINARY_PACKET, SMALLER_AFTER, Fragmentation, is_fragment
from ikegw.ike.fragments import KEPT_SECONDS, Collection, Unwanted
from ikegw.ike.phase import Phase
from ikegw.ike.retransmission import Retransmission
from ikegw.ike.waiting import Waiting
from ikegw.ike.window import AnsweringWindow, AskingWindow, Datagrams, Verdict
from ikegw.machines.tracing import state_of
from ikegw.paths import Path
from ikegw.policy.connections import Connection
from ikegw.ports.witness import MadeKeys
from ikegw.session import EndCause, SaName
from ikegw.wire.errors import ParseError
from ikegw.wire.message import Header, Message, Payload
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType
from ikegw.wire.shapes import shape_of

T = TypeVar("T")

_FRAGMENTS = ("fragments of request {}", "fragments of response {}")
"""The timers that limit how long they are kept, by `is_response`."""


@define(eq=False)
class Conversation(Waiting):
    """What is said between us and the peer, in order and protected; `phase` is who acts on it."""

    number: int
    connection: Connection = field(repr=False)
    initiator: bool
    path: Path
    spi_initiator: bytes
    spi_responder: bytes
    phase: Phase = field(init=False, repr=False)
    name: SaName = field(init=False)
    """How logs and tables call it."""

    _channel: Channel | None = field(default=None, init=False, repr=False)
    answering: AnsweringWindow = field(factory=AnsweringWindow, init=False, repr=False)
    asking: AskingWindow = field(factory=AskingWindow, init=False, repr=False)
    fragmentation: Fragmentation | None = field(default=None, init=False, repr=False)
    """None until both sides have said that they do it."""

    peer_behind_nat: bool = field(default=False, init=False)
    up_since: float | None = field(default=None, init=False)
    last_heard: float = field(default=0.0, init=False)
    """When something authentic came in last."""

    ending: str = field(default="", init=False)
    cause: EndCause = field(default=EndCause.NAS_REQUEST, init=False)
    """Why it ends, once it does."""

    _retransmission: Retransmission | None = field(default=None, init=False, repr=False)
    _reply_paths: dict[int, Path] = field(factory=dict, init=False, repr=False)
    """Where each request that is being served came from, which is where its answer goes."""

    @property
    def channel(self) -> Channel:
        """The keys; the machines ask for them only where they are."""
        if self._channel is None:
            raise AssertionError(f"{self.name} has no keys")
        return self._channel

    @channel.setter
    def channel(self, channel: Channel) -> None:
        self._channel = channel

    def protect(self, suite: IkeSuite, keys: IkeKeys) -> None:
        """Seal and open with these keys from now on."""
        self.channel = Channel.of(suite, keys, self.initiator, self.surroundings.random)
        self.surroundings.witness(MadeKeys(self.path, self.spi_initiator, self.spi_responder, suite, keys))

    @property
    def has_keys(self) -> bool:
        """Can anything be protected?"""
        return self._channel is not None

    @property
    def state(self) -> str:
        """The state of its machine, in the paper's names."""
        return state_of(self.phase.machine)

    def agree_on_fragments(self, packet_octets: int = ORDINARY_PACKET) -> None:
        """Both sides can cut and join messages, and do so from now on (RFC 7383 §2.3)."""
        self.fragmentation = Fragmentation(self.surroundings.fragments, packet_octets)

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
            opened = self._open(path, header, octets)
        except MalformedInside as inside:
            self.drop(path, "malformed-response", str(inside.error))
            return
        if opened is not None and self._fits(path, opened[0]):
            self.answered()
            self.answered_on(path)
            self.phase.response(*opened)

    def _receive_request(self, path: Path, header: Header, octets: bytes) -> None:
        verdict = self.answering.judge(header.message_id, octets)
        if verdict is Verdict.REPLAY:
            self._answer_again(path, header.message_id)
        elif verdict is Verdict.REPEATED_OTHERWISE and self.fragmentation is not None:
            self._asked_otherwise(path, header.message_id, octets, self.fragmentation)
        elif verdict is not Verdict.NEW:
            self.drop(path, f"request-{verdict.value}")
        elif header.exchange not in self.phase.serves:
            self.drop(path, "exchange-not-now", f"{header.exchange.name} in {self.state}")
        else:
            self._serve(path, header, octets)

    def _serve(self, path: Path, header: Header, octets: bytes) -> None:
        try:
            opened = self._open(path, header, octets)
        except MalformedInside as inside:
            self._take(path, inside.octets, inside.header)
            self.phase.malformed(inside.error, inside.header)
            return
        if opened is None:
            return
        message, octets = opened
        self._take(path, octets, message.header)
        try:
            shape_of(message)
        except ParseError as error:
            self.phase.malformed(error, message.header)
        else:
            self.phase.request(message)

    def _take(self, path: Path, octets: bytes, header: Header) -> None:
        newest = self.answering.is_newest(header.message_id)
        self.answering.taken(header.message_id, octets)
        self._forget_fragments(False, header.message_id)
        self._reply_paths[header.message_id] = path
        if newest:
            self.asked_on(path)

    def asked_on(self, path: Path) -> None:
        """The peer's newest request, an authentic one, came on this path."""
        self.path = path

    def answered_on(self, path: Path) -> None:
        """The answer to our request came on this path."""

    def came_on(self, request: Header) -> Path:
        """The path of a request that is being served."""
        return self._reply_paths.get(request.message_id, self.path)

    def _open(self, path: Path, header: Header, octets: bytes) -> tuple[Message, bytes] | None:
        """The message that this datagram makes whole, and what stands for it in the window: its first datagram."""
        fragmentation = self.fragmentation
        if fragmentation is not None and is_fragment(octets):
            collection = fragmentation.collection(header.is_response, header.message_id)
            whole = self._authentic(path, lambda channel: collection.take(channel, octets))
            if whole is None:
                self._limit(collection, header.is_response, header.message_id)
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

    def _limit(self, collection: Collection, is_response: bool, message_id: int) -> None:
        timer = _FRAGMENTS[is_response].format(message_id)
        if collection.is_begun and not self.armed(timer):
            self.arm(timer, KEPT_SECONDS, lambda: self._forget_fragments(is_response, message_id))

    def _forget_fragments(self, is_response: bool, message_id: int) -> None:
        if self.fragmentation is not None and self.fragmentation.drop(is_response, message_id):
            self.disarm(_FRAGMENTS[is_response].format(message_id))

    def _asked_otherwise(
        self, path: Path, message_id: int, octets: bytes, fragmentation: Fragmentation
    ) -> None:
        if self._authentic(path, lambda channel: fragmentation.is_repeat(channel, octets)):
            self._answer_again(path, message_id, cut_otherwise=is_fragment(octets))

    def _answer_again(self, path: Path, message_id: int, *, cut_otherwise: bool = False) -> None:
        """Row L-03, except that an answer lost too often, or to a peer that makes the trial itself, is cut smaller."""
        answer, repeats = self.answering.answer_to(message_id), self.answering.repeated(message_id)
        if self.fragmentation is not None and (cut_otherwise or repeats > SMALLER_AFTER):
            answer = self.fragmentation.smaller(self.channel, answer, path)
            self.answering.recut(message_id, answer)
        self._send(answer, path)

    def _fits(self, path: Path, message: Message) -> bool:
        try:
            shape_of(message)
        except ParseError as error:
            self.drop(path, "malformed-response", str(error))
            return False
        return True

    # ------------------------------------------------------------ messages out

    def respond(self, request: Header, payloads: Sequence[Payload]) -> None:
        """Answer a request that is being served, protected, and keep the answer for repeats."""
        header = self._header(request.exchange, request.message_id, is_response=True)
        path = self.came_on(request)
        self._reply_paths.pop(request.message_id, None)
        self._answer(request.message_id, self._seal(header, payloads, path), path)

    def respond_clear(self, answer: bytes, request: bytes) -> None:
        """Answer an IKE_SA_INIT request, unprotected; both are whole datagrams."""
        self.answering.taken(0, request)
        self._answer(0, (answer,), self.path)

    def repeat_opening(self, path: Path, octets: bytes) -> bool:
        """Row D-06: the same IKE_SA_INIT request again gets the same answer; False if it is another one."""
        if self.answering.judge(0, octets) is not Verdict.REPLAY:
            return False
        self._send(self.answering.answer_to(0), path)
        return True

    def refuse_to_read(self, request: Header, error: ParseError) -> None:
        """Answer a request that cannot be read (rows P-10, P-11, RE-16)."""
        self.respond(request, (refusal_of(error),))

    def no_answer(self, request: Header) -> None:
        """Leave a request that is being served unanswered, as if it had not come (row RE-15)."""
        self.answering.dropped(request.message_id)
        del self._reply_paths[request.message_id]

    def _answer(self, message_id: int, datagrams: Datagrams, path: Path) -> None:
        self.answering.answered(message_id, datagrams)
        self._send(datagrams, path)

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
                self._send_request,
                self._unanswered,
                self._smaller,
            )
        self._retransmission.start(datagrams)

    def _send_request(self, datagrams: Datagrams) -> None:
        path = self.path_for_try()
        if self.tries:
            self.surroundings.publish(Retransmitted(self.name, path, self.tries + 1))
        self._send(datagrams, path)

    @property
    def tries(self) -> int:
        """How often the outstanding request was sent by now."""
        return 0 if self._retransmission is None else self._retransmission.tries

    def path_for_try(self) -> Path:
        """Where the outstanding request goes this time."""
        return self.path

    def _smaller(self, datagrams: Datagrams) -> Datagrams:
        if self.fragmentation is None:
            return datagrams
        return self.fragmentation.smaller(self.channel, datagrams, self.path)

    def answered(self) -> None:
        """The outstanding request needs no more sending."""
        if self.asking.outstanding is not None:
            self._forget_fragments(True, self.asking.outstanding)
        self.asking.answered()
        if self._retransmission is not None:
            self._retransmission.stop()
            self._retransmission = None

    def _unanswered(self) -> None:
        self.asking.answered()
        self.ends_because(f"no answer from {self.path.remote}", EndCause.LOST_CARRIER)
        self.phase.timeout()

    def _header(self, exchange: ExchangeType, message_id: int, *, is_response: bool) -> Header:
        return Header(
            self.spi_initiator, self.spi_responder, exchange, is_response, self.initiator, message_id
        )

    def _send(self, datagrams: Datagrams, path: Path) -> None:
        for octets in datagrams:
            self.surroundings.transport.send(path, octets)

    def drop(self, path: Path, reason: str, detail: str = "") -> None:
        """Count a datagram that changes nothing."""
        self.surroundings.publish(Dropped(path, reason, detail))

    def ends_because(self, reason: str, cause: EndCause = EndCause.NAS_REQUEST) -> None:
        """It is to end, or has ended: the reason that is given first is what is told."""
        if not self.ending:
            self.ending, self.cause = reason, cause

    def fall_silent(self) -> None:
        """Say nothing more, and forget what was half heard."""
        if self._retransmission is not None:
            self._retransmission.stop()
        if self.fragmentation is not None:
            self.fragmentation.drop_all()


def refusal_of(error: ParseError) -> Notify:
    """The notify that tells a peer why its request cannot be read (RFC 7296 §2.5, §2.21)."""
    if error.unsupported_critical is not None:
        return Notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, bytes([error.unsupported_critical]))
    return Notify(NotifyType.INVALID_SYNTAX)
