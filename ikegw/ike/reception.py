"""A datagram's way to the IKE SA that it is for, and rows D-01 … D-08 for those that are for none."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ikegw.events import Dropped, Publish
from ikegw.gate.admission import Admission, Answer, Challenge
from ikegw.gate.answers import notify_datagram
from ikegw.gate.classify import Drop, ForSa, Hint, Opening, TooNew, Why, classify
from ikegw.ike.departed import Departed
from ikegw.ike.fragmentation import is_later_fragment
from ikegw.ike.initiating import Initiating
from ikegw.ike.living import Living
from ikegw.ike.sa import IkeSa
from ikegw.paths import Endpoint, Path
from ikegw.ports import Transport
from ikegw.wire.errors import ParseError
from ikegw.wire.message import Message, decode_header, decode_message
from ikegw.wire.registry import NotifyType
from ikegw.wire.shapes import shape_of


@define(eq=False)
class Reception:
    """Looks at what arrives. `sas`, `half_open` and `departed` are the gateway's own tables; `respond` makes a responder."""

    clock: IReactorTime
    transport: Transport
    admission: Admission
    publish: Publish
    sas: dict[bytes, IkeSa] = field(repr=False)
    half_open: dict[tuple[bytes, Endpoint], IkeSa] = field(repr=False)
    departed: Departed = field(repr=False)
    respond: Callable[[Message, Path, bytes], None] = field(repr=False)
    is_stopping: Callable[[], bool] = field(repr=False)

    _log = Logger()

    def datagram_received(self, path: Path, octets: bytes) -> None:
        """One IKE message as it came, without a non-ESP marker. Whatever it is, nothing is raised."""
        try:
            self._receive(path, octets)
        except Exception:  # noqa: BLE001 - one peer's datagram must never stop the gateway
            self._log.failure("internal error at a datagram from {remote}", remote=str(path.remote))

    def _receive(self, path: Path, octets: bytes) -> None:
        verdict = classify(octets)
        if isinstance(verdict, ForSa):
            self._for_sa(verdict, path, octets)
        elif isinstance(verdict, Opening):
            self._opening(verdict, path, octets)
        elif isinstance(verdict, Hint):
            self._hint(verdict, path)
        elif isinstance(verdict, TooNew):
            self._send_or_drop(self.admission.too_new_raw(octets, path, self.clock.seconds()), path)
        else:
            self.publish(Dropped(path, verdict.reason))

    def _hint(self, verdict: Hint, path: Path) -> None:
        """Row L-08: what anyone could have sent changes nothing, but the peer may be asked whether it lives."""
        self.publish(Dropped(path, Why.UNPROTECTED))
        sa = self.sas.get(verdict.spi)
        if sa is not None and sa.path.remote == path.remote and isinstance(sa.phase, Living):
            sa.phase.doubt()

    def _send_or_drop(self, answer: bytes | Drop, path: Path) -> None:
        if isinstance(answer, Drop):
            self.publish(Dropped(path, answer.reason))
        else:
            self.transport.send(path, answer)

    def _for_sa(self, verdict: ForSa, path: Path, octets: bytes) -> None:
        sa = self.sas.get(verdict.spi)
        header, _, _ = decode_header(octets)
        if sa is None:
            self._for_nobody(verdict, path, octets, header.message_id)
        elif header.from_initiator is sa.initiator:
            self.publish(Dropped(path, Why.WRONG_FLAGS))
        elif not sa.has_keys and isinstance(sa.phase, Initiating) and header.is_response:
            self._opened(sa, sa.phase, path, octets)
        else:
            sa.receive(path, header, octets)

    def _for_nobody(self, verdict: ForSa, path: Path, octets: bytes, message_id: int) -> None:
        now = self.clock.seconds()
        if verdict.is_response or is_later_fragment(octets):
            self.publish(Dropped(path, Why.UNKNOWN_SPI))
            return
        stored = self.departed.answer_to(verdict.spi, message_id, now)
        if stored:
            for datagram in stored:
                self.transport.send(path, datagram)
        else:
            self._send_or_drop(self.admission.unknown_spi_raw(octets, path, now), path)

    def _opened(self, sa: IkeSa, phase: Initiating, path: Path, octets: bytes) -> None:
        try:
            message = decode_message(octets)
        except ParseError as error:
            self.publish(Dropped(path, Why.MALFORMED, str(error)))
            return
        phase.opened(message, octets)

    # ------------------------------------------------------------ rows D-01 … D-08

    def _opening(self, verdict: Opening, path: Path, octets: bytes) -> None:
        half_open = self.half_open.get((verdict.initiator_spi, path.remote))
        if half_open is not None:
            if not half_open.repeat_opening(path, octets):
                self.publish(Dropped(path, "other-opening"))
            return
        if self.is_stopping():
            return
        now = self.clock.seconds()
        full = self.admission.refused(path)
        if full is not None:
            self.publish(Dropped(path, full.reason))
            return
        challenge = self.admission.challenge_raw(octets, path, now)
        if challenge is not None:
            self.transport.send(path, challenge)
            return
        self._judge(path, octets, now)

    def _judge(self, path: Path, octets: bytes, now: float) -> None:
        try:
            message = decode_message(octets)
            shape_of(message)
        except ParseError as error:
            self._unreadable(error, path, octets, now)
            return
        judgement = self.admission.judge(message, path, now)
        if isinstance(judgement, Drop):
            self.publish(Dropped(path, judgement.reason))
        elif isinstance(judgement, Challenge):
            self.transport.send(path, notify_datagram(octets, NotifyType.COOKIE, judgement.cookie))
        elif isinstance(judgement, Answer):
            self.transport.send(path, notify_datagram(octets, judgement.notify.type, judgement.notify.data))
        else:
            self.respond(message, path, octets)

    def _unreadable(self, error: ParseError, path: Path, octets: bytes, now: float) -> None:
        if error.unsupported_critical is None:
            self.publish(Dropped(path, Why.MALFORMED, str(error)))
            return
        answer = self.admission.unsupported_critical(error.unsupported_critical, path, now)
        if isinstance(answer, Drop):
            self.publish(Dropped(path, answer.reason))
        else:
            self.transport.send(path, notify_datagram(octets, answer.notify.type, answer.notify.data))
