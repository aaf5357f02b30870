"""One client's login at the embedded authenticator: drives its machine, and implements `ports.AaaDialogue`."""

from collections.abc import Callable
from typing import Final

from attrs import Factory, define, field, frozen
from twisted.internet.defer import Deferred, succeed

from ikegw.eap import nak
from ikegw.eap.errors import BadEap, LoginFailed
from ikegw.eap.server.claim import Claim
from ikegw.eap.server.machine import Authenticator, AuthenticatorMachine
from ikegw.eap.server.methods import METHODS, ServerMethod
from ikegw.eap.server.settings import Settings
from ikegw.eap.turns import Ask, Later, Passed, Refused, ServerStage, Verdict
from ikegw.ports import AaaAnswer, Accept, Challenge, Reject
from ikegw.session import Grant
from ikegw.wire.eap import EapPacket
from ikegw.wire.errors import ParseError
from ikegw.wire.registry import EapCode, EapType

LONGEST_NAME: Final = 253
"""What RADIUS can carry, and so what anybody's name has."""


@frozen
class _NoMethod:
    """The stage before a method was chosen."""

    def receive(self, identifier: int, data: bytes) -> Verdict:
        raise BadEap("no method was chosen")


@frozen
class _NobodysTurn:
    """The stage while a verdict is awaited."""

    def receive(self, identifier: int, data: bytes) -> Verdict:
        raise BadEap("a response while the one before is judged")


_NO_STAGE: Final = _NoMethod()
_NOBODYS_TURN: Final = _NobodysTurn()


@define(eq=False)
class Dialogue:
    """A login. `claim_of` looks a name up; `failed` is told the name of each that is refused."""

    settings: Settings = field(repr=False)
    claim_of: Callable[[str], Claim] = field(repr=False)
    failed: Callable[[str], None] = field(repr=False)
    _machine: Authenticator = field(init=False, repr=False)
    _left: list[ServerMethod] = field(
        init=False,
        repr=False,
        default=Factory(lambda self: [METHODS[name] for name in self.settings.methods], takes_self=True),
    )
    _name: str = field(default="", init=False)
    _stage: ServerStage = field(default=_NO_STAGE, init=False, repr=False)
    _proposed: EapType | None = field(default=None, init=False)
    _expected: int | None = field(default=None, init=False)
    _identifier: int = field(default=0, init=False)
    _data: bytes = field(default=b"", init=False, repr=False)
    _reason: str = field(default="", init=False)
    _passed: Passed | None = field(default=None, init=False)
    _answer: AaaAnswer = field(default=Reject(), init=False)
    _later: Deferred[None] | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._machine = AuthenticatorMachine(self)

    def respond(self, eap: bytes) -> Deferred[AaaAnswer]:
        """See `ports.AaaDialogue`; it has fired unless the method needs time."""
        try:
            response = EapPacket.decode(eap)
        except ParseError as error:
            self._refuse(f"the client's EAP packet cannot be read: {error.reason}")
        else:
            self._identifier, self._data = response.identifier, response.data
            if response.code is not EapCode.RESPONSE or response.type is None:
                self._refuse(f"an EAP {response.code.name} where a response was expected")
            elif self._expected not in (None, response.identifier):
                self._refuse(f"EAP response {response.identifier} to request {self._expected}")
            else:
                self._input(response.type)
        later, self._later = self._later, None
        return succeed(self._answer) if later is None else later.addCallback(lambda _: self._answer)

    def _input(self, kind: EapType) -> None:
        self._reason = f"a response of type {kind.name} when it may not come"
        if kind is EapType.IDENTITY:
            self._identified()
        elif kind is EapType.NAK:
            self._declined()
        elif kind is self._proposed:
            self._machine.responded()
        else:
            self._machine.unacceptable()

    def _identified(self) -> None:
        if len(self._data) > LONGEST_NAME:
            self._refuse(f"an EAP identity of {len(self._data)} octets; {LONGEST_NAME} are possible")
        elif not self._left:
            self._refuse("eap.methods names no method to log clients in with")
        else:
            self._machine.identified()

    def _declined(self) -> None:
        try:
            wanted = nak.wanted(self._data)
        except BadEap as error:
            self._refuse(str(error))
            return
        suitable = [method for method in self._left if method.type in wanted]
        if suitable:
            self._left = suitable
            self._machine.declined()
        else:
            theirs = ", ".join(kind.name for kind in wanted) or "no other"
            ours = ", ".join(method.value for method in self.settings.methods)
            self._refuse(f"the client would take EAP method {theirs}; here are {ours} (eap.methods)")

    def _refuse(self, reason: str) -> None:
        self._reason = reason
        self._machine.unacceptable()

    # ------------------------------------------------------------ what the machine has done

    def propose(self) -> None:
        """See `Driver`."""
        if self._proposed is None:
            self._name = self._data.decode("utf-8", "replace")
        method = self._left.pop(0)
        self._proposed = method.type
        try:
            ask = method.begin(self.settings, self.claim_of(self._name), self._next_identifier)
        except LoginFailed as error:
            self._reason = str(error)
            self._machine.refused()
            return
        self._ask(ask)

    def judge(self) -> None:
        """See `Driver`."""
        try:
            verdict = self._stage.receive(self._identifier, self._data)
        except (BadEap, LoginFailed) as error:
            verdict = Refused(str(error))
        if isinstance(verdict, Later):
            self._stage = _NOBODYS_TURN
            self._later = verdict.verdict.addCallback(self._judged)
        else:
            self._judged(verdict)

    def _judged(self, verdict: Ask | Passed | Refused) -> None:
        if isinstance(verdict, Passed):
            self._passed = verdict
            self._machine.passed()
        elif isinstance(verdict, Refused):
            self._reason = verdict.reason
            if not verdict.told:
                self.failed(self._name)
            self._machine.refused()
        else:
            self._ask(verdict)

    def _ask(self, ask: Ask) -> None:
        if ask.refused:
            self.failed(self._name)
        self._stage, self._expected = ask.stage, self._next_identifier
        self._answer = Challenge(
            EapPacket(EapCode.REQUEST, self._expected, self._proposed, ask.data).encode(), ask.refused
        )

    @property
    def _next_identifier(self) -> int:
        return (self._identifier + 1) % 256

    def accept(self) -> None:
        """See `Driver`."""
        if self._passed is not None:
            success = EapPacket(EapCode.SUCCESS, self._identifier).encode()
            passed = self._passed
            self._answer = Accept(success, passed.msk, Grant(user_name=passed.user), passed.standing)

    def reject(self) -> None:
        """See `Driver`."""
        self._answer = Reject(EapPacket(EapCode.FAILURE, self._identifier).encode(), self._reason)
