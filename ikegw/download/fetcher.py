"""Who downloads: each thing once however many wait for it, so many at a time, within one time limit for all of it."""

from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail
from twisted.python.failure import Failure

from ikegw.config.downloads import DownloadSettings
from ikegw.download.destinations import is_allowed
from ikegw.download.http import Refused, Request, get, is_web
from ikegw.download.trust import Authorities, Trust
from ikegw.ports import FetchFailed

MOST_QUEUED: Final = 1000
MOST_FAILURES: Final = 1024

What = tuple[str, bytes | None, bool]
"""URL, body, whether it is configured: what makes two fetches equal."""


@define(eq=False)
class _Download:
    what: What
    content_type: str
    waiting: list[Deferred[bytes]] = field(factory=list)
    running: Deferred[bytes] | None = None
    timer: Any = None

    @property
    def host(self) -> str:
        return urlsplit(self.what[0]).netloc.rpartition("@")[2].lower()


@define(eq=False)
class Downloads:
    """Implements `ports.Fetcher`. `settings` may change at any time, and count from the next download on.

    `files` is the directory that file URLs may lead into; `slow` runs a function where it blocks nobody.
    `authorities` are believed besides the system's, for https.
    """

    settings: DownloadSettings
    _reactor: Any
    _slow: Callable[..., Deferred[Any]]
    files: Path
    authorities: Authorities = tuple
    _all: dict[What, _Download] = field(factory=dict, init=False)
    _queue: list[_Download] = field(factory=list, init=False)
    _busy: Counter[str] = field(factory=Counter, init=False)
    _failures: OrderedDict[tuple[str, bool], tuple[float, str]] = field(factory=OrderedDict, init=False)

    def fetch(
        self, url: str, body: bytes | None = None, content_type: str = "", *, configured: bool = False
    ) -> Deferred[bytes]:
        """See `ports.Fetcher`."""
        is_file = configured and url.startswith("file:")
        if not is_file and not is_web(url):
            return fail(
                FetchFailed(f"{url}: only http and https URLs are followed, and configured file URLs")
            )
        known = self._known_failure(url, configured)
        if known:
            return fail(FetchFailed(known))
        what = (url, body, configured)
        download = self._all.get(what)
        if download is None:
            if len(self._queue) >= MOST_QUEUED:
                return fail(FetchFailed(f"{url}: too many downloads wait already"))
            download = self._all[what] = _Download(what, content_type)
            download.timer = self._reactor.callLater(self.settings.seconds, self._too_late, download)
            self._queue.append(download)
        waiter: Deferred[bytes] = Deferred(partial(self._not_wanted, download))
        download.waiting.append(waiter)
        self._start_some()
        return waiter

    def stop(self) -> None:
        """End all downloads; who waits for them is told."""
        for download in tuple(self._all.values()):
            self._fail(download, "ikegw ends", remember=False)

    # ------------------------------------------------------------ one after the other

    def _start_some(self) -> None:
        """Start what may start, the oldest first; one server's many do not hold up another's."""
        for download in tuple(self._queue):
            if self._busy.total() >= self.settings.at_once:
                return
            if download in self._queue and self._busy[download.host] < self.settings.per_host:
                self._queue.remove(download)
                self._start(download)

    def _start(self, download: _Download) -> None:
        host = download.host
        self._busy[host] += 1
        running = download.running = self._read(download)
        running.addBoth(partial(self._freed, host))
        running.addCallbacks(
            lambda octets: self._succeed(download, octets), lambda failure: self._failed(download, failure)
        )

    def _freed(self, host: str, result: Any) -> Any:
        self._busy[host] -= 1
        if not self._busy[host]:
            del self._busy[host]
        return result

    def _read(self, download: _Download) -> Deferred[bytes]:
        (url, body, configured), settings = download.what, self.settings
        if url.startswith("file:"):
            return self._slow(_read_file, url, self.files, settings.octets)

        def allowed(address: IPv4Address | IPv6Address) -> bool:
            return configured or is_allowed(address, settings.networks)

        request = Request(
            url,
            body,
            download.content_type,
            settings.octets,
            settings.redirects,
            allowed,
            Trust(self.authorities),
            settings.proxy,
        )
        return ensureDeferred(get(self._reactor, request))

    # ------------------------------------------------------------ how it ends

    def _succeed(self, download: _Download, octets: bytes) -> None:
        for waiter in self._end(download):
            waiter.callback(octets)

    def _failed(self, download: _Download, failure: Failure) -> None:
        if self._all.get(download.what) is not download:
            self._start_some()
            return
        # What a connection dies of may be anything; here it becomes the one error that callers know.
        self._fail(download, _why(failure.value), remember=not isinstance(failure.value, CancelledError))

    def _too_late(self, download: _Download) -> None:
        started = download.running is not None
        what = "no whole answer" if started else "other downloads kept it waiting"
        self._fail(
            download, f"{what} within {self.settings.seconds:g} s (downloads.timeout)", remember=started
        )

    def _fail(self, download: _Download, why: str, *, remember: bool) -> None:
        url, _, configured = download.what
        text = f"{url}: {why}"
        if remember:
            self._failures[url, configured] = (self._reactor.seconds() + self.settings.retry_seconds, text)
            self._failures.move_to_end((url, configured))
            if len(self._failures) > MOST_FAILURES:
                self._failures.popitem(last=False)
        for waiter in self._end(download):
            waiter.errback(FetchFailed(text))

    def _not_wanted(self, download: _Download, waiter: Deferred[bytes]) -> None:
        """One that waited does no longer; the last one takes the download along."""
        if waiter in download.waiting:
            download.waiting.remove(waiter)
            if not download.waiting:
                self._end(download)

    def _end(self, download: _Download) -> list[Deferred[bytes]]:
        """It is over, whatever still runs of it; gives who waited."""
        if self._all.get(download.what) is not download:
            return []
        del self._all[download.what]
        if download.timer.active():
            download.timer.cancel()
        if download in self._queue:
            self._queue.remove(download)
        if download.running is not None:
            download.running.cancel()
        waiting, download.waiting = download.waiting, []
        self._start_some()
        return waiting

    def _known_failure(self, url: str, configured: bool) -> str:
        until, text = self._failures.get((url, configured), (0.0, ""))
        if not text or self._reactor.seconds() < until:
            return text
        del self._failures[url, configured]
        return ""


def _why(error: BaseException | None) -> str:
    """What an operator should read; what twisted.web wraps is unwrapped."""
    reasons = getattr(error, "reasons", None)
    if reasons:
        return _why(reasons[0].value)
    return str(error) or type(error).__name__


def _read_file(url: str, directory: Path, most: int) -> bytes:
    """What is in a file of `directory`."""
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not path.resolve().is_relative_to(directory.resolve()):
        raise Refused(f"file URLs lead into {directory} only")
    if not path.is_file():
        raise Refused("there is no such file")
    with path.open("rb") as file:
        octets = file.read(most + 1)
    if len(octets) > most:
        raise Refused(f"it is larger than {most} octets (downloads.max_size)")
    return octets
