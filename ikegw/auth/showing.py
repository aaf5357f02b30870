"""What goes with our AUTH: our certificates, whole or by hash and URL, and OCSP answers about them (RFC 7296 §3.6, RFC 4806)."""

from collections.abc import Iterator
from hashlib import sha1

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ikegw.auth.certificates import X509
from ikegw.auth.examination import Means
from ikegw.auth.own import OwnCertificate
from ikegw.auth.revocation import Link, links
from ikegw.auth.sources import Source, Useless
from ikegw.ports import FetchFailed
from ikegw.wire.certificate import Certificate
from ikegw.wire.registry import CertEncoding


@define(eq=False)
class Showing:
    """Nobody waits here: an OCSP answer that is not at hand is asked for, and goes with the next AUTH."""

    means: Means = field(repr=False)
    _asking: set[Link] = field(factory=set, init=False, repr=False)

    def payloads(self, own: OwnCertificate, *, by_url: bool, with_answers: bool) -> tuple[Certificate, ...]:
        """CERT payloads: the end entity first, then the intermediates, never a root; then OCSP answers.

        `by_url`: the peer knows hash-and-URL; what has a URL is named by it.
        """
        issued = {link.certificate: link.issuer for link in links((own.certificate, *own.chain))}
        certificates = tuple(
            self._certificate(each, issued.get(each) if by_url else None) for each in own.shown
        )
        answers = tuple(self._answers(own)) if with_answers else ()
        return (*certificates, *answers)

    def _certificate(self, certificate: X509, issuer: X509 | None) -> Certificate:
        base = ""
        if issuer is not None:
            base = self.means.credentials().sources_of(issuer).certificate_url_base
        if not base:
            return Certificate(CertEncoding.X509_SIGNATURE, certificate.der)
        digest = sha1(certificate.der, usedforsecurity=False).digest()
        return Certificate(CertEncoding.HASH_AND_URL, digest + f"{base}{digest.hex()}".encode("ascii"))

    # ------------------------------------------------------------ OCSP answers about ourselves

    def _answers(self, own: OwnCertificate) -> Iterator[Certificate]:
        now, archive = self.means.library.now(), self.means.library.archive
        for link in links((own.certificate, *own.chain)):
            known = archive.answer(link.certificate, link.issuer)
            if known is None or now - known.obtained > known.answer.until - now:
                self._ask(link)
            if known is not None and known.answer.fresh_at(now):
                yield Certificate(CertEncoding.OCSP_CONTENT, known.answer.der)

    def _ask(self, link: Link) -> None:
        if link not in self._asking:
            self._asking.add(link)
            sources = self.means.credentials().sources_of(link.issuer)
            self._ask_next(link, self.means.library.responders(link, sources))

    def _ask_next(self, link: Link, responders: Iterator[Source]) -> None:
        responder = next(responders, None)
        if responder is None:
            self._asking.discard(link)
            return

        def failed(failure: Failure) -> None:
            if not isinstance(failure.value, FetchFailed | Useless):
                failure.raiseException()
            self._ask_next(link, responders)

        asking: Deferred[None] = responder.fetch(self.means.fetcher)
        asking.addCallbacks(lambda _: self._asking.discard(link), failed)
