"""The control socket, as the daemon serves it: whoever may open it may ask; nobody who asks badly costs more than a line.

What can be asked is handed in, as verbs: this room knows JSON, waiting and limits, and nothing of IKE.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer, IReactorTime, ITransport
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from ikegw.control.asker import asker
from ikegw.control.protocol import LONGEST_LINE, BadRequest, Id, Json, Request, read_request, write

MOST_CLIENTS: Final = 64
MOST_REQUESTS: Final = 32
"""Requests of one client that may be under way at once."""

PATIENCE: Final = 30.0
"""Seconds after which a client that does not read what it asked for is cut off."""

Tell = Callable[[Json], None]
"""Sends one event of a verb that streams."""


class Refused(Exception):
    """The verb will not, or cannot; the text is for the operator."""


@frozen
class Verb:
    """Something that can be asked. `run` gives the answer or a Deferred of it, or raises Refused; cancelling ends a stream.

    It is given the arguments, what sends an event, and who asks, as the system knows them.
    """

    run: Callable[[Mapping[str, Json], Tell, str], Any]


@implementer(IPushProducer)
@define(eq=False, slots=False)
class ControlClient(LineOnlyReceiver):
    """One connection."""

    delimiter = b"\n"
    MAX_LENGTH = LONGEST_LINE

    server: "ControlServer"
    _running: dict[Id, Deferred[Any]] = field(factory=dict, init=False)
    _unread: IDelayedCall | None = field(default=None, init=False)
    _missed: int = field(default=0, init=False)
    _alive: bool = field(default=False, init=False)
    _log = Logger()

    # ------------------------------------------------------------ coming and going

    def connectionMade(self) -> None:  # noqa: N802 (Twisted's name)
        """Serve it, unless there are too many."""
        self._alive = True
        self._transport.registerProducer(self, streaming=True)
        if not self.server.welcome(self):
            self._say(None, "error", f"{MOST_CLIENTS} clients are connected already")
            self._transport.unregisterProducer()
            self._transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 (Twisted's name)
        """End what was running for it."""
        self._alive = False
        self._patience_over()
        self.server.clients.discard(self)
        running, self._running = self._running, {}
        for waited in running.values():
            waited.cancel()

    @property
    def _transport(self) -> Any:
        transport: ITransport | None = self.transport
        return transport

    # ------------------------------------------------------------ requests

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 (Twisted's name)
        """One request."""
        if not line.strip():
            return
        try:
            request = read_request(line)
            if request.id in self._running:
                raise BadRequest("this id is under way already", request.id)
            if len(self._running) >= MOST_REQUESTS:
                raise BadRequest(f"{MOST_REQUESTS} requests are under way already", request.id)
        except BadRequest as error:
            self._say(error.id, "error", str(error))
        else:
            self._serve(request)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802 (Twisted's name)
        """A line without an end: told, and that is the end of it."""
        self._say(None, "error", f"a line has up to {LONGEST_LINE} octets")
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def _serve(self, request: Request) -> None:
        verb = self.server.verbs.get(request.verb)
        if verb is None:
            self._say(request.id, "error", self.server.unknown(request.verb))
            return
        number = request.id

        def tell(value: Json) -> None:
            self._stream(number, value)

        def ended(result: Any) -> None:
            self._running.pop(number, None)
            if not self._alive:
                return
            if isinstance(result, Failure):
                self._say(number, "error", self._why(request, result))
            else:
                self._say(number, "ok", result)

        running = maybeDeferred(verb.run, request.arguments, tell, self._who())
        self._running[number] = running
        running.addBoth(ended)

    def _who(self) -> str:
        handle = getattr(self._transport, "getHandle", None)
        return "somebody" if handle is None else asker(handle())

    def _why(self, request: Request, failure: Failure) -> str:
        if isinstance(failure.value, Refused):
            return failure.getErrorMessage()
        self._log.failure(
            "internal error while serving {verb} of the control socket", failure, verb=request.verb
        )
        return "an internal error, which the log tells"

    # ------------------------------------------------------------ answers, and those who do not read them

    def _say(self, number: Id | None, what: str, value: Json) -> None:
        self._transport.write(write(number, what, value))

    def _stream(self, number: Id, value: Json) -> None:
        if self._unread is not None:
            self._missed += 1
        elif self._alive and number in self._running:
            self._say(number, "event", value)

    def pauseProducing(self) -> None:  # noqa: N802 (Twisted's name)
        """It does not read: no more requests of it, no more events for it; and after a while no more of it."""
        self._transport.pauseProducing()
        self._unread = self.server.clock.callLater(PATIENCE, self._cut_off)

    def resumeProducing(self) -> None:  # noqa: N802 (Twisted's name)
        """It read."""
        self._patience_over()
        self._transport.resumeProducing()
        missed, self._missed = self._missed, 0
        if missed:
            for number in tuple(self._running):
                self._say(number, "event", {"missed": missed})

    def stopProducing(self) -> None:  # noqa: N802 (Twisted's name)
        """The connection is lost, which `connectionLost` hears too."""

    def _patience_over(self) -> None:
        unread, self._unread = self._unread, None
        if unread is not None and unread.active():
            unread.cancel()

    def _cut_off(self) -> None:
        self._transport.abortConnection()


@define(eq=False, slots=False)
class ControlServer(Factory):
    """Whoever connects is served with these verbs."""

    noisy = False

    clock: IReactorTime
    verbs: Mapping[str, Verb]
    clients: set[ControlClient] = field(factory=set, init=False)

    def buildProtocol(self, addr: IAddress | None) -> ControlClient:  # noqa: N802 (Twisted's name)
        """Somebody connects."""
        client = ControlClient(self)
        client.factory = self
        return client

    def welcome(self, client: ControlClient) -> bool:
        """Take one more, if there is room."""
        if len(self.clients) >= MOST_CLIENTS:
            return False
        self.clients.add(client)
        return True

    def unknown(self, verb: str) -> str:
        """What to say of a verb that there is not."""
        close = get_close_matches(verb[:64], self.verbs, 1)
        return f"there is no {verb[:64]!r}; " + (
            f"did you mean {close[0]}?" if close else f"there are {', '.join(self.verbs)}"
        )

    def stop(self) -> None:
        """Hang up on everybody."""
        for client in tuple(self.clients):
            client._transport.abortConnection()
