"""Our EAP login (Figure 2): the responder proves itself, its EAP requests go to our supplicant, then both prove the MSK."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import TimeoutError as TooLong

from ikegw.auth.octets import psk_mac
from ikegw.crypto.compare import equal
from ikegw.events import AuthFailure
from ikegw.ike.opening import Opening
from ikegw.ike.sa import IkeSa
from ikegw.machines.initiator import Initiator
from ikegw.policy.connections import LocalAuth
from ikegw.policy.identities import display
from ikegw.ports import Keyed, Supplicant, SupplicantFailed
from ikegw.wire.authentication import Authentication
from ikegw.wire.eap import Eap, EapPacket
from ikegw.wire.identification import Identity
from ikegw.wire.message import Message
from ikegw.wire.registry import AuthMethod, EapCode, ExchangeType

SUPPLICANT_SECONDS = 60.0
"""How long our EAP method may take for one response: somebody may have to type."""

Verify = Callable[[Message, Callable[[], None]], None]
"""Is the responder who it should be, by its IDr, CERT and AUTH? Goes on only if it is."""


@define(eq=False)
class LoggingIn:
    """One login, as `local` has it and as `identity`. `authentic`: the responder proved itself in an earlier round (RFC 4739).

    `verify` checks it by credentials if it did not, `conclude` takes the child out of the last response.
    `refused` is told of a response that refuses us, `fail` that the responder is not authentic.
    """

    sa: IkeSa = field(repr=False)
    machine: Initiator = field(repr=False)
    opening: Opening = field(repr=False)
    local: LocalAuth = field(repr=False)
    identity: Identity
    authentic: bool
    verify: Verify = field(repr=False)
    conclude: Callable[[Message], None] = field(repr=False)
    refused: Callable[[Message], None] = field(repr=False)
    fail: Callable[[AuthFailure, str], None] = field(repr=False)
    _first: Message = field(init=False, repr=False)
    _request: bytes = field(default=b"", init=False, repr=False)
    _response: bytes = field(default=b"", init=False, repr=False)
    _supplicant: Supplicant | None = field(default=None, init=False, repr=False)
    _keyed: Keyed = field(init=False, repr=False)

    def answered(self, message: Message) -> None:
        """An IKE_AUTH response while the login is under way."""
        eap = message.one(Eap)
        if self.sa.state == "SMI_INSTALLCSA":
            self._last(message)
        elif eap is not None:
            self._heard(message, eap.packet)
        elif message.one(Authentication) is not None:
            self.fail(
                AuthFailure.NOT_AUTHENTIC, "the peer ended the login before EAP did; a gateway never may"
            )
        else:
            self.refused(message)

    def _heard(self, message: Message, packet: bytes) -> None:
        sa, code = self.sa, EapPacket.decode(packet).code
        if code is EapCode.REQUEST:
            if sa.state == "SMI_AUTH_WAIT":
                self._first = message
            self._request = packet
            self.machine.eap_requested()
        elif code is EapCode.FAILURE:
            said = "" if self._supplicant is None else self._supplicant.complaint
            hint = "is the name or the password wrong? Its log says why"
            sa.ending = f"the peer refused our EAP login; {said or hint}"
            sa.tell_refused("EAP Failure", sa.ending, by_peer=True)
            self.machine.eap_failed()
        else:
            self._succeeded()

    # ------------------------------------------------------------ the responder first

    def authenticate_peer(self) -> None:
        """SMI_AUTH_PEER: before it hears a word of our login, unless the EAP method is to prove both sides (RFC 5998)."""
        self.verify(self._first, self.machine.peer_authentic)

    @property
    def _authentic_before(self) -> bool:
        return self.authentic or self._first.one(Authentication) is not None

    # ------------------------------------------------------------ the supplicant

    def respond(self) -> None:
        """Rows I-13, I-14: the EAP request goes to the supplicant."""
        sa = self.sa
        if self._supplicant is None:
            self._supplicant = sa.surroundings.supplicants.begin(
                self.local, sa.peer, authentic=self._authentic_before
            )
        responding = self._supplicant.respond(self._request)
        if responding.called:
            sa.wait_for(responding, self._send, SupplicantFailed, self._unable)
            return
        self.machine.supplicant_awaited()
        responding.addTimeout(SUPPLICANT_SECONDS, sa.surroundings.clock)
        sa.wait_for(responding, self._ready, (SupplicantFailed, TooLong), self._unable)

    def _send(self, response: bytes) -> None:
        self.sa.ask(ExchangeType.IKE_AUTH, (Eap(response),))

    def _ready(self, response: bytes) -> None:
        self._response = response
        self.machine.supplicant_ready()

    def send_response(self) -> None:
        """Row I-15."""
        self._send(self._response)

    def _unable(self, error: Exception) -> None:
        why = f"no answer within {SUPPLICANT_SECONDS:.0f} s" if isinstance(error, TooLong) else str(error)
        self.sa.ending = f"our EAP method failed: {why}"
        self.sa.tell_refused("EAP", self.sa.ending)
        self.machine.supplicant_failed()

    # ------------------------------------------------------------ the key

    def _succeeded(self) -> None:
        keyed = None if self._supplicant is None else self._supplicant.complete()
        if keyed is None:
            self.sa.ending = "the peer sent EAP Success before our EAP method was complete: an attack, or a broken AAA server"
            self.sa.tell_refused("EAP Success", self.sa.ending)
            self.machine.eap_success_early()
        elif not self._authentic_before and not (keyed.mutual and keyed.msk):
            who = display(self.sa.peer)
            self.fail(
                AuthFailure.NOT_AUTHENTIC,
                f"method {keyed.method} does not prove that the peer is {who}, and nothing else did (RFC 5998); "
                "allow other local.eap_methods, or have the peer send a certificate",
            )
        else:
            self._keyed = keyed
            self.machine.eap_succeeded()

    def request_final(self) -> None:
        """Row I-16: AUTH by the MSK, or by SK_pi if the method made none (RFC 7296 §2.16)."""
        sa, channel = self.sa, self.sa.channel
        octets = self.opening.signed_by_initiator(channel, self.identity)
        mac = psk_mac(channel.suite.prf, self._keyed.msk or channel.sk_pi, octets)
        sa.ask(ExchangeType.IKE_AUTH, (Authentication(AuthMethod.SHARED_KEY, mac),))

    def _last(self, message: Message) -> None:
        sa, channel = self.sa, self.sa.channel
        said = message.one(Authentication)
        if said is None:
            self.refused(message)
            return
        octets = self.opening.signed_by_responder(channel, sa.peer)
        mac = psk_mac(channel.suite.prf, self._keyed.msk or channel.sk_pr, octets)
        if said.method is not AuthMethod.SHARED_KEY or not equal(mac, said.data):
            self.fail(
                AuthFailure.NOT_AUTHENTIC,
                f"{display(sa.peer)} does not know the key of our EAP login: another one than asked us stands there",
            )
            return
        login = f"eap-{self._keyed.method}"
        sa.method = f"{sa.method}+{login}" if self.authentic else login
        self.conclude(message)
