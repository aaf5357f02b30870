"""SMR_AUTH_FINALIZE (Figure 4): verify the initiator, prove ourselves, lend an address, make the child, answer.

The machine may come here more than once; a step that is finished is not done again.
"""

from collections.abc import Callable

from attrs import define, evolve, field
from twisted.internet import defer

from ikegw.auth.authenticator import AuthenticationError
from ikegw.config.lending import CONFIGURATION_SECONDS
from ikegw.events import AddressLeased, AuthFailed, AuthFailure, Refused
from ikegw.ike import transport_mode
from ikegw.ike.child import ChildSa
from ikegw.ike.configuration import addresses_of, reply, wanted_by
from ikegw.ike.greeting import window_offer
from ikegw.ike.negotiation import Agreed, NoChild, agree, selector_payloads, tunnel
from ikegw.ike.opening import Opening
from ikegw.ike.proofs import Proofs, told_to
from ikegw.ike.roaming import agree as agree_to_move
from ikegw.ike.sa import IkeSa
from ikegw.ike.tenancy import Tenancy
from ikegw.machines.responder import Responder
from ikegw.policy.carriage import Mode
from ikegw.policy.groups import group_of, said_of
from ikegw.policy.identities import display
from ikegw.ports import AddressRequest, DataPlaneError, Lease, NoAddress
from ikegw.session import Termination
from ikegw.wire.configuration import Configuration
from ikegw.wire.identification import Identity
from ikegw.wire.message import Message, Payload
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import ConfigType, NotifyType
from ikegw.wire.selectors import SelectorsInitiator, SelectorsResponder


@define(eq=False)
class Finalizing:
    """The steps between an admissible IKE_AUTH request and its answer; `child` and the answer's payloads grow with them.

    `message` is the request that asked for the child; after an EAP login, that was not the last one.
    """

    sa: IkeSa = field(repr=False)
    machine: Responder = field(repr=False)
    opening: Opening = field(repr=False)
    message: Message = field(repr=False)
    proofs: Proofs = field(repr=False)
    identity: Identity
    child: ChildSa | None = field(default=None, init=False)
    _todo: list[Callable[[], None]] = field(init=False, repr=False)
    _child_payloads: tuple[Payload, ...] = field(default=(), init=False, repr=False)
    _child_error: Notify | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._todo = [self._verify, self._assign, self._count, self._prove, self._configure, self._make_child]

    def go_on(self) -> None:
        """Do the first step that is not finished; each of them comes back here, now or later."""
        if self._child_error is not None:
            self.machine.complete_without_child()
        elif self._todo:
            self._todo.pop(0)()
        else:
            self.machine.complete()

    def answer(self) -> tuple[Payload, ...]:
        """The payloads of the final IKE_AUTH response (rows R-17, R-18)."""
        rest = self._child_payloads if self._child_error is None else (self._child_error,)
        notifies = (
            *self._lifetime(),
            *window_offer(self.sa.connection),
            *agree_to_move(self.sa, self.message),
        )
        return (*self.proofs.payloads, *rest, *notifies)

    def _lifetime(self) -> tuple[Notify, ...]:
        """RFC 4478: by when the initiator is to authenticate anew."""
        grant, times = self.sa.terms, [self.sa.connection.reauth_seconds]
        if grant.termination is Termination.REAUTHENTICATE:
            times.append(grant.session_seconds or 0)
        seconds = round(min(filter(None, times), default=0))
        return (Notify(NotifyType.AUTH_LIFETIME, seconds.to_bytes(4, "big")),) if seconds else ()

    # ------------------------------------------------------------ who is who

    def _verify(self) -> None:
        self.proofs.verify(self._material_missing, self.go_on, self._not_authentic)

    def _material_missing(self) -> None:
        self._todo.insert(0, self._verify)
        self.machine.material_missing()

    def download(self) -> None:
        """SMR_AUTH_DL_PEER (row R-13)."""
        self.proofs.obtain(told_to(self.machine), self._not_obtained)

    def _not_obtained(self, error: AuthenticationError) -> None:
        self._tell_failed(error)
        self.machine.material_refused()

    def _assign(self) -> None:
        """The user's group; where there are groups, one who is in none of them does not come in."""
        sa = self.sa
        group = group_of(sa.connection.groups, sa.grant)
        if group is None:
            names = ", ".join(each.name for each in sa.connection.groups)
            who = sa.user or display(self.identity)
            why = f"{who} is in no group of its connection ({names}); its AAA server said {said_of(sa.grant)}"
            self._not_authentic(AuthenticationError(AuthFailure.NOT_IN_GROUP, why))
        else:
            sa.group = group
            self.go_on()

    def _count(self) -> None:
        """Port-Limit."""
        fresh = self.message.notify(NotifyType.INITIAL_CONTACT) is not None
        why = self.sa.table.no_seat(self.sa, initial_contact=fresh)
        if why:
            self._not_authentic(AuthenticationError(AuthFailure.TOO_MANY_SESSIONS, why))
        else:
            self.go_on()

    def _prove(self) -> None:
        self.proofs.prove(self.go_on, self._not_authentic)

    def _tell_failed(self, error: AuthenticationError) -> None:
        sa = self.sa
        sa.ending = error.detail
        sa.surroundings.publish(AuthFailed(sa.name, sa.path, self.identity, error.reason, error.detail))

    def _not_authentic(self, error: AuthenticationError) -> None:
        self._tell_failed(error)
        if error.reason is AuthFailure.NO_OWN_MATERIAL:
            self.machine.no_own_material()
        else:
            self.machine.not_authentic()

    # ------------------------------------------------------------ configuration

    @property
    def _asked(self) -> Configuration | None:
        configuration = self.message.one(Configuration)
        if configuration is None or configuration.type is not ConfigType.REQUEST:
            return None
        return configuration

    def _configure(self) -> None:
        """Lend addresses; a client that comes back takes its own with it from the session that ends for this one."""
        sa, asked = self.sa, self._asked
        request = None if asked is None else self._wanted_by(asked)
        anew = self.message.notify(NotifyType.INITIAL_CONTACT) is not None
        own = None if request is None else sa.table.tenancy_of_its_peer(sa, request, anew=anew)
        if own is not None:
            self._hold(own.join())
        if anew:
            sa.table.initial_contact(sa)
        if request is None or own is not None or not (request.wants_ip4 or request.wants_ip6):
            self.go_on()
        else:
            self._lease(request)

    def _wanted_by(self, asked: Configuration) -> AddressRequest:
        sa = self.sa
        wanted = wanted_by(asked, sa.connection, self.identity, sa.path)
        return evolve(
            wanted,
            pools=sa.group.pools or sa.connection.pools,
            user=sa.user,
            session=sa.session_id,
            grant=sa.terms,
            group=sa.group.name,
        )

    def _lease(self, request: AddressRequest) -> None:
        sa = self.sa
        leasing = sa.surroundings.addresses.lease(request)
        if leasing.called:
            sa.wait_for(leasing, lambda lease: self._leased(request, lease), NoAddress, self._not_leased)
        else:
            self.machine.configuration_awaited()
            leasing.addTimeout(CONFIGURATION_SECONDS, sa.surroundings.clock)
            sa.wait_for(
                leasing,
                lambda lease: self._leased_late(request, lease),
                (NoAddress, defer.TimeoutError),
                self._not_leased_late,
                self._leased_to_nobody,
            )

    def _leased(self, request: AddressRequest, lease: Lease) -> None:
        self._hold(Tenancy.begin(lease, request, self.sa.surroundings.clock.seconds()))
        self.go_on()

    def _leased_late(self, request: AddressRequest, lease: Lease) -> None:
        self._hold(Tenancy.begin(lease, request, self.sa.surroundings.clock.seconds()))
        self.machine.configured()

    def _leased_to_nobody(self, lease: Lease) -> None:
        self.sa.surroundings.addresses.release(lease).addErrback(self.sa.not_released)

    def _hold(self, tenancy: Tenancy) -> None:
        sa, lease = self.sa, tenancy.lease
        sa.tenancy = tenancy
        addresses = tuple(address for address in (lease.ip4, lease.ip6) if address is not None)
        sa.surroundings.publish(AddressLeased(sa.name, self.identity, addresses))

    def _not_leased(self, error: Exception) -> None:
        self._no_child(NotifyType.INTERNAL_ADDRESS_FAILURE, str(error))
        self.go_on()

    def _not_leased_late(self, error: Exception) -> None:
        silent = f"no address provider answered within {CONFIGURATION_SECONDS:.0f} s"
        self._no_child(
            NotifyType.INTERNAL_ADDRESS_FAILURE,
            silent if isinstance(error, defer.TimeoutError) else str(error),
        )
        self.machine.configuration_failed()

    # ------------------------------------------------------------ the child

    def _make_child(self) -> None:
        sa, message = self.sa, self.message
        if message.one(SecurityAssociation) is None:
            self.go_on()
            return
        try:
            agreed = agree(
                sa.connection.children,
                message.need(SecurityAssociation),
                message.need(SelectorsInitiator).selectors,
                message.need(SelectorsResponder).selectors,
                sa.reached,
                addresses_of(sa.lease) or (sa.path.remote.address,),
                sa.grant.routes,
                with_group=False,
                members=sa.group.name,
            )
        except NoChild as error:
            self._no_child(error.notify.type, error.detail)
            self.machine.child_refused()
            return
        sa.wait_for(
            sa.surroundings.data_plane.allocate_spi(sa.path),
            lambda spi: self._install(agreed, spi),
            DataPlaneError,
            self._not_installed,
        )

    def _install(self, agreed: Agreed, spi: bytes) -> None:
        sa = self.sa
        made = tunnel(
            sa.name,
            agreed.policy,
            sa.channel,
            (self.opening.initiator_nonce, self.opening.responder_nonce),
            agreed.chosen.suite,
            we_initiated=False,
            path=sa.path,
            udp_encapsulated=sa.udp_encapsulated,
            spis=(spi, agreed.chosen.spi),
            selectors=(agreed.local_selectors, agreed.remote_selectors),
            random=sa.surroundings.random,
            transport=self._grants_transport(agreed),
        )
        child = ChildSa(sa, agreed.policy)
        sa.wait_for(
            child.install(made),
            lambda _: self._installed(agreed, child),
            DataPlaneError,
            lambda error: self._not_installed(error, spi),
        )

    def _grants_transport(self, agreed: Agreed) -> bool:
        selectors = (agreed.local_selectors, agreed.remote_selectors)
        return transport_mode.granted(self.sa, agreed.policy, self.message, *selectors)

    def _installed(self, agreed: Agreed, child: ChildSa) -> None:
        self.child = child
        sa, asked = self.sa, self._asked
        told = (
            reply(asked, sa.lease, agreed.local_selectors, sa.group.domains or sa.connection.domains)
            if asked is not None
            else None
        )
        self._child_payloads = (
            *(() if told is None else (told,)),
            *transport_mode.asked(child.tunnel.carriage.mode is Mode.TRANSPORT),
            agreed.chosen.answer_with(child.tunnel.inbound_spi),
            *selector_payloads(agreed.remote_selectors, agreed.local_selectors),
        )
        self.go_on()

    def _not_installed(self, error: DataPlaneError, spi: bytes = b"") -> None:
        if spi:
            self.sa.surroundings.data_plane.release_spi(spi)
        detail = f"our data plane refused the CHILD SA: {error}"
        self._no_child(NotifyType.NO_ADDITIONAL_SAS, detail)
        self.machine.child_refused()

    def _no_child(self, notify: NotifyType, detail: str) -> None:
        sa = self.sa
        self._child_error = Notify(notify)
        detail = f"the IKE SA stands without a child: {detail}"
        sa.surroundings.publish(Refused(sa.name, sa.path, False, notify.name, detail))
