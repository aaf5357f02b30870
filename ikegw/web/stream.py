"""Server-sent events (WHATWG HTML §9.2): what stands, then what changed, once a second, to everybody who looks.

What a viewer costs is one whole snapshot that it has not read yet, at most: nothing is queued for one who does not read. It is
told anew when it reads again, and is cut off if it does not. Nobody is asked anything while nobody looks.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from ikegw.web.guard import Sentence
from ikegw.web.snapshot import Snapshot, difference

MOST_VIEWERS: Final = 16
EVERY_SECONDS: Final = 1.0
MOST_OF_OUR_TIME: Final = 0.05
"""With so many sessions that looking takes longer than that share, we look less often."""

PATIENCE_SECONDS: Final = 30.0
"""After which a viewer that does not read is cut off."""

QUIET_TICKS: Final = 10
"""After as many ticks without a change a comment is sent, which finds out who is gone."""


@define(eq=False, slots=False)
class Stream(Resource):
    """GET begins a stream of events `all` and `change`."""

    clock: IReactorTime
    look: Callable[[], Snapshot]
    _viewers: set["Viewer"] = field(factory=set, init=False)
    _next: IDelayedCall | None = field(default=None, init=False)
    _seen: Snapshot = field(factory=Snapshot, init=False)
    _quiet: int = field(default=0, init=False)
    isLeaf = True  # noqa: N815 (Twisted's name)

    def __attrs_post_init__(self) -> None:
        Resource.__init__(self)  # type: ignore[no-untyped-call]

    @property
    def viewers(self) -> int:
        """How many look."""
        return len(self._viewers)

    def render_GET(self, request: Request) -> bytes | int:  # noqa: N802 (Twisted's name)
        """See `Resource`."""
        if request.method == b"HEAD":
            return b""
        if len(self._viewers) >= MOST_VIEWERS:
            return Sentence(503, f"{MOST_VIEWERS} look already.").render(request)
        request.setHeader("Content-Type", "text/event-stream")  # type: ignore[no-untyped-call]
        viewer = Viewer(request, self.clock)
        if not self._viewers:
            self._look()
            self._quiet = 0
        self._viewers.add(viewer)
        request.notifyFinish().addBoth(lambda _: self._gone(viewer))
        request.registerProducer(viewer, True)  # type: ignore[no-untyped-call]
        viewer.write(_event("all", self._seen.whole()))
        return NOT_DONE_YET

    def _gone(self, viewer: "Viewer") -> None:
        viewer.patience_over()
        self._viewers.discard(viewer)
        if not self._viewers and self._next is not None:
            self._next.cancel()
            self._next = None

    def _look(self) -> None:
        began = self.clock.seconds()
        self._seen = self.look()
        took = self.clock.seconds() - began
        self._next = self.clock.callLater(max(EVERY_SECONDS, took / MOST_OF_OUR_TIME), self._tick)

    def _tick(self) -> None:
        before = self._seen
        self._look()
        change = difference(before, self._seen)
        self._quiet = 0 if change else self._quiet + 1
        told = _event("change", change) if change else b":\n\n" if self._quiet % QUIET_TICKS == 0 else b""
        whole = b""
        for viewer in tuple(self._viewers):
            if viewer.missed and viewer.reads:
                whole = whole or _event("all", self._seen.whole())
                viewer.write(whole)
            elif told:
                viewer.write(told)


@implementer(IPushProducer)
@define(eq=False)
class Viewer:
    """One who looks. `missed`: what it was told last is not what it has to start from."""

    request: Request
    clock: IReactorTime
    missed: bool = field(default=False, init=False)
    _unread: IDelayedCall | None = field(default=None, init=False)

    @property
    def reads(self) -> bool:
        """Did it take what it was sent?"""
        return self._unread is None

    def write(self, octets: bytes) -> None:
        """Send it to one who reads; the others will need the whole."""
        self.missed = not self.reads
        if not self.missed:
            self.request.write(octets)  # type: ignore[no-untyped-call]

    def pauseProducing(self) -> None:  # noqa: N802 (Twisted's name)
        """It does not read."""
        self.patience_over()
        self._unread = self.clock.callLater(PATIENCE_SECONDS, self.cut_off)

    def resumeProducing(self) -> None:  # noqa: N802 (Twisted's name)
        """It read."""
        self.patience_over()

    def stopProducing(self) -> None:  # noqa: N802 (Twisted's name)
        """It is gone, which `notifyFinish` says too."""

    def patience_over(self) -> None:
        """Wait for it no more."""
        unread, self._unread = self._unread, None
        if unread is not None and unread.active():
            unread.cancel()

    def cut_off(self) -> None:
        """End its connection, read or not."""
        channel: Any = self.request.channel
        channel.transport.abortConnection()


def _event(name: str, value: Any) -> bytes:
    text = json.dumps(value, separators=(",", ":"))  # which has no line breaks of its own
    return f"event: {name}\ndata: {text}\n\n".encode()
