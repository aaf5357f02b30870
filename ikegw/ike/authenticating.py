"""From SMI_AUTH_WAIT on (Figure 2): prove ourselves, check the responder, take what it lends, and install the child."""

from collections.abc import Callable

from attrs import define, evolve, field

from ikegw.auth.authenticator import AuthenticationError, Examination, PeerHints, Proof, Verified
from ikegw.events import AuthFailed, AuthFailure, Refused
from ikegw.ike import transport_mode
from ikegw.ike.being_configured import granted, request_for
from ikegw.ike.child import ChildSa
from ikegw.ike.configuration import addresses_of
from ikegw.ike.examining import judge, obtain
from ikegw.ike.greeting import (
    ANOTHER_FOLLOWS,
    SEVERAL_PROOFS,
    certificates_asked_for,
    certificates_to_send,
    window_offer,
)
from ikegw.ike.logging_in import LoggingIn
from ikegw.ike.negotiation import asked_of_us, selector_payloads, tunnel
from ikegw.ike.opening import Opening
from ikegw.ike.roaming import agree, announcement
from ikegw.ike.sa import IkeSa
from ikegw.ike.tenancy import Tenancy
from ikegw.machines.initiator import Initiator
from ikegw.policy.connections import AuthKind, ChildPolicy, LocalAuth
from ikegw.policy.identities import display
from ikegw.policy.proposals import accepted_esp, to_wire
from ikegw.policy.selectors import resolve, within
from ikegw.ports import DataPlaneError
from ikegw.wire.authentication import Authentication
from ikegw.wire.certificate import Certificate
from ikegw.wire.configuration import Configuration
from ikegw.wire.identification import Identity, IdInitiator, IdResponder
from ikegw.wire.message import Message, Payload
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import ConfigType, ExchangeType, NotifyType
from ikegw.wire.selectors import SelectorsInitiator, SelectorsResponder, TrafficSelector
from ikegw.wire.shapes import AUTH_CHILDLESS_RESPONSE, shape_of


@define(eq=False)
class Authenticating:
    """Our IKE_AUTH exchange; `child` is what it made."""

    sa: IkeSa = field(repr=False)
    machine: Initiator = field(repr=False)
    policy: ChildPolicy | None
    initial_contact: bool
    opening: Opening = field(repr=False)
    hints: PeerHints = field(repr=False)
    child: ChildSa | None = field(default=None, init=False)
    login: LoggingIn | None = field(default=None, init=False, repr=False)
    """Only if we prove ourselves by EAP."""

    final: Message | None = field(default=None, init=False, repr=False)
    """The answer that ends it well."""

    _examination: Examination | None = field(default=None, init=False, repr=False)
    _go_on: Callable[[], None] = field(init=False, repr=False)
    """What follows once the responder is authentic, with the answer that is kept."""

    _first_answer: Message = field(init=False, repr=False)
    """The answer to the first of our two proofs."""

    _reserved_spi: bytes = field(default=b"", init=False)
    _local_selectors: tuple[TrafficSelector, ...] = field(default=(), init=False)
    _remote_selectors: tuple[TrafficSelector, ...] = field(default=(), init=False)

    # ------------------------------------------------------------ the request

    def begin(self) -> None:
        """Row I-05: our proof first, unless that is to be EAP; then the child's SPI, then the request."""
        sa = self.sa
        if sa.connection.local.kind is AuthKind.EAP:
            self.login = self._login(sa.connection.local, sa.local_identity, authentic=False)
            self._proved(None)
            return
        octets = self.opening.signed_by_initiator(sa.channel, sa.local_identity)
        proving = sa.surroundings.authenticator.prove(
            sa.connection.local, sa.local_identity, octets, sa.channel.suite.prf, self.hints
        )
        sa.wait_for(proving, self._proved, AuthenticationError, self._not_authentic)

    def _login(self, local: LocalAuth, identity: Identity, *, authentic: bool) -> LoggingIn:
        return LoggingIn(
            self.sa,
            self.machine,
            self.opening,
            local,
            identity,
            authentic,
            self._verify,
            self._conclude,
            self._peer_refused,
            self._fail,
        )

    def _proved(self, proof: Proof | None) -> None:
        policy = self.policy
        if policy is None:
            self._send(proof, ())
            return

        def reserved(spi: bytes) -> None:
            self._reserved_spi = spi
            self._send(proof, self._child_payloads(policy, spi))

        sa = self.sa
        sa.wait_for(sa.surroundings.data_plane.allocate_spi(sa.path), reserved, DataPlaneError, self._no_spi)

    def _send(self, proof: Proof | None, child: tuple[Payload, ...]) -> None:
        sa = self.sa
        expected = sa.connection.remote.identity.exact
        sa.ask(
            ExchangeType.IKE_AUTH,
            (
                IdInitiator(sa.local_identity),
                *self._certificates(proof),
                *((Notify(NotifyType.INITIAL_CONTACT),) if self.initial_contact else ()),
                *certificates_asked_for(sa.surroundings.authenticator, (sa.connection,)),
                *(() if expected is None else (IdResponder(expected),)),
                *self._authentication(proof),
                *window_offer(sa.connection),
                *announcement(sa),
                *child,
            ),
        )

    def _certificates(self, proof: Proof | None) -> tuple[Certificate, ...]:
        if proof is None:
            return ()
        return certificates_to_send(self.sa.connection, proof, self.hints.certificate_requests)

    def _authentication(self, proof: Proof | None) -> tuple[Payload, ...]:
        """AUTH, and whether another follows (RFC 4739); or none, for EAP, and whether the peer may have none too (RFC 5998)."""
        if proof is not None:
            more = () if self.sa.connection.second_local is None else (SEVERAL_PROOFS, ANOTHER_FOLLOWS)
            return (proof.authentication, *more)
        return (Notify(NotifyType.EAP_ONLY_AUTHENTICATION),) if self._eap_alone else ()

    @property
    def _eap_alone(self) -> bool:
        return self.sa.connection.remote.kind is AuthKind.EAP

    def _child_payloads(self, policy: ChildPolicy, spi: bytes) -> tuple[Payload, ...]:
        sa, virtual = self.sa, self.sa.connection.virtual
        self._local_selectors = asked_of_us(sa.connection, policy, sa.path.local.address)
        self._remote_selectors = resolve(policy.remote_selectors, (sa.path.remote.address,))
        return (
            *((request_for(virtual, expiry=sa.connection.address_expiry),) if virtual else ()),
            *transport_mode.asked(transport_mode.wanted(sa, policy)),
            to_wire(policy.proposals, spi, with_groups=False),
            *selector_payloads(self._local_selectors, self._remote_selectors),
        )

    # ------------------------------------------------------------ the answer

    def answered(self, message: Message) -> None:
        """Rows I-06, I-18, IE-07, IE-08, IE-13, and those of an EAP login: decide which it is."""
        if self.login is not None:
            self.login.answered(message)
        elif message.one(Authentication) is None or message.one(IdResponder) is None:
            self._peer_refused(message)
        elif self.sa.connection.second_local is not None:
            self._round_answered(message)
        else:
            self._verify(message, lambda: self._conclude(message))

    # ------------------------------------------------------------ two proofs

    def _round_answered(self, message: Message) -> None:
        shape = shape_of(message)
        if shape is AUTH_CHILDLESS_RESPONSE:
            self._first_answer = message
            self.machine.round_answered()
        else:
            self._fail(
                AuthFailure.NOT_AUTHENTIC,
                "expected IDr and AUTH alone, for our second proof is still to come (local-2); "
                f"the peer sent another message ({shape.name})",
            )

    def authenticate_peer_first(self) -> None:
        """Row I-20."""
        self._verify(self._first_answer, self.machine.peer_authentic)

    def request_another(self, local: LocalAuth) -> None:
        """Row I-21: from here on it is an EAP login, at a responder that is authentic already."""
        identity = local.identity or self.sa.local_identity
        self.login = self._login(local, identity, authentic=True)
        self.sa.ask(ExchangeType.IKE_AUTH, (IdInitiator(identity),))

    # ------------------------------------------------------------ the responder's proof

    def _verify(self, message: Message, verified: Callable[[], None]) -> None:
        """IDr and AUTH of the responder's first response; goes on with `verified` if both hold."""
        sa = self.sa
        identity, remote = message.need(IdResponder).identity, sa.connection.remote
        sa.remote_identity = identity
        if not remote.identity.matches(identity):
            said = f"expected {remote.identity}, the peer says it is {display(identity)}"
            self._fail(AuthFailure.NOT_AUTHENTIC, f"{said}; compare remote.id here with local.id there")
            return
        authentication = message.one(Authentication)
        if authentication is None:
            self._unproved(verified)
            return
        self._go_on = verified
        self._examination = sa.surroundings.authenticator.examine(
            evolve(remote, kind=AuthKind.PUBKEY) if self._eap_alone else remote,
            identity,
            self.opening.signed_by_responder(sa.channel, identity),
            sa.channel.suite.prf,
            message.every(Certificate),
            authentication,
            sa.local_identity,
        )
        self._judge()

    def _judge(self) -> None:
        if self._examination is not None:
            judge(self._examination, self.machine.material_missing, self._known, self._not_authentic)

    def _known(self, result: Verified) -> None:
        self.sa.method, self.sa.examination = result.method, self._examination
        self._go_on()

    def download(self) -> None:
        """SMI_INSTALLCSA_DL and SMI_AUTH_PEER (rows I-07, I-09, I-11)."""
        if self._examination is not None:
            obtain(self.sa, self._examination, lambda _: self._judge(), self._not_obtained)

    def _unproved(self, verified: Callable[[], None]) -> None:
        if self._eap_alone:
            verified()
            return
        self._fail(
            AuthFailure.NOT_AUTHENTIC,
            "the peer wants our EAP login without having proved itself; have it use a certificate, or, if the EAP method "
            'proves both sides, write remote.auth = "eap"',
        )

    def _peer_refused(self, message: Message) -> None:
        notify = message.error
        name = "an answer without AUTH" if notify is None else notify.type.name
        self.sa.ending = f"the peer refused us with {name}; its log says why"
        self._tell_refused(name, "the peer's log says why", by_peer=True)
        self.machine.peer_refused()

    def _conclude(self, message: Message) -> None:
        self.final = message
        agree(self.sa, message)
        refusal = message.error
        if self.policy is None:
            self.machine.child_made()
        elif refusal is not None or message.one(SecurityAssociation) is None:
            self._child_was_refused("an answer without SA" if refusal is None else refusal.type.name)
        else:
            self._make_child(self.policy, message)

    def _child_was_refused(self, notify: str) -> None:
        sa = self.sa
        self._tell_refused(
            notify, "the peer is authentic but refused the CHILD SA; its log says why", by_peer=True
        )
        if sa.connection.keep_ike:
            self.give_up_child()
            self.machine.child_refused()
        else:
            sa.ending = f"the peer refused the CHILD SA with {notify}; its log says why"
            self.machine.child_unusable()

    # ------------------------------------------------------------ the child

    def _make_child(self, policy: ChildPolicy, message: Message) -> None:
        sa = self.sa
        ours, theirs = message.need(SelectorsInitiator).selectors, message.need(SelectorsResponder).selectors
        chosen = accepted_esp(policy.proposals, message.need(SecurityAssociation), with_group=False)
        configuration = message.one(Configuration)
        if configuration is not None and configuration.type is ConfigType.REPLY and sa.connection.virtual:
            lease = granted(configuration, expiry=sa.connection.address_expiry)
            sa.tenancy = Tenancy.begin(lease, None, sa.surroundings.clock.seconds())
        if chosen is None:
            self._unusable("the peer's ESP proposal is not one choice out of ours")
        elif not within(ours, self._local_selectors) or not within(theirs, self._remote_selectors):
            self._unusable("the peer's traffic selectors are wider than ours")
        elif sa.connection.virtual and not addresses_of(sa.lease):
            self._unusable("the peer gave us no address")
        else:
            made = tunnel(
                sa.name,
                policy,
                sa.channel,
                (self.opening.initiator_nonce, self.opening.responder_nonce),
                chosen.suite,
                we_initiated=True,
                path=sa.path,
                udp_encapsulated=sa.udp_encapsulated,
                spis=(self._reserved_spi, chosen.spi),
                selectors=(ours, theirs),
                random=sa.surroundings.random,
                virtual=addresses_of(sa.lease),
                transport=transport_mode.wanted(sa, policy) and transport_mode.is_in(message),
            )
            child = ChildSa(sa, policy)
            sa.wait_for(
                child.install(made), lambda _: self._installed(child), DataPlaneError, self._not_installed
            )

    def _installed(self, child: ChildSa) -> None:
        self.child, self._reserved_spi = child, b""
        self.machine.child_made()

    def _not_installed(self, error: DataPlaneError) -> None:
        self._unusable(f"our data plane refused the CHILD SA: {error}")

    def _unusable(self, why: str) -> None:
        self._tell_refused("CHILD SA", why, by_peer=False)
        if self.sa.connection.keep_ike:
            self.give_up_child()
            self.machine.child_refused()
        else:
            self.sa.ending = why
            self.machine.child_unusable()

    def give_up_child(self) -> None:
        """Give back the SPI that was reserved for a child which never came to be."""
        spi, self._reserved_spi = self._reserved_spi, b""
        if spi:
            self.sa.surroundings.data_plane.release_spi(spi)

    # ------------------------------------------------------------ failures

    def _not_authentic(self, error: AuthenticationError) -> None:
        self._fail(error.reason, error.detail)

    def _not_obtained(self, error: AuthenticationError) -> None:
        self._tell_failed(error.reason, error.detail)
        self.machine.material_refused()

    def _no_spi(self, error: DataPlaneError) -> None:
        self.sa.ending = f"our data plane has no SPI for the CHILD SA: {error}"
        self.machine.terminate()

    def _fail(self, reason: AuthFailure, detail: str) -> None:
        self._tell_failed(reason, detail)
        self.machine.not_authentic()

    def _tell_failed(self, reason: AuthFailure, detail: str) -> None:
        sa = self.sa
        sa.ending = detail
        sa.peer_unauthentic = True
        sa.surroundings.publish(AuthFailed(sa.name, sa.path, sa.remote_identity, reason, detail))

    def _tell_refused(self, notify: str, detail: str, *, by_peer: bool) -> None:
        self.sa.surroundings.publish(Refused(self.sa.name, self.sa.path, by_peer, notify, detail))
