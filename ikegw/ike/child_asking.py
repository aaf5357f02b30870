"""Our CREATE_CHILD_SA request for a CHILD SA, new or in place of another, and what its answer means (RFC 7296 §1.3.1, §1.3.3)."""

from attrs import define, field, frozen

from ikegw.crypto.groups import BadPublicValue, KeyPair, generate
from ikegw.crypto.suites import EspSuite
from ikegw.ike import transport_mode
from ikegw.ike.channel import Channel
from ikegw.ike.greeting import NONCE_OCTETS, nonce_is_sound
from ikegw.policy.connections import ChildPolicy
from ikegw.policy.proposals import accepted_esp, groups_of, to_wire
from ikegw.policy.selectors import within
from ikegw.ports import Random
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import Message, Payload
from ikegw.wire.nonce import Nonce
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import KeGroup, NotifyType, ProtocolId
from ikegw.wire.selectors import SelectorsInitiator, SelectorsResponder, TrafficSelector

Selectors = tuple[TrafficSelector, ...]


@frozen
class ChildMade:
    """The peer agreed: all that the data plane needs but the keys, which follow from `nonces` (Ni, Nr) and `shared`."""

    suite: EspSuite
    peer_spi: bytes
    nonces: tuple[bytes, bytes]
    shared: bytes = field(repr=False)
    local_selectors: Selectors
    remote_selectors: Selectors
    transport: bool = False


@frozen
class OtherGroup:
    """N(INVALID_KE_PAYLOAD) for a group that we may use and have not tried: ask again."""


@frozen
class Postponed:
    """N(TEMPORARY_FAILURE)."""


@frozen
class NotFound:
    """N(CHILD_SA_NOT_FOUND): the peer does not know the one to be replaced."""


@frozen
class Refused:
    """Another error; the notify's name."""

    notify: str


@frozen
class Unusable:
    """The peer believes that it exists, and we cannot have it so."""

    why: str


Outcome = ChildMade | OtherGroup | Postponed | NotFound | Refused | Unusable


@define(eq=False)
class ChildAsking:
    """One request, and its repetition with another group. `replaced_spi` is our inbound SPI of the CHILD SA to be rekeyed."""

    policy: ChildPolicy
    channel: Channel = field(repr=False)
    random: Random = field(repr=False)
    spi: bytes
    local_selectors: Selectors
    remote_selectors: Selectors
    replaced_spi: bytes = b""
    wants_transport: bool = False
    _nonce: bytes = field(init=False, repr=False)
    _keys: KeyPair | None = field(default=None, init=False, repr=False)
    _tried: list[KeGroup] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._nonce = self.random(NONCE_OCTETS)
        groups = groups_of(self.policy.proposals)
        if groups:
            self._use(groups[0])

    def _use(self, group: KeGroup) -> None:
        self._tried.append(group)
        self._keys = generate(group, self.random)

    def payloads(self) -> tuple[Payload, ...]:
        """{[N(REKEY_SA)], SA, Ni, [KEi], TSi, TSr}."""
        group = self._tried[-1] if self._tried else None
        replaced = Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, self.replaced_spi)
        return (
            *((replaced,) if self.replaced_spi else ()),
            *transport_mode.asked(self.wants_transport),
            to_wire(self.policy.proposals, self.spi, first_group=group),
            Nonce(self._nonce),
            *(() if group is None or self._keys is None else (KeyExchange(group, self._keys.public),)),
            SelectorsInitiator(self.local_selectors),
            SelectorsResponder(self.remote_selectors),
        )

    def read(self, message: Message) -> Outcome:
        """What the answer says. The message has a shape of CREATE_CHILD_SA responses."""
        error = message.error
        if error is not None:
            return self._refusal(error)
        if message.one(SelectorsInitiator) is None:
            return Unusable("the peer answered as if an IKE SA were to be rekeyed")
        return self._made(message)

    def _refusal(self, notify: Notify) -> Outcome:
        if notify.type is NotifyType.INVALID_KE_PAYLOAD:
            group = KeGroup(int.from_bytes(notify.data, "big"))
            if group in groups_of(self.policy.proposals) and group not in self._tried:
                self._use(group)
                return OtherGroup()
        if notify.type is NotifyType.TEMPORARY_FAILURE:
            return Postponed()
        if notify.type is NotifyType.CHILD_SA_NOT_FOUND:
            return NotFound()
        return Refused(notify.type.name)

    def _made(self, message: Message) -> Outcome:
        chosen = accepted_esp(self.policy.proposals, message.need(SecurityAssociation), with_group=True)
        nonce = message.need(Nonce).octets
        ours, theirs = message.need(SelectorsInitiator).selectors, message.need(SelectorsResponder).selectors
        if chosen is None:
            return Unusable("the peer's ESP proposal is not one choice out of ours")
        if not nonce_is_sound(nonce, self.channel.suite.prf):
            return Unusable(f"the peer's nonce of {len(nonce)} octets is too short")
        if (
            not ours
            or not theirs
            or not within(ours, self.local_selectors)
            or not within(theirs, self.remote_selectors)
        ):
            return Unusable("the peer's traffic selectors are wider than ours")
        try:
            shared = self._shared(chosen.suite, message.one(KeyExchange))
        except BadPublicValue as error:
            return Unusable(f"the peer's key exchange is bad: {error}")
        transport = self.wants_transport and transport_mode.is_in(message)
        return ChildMade(chosen.suite, chosen.spi, (self._nonce, nonce), shared, ours, theirs, transport)

    def _shared(self, suite: EspSuite, theirs: KeyExchange | None) -> bytes:
        if suite.group is None:
            return b""
        if theirs is None or self._keys is None or not suite.group.id == theirs.group == self._tried[-1]:
            raise BadPublicValue(f"it should be of group {suite.group.name}")
        return self._keys.shared(theirs.public)
