"""Who a peer is, found out step by step: what it showed, the chain, the signature, and whether anything was revoked.

Each step may need what is not at hand. Then `lacks` says so, the machine waits in its state, `obtain` fetches, and `verdict` is
asked again. Nothing is fetched for revocation before the chain is trusted and the signature holds: a stranger makes nobody
fetch anything, but for a certificate that it names by URL where the connection allows that.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed
from twisted.python.failure import Failure

from ikegw.auth.chains import Chain
from ikegw.auth.credentials import Credentials
from ikegw.auth.errors import AuthenticationError
from ikegw.auth.known_path import KnownPath
from ikegw.auth.ocsp import BadAnswer, read_answer
from ikegw.auth.revocation import Finding, Link
from ikegw.auth.shown import Shown, shown
from ikegw.auth.sources import Library, Source, Useless
from ikegw.events import AuthFailure
from ikegw.policy.authorities import RevocationPolicy
from ikegw.policy.connections import RemoteAuth
from ikegw.ports import Fetcher, FetchFailed, Standing
from ikegw.wire.certificate import Certificate

AT_ONCE: Final = 4
"""Downloads at once for one peer."""
EARLY: Final = 0.05
"""What is known is asked for anew by so much of its time before it is over."""
SOONEST: Final = 60.0
"""Seconds: nobody is asked more often for the same session, unless what is known is to be younger than that."""


@frozen
class Verified:
    """The peer is who it says it is: `method` is short (`psk`, `ecdsa-p256-sha256`), `detail` says by what we know."""

    method: str
    detail: str


@frozen
class Means:
    """What an examination looks things up in, and fetches with. `refresh`: how old what is known may get in a live session."""

    credentials: Callable[[], Credentials]
    library: Library
    fetcher: Fetcher
    refresh: Callable[[], timedelta]


class Examination(Standing, Protocol):
    """Of one peer, from its IKE_AUTH to the end of its session."""

    @property
    def lacks(self) -> bool:
        """Is there something to be fetched before `verdict` can be asked?"""
        ...

    def verdict(self) -> Verified:
        """The peer is authentic, as far as is known; AuthenticationError says why it is not."""
        ...

    def obtain(self) -> Deferred[tuple[str, ...]]:
        """Fetch what is lacking. Fires with a sentence for each thing that could not be had and can be done without.

        Errback AuthenticationError (DOWNLOAD_FAILED) if policy demands what could not be had. If it `lacks` again, what came has
        led to more.
        """
        ...


@frozen
class ByKey:
    """By shared key, or refused at once: there is nothing to fetch, and nothing to ask for anew."""

    verdict: Callable[[], Verified] = field(repr=False)
    lacks: bool = False

    def obtain(self) -> Deferred[tuple[str, ...]]:
        """See `Examination`."""
        return succeed(())

    def renew(self) -> Deferred[tuple[str, ...]]:
        """See `Examination`."""
        return succeed(())

    def due(self) -> float | None:
        """See `Examination`."""
        return None


@define(eq=False)
class ByCertificate:
    """By certificate. `find_chain` gives the chain of what the peer showed, `check` the name of the scheme in which its AUTH
    verifies with that chain's key; both raise AuthenticationError.
    """

    means: Means = field(repr=False)
    remote: RemoteAuth
    payloads: tuple[Certificate, ...] = field(repr=False)
    find_chain: Callable[[tuple[bytes, ...]], Chain] = field(repr=False)
    check: Callable[[Chain], str] = field(repr=False)
    _method: str = field(default="", init=False)
    _whole: Shown | None = field(default=None, init=False, repr=False)
    _tried: dict[Source, str] = field(factory=dict, init=False, repr=False)
    _path: KnownPath | None = field(default=None, init=False, repr=False)
    _since: datetime | None = field(default=None, init=False)
    """In a live session: what we had before this is asked for anew."""

    # ------------------------------------------------------------ who is it

    @property
    def lacks(self) -> bool:
        """See `Examination`."""
        try:
            return bool(self._wanted())
        except AuthenticationError:
            return False

    def verdict(self) -> Verified:
        """See `Examination`."""
        path = self._found()
        for link in path.links:
            self._require_good(link)
        return Verified(self._method, f"certificate {path.chain.subject} ({path.chain.authority})")

    def _wanted(self) -> tuple[Source, ...]:
        seen = self._shown()
        if seen.wanted:
            return seen.wanted
        sources: dict[Source, None] = {}
        for link in self._found().links:
            finding = self._finding(link)
            if finding.revoked:
                return ()
            sources.update(dict.fromkeys(self._sources(link, finding)))
        return tuple(sources)

    def _shown(self) -> Shown:
        if self._whole is not None:
            return self._whole
        archive = self.means.library.archive
        seen = shown(self.payloads, archive, self.remote.hash_and_url, self._tried)
        if not seen.wanted:
            self._whole, self.payloads = seen, ()
        return seen

    def _found(self) -> KnownPath:
        """The way to an authority of ours, by credentials as they are now; its first key has signed, which is checked once."""
        credentials, now = self.means.credentials(), self.means.library.now()
        path = self._path
        if path is None or not path.holds_at(now, credentials):
            chain = self.find_chain(self._shown().certificates)
            asked = self.remote.revocation is not RevocationPolicy.OFF
            path = KnownPath.of(chain, credentials, self.means.library.archive, asked)
            if not self._method:
                self._method = self.check(chain)
                self._read_shown(path.links)
            self._path = path
        return path

    # ------------------------------------------------------------ was anything revoked

    def _finding(self, link: Link) -> Finding:
        return self._found().finding(link, self.means.library.now())

    def _sources(self, link: Link, finding: Finding) -> tuple[Source, ...]:
        library = self.means.library
        if finding.until is None or self._is_old(finding):
            return library.wanted(link, self.means.credentials().sources_of(link.issuer), self._tried)
        return library.deltas(link, self._found().crls, self._tried)

    def _is_old(self, finding: Finding) -> bool:
        return self._since is not None and (finding.obtained is None or finding.obtained < self._since)

    def _require_good(self, link: Link) -> None:
        finding = self._finding(link)
        if finding.revoked:
            why = f"{link.certificate.title} was {finding.revoked}, by {link.issuer.subject}"
            raise AuthenticationError(AuthFailure.REVOKED, why)
        if finding.until is None and self.remote.revocation is RevocationPolicy.STRICT:
            raise AuthenticationError(AuthFailure.DOWNLOAD_FAILED, self._not_known(link))

    def _not_known(self, link: Link) -> str:
        failures = "; ".join(why for why in self._tried.values() if why)
        return (
            f"nobody says whether {link.certificate.title} was revoked: "
            + (failures or "it names neither a CRL nor an OCSP responder that could be asked")
            + f"; put a current CRL of {link.issuer.subject} into crl/, or set revocation to if-available or off"
        )

    def _read_shown(self, asked: tuple[Link, ...]) -> None:
        """Keep the CRLs and OCSP answers that the peer sent along, as far as they count; what does not is as if not sent."""
        archive, now = self.means.library.archive, self.means.library.now()
        for link in asked:
            for octets in self._shown().crls:
                with suppress(Useless):
                    archive.put_crl(self.means.library.read_crl(link, octets), link.issuer, now)
            for octets in self._shown().answers:
                with suppress(BadAnswer):
                    answer = read_answer(octets, link.certificate, link.issuer, now, None)
                    archive.put_answer(answer, link.certificate, link.issuer, now)

    # ------------------------------------------------------------ fetching

    def obtain(self) -> Deferred[tuple[str, ...]]:
        """See `Examination`."""
        wanted = self._wanted()[:AT_ONCE]
        fetching = DeferredList(
            [self._get(source) for source in wanted], fireOnOneErrback=True, consumeErrors=True
        )
        return fetching.addCallback(lambda _: self._obtained())

    def _get(self, source: Source) -> Deferred[None]:
        def failed(failure: Failure) -> None:
            if not isinstance(failure.value, FetchFailed | Useless):
                failure.raiseException()
            text = str(failure.value)
            self._tried[source] = text if source.url in text else f"{source.url}: {text}"

        self._tried[source] = ""
        return source.fetch(self.means.fetcher).addErrback(failed)

    def _obtained(self) -> tuple[str, ...]:
        if self.lacks:
            return ()
        try:
            self.verdict()
        except AuthenticationError as error:
            if error.reason is AuthFailure.DOWNLOAD_FAILED:
                raise
            return ()
        return self._not_had()

    def _not_had(self) -> tuple[str, ...]:
        """A sentence for each certificate of which somebody could tell, and nothing is known, or nothing new."""
        path = self._found()
        return tuple(
            self._not_known(link)
            for link in path.links
            if self.means.library.is_told_of(link, path.credentials.sources_of(link.issuer))
            and ((finding := self._finding(link)).until is None or self._is_old(finding))
        )

    # ------------------------------------------------------------ in a live session

    def renew(self) -> Deferred[tuple[str, ...]]:
        """See `Examination`."""
        self._tried.clear()
        self._path = None
        self._since = self.means.library.now() - self.means.refresh()
        return maybeDeferred(self._renew)

    def _renew(self) -> Any:
        if self.lacks:
            return self.obtain().addCallback(lambda _: self._renew())
        self.verdict()
        return self._not_had()

    def due(self) -> float | None:
        """See `Examination`."""
        now = self.means.library.now()
        try:
            path = self._found()
        except AuthenticationError:  # it is not authentic any more, which `renew` says
            return self._soonest
        seconds = [(moment - now).total_seconds() for moment in self._moments(path, now)]
        self._path = None  # thousands of sessions need not keep what is found out again in no time
        return max(min(seconds), self._soonest)

    @property
    def _soonest(self) -> float:
        return min(SOONEST, self.means.refresh().total_seconds())

    def _moments(self, path: KnownPath, now: datetime) -> Iterator[datetime]:
        yield path.chain.end
        for link in path.links:
            finding = self._finding(link)
            if finding.until is not None:
                yield finding.until - EARLY * (finding.until - now)
            if self.means.library.is_told_of(link, path.credentials.sources_of(link.issuer)):
                yield (finding.obtained or now) + self.means.refresh()
