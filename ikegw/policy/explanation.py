"""Why no proposal was common, told to the operator: our list and the peer's in one line, in one spelling."""

from collections.abc import Iterable, Sequence

from ikegw.crypto.transforms import ENCRYPTION_BY_ID, GROUP_BY_ID, INTEGRITY_BY_ID, NO_ESN, PRF_BY_ID
from ikegw.policy.offers import Offer
from ikegw.wire.proposal import Proposal, SecurityAssociation, Transform
from ikegw.wire.registry import EncryptionId, EsnId, IntegrityId, KeGroup, PrfId, Registry, TransformType

_MOST_CHARACTERS = 2000
_NUMBERS: dict[int, type[Registry]] = {
    TransformType.ENCR: EncryptionId,
    TransformType.PRF: PrfId,
    TransformType.INTEG: IntegrityId,
    TransformType.KE: KeGroup,
    TransformType.ESN: EsnId,
}


def explain(offers: Sequence[Offer], sa: SecurityAssociation) -> str:
    """`ours: …; the peer's: 1 …, 2 …`: swanctl's words, and IANA's names in capitals for what we do not have."""
    theirs = (f"{proposal.number} {_display(proposal)}" for proposal in sa.proposals)
    return f"ours: {_listed(map(str, offers))}; the peer's: {_listed(theirs)}"


def _listed(proposals: Iterable[str]) -> str:
    text = ", ".join(proposals)
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "…"


def _display(proposal: Proposal) -> str:
    words = (_word(transform) for transform in proposal.transforms)
    return "-".join(word for word in words if word)


def _word(transform: Transform) -> str:
    if transform.type == TransformType.ESN and transform.id == NO_ESN.id:
        return ""
    known = _known(transform)
    if known is not None and not transform.attributes:
        return known
    registry = _NUMBERS.get(transform.type)
    if registry is None:
        return f"{transform.type.name}:{transform.id}"
    name = registry(transform.id).name
    if name.isdigit():
        name = f"{transform.type.name}:{name}"
    if transform.key_bits is not None:
        name += f"/{transform.key_bits}"
    return name + "+attributes" * bool(transform.attributes)


def _known(transform: Transform) -> str | None:
    if transform.type == TransformType.ENCR:
        encryption = ENCRYPTION_BY_ID.get((transform.id, transform.key_bits))
        return None if encryption is None else encryption.name
    if transform.key_bits is not None:
        return None
    if transform.type == TransformType.PRF and transform.id in PRF_BY_ID:
        return PRF_BY_ID[transform.id].name
    if transform.type == TransformType.INTEG and transform.id in INTEGRITY_BY_ID:
        return INTEGRITY_BY_ID[transform.id].name
    if transform.type == TransformType.KE and transform.id in GROUP_BY_ID:
        return GROUP_BY_ID[transform.id].name
    if transform.type == TransformType.ESN and transform.id == EsnId.ESN:
        return "esn"
    return None
