"""Which of our proposals a client can be told: those of Windows and Apple name exactly one algorithm of each kind."""

from collections.abc import Iterator, Mapping

from attrs import frozen

from ikegw.crypto.transforms import NO_GROUP
from ikegw.policy.offers import Offer
from ikegw.profiles.wanted import NotPossible


@frozen
class Dialect:
    """A client's words for what it knows, by our names; its groups in the order in which we would take them."""

    client: str
    encryptions: Mapping[str, str]
    hashes: Mapping[str, str]
    groups: Mapping[str, str]


@frozen
class Suite:
    """One algorithm of each kind, by our names. `hash` is IKE's integrity and PRF; of ESP it is "" beside a combined cipher.

    `group` "" for none.
    """

    encryption: str
    hash: str
    group: str


def ike_suite(dialect: Dialect, offers: tuple[Offer, ...], where: str) -> Suite:
    """The first that both know, dearest encryption first; NotPossible."""
    return _first(dialect, (suite for offer in offers for suite in _ike(dialect, offer)), offers, where)


def esp_suite(dialect: Dialect, offers: tuple[Offer, ...], where: str) -> Suite:
    """The same of ESP, with a group only if the offer has no tunnel without one; NotPossible."""
    return _first(dialect, (suite for offer in offers for suite in _esp(dialect, offer)), offers, where)


def _first(dialect: Dialect, suites: Iterator[Suite], offers: tuple[Offer, ...], where: str) -> Suite:
    suite = next(suites, None)
    if suite is None:
        raise NotPossible(
            f"{where} ({', '.join(map(str, offers))}) has nothing that {dialect.client} can be told; it knows "
            f"{', '.join(dialect.encryptions)} with {', '.join(dialect.hashes)} and {', '.join(dialect.groups)}: add a proposal"
        )
    return suite


def _ike(dialect: Dialect, offer: Offer) -> Iterator[Suite]:
    prfs = [prf.name.removeprefix("prf") for prf in offer.prfs]
    integrities = [integrity.name for integrity in offer.integrities]
    hashes = [name for name in prfs if not integrities or name in integrities]
    for encryption in offer.encryptions:
        for hash_ in hashes:
            for group in _groups(dialect, offer):
                if encryption.name in dialect.encryptions and hash_ in dialect.hashes:
                    yield Suite(encryption.name, hash_, group)


def _groups(dialect: Dialect, offer: Offer) -> list[str]:
    """In the client's order: which of them every version of it knows is not for an operator to know."""
    offered = {group.name for group in offer.groups}
    return [name for name in dialect.groups if name in offered]


def _esp(dialect: Dialect, offer: Offer) -> Iterator[Suite]:
    groups = [""] if not offer.groups or NO_GROUP in offer.groups else _groups(dialect, offer)
    hashes = [integrity.name for integrity in offer.integrities] or [""]
    for encryption in offer.encryptions:
        for hash_ in hashes:
            for group in groups:
                known = encryption.name in dialect.encryptions and (not hash_ or hash_ in dialect.hashes)
                if known:
                    yield Suite(encryption.name, hash_, group)
