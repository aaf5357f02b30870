"""The peer's CREATE_CHILD_SA for a CHILD SA, new or in place of another: choose, narrow, key (rows P-04, P-06, C-11, C-30)."""

from attrs import define, field

from ikegw.crypto.groups import BadPublicValue, KeyPair, generate
from ikegw.ike import transport_mode
from ikegw.ike.child import ChildSa
from ikegw.ike.greeting import NONCE_OCTETS, nonce_is_sound
from ikegw.ike.negotiation import Agreed, NoChild, agree, selector_payloads, tunnel
from ikegw.ike.sa import IkeSa
from ikegw.policy.carriage import Mode
from ikegw.policy.proposals import choose_esp, explain
from ikegw.policy.selectors import narrow
from ikegw.ports import DataPlaneError
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import Message, Payload
from ikegw.wire.nonce import Nonce
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import NotifyType, ProtocolId
from ikegw.wire.selectors import SelectorsInitiator, SelectorsResponder


@define(eq=False)
class ChildAnswering:
    """One request of the peer, from the message to the installed child and the answer."""

    sa: IkeSa = field(repr=False)
    message: Message = field(repr=False)
    replaced: ChildSa | None
    _nonce: bytes = field(init=False, repr=False)
    _keys: KeyPair | None = field(default=None, init=False, repr=False)
    _shared: bytes = field(default=b"", init=False, repr=False)

    def serve(self) -> None:
        """Answer now, or when the data plane is ready."""
        try:
            agreed = self._agree()
            self._exchange_keys(agreed)
        except NoChild as error:
            self._refuse(error)
            return
        if self.replaced is not None:
            self.replaced.peer_rekeys((self.message.need(Nonce).octets, self._nonce))
        plane = self.sa.surroundings.data_plane
        self.sa.wait_for(
            plane.allocate_spi(self.sa.path),
            lambda spi: self._install(agreed, spi),
            DataPlaneError,
            self._not_installed,
        )

    def _agree(self) -> Agreed:
        sa, message = self.sa, self.message
        proposed = message.need(SecurityAssociation)
        theirs = message.need(SelectorsInitiator).selectors
        ours = message.need(SelectorsResponder).selectors
        if self.replaced is None:
            _, remote = sa.dynamic_addresses
            routes = sa.grant.routes
            return agree(
                sa.connection.children,
                proposed,
                theirs,
                ours,
                sa.reached,
                remote,
                routes,
                with_group=True,
                members=sa.group.name,
            )
        # A peer may offer more than the old selectors (Windows: everything): both sides keep what they had.
        old, policy = self.replaced.tunnel, self.replaced.policy
        mine, peers = narrow(ours, old.local_selectors), narrow(theirs, old.remote_selectors)
        chosen = choose_esp(policy.proposals, proposed, with_group=True)
        if not mine or not peers:
            raise NoChild(
                Notify(NotifyType.TS_UNACCEPTABLE), "rekeying with selectors that the old child did not have"
            )
        if chosen is None:
            why = f"no ESP proposal in common: {explain(policy.proposals, proposed)}"
            raise NoChild(Notify(NotifyType.NO_PROPOSAL_CHOSEN), why)
        return Agreed(policy, chosen, mine, peers)

    def _exchange_keys(self, agreed: Agreed) -> None:
        random, group = self.sa.surroundings.random, agreed.chosen.suite.group
        theirs, nonce = self.message.one(KeyExchange), self.message.need(Nonce).octets
        if not nonce_is_sound(nonce, self.sa.channel.suite.prf):
            raise NoChild(Notify(NotifyType.INVALID_SYNTAX), f"a nonce of {len(nonce)} octets is too short")
        self._nonce = random(NONCE_OCTETS)
        if group is None:
            return
        if theirs is None or theirs.group != group.id:
            guessed = "none" if theirs is None else theirs.group.name
            why = f"the peer's KE is of group {guessed}, we want {group.name}"
            raise NoChild(Notify(NotifyType.INVALID_KE_PAYLOAD, group.id.to_bytes(2, "big")), why)
        self._keys = generate(group.id, random)
        try:
            self._shared = self._keys.shared(theirs.public)
        except BadPublicValue as error:
            raise NoChild(
                Notify(NotifyType.INVALID_SYNTAX), f"the peer's public value is bad: {error}"
            ) from error

    def _install(self, agreed: Agreed, spi: bytes) -> None:
        sa = self.sa
        child = ChildSa(sa, agreed.policy)
        made = tunnel(
            sa.name,
            agreed.policy,
            sa.channel,
            (self.message.need(Nonce).octets, self._nonce),
            agreed.chosen.suite,
            we_initiated=False,
            path=sa.path,
            udp_encapsulated=sa.udp_encapsulated,
            spis=(spi, agreed.chosen.spi),
            selectors=(agreed.local_selectors, agreed.remote_selectors),
            virtual=sa.virtual,
            shared=self._shared,
            random=sa.surroundings.random,
            # The peer cannot receive on it before our answer is there: what it replaces goes on sending (RFC 7296 §2.8).
            standby=self.replaced is not None,
            transport=transport_mode.granted(
                sa, agreed.policy, self.message, agreed.local_selectors, agreed.remote_selectors
            ),
        )
        sa.wait_for(
            child.install(made),
            lambda _: self._installed(agreed, child),
            DataPlaneError,
            lambda error: self._not_installed(error, spi),
        )

    def _installed(self, agreed: Agreed, child: ChildSa) -> None:
        theirs = self._keys
        group = agreed.chosen.suite.group
        payloads: tuple[Payload, ...] = (
            *transport_mode.asked(child.tunnel.carriage.mode is Mode.TRANSPORT),
            agreed.chosen.answer_with(child.tunnel.inbound_spi),
            Nonce(self._nonce),
            *(() if theirs is None or group is None else (KeyExchange(group.id, theirs.public),)),
            *selector_payloads(agreed.remote_selectors, agreed.local_selectors),
        )
        self.sa.respond(self.message.header, payloads)
        child.machine.installed()
        if self.replaced is not None:
            self.replaced.rekeyed_by_peer(child)

    def _not_installed(self, error: DataPlaneError, spi: bytes = b"") -> None:
        if self.replaced is not None:
            self.replaced.peer_rekeys(None)
        if spi:
            self.sa.surroundings.data_plane.release_spi(spi)
        self._refuse(
            NoChild(Notify(NotifyType.NO_ADDITIONAL_SAS), f"our data plane refused the CHILD SA: {error}")
        )

    def _refuse(self, error: NoChild) -> None:
        self.sa.respond(self.message.header, (error.notify,))
        self.sa.tell_refused(error.notify.type.name, error.detail)


def replaced_child(sa: IkeSa, rekey: Notify) -> ChildSa:
    """The CHILD SA that N(REKEY_SA) names by the peer's inbound SPI. NoChild: rows K-01 and K-03."""
    child = next((one for one in sa.children.values() if one.tunnel.outbound_spi == rekey.spi), None)
    if child is None and sa.makes_a_child:
        why = "the peer wants to rekey a CHILD SA that is not here, or not yet: the answer that names it may be late"
        raise NoChild(Notify(NotifyType.TEMPORARY_FAILURE), why)
    if child is None or rekey.protocol is not ProtocolId.ESP:
        notify = Notify(NotifyType.CHILD_SA_NOT_FOUND, b"", rekey.protocol, rekey.spi)
        raise NoChild(notify, f"the peer wants to rekey a CHILD SA {rekey.spi.hex()} that is not here")
    if child.state not in ("SA_MATURE", "SA_REKEY", "SA_REKEY_WAIT") or child.successor is not None:
        raise NoChild(
            Notify(NotifyType.TEMPORARY_FAILURE), "the peer wants to rekey a CHILD SA that is being closed"
        )
    return child
