"""The Twisted end of the pipes to the process: requests by number, and its end."""

import json
from collections.abc import Callable
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.dataplane.userspace.control import BadFrame, Frames, Json, Kind, json_frame
from ikegw.ports import DataPlaneError


@define
class _Pending:
    """A request without an answer yet; `undo` is called with an answer that nobody wants any more."""

    deferred: "Deferred[Json]"
    undo: Callable[[Json], object] | None
    wanted: bool = True


@define(eq=False)
class Link(ProcessProtocol):
    """The pipes: requests by number, answers in any order. Its end fails all that wait."""

    log = Logger()

    on_event: Callable[[Json], None]
    on_ike: Callable[[bytes], None]
    on_end: Callable[[str | None], None]
    gone: "Deferred[None]" = field(factory=Deferred)
    _frames: Frames = field(factory=Frames)
    _pending: dict[int, _Pending] = field(factory=dict)
    _number: int = 0
    _asked_to_end: bool = False

    def ask(self, kind: Kind, body: Json, undo: Callable[[Json], object] | None = None) -> "Deferred[Json]":
        """Send a request; the answer, or DataPlaneError."""
        if self._asked_to_end:
            return fail(DataPlaneError("the data plane is being stopped"))
        self._number += 1
        number = self._number

        def cancelled(_: object) -> None:
            self._pending[number].wanted = False

        pending = _Pending(Deferred(cancelled), undo)
        self._pending[number] = pending
        self._process.writeToChild(0, json_frame(kind, number, body))
        return pending.deferred

    def end(self) -> None:
        """Have the process stop; `gone` fires when it has."""
        if not self._asked_to_end:
            self._asked_to_end = True
            self._process.writeToChild(0, json_frame(Kind.STOP, 0, {}))
            self._process.closeChildFD(0)

    @property
    def process_id(self) -> int:
        """The process's."""
        return int(getattr(self.transport, "pid", 0) or 0)

    @property
    def _process(self) -> IProcessTransport:
        return cast(IProcessTransport, self.transport)

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N802, N803 - Twisted's names
        """Answers, events and IKE messages; what comes on standard error goes to the log."""
        if childFD == 2:
            self.log.error("data plane process: {text}", text=data.decode(errors="replace").rstrip())
            return
        try:
            for kind, number, body in self._frames.feed(data):
                self._heard(kind, number, body)
        except BadFrame as error:
            self.log.error("data plane process: {error}; ending it", error=error)
            self._kill()

    def _heard(self, kind: Kind, number: int, body: bytes) -> None:
        if kind is Kind.IKE:
            self._hear(self.on_ike, body)
        elif kind is Kind.EVENT:
            self._hear(self.on_event, json.loads(body))
        else:
            self._answered(kind, self._pending.pop(number, None), json.loads(body))

    def _hear(self, listener: Callable[[Any], None], what: Any) -> None:
        """A listener's fault is not the pipe's: Twisted would close it."""
        try:
            listener(what)
        except Exception:  # noqa: BLE001 - see above
            self.log.failure("a listener to the data plane failed")

    def _answered(self, kind: Kind, pending: _Pending | None, body: Json) -> None:
        if pending is None:
            return
        if not pending.wanted:
            if kind is Kind.REPLY and pending.undo is not None:
                pending.undo(body)
        elif kind is Kind.REPLY:
            pending.deferred.callback(body)
        else:
            pending.deferred.errback(DataPlaneError(body["reason"]))

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """It is gone, asked or not: whatever waits fails."""
        clean = isinstance(reason.value, ProcessDone)
        text = f"the data plane process ended{'' if clean else ': ' + reason.getErrorMessage()}"
        if not self._asked_to_end:
            self.log.error("{text}; no ESP is carried until it is started again", text=text)
        self.on_end(None if self._asked_to_end else text)
        waiting, self._pending = self._pending, {}
        for pending in waiting.values():
            if pending.wanted:
                pending.deferred.errback(DataPlaneError(text))
        self.gone.callback(None)

    def _kill(self) -> None:
        try:
            self._process.signalProcess("KILL")
        except ProcessExitedAlready:
            return
