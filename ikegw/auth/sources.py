"""Who could tell whether a certificate was revoked, in the order in which they are asked, and what is done with what they say."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from attrs import field, frozen
from twisted.internet.defer import Deferred, succeed

from ikegw.auth.archive import Archive
from ikegw.auth.crls import BadCrl, Crl
from ikegw.auth.distribution import DistributionPoint
from ikegw.auth.ocsp import NONCE_OCTETS, REQUEST_TYPE, BadAnswer, question, read_answer
from ikegw.auth.revocation import KnownCrls, Link
from ikegw.policy.authorities import AuthoritySources
from ikegw.ports import Fetcher, Random

Slow = Callable[[Callable[[], Any]], Deferred[Any]]
"""Runs a function where it does not block the reactor: `threads.deferToThread`, or `maybeDeferred` in tests."""

LARGE: Final = 100_000
"""Octets of a CRL from which on it is read elsewhere: 1.4 MB cost 45 ms."""


class Useless(Exception):
    """What was fetched is not what was wanted; the text says why."""


@frozen
class Source:
    """Something to fetch. `take` keeps it, or fails with Useless; `configured`: the operator named it, not a certificate."""

    url: str
    take: Callable[[bytes], Deferred[None]] = field(repr=False, eq=False)
    configured: bool = False
    about: str = field(default="", repr=False)
    """What the answer is about, where one URL answers for many."""

    body: bytes | None = field(default=None, repr=False, eq=False)
    content_type: str = field(default="", repr=False)

    def fetch(self, fetcher: Fetcher) -> Deferred[None]:
        """Fetch and keep it; errback FetchFailed or Useless."""
        fetching = fetcher.fetch(self.url, self.body, self.content_type, configured=self.configured)
        return fetching.addCallback(self.take)


Tried = Mapping[Source, str]
"""What was fetched already, and why in vain, if it was."""


@frozen
class Library:
    """What sources are made with."""

    archive: Archive
    now: Callable[[], datetime]
    slow: Slow
    random: Random
    ask_ocsp: bool = True

    def wanted(self, link: Link, configured: AuthoritySources, tried: Tried) -> tuple[Source, ...]:
        """Whom to ask next about a certificate: nobody if all were tried.

        OCSP first, for it is small and fresh; one responder after the other, then the CRLs: one that is configured after the
        other, then those of all distribution points.
        """
        take = partial(self._take_crl, link)
        responders = self.responders(link, configured) if self.ask_ocsp else ()
        lists = (Source(url, take, configured=True) for url in configured.crl_urls)
        for source in (*responders, *lists):
            if source not in tried:
                return (source,)
        return tuple(self._first_untried(link, link.certificate.crl_points, tried))

    def is_told_of(self, link: Link, configured: AuthoritySources) -> bool:
        """Whether there is anybody to ask about a certificate."""
        certificate = link.certificate
        by_ocsp = self.ask_ocsp and (configured.ocsp_urls or certificate.ocsp_urls)
        return bool(by_ocsp or configured.crl_urls or any(point.urls for point in certificate.crl_points))

    def deltas(self, link: Link, known: KnownCrls, tried: Tried) -> tuple[Source, ...]:
        """Delta CRLs that would tell more than what is known, where they are published."""
        now, points = self.now(), link.certificate.delta_points
        crls = [each if isinstance(each, Crl) else each.crl for each in known.of(link.issuer)]
        fresh = [crl for crl in crls if crl.fresh_at(now)]
        if any(crl.base is not None for crl in fresh):
            return ()
        points = (*points, *(point for crl in fresh for point in crl.delta_points))
        return tuple(self._first_untried(link, points, tried))

    def responders(self, link: Link, configured: AuthoritySources) -> Iterator[Source]:
        """Who answers OCSP about a certificate, those that are configured first."""
        ours = [(url, True) for url in configured.ocsp_urls]
        for url, named in (*ours, *((url, False) for url in link.certificate.ocsp_urls)):
            nonce = self.random(NONCE_OCTETS)
            yield Source(
                url,
                partial(self._take_answer, link, nonce),
                named,
                f"{link.issuer.key_hash.hex()} {link.certificate.serial}",
                question(link.certificate, link.issuer, nonce),
                REQUEST_TYPE,
            )

    def _first_untried(
        self, link: Link, points: tuple[DistributionPoint, ...], tried: Tried
    ) -> Iterator[Source]:
        """Of each point one address: they are alternatives (RFC 5280 §4.2.1.13)."""
        for point in dict.fromkeys(points):
            sources = [Source(url, partial(self._take_crl, link)) for url in point.urls]
            yield from [source for source in sources if source not in tried][:1]

    # -- what came

    def _take_answer(self, link: Link, nonce: bytes, octets: bytes) -> Deferred[None]:
        now = self.now()
        try:
            answer = read_answer(octets, link.certificate, link.issuer, now, nonce)
        except BadAnswer as error:
            raise Useless(f"the OCSP response does not count: {error}") from None
        if not answer.fresh_at(now):
            raise Useless(f"the OCSP response counted until {answer.until:%Y-%m-%d %H:%M} UTC")
        self.archive.put_answer(answer, link.certificate, link.issuer, now)
        return succeed(None)

    def _take_crl(self, link: Link, octets: bytes) -> Deferred[None]:
        def read() -> Crl:
            return self.read_crl(link, octets)

        def keep(crl: Crl) -> None:
            self.archive.put_crl(crl, link.issuer, self.now())

        reading: Deferred[Crl] = self.slow(read) if len(octets) > LARGE else succeed(read())
        return reading.addCallback(keep)

    def read_crl(self, link: Link, octets: bytes) -> Crl:
        """The CRL in `octets`, if it is of the issuer, counts now, and speaks of the certificate; Useless."""
        now = self.now()
        try:
            crl = Crl.parse(octets)
        except BadCrl as error:
            raise Useless(f"the CRL does not count: {error}") from None
        if not crl.signed_by(link.issuer):
            raise Useless(f"the CRL does not count: {link.issuer.subject} did not sign it")
        if not crl.fresh_at(now):
            raise Useless(
                f"the CRL does not count now ({now:%Y-%m-%d %H:%M} UTC by this host's clock), but from "
                f"{crl.this_update:%Y-%m-%d %H:%M} to {crl.next_update:%Y-%m-%d %H:%M} UTC"
            )
        if not crl.scope.covers(link.certificate):
            raise Useless("the CRL is for other certificates (issuingDistributionPoint)")
        return crl
