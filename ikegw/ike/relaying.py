"""The EAP login of an initiator (Figure 4): from its request without AUTH, through an AAA server, to its AUTH with the MSK."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import TimeoutError as TooLong

from ikegw.auth.authenticator import AuthenticationError
from ikegw.events import AuthFailure
from ikegw.ike.eap_names import identity_request, identity_response, name_in, readable
from ikegw.ike.opening import Opening
from ikegw.ike.proofs import ByEapKey, OwnProof, Proofs
from ikegw.ike.sa import IkeSa
from ikegw.machines.responder import Responder
from ikegw.policy.connections import AuthKind, RemoteAuth
from ikegw.ports import AaaAnswer, AaaDialogue, AaaSilent, Accept, Caller, Challenge, Reject
from ikegw.wire.authentication import Authentication
from ikegw.wire.eap import Eap, EapPacket
from ikegw.wire.errors import ParseError
from ikegw.wire.identification import Identity, IdResponder
from ikegw.wire.message import Message, Payload
from ikegw.wire.registry import EapCode, EapType, NotifyType
from ikegw.wire.shapes import AUTH_EAP_ROUND, AUTH_FINAL, shape_of

LOGIN_SECONDS = 180.0
"""How long a login may take in all, whatever it waits for (§10)."""

_NO_METHODS = frozenset((EapType.IDENTITY, EapType.NOTIFICATION, EapType.NAK))


@define(eq=False)
class Relaying:
    """One login, as `remote` demands it, of the initiator that calls itself `identity`. `first` proves ourselves.

    `message` is the request that asked for the child. `refuse` publishes why it came to nothing, and prepares that answer.
    `answer` are the payloads of the IKE_AUTH response to be sent next.
    """

    sa: IkeSa = field(repr=False)
    machine: Responder = field(repr=False)
    opening: Opening = field(repr=False)
    message: Message = field(repr=False)
    identity: Identity
    remote: RemoteAuth = field(repr=False)
    first: OwnProof = field(repr=False)
    refuse: Callable[[AuthFailure, str], None] = field(repr=False)
    answer: tuple[Payload, ...] = field(default=(), init=False, repr=False)
    _until: float = field(init=False)
    _dialogue: AaaDialogue | None = field(default=None, init=False, repr=False)
    _name: str = field(default="", init=False)
    _method: str = field(default="", init=False)
    _request: bytes = field(default=b"", init=False, repr=False)
    """The EAP request that the initiator is to answer, or has answered last."""

    _response: bytes = field(default=b"", init=False, repr=False)
    _refusal: str = field(default="", init=False)
    _msk: bytes | None = field(default=None, init=False, repr=False)
    _final: Authentication = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._until = self._now + LOGIN_SECONDS

    @property
    def _now(self) -> float:
        return self.sa.surroundings.clock.seconds()

    @property
    def patience(self) -> float:
        """Seconds until the initiator must have sent its next request."""
        return max(0.0, min(self.sa.connection.half_open_seconds, self._until - self._now))

    @property
    def proofs(self) -> Proofs:
        """What SMR_AUTH_FINALIZE is to check and to answer with, after the final AUTH."""
        return ByEapKey(self.sa, self.opening, self.identity, self._msk, self._final)

    # ------------------------------------------------------------ the name, and our own proof

    def begin(self) -> None:
        """Rows R-05, R-06: is the EAP identity known?"""
        (identifier,) = self.sa.surroundings.random(1)
        name = name_in(self.identity, self.remote.eap_identity)
        if name is None:
            self._request = identity_request(identifier)
            self.machine.eap_unnamed()
        else:
            self._open(name)
            self._response = identity_response(identifier, name)
            self.machine.eap_named()

    def _open(self, name: str) -> None:
        sa, connection = self.sa, self.sa.connection
        self._name = name
        caller = Caller(
            sa.session_id, connection.name, sa.number, sa.path, self.identity, name, connection.aaa
        )
        self._dialogue = sa.surroundings.aaa.begin(caller)

    def prove(self) -> None:
        """SMR_AUTH_RESPONSE: our AUTH, unless both sides leave that to the EAP method (RFC 5998)."""
        if self._by_eap_alone:
            agreed = self.message.notify(NotifyType.EAP_ONLY_AUTHENTICATION) is not None
            if agreed:
                self._proved((IdResponder(self.sa.local_identity),))
            else:
                self._unproved(
                    AuthenticationError(
                        AuthFailure.NO_OWN_MATERIAL,
                        'local.auth is "eap", so the EAP method alone would prove who we are, but the peer did not offer that '
                        '(EAP_ONLY_AUTHENTICATION, RFC 5998); write local.auth = "pubkey"',
                    )
                )
            return
        self.first.prove(lambda: self._proved(self.first.payloads), self._unproved)

    @property
    def _by_eap_alone(self) -> bool:
        return self.sa.connection.local.kind is AuthKind.EAP

    def _proved(self, payloads: tuple[Payload, ...]) -> None:
        self.answer = (*payloads, Eap(self._request))
        self.machine.proved()

    def _unproved(self, error: AuthenticationError) -> None:
        self.refuse(error.reason, error.detail)
        self.machine.no_own_material()

    # ------------------------------------------------------------ the initiator

    def heard(self, message: Message) -> None:
        """Rows R-09, R-12, RE-06, RE-11: an IKE_AUTH request of the initiator during its login."""
        state, shape = self.sa.state, shape_of(message)
        if state == "SMR_EAP_INITIATOR_REQUEST" and shape is AUTH_EAP_ROUND:
            self._relay(message.need(Eap).packet)
        elif state == "SMR_EAP_DONE" and shape is AUTH_FINAL:
            self._final = message.need(Authentication)
            self.machine.final_auth()
        elif state == "SMR_EAP_FAILED":
            self.machine.out_of_turn()
        else:
            awaited = "AUTH alone, for EAP is through" if state == "SMR_EAP_DONE" else "an EAP response"
            self._out_of_turn(f"expected {awaited}; the peer sent another message ({shape.name})")

    def _relay(self, packet: bytes) -> None:
        if self._dialogue is None:
            response, asked = EapPacket.decode(packet), EapPacket.decode(self._request)
            name = readable(response.data)
            if (response.identifier, response.type) != (asked.identifier, EapType.IDENTITY):
                self._out_of_turn("the peer did not answer our EAP-Request/Identity with its identity")
                return
            if name is None:
                self._out_of_turn("the EAP identity of the peer is empty, too long, or no UTF-8 text")
                return
            self._open(name)
        self._response = packet
        self.machine.eap_response()

    def _out_of_turn(self, detail: str) -> None:
        self.refuse(AuthFailure.NOT_AUTHENTIC, detail)
        self.machine.out_of_turn()

    # ------------------------------------------------------------ the AAA server

    def ask(self) -> None:
        """Rows R-05, R-09: what the initiator said, to the AAA server."""
        if self._dialogue is None:
            raise AssertionError("nobody is asked before there is a name")
        asked = self._dialogue.respond(self._response)
        asked.addTimeout(max(0.0, self._until - self._now), self.sa.surroundings.clock)
        self.sa.wait_for(asked, self._told, (AaaSilent, TooLong), self._untold)

    def _told(self, answer: AaaAnswer) -> None:
        said = b"" if answer.eap is None else answer.eap
        try:
            packet = EapPacket.decode(said) if said else None
        except ParseError as error:
            self._unusable(f"its EAP packet cannot be read: {error}")
            return
        code = None if packet is None else packet.code
        if isinstance(answer, Reject):
            self._rejected(said if code is EapCode.FAILURE else b"", answer.message)
        elif isinstance(answer, Accept):
            self._accepted(answer, code)
        elif isinstance(answer, Challenge) and packet is not None and code is EapCode.REQUEST:
            self._refusal = answer.refusal
            self._challenged(said, packet)
        else:
            self._unusable("it wants the login to go on, but sent no EAP request for that")

    def _challenged(self, request: bytes, packet: EapPacket) -> None:
        if packet.type is not None and packet.type not in _NO_METHODS:
            self._method = packet.type.name.lower().replace("_", "-")
        self._request, self.answer = request, (Eap(request),)
        self.machine.aaa_challenge()

    def _accepted(self, answer: Accept, code: EapCode | None) -> None:
        if self.sa.state != "SMR_EAP_AAA_REQUEST":
            self._unusable("it accepted a mere name, before EAP began")
        elif code is not EapCode.SUCCESS or answer.eap is None:
            self._unusable("it accepted without EAP Success")
        elif self._by_eap_alone and not answer.msk:
            self._unusable(
                f"method {self._method} makes no key, so it cannot prove who we are (RFC 5998); allow only methods that do"
            )
        else:
            sa = self.sa
            sa.user, sa.grant = answer.grant.user_name or self._name, answer.grant
            sa.method = "+".join(filter(None, (sa.method, f"eap-{self._method}")))
            if answer.standing is not None:
                sa.stand_by(answer.standing)
            self._msk, self.answer = answer.msk, (Eap(answer.eap),)
            self.machine.aaa_accept()

    def given_up(self) -> None:
        """RE-14: the initiator rejected us in the middle of its login; if it had been told that it would fail, that is why."""
        if self._refusal:
            detail = f"{self._whom} rejected {self._name!r}, which says: {self._refusal}"
            self.refuse(AuthFailure.AAA_REJECTED, detail)

    def _rejected(self, failure: bytes, message: str) -> None:
        says = f", which says: {message}" if message else ""
        self.refuse(AuthFailure.AAA_REJECTED, f"{self._whom} rejected {self._name!r}{says}")
        identifier = EapPacket.decode(self._response).identifier
        self.answer = (Eap(failure or EapPacket(EapCode.FAILURE, identifier).encode()),)
        self.machine.aaa_reject()

    def _unusable(self, what: str) -> None:
        self.refuse(AuthFailure.AAA_FAILED, f"{self._whom} cannot be believed about {self._name!r}: {what}")
        self.machine.aaa_unusable()

    def _untold(self, error: Exception) -> None:
        why = str(error)
        if isinstance(error, TooLong):
            why = f"{self._whom} said nothing until the login was {LOGIN_SECONDS:.0f} s old"
        self.refuse(AuthFailure.AAA_FAILED, f"nobody said whether {self._name!r} is good: {why}")
        self.machine.aaa_timeout()

    @property
    def _whom(self) -> str:
        return f"aaa {self.sa.connection.aaa!r}"
