"""Our proposals as an operator writes them (swanctl's words) and as values. RFC 8247 and RFC 8221 are behind the defaults."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal, TypeVar

from attrs import field, frozen

from ikegw.crypto.transforms import (
    BY_NAME,
    ESN,
    NO_ESN,
    NO_GROUP,
    Algorithm,
    Encryption,
    Esn,
    Group,
    Integrity,
    Prf,
    prf_following,
)
from ikegw.wire.proposal import Transform
from ikegw.wire.registry import ProtocolId, TransformType

_WITHDRAWN = {
    *("des", "3des", "blowfish128", "cast128", "null", "md5", "prfmd5", "ecp192", "ecp224"),
    *("modp768", "modp1024", "modp1536", "modp1024s160", "modp2048s224", "modp2048s256"),
}
"""Words of swanctl's that we know and do not have: RFC 8247 and RFC 8221 say SHOULD NOT or MUST NOT to them."""

Named = TypeVar("Named", Encryption, Prf, Integrity, Group, Esn)


class BadOffer(ValueError):
    """A proposal string that cannot be used; the text says which word, or what is missing, and what to write instead."""


@frozen
class Offer:
    """One proposal of ours: of each kind the algorithms to choose from, the dearest first.

    All encryptions are AEADs and `integrities` is empty, or none is and it is not. `groups` of ESP may hold NO_GROUP.
    `transforms` is the same as the wire has it.
    """

    protocol: ProtocolId
    encryptions: tuple[Encryption, ...]
    integrities: tuple[Integrity, ...] = ()
    prfs: tuple[Prf, ...] = ()
    groups: tuple[Group, ...] = ()
    esns: tuple[Esn, ...] = ()
    transforms: tuple[Transform, ...] = field(init=False, eq=False, repr=False)

    @transforms.default
    def _transforms(self) -> tuple[Transform, ...]:
        return (
            *(Transform(TransformType.ENCR, e.id, e.key_bits) for e in self.encryptions),
            *(Transform(TransformType.PRF, prf.id) for prf in self.prfs),
            *(Transform(TransformType.INTEG, integrity.id) for integrity in self.integrities),
            *(Transform(TransformType.KE, group.id) for group in self.groups),
            *(Transform(TransformType.ESN, esn.id) for esn in self.esns),
        )

    def __str__(self) -> str:
        prfs = self.prfs
        if self.integrities and prfs == tuple(map(prf_following, self.integrities)):
            prfs = ()
        esns = () if self.esns == (NO_ESN,) else self.esns
        kinds = (self.encryptions, self.integrities, prfs, self.groups, esns)
        return "-".join(algorithm.name for kind in kinds for algorithm in kind)


def parse_offer(kind: Literal["ike", "esp"], text: str) -> tuple[Offer, ...]:
    """The offer that `text` describes, or all of DEFAULT_IKE or DEFAULT_ESP for the word `default`; BadOffer.

    Several words of a kind are alternatives in order of preference. As in swanctl the PRF follows the integrity algorithm
    unless one is named (also the integrity algorithm named beside an AEAD, which has no other use), and a CHILD SA
    counts in 32 bits unless `esn` is named.
    """
    text = text.strip().lower()
    if text == "default":
        return DEFAULT_IKE if kind == "ike" else DEFAULT_ESP
    algorithms = [_algorithm(word, text) for word in text.split("-")]
    encryptions = _every(Encryption, algorithms)
    if not encryptions:
        raise BadOffer(f'"{text}" names no encryption, for example aes256gcm16')
    if len({encryption.aead for encryption in encryptions}) > 1:
        raise BadOffer(
            f'"{text}" mixes ciphers that bring their own integrity ({_first(encryptions, True)}) with others'
            f" ({_first(encryptions, False)}): write two proposals"
        )
    return (_ike(text, encryptions, algorithms) if kind == "ike" else _esp(text, encryptions, algorithms),)


def _ike(text: str, encryptions: tuple[Encryption, ...], algorithms: list[Algorithm]) -> Offer:
    _refuse_kind(text, Esn, algorithms, "only a CHILD SA has extended sequence numbers")
    integrities, prfs = _every(Integrity, algorithms), _every(Prf, algorithms)
    groups = _every(Group, algorithms)
    if NO_GROUP in groups:
        raise BadOffer(f'"{text}": an IKE SA always has a key exchange; remove {NO_GROUP.name}')
    if not groups:
        raise BadOffer(f'"{text}" names no key exchange group, for example x25519')
    derived = prfs or tuple(dict.fromkeys(map(prf_following, integrities)))
    if encryptions[0].aead:
        if not derived:
            raise BadOffer(
                f'"{text}" names no PRF, and none can be derived from {encryptions[0].name}: add one, for example prfsha256'
            )
        if prfs and integrities:
            raise _superfluous(text, encryptions, integrities)
        integrities = ()
    elif not integrities:
        raise _lacks_integrity(text, encryptions)
    return Offer(ProtocolId.IKE, encryptions, integrities, derived, groups)


def _esp(text: str, encryptions: tuple[Encryption, ...], algorithms: list[Algorithm]) -> Offer:
    _refuse_kind(text, Prf, algorithms, "a CHILD SA has no PRF of its own")
    integrities = _every(Integrity, algorithms)
    if encryptions[0].aead and integrities:
        raise _superfluous(text, encryptions, integrities)
    if not encryptions[0].aead and not integrities:
        raise _lacks_integrity(text, encryptions)
    esns = _every(Esn, algorithms) or (NO_ESN,)
    return Offer(ProtocolId.ESP, encryptions, integrities, (), _every(Group, algorithms), esns)


def _algorithm(word: str, text: str) -> Algorithm:
    algorithm = BY_NAME.get(word)
    if algorithm is not None:
        return algorithm
    if not word:
        raise BadOffer(f'"{text}" has an empty word: write names with one hyphen between them')
    if word in _WITHDRAWN:
        raise BadOffer(f'"{text}": {word} is too weak (RFC 8247, RFC 8221) and is not supported')
    close = get_close_matches(word, BY_NAME, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise BadOffer(f'"{text}": unknown algorithm "{word}"{hint}')


def _every(kind: type[Named], algorithms: Iterable[Algorithm]) -> tuple[Named, ...]:
    return tuple(dict.fromkeys(algorithm for algorithm in algorithms if isinstance(algorithm, kind)))


def _first(encryptions: Iterable[Encryption], aead: bool) -> str:
    return next(encryption.name for encryption in encryptions if encryption.aead is aead)


def _refuse_kind(text: str, kind: type[Named], algorithms: Iterable[Algorithm], why: str) -> None:
    for algorithm in _every(kind, algorithms):
        raise BadOffer(f'"{text}": {why}; remove {algorithm.name}')


def _superfluous(
    text: str, encryptions: tuple[Encryption, ...], integrities: tuple[Integrity, ...]
) -> BadOffer:
    return BadOffer(f'"{text}": {encryptions[0].name} brings its own integrity; remove {integrities[0].name}')


def _lacks_integrity(text: str, encryptions: tuple[Encryption, ...]) -> BadOffer:
    return BadOffer(
        f'"{text}" names no integrity algorithm, which {encryptions[0].name} needs, for example sha256'
    )


def _default(kind: Literal["ike", "esp"], *texts: str) -> tuple[Offer, ...]:
    return tuple(offer for text in texts for offer in parse_offer(kind, text))


# Quick groups first; MODP-2048 is all that Windows and old Apple clients can be made to offer, SHA-1 all that some have left
# (as HMAC it is still allowed). A CHILD SA's own key exchange is wished for, but Windows rekeys without.
_GROUPS = "x25519-ecp256-ecp384-x448-ecp521-modp3072-modp2048-modp4096"
_AEADS = "aes256gcm16-aes128gcm16-chacha20poly1305"
_CLASSIC = "aes256-aes128-sha256-sha384-sha512-sha1"

DEFAULT_IKE: tuple[Offer, ...] = _default(
    "ike", f"{_AEADS}-prfsha256-prfsha384-prfsha512-{_GROUPS}", f"{_CLASSIC}-{_GROUPS}"
)
DEFAULT_ESP: tuple[Offer, ...] = _default(
    "esp",
    f"{_AEADS}-{_GROUPS}-{NO_GROUP.name}-{NO_ESN.name}-{ESN.name}",
    f"{_CLASSIC}-{_GROUPS}-{NO_GROUP.name}-{NO_ESN.name}-{ESN.name}",
)
