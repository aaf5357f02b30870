"""Whether a certificate was revoked (RFC 5280 §6.3, RFC 6960): what we know by now, and who could tell us more."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Final

from attrs import field, frozen

from ikegw.auth.archive import Archive, Kept
from ikegw.auth.certificates import X509
from ikegw.auth.crls import Crl
from ikegw.auth.ocsp import OcspAnswer


@frozen
class Link:
    """A certificate of a chain and the one above it, which issued it."""

    certificate: X509
    issuer: X509


def links(path: tuple[X509, ...]) -> tuple[Link, ...]:
    """A chain's certificates that somebody above them can revoke: all but the last, which is trusted by itself."""
    return tuple(Link(lower, upper) for lower, upper in pairwise(path))


@frozen
class Finding:
    """What is known of one certificate: `revoked` says since when and why; `until` is when to ask again at the latest.

    Without `until` nothing is known. `obtained` is when what is known came from its issuer; None: it lies here as a file.
    """

    revoked: str = ""
    until: datetime | None = None
    obtained: datetime | None = None


NOTHING_KNOWN: Final = Finding()


@frozen
class KnownCrls:
    """Every CRL that we have: what was fetched, and what the operator put into `crl/`."""

    archive: Archive
    files: tuple[Crl, ...] = field(default=(), repr=False)

    def of(self, issuer: X509) -> Iterator[Kept | Crl]:
        """Those that `issuer` signed."""
        yield from self.archive.crls(issuer)
        for crl in self.files:
            if crl.signed_by(issuer):
                yield crl


def by_crl(link: Link, known: Iterable[Kept | Crl], now: datetime) -> Finding:
    """What the CRLs `known` of the issuer say of a certificate.

    The newest complete one that covers it counts, and the newest delta CRL that adds to that one.
    """
    covering = [
        each for each in known if _crl(each).fresh_at(now) and _crl(each).scope.covers(link.certificate)
    ]
    complete = [each for each in covering if _crl(each).base is None]
    if not complete:
        return NOTHING_KNOWN
    newest = max(complete, key=lambda each: (_crl(each).this_update, _crl(each).number))
    deltas = [each for each in covering if _adds_to(_crl(each), _crl(newest))]
    last = max(deltas, key=lambda each: _crl(each).number, default=None)
    serial, until, obtained = link.certificate.serial, _crl(newest).next_update, _obtained(newest)
    saying = _crl(newest)
    is_revoked = serial in saying.revoked
    if last is not None:
        until, delta = min(until, _crl(last).next_update), _crl(last)
        if serial in delta.revoked:
            is_revoked, saying = True, delta
        elif serial in delta.unrevoked:
            is_revoked = False
    return Finding(saying.why(serial) if is_revoked else "", until, obtained)


def by_answer(answer: OcspAnswer, obtained: datetime | None, now: datetime) -> Finding:
    """What an OCSP answer says of the certificate that it is about."""
    if not answer.fresh_at(now):
        return NOTHING_KNOWN
    return Finding(answer.revoked, answer.until, obtained)


def joined(findings: Iterable[Finding]) -> Finding:
    """All together: revoked if any says so, else what was had last from its issuer, or counts the longest."""
    known = [finding for finding in findings if finding.until is not None]
    revoked = next((finding for finding in known if finding.revoked), None)
    if revoked is not None or not known:
        return revoked or NOTHING_KNOWN
    return max(known, key=lambda finding: (finding.obtained is not None, finding.obtained, finding.until))


def _adds_to(delta: Crl, complete: Crl) -> bool:
    """RFC 5280 §6.3.3 c."""
    return (
        delta.base is not None
        and delta.base <= complete.number < delta.number
        and delta.scope == complete.scope
    )


def _crl(each: Kept | Crl) -> Crl:
    return each if isinstance(each, Crl) else each.crl


def _obtained(each: Kept | Crl) -> datetime | None:
    return None if isinstance(each, Crl) else each.obtained
