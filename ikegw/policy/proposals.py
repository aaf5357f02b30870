"""Negotiating algorithms: what we offer, what we choose of a peer's offer, what we accept as its choice (RFC 7296 §2.7, §3.3).

Our order decides. Proposals keep the number that the peer gave them, whatever it is: Apple's clients rekey with a single
proposal numbered 3.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from attrs import evolve, frozen

from ikegw.crypto.suites import EspSuite, IkeSuite
from ikegw.crypto.transforms import NO_GROUP
from ikegw.policy.alternatives import (
    Alternatives,
    alternatives_of,
    choice_esp,
    choice_esp_without_group,
    choice_ike,
)
from ikegw.policy.explanation import explain
from ikegw.policy.offers import DEFAULT_ESP, DEFAULT_IKE, BadOffer, Offer, parse_offer
from ikegw.wire.proposal import Proposal, SecurityAssociation, Transform
from ikegw.wire.registry import KeGroup, ProtocolId

__all__ = [
    "DEFAULT_ESP",
    "DEFAULT_IKE",
    "BadOffer",
    "Chosen",
    "Offer",
    "accepted_esp",
    "accepted_ike",
    "choose_esp",
    "choose_ike",
    "explain",
    "groups_of",
    "parse_offer",
    "to_wire",
]

_ESP_SPI_OCTETS = 4
_LAST_RESERVED_ESP_SPI = 255

Suite = TypeVar("Suite", IkeSuite, EspSuite)
Choice = tuple[Suite, tuple[Transform, ...]]
Found = tuple[Choice[Suite], Proposal]


@frozen
class Chosen(Generic[Suite]):
    """A proposal agreed on. `answer` is it as one proposal with one transform of each type and no SPI; `spi` is the peer's."""

    suite: Suite
    answer: SecurityAssociation
    spi: bytes

    def answer_with(self, spi: bytes) -> SecurityAssociation:
        """The answer that carries our own SPI: for ESP, and for the rekeying of an IKE SA."""
        (proposal,) = self.answer.proposals
        return SecurityAssociation((evolve(proposal, spi=spi),))


def groups_of(offers: Iterable[Offer]) -> tuple[KeGroup, ...]:
    """Every group that `offers` name, in order, once."""
    groups = (group.id for offer in offers for group in offer.groups if group != NO_GROUP)
    return tuple(dict.fromkeys(groups))


def offers_suite(offers: Iterable[Offer], suite: IkeSuite) -> bool:
    """Whether one of `offers` has all of a suite that was chosen out of others: row G-04, when a better connection is found."""
    return any(
        suite.encryption in offer.encryptions
        and (suite.integrity is None or suite.integrity in offer.integrities)
        and suite.prf in offer.prfs
        and suite.group in offer.groups
        for offer in offers
    )


# ---------------------------------------------------------------- as initiator


def to_wire(
    offers: Sequence[Offer], spi: bytes = b"", first_group: KeGroup | None = None, with_groups: bool = True
) -> SecurityAssociation:
    """Our offers with our SPI. `first_group`, that of the KE payload beside it, is put before the others.

    `with_groups` is False in IKE_AUTH, where a CHILD SA has no key exchange (RFC 7296 §1.2). Where a CHILD SA may do without
    one, a second proposal without groups says so: Windows chokes on the group NONE.
    """
    return SecurityAssociation(
        tuple(
            Proposal(number, offer.protocol, spi, _with_first(offer, first_group).transforms)
            for number, offer in enumerate(_as_sent(offers, with_groups), 1)
        )
    )


def accepted_ike(
    offers: Sequence[Offer], answer: SecurityAssociation, spi_octets: int = 0
) -> Chosen[IkeSuite] | None:
    """What the responder chose, or None unless it is one proposal out of those that to_wire() made of `offers`.

    `spi_octets` is 8 when an IKE SA is rekeyed, else 0.
    """
    answered = _answered(offers, answer, True)
    if answered is None:
        return None
    offer, proposal, alternatives = answered
    if not _spi_is_sound(proposal, spi_octets):
        return None
    choice = choice_ike(offer, alternatives)
    return None if choice is None else Chosen(choice[0], answer, proposal.spi)


def accepted_esp(
    offers: Sequence[Offer], answer: SecurityAssociation, with_group: bool
) -> Chosen[EspSuite] | None:
    """What the responder chose, or None unless it is one of what to_wire(…, with_groups=with_group) made of `offers`."""
    answered = _answered(offers, answer, with_group)
    if answered is None:
        return None
    offer, proposal, alternatives = answered
    if not _spi_is_sound(proposal, _ESP_SPI_OCTETS):
        return None
    choice = choice_esp(offer, alternatives)
    return None if choice is None else Chosen(choice[0], answer, proposal.spi)


def _as_sent(offers: Sequence[Offer], with_groups: bool) -> Iterator[Offer]:
    """`offers` as they are numbered on the wire: NO_GROUP becomes a proposal of its own, after all that have groups."""
    without = [evolve(offer, groups=()) for offer in offers if not with_groups or NO_GROUP in offer.groups]
    if with_groups:
        for offer in offers:
            groups = tuple(group for group in offer.groups if group != NO_GROUP)
            if groups or not offer.groups:
                yield offer if groups == offer.groups else evolve(offer, groups=groups)
    yield from without


def _with_first(offer: Offer, first: KeGroup | None) -> Offer:
    if first is None or not offer.groups or offer.groups[0].id == first:
        return offer
    return evolve(offer, groups=tuple(sorted(offer.groups, key=lambda group: group.id != first)))


def _answered(
    offers: Sequence[Offer], answer: SecurityAssociation, with_groups: bool
) -> tuple[Offer, Proposal, Alternatives] | None:
    """The one proposal of `answer` and our offer of the same number; None if there are more, or two transforms of a type."""
    sent = tuple(_as_sent(offers, with_groups))
    if len(answer.proposals) != 1:
        return None
    (proposal,) = answer.proposals
    if not 1 <= proposal.number <= len(sent):
        return None
    offer = sent[proposal.number - 1]
    alternatives = alternatives_of(proposal, offer.protocol)
    if alternatives is None or len(alternatives) != len(proposal.transforms):
        return None
    return offer, proposal, alternatives


# ---------------------------------------------------------------- as responder


def choose_ike(
    offers: Sequence[Offer], sa: SecurityAssociation, spi_octets: int = 0
) -> Chosen[IkeSuite] | None:
    """The best of our first offer that meets any of the peer's proposals; None if none does.

    Best is our dearest cipher, then integrity, then PRF, then the peer's first proposal, and in it our dearest group (between
    proposals the group does not count: the peer's first is that of its KE payload, and another costs a round trip).
    `spi_octets` is 8 when an IKE SA is rekeyed, else 0. If the group is not that of the KE payload, INVALID_KE_PAYLOAD is to
    be answered.
    """
    return _best(offers, _usable(sa, ProtocolId.IKE, spi_octets), choice_ike)


def choose_esp(offers: Sequence[Offer], sa: SecurityAssociation, with_group: bool) -> Chosen[EspSuite] | None:
    """As choose_ike. `with_group` is False in IKE_AUTH: there groups that the peer names all the same are passed over.

    A proposal without ESN transform, which is mandatory, is taken to mean 32 bits: old clients leave it out.
    """
    choice = choice_esp if with_group else choice_esp_without_group
    return _best(offers, _usable(sa, ProtocolId.ESP, _ESP_SPI_OCTETS), choice)


def _best(
    offers: Sequence[Offer],
    proposals: Sequence[tuple[Proposal, Alternatives]],
    choose: Callable[[Offer, Alternatives], Choice[Suite] | None],
) -> Chosen[Suite] | None:
    for offer in offers:
        found = [
            (choice, proposal)
            for proposal, alternatives in proposals
            if (choice := choose(offer, alternatives)) is not None
        ]
        if found:
            (suite, transforms), proposal = _dearest(offer, found) if len(found) > 1 else found[0]
            return Chosen(suite, _one(proposal, transforms), proposal.spi)
    return None


def _dearest(offer: Offer, found: Sequence[Found[Suite]]) -> Found[Suite]:
    """The dearest to `offer`, of equals the peer's first."""

    def rank(each: Found[Suite]) -> tuple[int, int, int]:
        suite: IkeSuite | EspSuite = each[0][0]
        return (
            offer.encryptions.index(suite.encryption),
            0 if suite.integrity is None else offer.integrities.index(suite.integrity),
            offer.prfs.index(suite.prf) if isinstance(suite, IkeSuite) else 0,
        )

    return min(found, key=rank)


def _one(proposal: Proposal, transforms: tuple[Transform, ...]) -> SecurityAssociation:
    return SecurityAssociation((Proposal(proposal.number, proposal.protocol, b"", transforms),))


def _usable(
    sa: SecurityAssociation, protocol: ProtocolId, spi_octets: int
) -> list[tuple[Proposal, Alternatives]]:
    found = []
    for proposal in sa.proposals:
        if proposal.protocol == protocol and _spi_is_sound(proposal, spi_octets):
            alternatives = alternatives_of(proposal, protocol)
            if alternatives is not None:
                found.append((proposal, alternatives))
    return found


def _spi_is_sound(proposal: Proposal, octets: int) -> bool:
    """Whether the SPI has the right length, is not zero, and for ESP not reserved (RFC 4303 §2.1)."""
    if len(proposal.spi) != octets:
        return False
    reserved = _LAST_RESERVED_ESP_SPI if proposal.protocol == ProtocolId.ESP else 0
    return octets == 0 or int.from_bytes(proposal.spi, "big") > reserved
