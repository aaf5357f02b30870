"""Somebody who downloads: says at once, late or never what a test has put at each URL."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed

from ikegw.ports import FetchFailed

Content = bytes | Callable[[bytes | None], bytes]
"""What is at a URL, or what answers a POST there."""


@define(eq=False)
class FakeFetcher:
    """`at` is what is at each URL; what is not there fails. While `holding`, nothing comes before `release`."""

    at: dict[str, Content] = field(factory=dict)
    holding: bool = False
    asked: list[str] = field(factory=list, init=False)
    """Every URL that was asked for, in order."""

    configured: set[str] = field(factory=set, init=False)
    """Those that came from the configuration."""

    held: list[tuple[str, bytes | None, Deferred[bytes]]] = field(factory=list, init=False, repr=False)
    cancelled: int = field(default=0, init=False)

    def fetch(
        self, url: str, body: bytes | None = None, content_type: str = "", *, configured: bool = False
    ) -> Deferred[bytes]:
        """See `ports.Fetcher`."""
        self.asked.append(url)
        if configured:
            self.configured.add(url)
        if not self.holding:
            return self._answer(url, body)
        waiting: Deferred[bytes] = Deferred(self._cancel)
        self.held.append((url, body, waiting))
        return waiting

    def release(self) -> None:
        """What is held comes now, or fails now."""
        held, self.held = self.held, []
        for url, body, waiting in held:
            self._answer(url, body).chainDeferred(waiting)

    def _cancel(self, waiting: Deferred[bytes]) -> None:
        self.cancelled += 1
        self.held = [each for each in self.held if each[2] is not waiting]

    def _answer(self, url: str, body: bytes | None) -> Deferred[bytes]:
        content = self.at.get(url)
        if content is None:
            return fail(FetchFailed(f"{url}: nothing is there"))
        return succeed(content if isinstance(content, bytes) else content(body))
