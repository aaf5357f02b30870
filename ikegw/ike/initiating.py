"""Driving Figure 2: we begin an IKE SA with IKE_SA_INIT, retries and all, and see the IKE_AUTH exchange through."""

from attrs import define, field

from ikegw.crypto.groups import BadPublicValue, KeyPair, generate
from ikegw.crypto.keymat import ike_keys
from ikegw.crypto.suites import IkeSuite
from ikegw.events import Refused
from ikegw.ike import nat
from ikegw.ike.authenticating import Authenticating
from ikegw.ike.fragmentation import agreed, announcement
from ikegw.ike.greeting import NONCE_OCTETS, hash_algorithms, hashes_of, hints_of, nonce_is_sound
from ikegw.ike.living import Living
from ikegw.ike.logging_in import LoggingIn
from ikegw.ike.opening import Opening
from ikegw.ike.roaming import nat_detection
from ikegw.ike.sa import IkeSa
from ikegw.machines.initiator import Initiator, InitiatorMachine
from ikegw.policy.connections import ChildPolicy
from ikegw.policy.proposals import Chosen, accepted_ike, groups_of, to_wire
from ikegw.session import EndCause
from ikegw.wire.errors import ParseError
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import Header, Message, Payload, encode_message
from ikegw.wire.nonce import Nonce
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import ExchangeType, KeGroup, NotifyType
from ikegw.wire.shapes import shape_of

MAX_ROUNDS = 3
"""How many COOKIE rounds, and how many INVALID_KE_PAYLOAD rounds, one IKE_SA_INIT may take (rows I-03, I-04, IE-06)."""

GRACE_SECONDS = 2.0
"""How long a proper response may still come after an unprotected error (row IE-02)."""

HOLDING = frozenset(("SMI_INSTALLCSA_DL", "SMI_AUTH_PEER", "SMI_ROUND_PEER"))
"""The states in which a request of the peer waits for SM_MATURE."""

NOTHING: frozenset[ExchangeType] = frozenset()


@define(eq=False)
class Initiating:
    """The phase of an initiator up to SM_MATURE. `policy` is the child to make, `initial_contact` what to say of others."""

    sa: IkeSa = field(repr=False)
    policy: ChildPolicy | None
    initial_contact: bool
    machine: Initiator = field(init=False, repr=False)
    _nonce: bytes = field(init=False, repr=False)
    _keys: KeyPair = field(init=False, repr=False)
    _group: KeGroup = field(init=False)
    _tried: list[KeGroup] = field(factory=list, init=False)
    _cookies: list[Notify] = field(factory=list, init=False, repr=False)
    _request: bytes = field(default=b"", init=False, repr=False)
    _hint: str = field(default="", init=False)
    _childless: bool = field(default=False, init=False)
    _authenticating: Authenticating | None = field(default=None, init=False, repr=False)
    _held: Message | None = field(default=None, init=False, repr=False)
    """A request of the responder, which may think that the IKE SA is up while we still find out who it is (§9)."""

    def __attrs_post_init__(self) -> None:
        self.machine = InitiatorMachine(self)
        self.sa.enter(self, "initiator")

    # ------------------------------------------------------------ the request, and its repetitions

    def request_ike_sa_init(self) -> None:
        """Row I-01."""
        self._nonce = self.sa.surroundings.random(NONCE_OCTETS)
        self._use_group(groups_of(self.sa.connection.proposals)[0])
        self.sa.asking.ask()
        self._send()

    def _use_group(self, group: KeGroup) -> None:
        self._group = group
        self._tried.append(group)
        self._keys = generate(group, self.sa.surroundings.random)

    def _send(self) -> None:
        sa = self.sa
        payloads: tuple[Payload, ...] = (
            *self._cookies[-1:],
            to_wire(sa.connection.proposals),
            KeyExchange(self._group, self._keys.public),
            Nonce(self._nonce),
            *nat_detection(sa, sa.path),
            hash_algorithms(),
            *announcement(sa.connection),
        )
        header = Header(sa.spi_initiator, bytes(8), ExchangeType.IKE_SA_INIT, False, True, 0)
        self._request = encode_message(Message(header, payloads))
        sa.transmit((self._request,))

    def repeat_with_cookie(self) -> None:
        """Row I-03: the same SPIi, Ni, KEi and SAi1, with the cookie first."""
        self._send()
        self.machine.repeated()

    def repeat_with_group(self) -> None:
        """Row I-04: the same SAi1 with a KEi of the group asked for, and the cookie if one was given (RFC 7296 §2.6.1)."""
        self._use_group(self._wanted_group)
        self._send()
        self.machine.repeated()

    _wanted_group: KeGroup = field(init=False)

    # ------------------------------------------------------------ what came back

    def opened(self, message: Message, octets: bytes) -> None:
        """An unprotected IKE_SA_INIT response, which anyone may have sent; `octets` is the whole datagram."""
        if not self.sa.asking.expects(message.header.message_id):
            return
        try:
            shape_of(message)
        except ParseError as error:
            self._illegal(str(error))
            return
        cookie = message.notify(NotifyType.COOKIE)
        wanted = message.notify(NotifyType.INVALID_KE_PAYLOAD)
        if message.one(SecurityAssociation) is not None:
            self._judge(message, octets)
        elif cookie is not None:
            self._told_cookie(cookie)
        elif wanted is not None:
            self._told_group(KeGroup(int.from_bytes(wanted.data, "big")))
        else:
            self._told_error(message)

    def _told_cookie(self, cookie: Notify) -> None:
        if len(self._cookies) >= MAX_ROUNDS:
            self.sa.ending = f"the peer asked for a cookie more than {MAX_ROUNDS} times"
            self.machine.too_many_rounds()
            return
        self._cookies.append(Notify(NotifyType.COOKIE, cookie.data))
        self.machine.cookie()

    def _told_group(self, group: KeGroup) -> None:
        if len(self._tried) > MAX_ROUNDS:
            self.sa.ending = f"the peer asked for another group more than {MAX_ROUNDS} times"
            self.machine.too_many_rounds()
        elif group in self._tried or group not in groups_of(self.sa.connection.proposals):
            self.sa.ending = f"the peer wants group {group.name}, which was tried or is not in our proposals"
            self._refused(NotifyType.INVALID_KE_PAYLOAD.name, self.sa.ending)
            self.machine.other_group_unacceptable()
        else:
            self._wanted_group = group
            self.machine.other_group()

    def _told_error(self, message: Message) -> None:
        notify = message.error
        name = "nothing that we asked for" if notify is None else notify.type.name
        if not self._hint:
            self._hint = f"the peer answered IKE_SA_INIT with {name}"
            self._refused(name, "unprotected; a proper response is waited for")
        self.sa.ending = self._hint
        self.machine.refused()

    def begin_grace(self) -> None:
        """Rows IE-02, IE-05: anyone could have sent that, so the real peer gets its time to answer."""
        if not self.sa.armed("grace"):
            self.sa.arm("grace", GRACE_SECONDS, self.machine.grace_over)

    def _illegal(self, what: str) -> None:
        self.sa.ending = f"the peer's IKE_SA_INIT response was illegal and ignored: {what}"
        self.sa.drop(self.sa.path, "illegal-response", what)
        self.machine.illegal()

    # ------------------------------------------------------------ a regular response

    def _judge(self, message: Message, octets: bytes) -> None:
        theirs, nonce = message.need(KeyExchange), message.need(Nonce).octets
        chosen = accepted_ike(self.sa.connection.proposals, message.need(SecurityAssociation))
        if chosen is None:
            self._illegal("its SA is not one choice out of ours")
        elif not theirs.group == self._group == chosen.suite.group.id:
            self._illegal(f"its KE is of group {theirs.group.name}, not {self._group.name}")
        elif not nonce_is_sound(nonce, chosen.suite.prf):
            self._illegal(f"its nonce of {len(nonce)} octets is too short")
        elif not any(message.header.responder_spi):
            self._illegal("its SPI is zero")
        else:
            self._agree(chosen, message, octets)

    def _agree(self, chosen: Chosen[IkeSuite], message: Message, octets: bytes) -> None:
        sa, nonce = self.sa, message.need(Nonce).octets
        try:
            shared = self._keys.shared(message.need(KeyExchange).public)
        except BadPublicValue as error:
            self._illegal(f"its public value is bad: {error}")
            return
        sa.spi_responder = message.header.responder_spi
        keys = ike_keys(chosen.suite, shared, self._nonce, nonce, sa.spi_initiator, sa.spi_responder)
        sa.protect(chosen.suite, keys)
        self._childless = message.notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED) is not None
        sa.answered()
        sa.disarm("grace")
        sa.ending = ""
        if agreed(sa.connection, message):
            sa.agree_on_fragments()
        self._float(message)
        self._authenticating = Authenticating(
            sa,
            self.machine,
            self.policy,
            self.initial_contact,
            Opening(self._request, octets, self._nonce, nonce),
            hints_of(sa.connection.remote.identity.exact, message, hashes_of(message)),
        )
        if sa.connection.second_local is None:
            self.machine.negotiated()
        elif message.notify(NotifyType.MULTIPLE_AUTH_SUPPORTED) is not None:
            self.machine.negotiated_for_two()
        else:
            why = "it does not say that it takes more than one proof (RFC 4739), and local-2 is a second one"
            sa.ending = f"the peer cannot have us as configured: {why}"
            self._refused(NotifyType.MULTIPLE_AUTH_SUPPORTED.name, sa.ending)
            self.machine.one_proof_only()

    def _float(self, message: Message) -> None:
        sa = self.sa
        if not sa.connection.nat_traversal:
            return
        sa.behind_nat, sa.peer_behind_nat = nat.detect(message, sa.path)
        # Whoever may move goes to port 4500 at once: a NAT may be found on a later path (RFC 4555 §3.3).
        may_move = sa.connection.mobike and message.notify(NotifyType.NAT_DETECTION_SOURCE_IP) is not None
        if sa.udp_encapsulated or may_move:
            local = sa.surroundings.transport.nat_t_port(sa.path)
            sa.path = sa.path.floated(local, sa.connection.remote_nat_t_port)
        sa.start_keepalives()

    # ------------------------------------------------------------ IKE_AUTH

    def request_ike_auth(self) -> None:
        """Row I-05, from the proof on; without a child to ask for, only of a responder that knows how (RFC 6023)."""
        if self.policy is None and not self._childless:
            self.told_to_end(
                "the connection has no child, and the peer takes no IKE SA without one (RFC 6023)"
            )
        elif self._authenticating is not None:
            self._authenticating.begin()

    @property
    def _login(self) -> LoggingIn:
        login = None if self._authenticating is None else self._authenticating.login
        if login is None:
            raise AssertionError("the machine speaks of an EAP login that was never begun")
        return login

    def authenticate_peer_first(self) -> None:
        """Row I-20."""
        if self._authenticating is not None:
            self._authenticating.authenticate_peer_first()

    def request_another_auth(self) -> None:
        """Row I-21."""
        second = self.sa.connection.second_local
        if self._authenticating is not None and second is not None:
            self._authenticating.request_another(second)

    def authenticate_peer(self) -> None:
        """Row I-10."""
        self._login.authenticate_peer()

    def respond_eap(self) -> None:
        """Rows I-13, I-14."""
        self._login.respond()

    def send_eap(self) -> None:
        """Row I-15."""
        self._login.send_response()

    def request_final_auth(self) -> None:
        """Row I-16."""
        self._login.request_final()

    def download(self) -> None:
        """Rows I-07, I-09 and I-11."""
        if self._authenticating is not None:
            self._authenticating.download()

    def response(self, message: Message, octets: bytes) -> None:
        """The protected answer to IKE_AUTH."""
        if self._authenticating is not None:
            self._authenticating.answered(message)

    def _refused(self, notify: str, detail: str) -> None:
        self.sa.surroundings.publish(Refused(self.sa.name, self.sa.path, True, notify, detail))

    # ------------------------------------------------------------ the ends of this phase

    def mature(self) -> None:
        """Hand over to Figure 6, with what the last answer says of the time until we are to authenticate anew."""
        done = self._authenticating
        living = Living.begin(self.sa, None if done is None else done.child)
        if done is not None and done.final is not None:
            living.lifetimes.hear(done.final)
        if self._held is not None:
            living.request(self._held)

    def told_to_end(self, reason: str, cause: EndCause = EndCause.NAS_REQUEST) -> None:
        """MSG_IKE_TERMINATE."""
        self.sa.ends_because(reason, cause)
        self.machine.terminate()

    def terminate(self) -> None:
        """Hand over to SM_TERMINATE (row IE-20); what was being waited for is wanted no more."""
        self.sa.wait_no_more()
        self._give_up_child()
        living = Living.begin_terminating(self.sa)
        if self._held is not None and not self.sa.ended.called:
            living.request(self._held)

    def dead(self) -> None:
        """Row IE-21."""
        self._give_up_child()
        self.sa.end()

    def _give_up_child(self) -> None:
        if self._authenticating is not None:
            self._authenticating.give_up_child()

    def timeout(self) -> None:
        """Row IE-01."""
        self.machine.timeout()

    @property
    def serves(self) -> frozenset[ExchangeType]:
        """§9: one request is held while the responder's certificates are looked into; all else is dropped unopened."""
        return Living.serves if self._held is None and self.sa.state in HOLDING else NOTHING

    def request(self, message: Message) -> None:
        """Hold it: it is served once the IKE SA is mature."""
        self._held = message

    def malformed(self, error: ParseError, header: Header) -> None:
        """Do as if it had not come: a peer that is not authentic yet is told nothing."""
        self.sa.no_answer(header)
        self.sa.drop(self.sa.path, "malformed", str(error))
