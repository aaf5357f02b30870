"""What was fetched or shown and may be needed again: CRLs, OCSP answers, certificates by their hash. Bounded in every way."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime
from hashlib import sha1
from typing import Final, Generic, TypeVar

from attrs import define, field, frozen

from ikegw.auth.certificates import X509
from ikegw.auth.crls import Crl
from ikegw.auth.ocsp import OcspAnswer

MOST_ISSUERS: Final = 256
MOST_OF_ISSUER: Final = 16
MOST_CRL_OCTETS: Final = 64 << 20
MOST_ANSWERS: Final = 4096
MOST_FETCHED: Final = 1024

K = TypeVar("K")
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """A table of the `most` that were used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: K) -> V | None:
        """What was put there, if it is still there."""
        found = self._items.get(key)
        if found is not None:
            self._items.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> None:
        """Keep it, in place of what has not been asked for the longest."""
        self._items[key] = value
        self._items.move_to_end(key)
        if len(self._items) > self._most:
            self._items.popitem(last=False)

    def pop_oldest(self) -> V:
        """Forget what has not been asked for the longest."""
        return self._items.popitem(last=False)[1]


@frozen
class Kept:
    """A CRL, and when we had it from its issuer."""

    crl: Crl
    obtained: datetime


@frozen
class Answered:
    """An OCSP answer, and when we had it."""

    answer: OcspAnswer
    obtained: datetime


@define(eq=False)
class Archive:
    """`keep` is told of every CRL that is new and of its issuer, to be written to disk.

    Whoever puts something in has checked who signed it, but for what was `found`: that waits for an issuer to sign it.
    """

    keep: Callable[[Crl, X509], object] = field(default=lambda crl, issuer: None, repr=False)
    _crls: Bounded[bytes, tuple[Kept, ...]] = field(
        factory=lambda: Bounded(MOST_ISSUERS), init=False, repr=False
    )
    """By the hash of the key that signed them; of each scope, complete and delta, the newest one."""

    edition: int = field(default=0, init=False)
    """Another number whenever something came: what was found out from it before may have changed."""

    _crl_octets: int = field(default=0, init=False)
    _answers: Bounded[tuple[bytes, int], Answered] = field(
        factory=lambda: Bounded(MOST_ANSWERS), init=False, repr=False
    )
    _found: dict[bytes, list[Kept]] = field(factory=dict, init=False, repr=False)
    """By the name of their issuer, whose key is not known yet."""

    _fetched: Bounded[bytes, bytes] = field(factory=lambda: Bounded(MOST_FETCHED), init=False, repr=False)

    # -- CRLs

    def crls(self, issuer: X509) -> tuple[Kept, ...]:
        """Those that `issuer` signed."""
        if issuer.subject_der in self._found:
            self._claim(issuer)
        return self._crls.get(issuer.key_hash) or ()

    def find(self, kept: Iterable[Kept]) -> None:
        """Take what was kept on disk. It counts as soon as somebody is known who signed it."""
        self.edition += 1
        for each in kept:
            self._found.setdefault(each.crl.issuer_der, []).append(each)

    def _claim(self, issuer: X509) -> None:
        found = self._found.pop(issuer.subject_der)
        others = [each for each in found if not each.crl.signed_by(issuer)]
        if others:
            self._found[issuer.subject_der] = others
        for each in found:
            known = _like(self._crls.get(issuer.key_hash) or (), each.crl)
            if each not in others and (known is None or _age(known) < _age(each.crl)):
                self._put(each, issuer)

    def put_crl(self, crl: Crl, issuer: X509, now: datetime) -> None:
        """Keep a CRL that `issuer` signed. An older one never takes the place of a newer one."""
        before = _like(self.crls(issuer), crl)
        if before is not None and _age(before) > _age(crl):
            crl = before
        self._put(Kept(crl, now), issuer)
        if before is None or before.der != crl.der:
            self.keep(crl, issuer)

    def _put(self, kept: Kept, issuer: X509) -> None:
        before = self._crls.get(issuer.key_hash) or ()
        others = [each for each in before if not _alike(each.crl, kept.crl)][-MOST_OF_ISSUER + 1 :]
        self.edition += 1
        self._count(before, -1)
        after = (*others, kept)
        self._count(after, 1)
        self._crls.put(issuer.key_hash, after)
        while self._crl_octets > MOST_CRL_OCTETS and len(self._crls) > 1:
            self._count(self._crls.pop_oldest(), -1)

    def _count(self, kept: tuple[Kept, ...], sign: int) -> None:
        self._crl_octets += sign * sum(len(each.crl.der) for each in kept)

    # -- OCSP answers

    def answer(self, certificate: X509, issuer: X509) -> Answered | None:
        """What was answered last about `certificate`."""
        return self._answers.get((issuer.key_hash, certificate.serial))

    def put_answer(self, answer: OcspAnswer, certificate: X509, issuer: X509, now: datetime) -> None:
        """Keep an answer. An older one never takes the place of a newer one."""
        before = self.answer(certificate, issuer)
        if before is None or before.answer.this_update <= answer.this_update:
            self.edition += 1
            self._answers.put((issuer.key_hash, certificate.serial), Answered(answer, now))

    # -- certificates and bundles that a peer named by hash and URL

    def fetched(self, digest: bytes) -> bytes | None:
        """What has this SHA-1 hash."""
        return self._fetched.get(digest)

    def put_fetched(self, octets: bytes) -> None:
        """Keep what was fetched, under its hash."""
        self._fetched.put(sha1(octets, usedforsecurity=False).digest(), octets)


def _alike(one: Crl, other: Crl) -> bool:
    return one.scope == other.scope and (one.base is None) == (other.base is None)


def _like(known: Iterable[Kept], crl: Crl) -> Crl | None:
    """Of these, the edition of the same CRL."""
    return next((each.crl for each in known if _alike(each.crl, crl)), None)


def _age(crl: Crl) -> tuple[int, datetime]:
    return crl.number, crl.this_update
