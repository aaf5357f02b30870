"""A chain, and what we know by now of each of its certificates: the newest that CRLs and OCSP answers say."""

from datetime import datetime

from attrs import field, frozen

from ikegw.auth.archive import Archive
from ikegw.auth.chains import Chain
from ikegw.auth.credentials import Credentials
from ikegw.auth.revocation import (
    NOTHING_KNOWN,
    Finding,
    KnownCrls,
    Link,
    by_answer,
    by_crl,
    joined,
    links,
)


@frozen(eq=False)
class KnownPath:
    """The `chain` that `credentials` lead to; `links` are those of its certificates that matter."""

    chain: Chain
    credentials: Credentials = field(repr=False)
    archive: Archive = field(repr=False)
    links: tuple[Link, ...] = field(repr=False)
    crls: KnownCrls = field(repr=False)
    _findings: dict[Link, tuple[int, Finding]] = field(factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, chain: Chain, credentials: Credentials, archive: Archive, asked: bool) -> "KnownPath":
        """`asked`: it matters whether anything was revoked."""
        crls = KnownCrls(archive, credentials.crls)
        return cls(chain, credentials, archive, links(chain.path) if asked else (), crls)

    def holds_at(self, now: datetime, credentials: Credentials) -> bool:
        """Whether it is still the way from the peer to an authority of ours."""
        return self.credentials is credentials and self.chain.start <= now <= self.chain.end

    def finding(self, link: Link, now: datetime) -> Finding:
        """What is known of a certificate; found out anew when something came, or when it is over."""
        edition, finding = self._findings.get(link, (-1, NOTHING_KNOWN))
        over = finding.until is not None and finding.until <= now
        if over or edition != self.archive.edition:
            finding = self._find_out(link, now)
            self._findings[link] = self.archive.edition, finding
        return finding

    def _find_out(self, link: Link, now: datetime) -> Finding:
        by_list = by_crl(link, self.crls.of(link.issuer), now)
        answered = self.archive.answer(link.certificate, link.issuer)
        if answered is None:
            return by_list
        delegate = answered.answer.delegate
        if delegate is not None:
            of_delegate = by_crl(Link(delegate, link.issuer), self.crls.of(link.issuer), now)
            if of_delegate.revoked:
                return by_list
        return joined((by_answer(answered.answer, answered.obtained, now), by_list))
