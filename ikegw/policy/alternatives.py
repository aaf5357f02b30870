"""One of our offers against one of the peer's proposals: the algorithms in common, our dearest first (RFC 7296 §3.3.6).

An alternative that we do not know, or that has an attribute we do not know, is not there for us; a proposal with a kind of
transform that we do not know, or that its protocol does not have, is not there at all.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from ikegw.crypto.suites import EspSuite, IkeSuite
from ikegw.crypto.transforms import NO_GROUP, Encryption, Esn, Group, Integrity, Prf
from ikegw.policy.offers import Offer
from ikegw.wire.proposal import Proposal, Transform
from ikegw.wire.registry import IntegrityId, KeGroup, ProtocolId, TransformType

_ENCR, _PRF, _INTEG = TransformType.ENCR, TransformType.PRF, TransformType.INTEG
_KE, _ESN = TransformType.KE, TransformType.ESN
_TYPES = {
    ProtocolId.IKE: frozenset((_ENCR, _PRF, _INTEG, _KE)),
    ProtocolId.ESP: frozenset((_ENCR, _INTEG, _KE, _ESN)),
}
_NO_INTEGRITY = Transform(_INTEG, IntegrityId.NONE)
_NO_KEY_EXCHANGE = Transform(_KE, KeGroup.NONE)
_NONE = (0, None)
Alternatives = Mapping[int, set[tuple[int, int | None]]]
"""Of a peer's proposal: transform type -> (number, key length) of each transform that has no attribute unknown to us."""


def alternatives_of(proposal: Proposal, protocol: ProtocolId) -> Alternatives | None:
    """What `proposal` leaves to choose from; None if it is of another protocol or has a type that `protocol` does not have."""
    types = _TYPES[protocol]
    if proposal.protocol != protocol:
        return None
    found: dict[int, set[tuple[int, int | None]]] = {}
    for transform in proposal.transforms:
        kind = transform.type
        if kind not in types:
            return None
        if kind not in found:
            found[kind] = set()
        if not transform.attributes:
            found[kind].add((transform.id, transform.key_bits))
    return found


def choice_ike(offer: Offer, theirs: Alternatives) -> tuple[IkeSuite, tuple[Transform, ...]] | None:
    """The suite that `offer` and a peer's proposal have in common, and the transforms to answer; None if there is none."""
    group = _first(offer.groups, theirs.get(_KE))
    if group is None:  # the usual reason, as with Windows' many MODP-1024 proposals
        return None
    protection, prf = _protection(offer, theirs), _first(offer.prfs, theirs.get(_PRF))
    if protection is None or prf is None:
        return None
    encryption, integrity, (encr, *integ) = protection
    suite = IkeSuite(encryption, integrity, prf, group)
    return suite, (encr, Transform(_PRF, prf.id), *integ, Transform(_KE, group.id))


def choice_esp(offer: Offer, theirs: Alternatives) -> tuple[EspSuite, tuple[Transform, ...]] | None:
    """As choice_ike, where a CHILD SA may have a key exchange of its own."""
    exchange = _key_exchange(offer, theirs)
    return None if exchange is None else _choice_esp(offer, theirs, *exchange)


def choice_esp_without_group(
    offer: Offer, theirs: Alternatives
) -> tuple[EspSuite, tuple[Transform, ...]] | None:
    """As choice_ike, where there is no key exchange (IKE_AUTH): groups are passed over, and NONE answered if offered."""
    return _choice_esp(offer, theirs, None, _none_if_offered(theirs))


def _choice_esp(
    offer: Offer, theirs: Alternatives, group: Group | None, ke: tuple[Transform, ...]
) -> tuple[EspSuite, tuple[Transform, ...]] | None:
    protection = _protection(offer, theirs)
    esns = theirs.get(_ESN)
    esn = _first(offer.esns, {_NONE} if esns is None else esns)
    if protection is None or esn is None:
        return None
    encryption, integrity, transforms = protection
    suite = EspSuite(encryption, integrity, group, esn.extended)
    return suite, (*transforms, *ke, *(() if esns is None else (Transform(_ESN, esn.id),)))


def _protection(
    offer: Offer, theirs: Alternatives
) -> tuple[Encryption, Integrity | None, tuple[Transform, ...]] | None:
    """Cipher and integrity. With an AEAD the integrity NONE is as good as none, and answered if offered (RFC 5282 §8)."""
    ciphers, integrities = theirs.get(_ENCR, ()), theirs.get(_INTEG)
    for encryption in offer.encryptions:
        if (encryption.id, encryption.key_bits) not in ciphers:
            continue
        encr = Transform(_ENCR, encryption.id, encryption.key_bits)
        if not encryption.aead:
            integrity = _first(offer.integrities, integrities)
            if integrity is None:
                return None
            return encryption, integrity, (encr, Transform(_INTEG, integrity.id))
        if integrities is None:
            return encryption, None, (encr,)
        return (encryption, None, (encr, _NO_INTEGRITY)) if _NONE in integrities else None
    return None


def _key_exchange(offer: Offer, theirs: Alternatives) -> tuple[Group | None, tuple[Transform, ...]] | None:
    """The group of a CHILD SA, or that it does without: the group NONE is as good as none, and answered if offered."""
    groups = theirs.get(_KE)
    for group in offer.groups or (NO_GROUP,):
        if group == NO_GROUP and (groups is None or _NONE in groups):
            return None, _none_if_offered(theirs)
        if group != NO_GROUP and groups is not None and (group.id, None) in groups:
            return group, (Transform(_KE, group.id),)
    return None


def _none_if_offered(theirs: Alternatives) -> tuple[Transform, ...]:
    return (_NO_KEY_EXCHANGE,) if _NONE in theirs.get(_KE, ()) else ()


Plain = TypeVar("Plain", Prf, Integrity, Group, Esn)


def _first(ours: Iterable[Plain], theirs: Iterable[tuple[int, int | None]] | None) -> Plain | None:
    if theirs is None:
        return None
    for algorithm in ours:
        if (algorithm.id, None) in theirs:
            return algorithm
    return None
