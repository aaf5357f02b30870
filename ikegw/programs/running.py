"""Running a program: never by a shell, with an environment that is all its own, and no longer than it may."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IProcessTransport, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

_SETSID: Final = "/usr/bin/setsid"
"""It gives the program a process group of its own, so that what it has begun ends with it."""

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LONGEST_LINE: Final = 500
_MOST_LINES: Final = 50
_LAST_WORDS_SECONDS: Final = 0.5
"""How long output is read after the end: what the program leaves running in the background may keep its pipe open."""


class ProgramFailed(Exception):
    """It could not be run, said no, or took too long; the text says which, without the program's name."""


class ProgramReactor(IReactorProcess, IReactorTime):
    """What running needs of a reactor."""


def run(
    reactor: ProgramReactor,
    words: Sequence[str],
    environment: Mapping[str, str],
    seconds: float,
    said: Callable[[str], None],
    given: bytes = b"",
) -> "Deferred[None]":
    """Run `words` with `given` on its standard input; `said` gets each line of its output. Errback ProgramFailed.

    Cancelled or out of time, it is killed with all that it began.
    """
    program = _Program(reactor, seconds, said, given)
    try:
        reactor.spawnProcess(
            program,
            _SETSID,
            [_SETSID, *words],
            env={"PATH": _PATH, "LANG": "C.UTF-8", **environment},
            path="/",
        )
    except OSError as error:
        program.finish(ProgramFailed(f"it could not be run: {error}"))
    return program.ended


class _Program(ProcessProtocol):
    """One that runs. `ended` fires once, by its end, its time or its cancellation, whichever is first."""

    def __init__(
        self, reactor: ProgramReactor, seconds: float, said: Callable[[str], None], given: bytes
    ) -> None:
        self._reactor, self._seconds, self._said, self._given = reactor, seconds, said, given
        self.ended: Deferred[None] = Deferred(lambda _: self._kill())
        self._timer: IDelayedCall | None = None
        self._part, self._lines = b"", 0
        self._problem: ProgramFailed | None = None

    @property
    def _process(self) -> IProcessTransport:
        return cast(IProcessTransport, self.transport)

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """It runs."""
        self._timer = self._reactor.callLater(self._seconds, self._too_late)
        if self._given:
            self._process.writeToChild(0, self._given)
        self._process.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N802, N803 - Twisted's names
        """Its output and its errors, in lines as the log may have them."""
        *lines, self._part = (self._part + data).split(b"\n")
        self._part = self._part[: 2 * _LONGEST_LINE]
        for line in lines:
            self._tell(line)

    def _tell(self, line: bytes) -> None:
        text = "".join(
            one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line.decode(errors="replace")
        ).strip()
        if not text:
            return
        self._lines += 1
        if self._lines <= _MOST_LINES:
            self._said(text[:_LONGEST_LINE])
        elif self._lines == _MOST_LINES + 1:
            self._said("(it said more, which is left out)")

    def processExited(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """It ended; soon its last words are read."""
        if not isinstance(reason.value, ProcessDone) and self._problem is None:
            self._problem = ProgramFailed(_how(reason))
        self._rest()
        self._timer = self._reactor.callLater(_LAST_WORDS_SECONDS, self._process.loseConnection)

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """It ended, and so did its output."""
        if self._part:
            self._tell(self._part)
        self.finish(self._problem)

    def finish(self, problem: ProgramFailed | None) -> None:
        """Tell who waits."""
        self._rest()
        if self.ended.called:
            return
        if problem is None:
            self.ended.callback(None)
        else:
            self.ended.errback(problem)

    def _too_late(self) -> None:
        self._problem = ProgramFailed(f"it took longer than {self._seconds:g} seconds and was killed")
        self._kill()

    def _kill(self) -> None:
        """Its whole group, or, before that is made, itself alone."""
        pid = getattr(self.transport, "pid", None)
        if pid is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        with suppress(ProcessExitedAlready):
            self._process.signalProcess("KILL")

    def _rest(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


def _how(reason: Failure) -> str:
    status, number = getattr(reason.value, "exitCode", None), getattr(reason.value, "signal", None)
    if number is not None:
        return f"it was ended by {signal.Signals(number).name}"
    if status in (126, 127):
        return f"it could not be run (status {status}): is it there, may it be run, is there its interpreter?"
    return f"it ended with status {status}"
