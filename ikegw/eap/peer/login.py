"""One login of ours: what drives the peer's machine, and implements `ports.Supplicant`."""

from typing import Final

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger

from ikegw.eap import nak
from ikegw.eap.errors import BadEap, LoginFailed
from ikegw.eap.peer.account import Account
from ikegw.eap.peer.machine import Peer, PeerMachine
from ikegw.eap.peer.methods import PeerMethod
from ikegw.eap.turns import Answer, PeerStage
from ikegw.ports import Keyed, SupplicantFailed
from ikegw.wire.eap import EapPacket
from ikegw.wire.errors import ParseError
from ikegw.wire.registry import EapCode, EapType

MOST_REQUESTS: Final = 250


@frozen
class _NoMethod:
    """The stage before a method was chosen."""

    def answer(self, identifier: int, data: bytes) -> Answer:
        raise LoginFailed("no method was chosen")


_NO_STAGE: Final = _NoMethod()
_log = Logger()


@define(eq=False)
class Login:
    """A login as `account` with one of `methods`; `obstacles` are why others cannot be used."""

    account: Account = field(repr=False)
    methods: dict[EapType, PeerMethod]
    obstacles: tuple[str, ...] = ()
    complaint: str = field(default="", init=False)
    """See `ports.Supplicant`."""
    _machine: Peer = field(init=False, repr=False)
    _identifier: int = field(default=0, init=False)
    _kind: EapType = field(default=EapType.IDENTITY, init=False)
    _data: bytes = field(default=b"", init=False, repr=False)
    _answer: bytes | str = field(default="", init=False, repr=False)
    _requests: int = field(default=0, init=False)
    _method: PeerMethod | None = field(default=None, init=False)
    _stage: PeerStage = field(default=_NO_STAGE, init=False, repr=False)
    _keyed: Keyed | None = field(default=None, init=False)
    _believed: Keyed | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._machine = PeerMachine(self)

    # ------------------------------------------------------------ ports.Supplicant

    def respond(self, request: bytes) -> Deferred[bytes]:
        """See `ports.Supplicant`; it has always fired."""
        try:
            packet = EapPacket.decode(request)
        except ParseError as error:
            return fail(SupplicantFailed(f"the server's EAP packet cannot be read: {error.reason}"))
        if packet.code is not EapCode.REQUEST or packet.type is None:
            return fail(SupplicantFailed(f"an EAP {packet.code.name} where a request was expected"))
        self._identifier, self._kind, self._data = packet.identifier, packet.type, packet.data
        self._requests += 1
        if self._requests > MOST_REQUESTS:
            return fail(SupplicantFailed(f"the EAP login is not over after {MOST_REQUESTS} requests"))
        self._input()
        if isinstance(self._answer, str):
            return fail(SupplicantFailed(self._answer))
        return succeed(self._answer)

    def complete(self) -> Keyed | None:
        """See `ports.Supplicant`."""
        return self._believed

    def _input(self) -> None:
        kind, machine = self._kind, self._machine
        if kind is EapType.IDENTITY:
            machine.identity_requested()
        elif kind is EapType.NOTIFICATION:
            machine.notified()
        elif self._method is not None and kind is self._method.type:
            machine.continued()
        elif kind in self.methods:
            machine.method_requested()
        else:
            machine.other_requested()

    # ------------------------------------------------------------ what the machine has done

    def tell_identity(self) -> None:
        """See `Driver`."""
        self._respond(EapType.IDENTITY, self.account.name)

    def acknowledge(self) -> None:
        """See `Driver`."""
        text = self._data.decode("utf-8", "replace")
        _log.info("the EAP server says: {text!r}", text=text)
        self._respond(EapType.NOTIFICATION, b"")

    def decline(self) -> None:
        """See `Driver`."""
        if not self.methods:
            self._answer = "no EAP method can be used for this login: " + "; ".join(self.obstacles)
            return
        self.complaint = (
            f"the server asked for EAP method {self._kind.name}; "
            f"of ours it could choose {', '.join(each.method.value for each in self.methods.values())}"
            + "".join(f"; {obstacle}" for obstacle in self.obstacles)
        )
        if self._kind is EapType.EXPANDED:
            self._respond(EapType.EXPANDED, nak.expanded(self.methods))
        else:
            self._respond(EapType.NAK, nak.legacy(self.methods))

    def begin_method(self) -> None:
        """See `Driver`."""
        self._method = self.methods[self._kind]
        self._stage = self._method.begin(self.account)
        self.complaint = ""
        self.go_on()

    def go_on(self) -> None:
        """See `Driver`."""
        try:
            answer = self._stage.answer(self._identifier, self._data)
        except (BadEap, LoginFailed) as error:
            self._answer = f"EAP-{self._method_name}: {error}"
            self._machine.failed()
            return
        self._stage, self._keyed = answer.stage or self._stage, answer.keyed
        self._respond(self._kind, answer.data)
        self._judge(answer)

    def _judge(self, answer: Answer) -> None:
        if answer.complaint:
            self.complaint = answer.complaint
        if answer.stage is not None:
            if answer.keyed is None:
                self._machine.went_on()
            else:
                self._machine.may_end()
        elif answer.keyed is None:
            self._machine.failed()
        else:
            self._machine.completed()

    def believe_success(self) -> None:
        """See `Driver`."""
        self._believed = self._keyed

    def believe_no_success(self) -> None:
        """See `Driver`."""
        self._believed = None

    def refuse(self) -> None:
        """See `Driver`."""
        during = f" (the login is by {self._method_name})" if self._method_name else ""
        self._answer = f"the server requests {self._kind.name} when it may not{during}"
        if self.complaint:
            self._answer += f"; before that: {self.complaint}"

    @property
    def _method_name(self) -> str:
        return "" if self._method is None else self._method.method.value

    def _respond(self, kind: EapType, data: bytes) -> None:
        self._answer = EapPacket(EapCode.RESPONSE, self._identifier, kind, data).encode()
