"""Rekeying an IKE SA (RFC 7296 §1.3.2, §2.18): our request and what its answer means, and the answer to the peer's."""

from attrs import define, field, frozen

from ikegw.crypto.groups import BadPublicValue, KeyPair, generate
from ikegw.crypto.keymat import rekeyed_ike_keys
from ikegw.crypto.suites import IkeSuite
from ikegw.ike.collision import Nonces
from ikegw.ike.greeting import NONCE_OCTETS, nonce_is_sound
from ikegw.ike.negotiation import NoChild
from ikegw.ike.sa import IkeSa
from ikegw.policy.proposals import accepted_ike, choose_ike, explain, groups_of, to_wire
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import Message, Payload
from ikegw.wire.nonce import Nonce
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import KeGroup, NotifyType

SPI_OCTETS = 8


@frozen
class IkeMade:
    """The peer agreed; the new IKE SA stands, and has nothing of the old one yet."""

    sa: IkeSa
    nonces: Nonces = field(repr=False)


@frozen
class OtherGroup:
    """N(INVALID_KE_PAYLOAD) for a group that we may use and have not tried: ask again."""


@frozen
class Postponed:
    """N(TEMPORARY_FAILURE)."""


@frozen
class Refused:
    """Another error of the peer, or an answer that cannot be used: why."""

    notify: str
    why: str


Outcome = IkeMade | OtherGroup | Postponed | Refused


@define(eq=False)
class Rekeying:
    """Our request to rekey `sa`, and its repetition with another group."""

    sa: IkeSa = field(repr=False)
    _spi: bytes = field(init=False)
    _nonce: bytes = field(init=False, repr=False)
    _keys: KeyPair = field(init=False, repr=False)
    _tried: list[KeGroup] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._spi = self.sa.surroundings.ike_spi()
        self._nonce = self.sa.surroundings.random(NONCE_OCTETS)
        # The group in use is known to suit the peer, which may be unable to follow INVALID_KE_PAYLOAD here (Windows).
        in_use = self.sa.channel.suite.group.id
        offered = groups_of(self.sa.connection.proposals)
        self._use(in_use if in_use in offered else offered[0])

    def _use(self, group: KeGroup) -> None:
        self._tried.append(group)
        self._keys = generate(group, self.sa.surroundings.random)

    def payloads(self) -> tuple[Payload, ...]:
        """{SA, Ni, KEi}."""
        group = self._tried[-1]
        return (
            to_wire(self.sa.connection.proposals, self._spi, first_group=group),
            Nonce(self._nonce),
            KeyExchange(group, self._keys.public),
        )

    def read(self, message: Message) -> Outcome:
        """What the answer says. The message has a shape of CREATE_CHILD_SA responses."""
        error = message.error
        if error is not None:
            return self._refusal(error)
        theirs = message.one(KeyExchange)
        if theirs is None:
            return Refused("KE", "the peer's answer lacks KE")
        return self._made(message.need(SecurityAssociation), theirs, message.need(Nonce).octets)

    def _refusal(self, notify: Notify) -> Outcome:
        if notify.type is NotifyType.INVALID_KE_PAYLOAD:
            group = KeGroup(int.from_bytes(notify.data, "big"))
            if group in groups_of(self.sa.connection.proposals) and group not in self._tried:
                self._use(group)
                return OtherGroup()
        if notify.type is NotifyType.TEMPORARY_FAILURE:
            return Postponed()
        return Refused(notify.type.name, "the peer would not rekey the IKE SA; its log says why")

    def _made(self, answer: SecurityAssociation, theirs: KeyExchange, nonce: bytes) -> Outcome:
        chosen = accepted_ike(self.sa.connection.proposals, answer, SPI_OCTETS)
        if chosen is None:
            return Refused("SA", "the peer's IKE proposal is not one choice out of ours")
        if not theirs.group == self._tried[-1] == chosen.suite.group.id:
            return Refused("KE", f"the peer's KE is of group {theirs.group.name}")
        if not nonce_is_sound(nonce, chosen.suite.prf):
            return Refused("Nonce", f"the peer's nonce of {len(nonce)} octets is too short")
        try:
            shared = self._keys.shared(theirs.public)
        except BadPublicValue as error:
            return Refused("KE", f"the peer's public value is bad: {error}")
        nonces = (self._nonce, nonce)
        new = _successor(self.sa, chosen.suite, shared, nonces, (self._spi, chosen.spi), initiator=True)
        return IkeMade(new, nonces)


def answer(sa: IkeSa, message: Message) -> tuple[tuple[Payload, ...], IkeMade]:
    """Serve the peer's request to rekey `sa`: the answer's payloads, and the new IKE SA. NoChild says which error to answer."""
    proposed, theirs = message.need(SecurityAssociation), message.need(KeyExchange)
    nonce = message.need(Nonce).octets
    chosen = choose_ike(sa.connection.proposals, proposed, SPI_OCTETS)
    if chosen is None:
        why = f"no IKE proposal in common: {explain(sa.connection.proposals, proposed)}"
        raise NoChild(Notify(NotifyType.NO_PROPOSAL_CHOSEN), why)
    group = chosen.suite.group
    if group.id != theirs.group:
        why = f"the peer guessed group {theirs.group.name}, we want {group.name}"
        raise NoChild(Notify(NotifyType.INVALID_KE_PAYLOAD, group.id.to_bytes(2, "big")), why)
    if not nonce_is_sound(nonce, chosen.suite.prf):
        raise NoChild(Notify(NotifyType.INVALID_SYNTAX), f"a nonce of {len(nonce)} octets is too short")
    random = sa.surroundings.random
    pair = generate(group.id, random)
    try:
        shared = pair.shared(theirs.public)
    except BadPublicValue as error:
        raise NoChild(
            Notify(NotifyType.INVALID_SYNTAX), f"the peer's public value is bad: {error}"
        ) from error
    nonces = (nonce, random(NONCE_OCTETS))
    spi = sa.surroundings.ike_spi()
    new = _successor(sa, chosen.suite, shared, nonces, (chosen.spi, spi), initiator=False)
    payloads = (chosen.answer_with(spi), Nonce(nonces[1]), KeyExchange(group.id, pair.public))
    return payloads, IkeMade(new, nonces)


def _successor(
    sa: IkeSa, suite: IkeSuite, shared: bytes, nonces: Nonces, spis: tuple[bytes, bytes], *, initiator: bool
) -> IkeSa:
    """The IKE SA that takes the place of `sa`; `spis` are (SPIi, SPIr) of the new one."""
    old = sa.channel
    keys = rekeyed_ike_keys(suite, old.suite.prf, old.sk_d, shared, *nonces, *spis)
    return sa.table.succeed(sa, spis, suite, keys, initiator=initiator)
