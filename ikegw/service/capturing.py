"""The verb `capture` of the control socket: what is said over IKE, and the keys that open it, to an operator who may have them.

Keys go to that one connection and nowhere else. They are those of IKE SAs whose keys are made meanwhile; SK_d is not among them,
so that nobody can make the keys of CHILD SAs out of a capture.
"""

from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ikegw.config.capture import CaptureSettings
from ikegw.control.decryption import table_line
from ikegw.control.protocol import Json
from ikegw.control.server import Refused, Tell
from ikegw.net.transport import UdpTransport
from ikegw.paths import Address, Path
from ikegw.ports.witness import MadeKeys
from ikegw.service.arguments import Arguments, address_of_argument, number_of_argument

MOST_CAPTURES: Final = 4


@define(eq=False)
class Capturing:
    """Takes captures of what `transport` carries; `wall` is the time of day. It is the gateway's witness."""

    settings: CaptureSettings
    transport: UdpTransport
    clock: IReactorTime
    wall: Callable[[], float]
    log: Logger
    _running: "set[_Capture]" = field(factory=set, init=False)

    def capture(self, arguments: Arguments, tell: Tell, who: str) -> Deferred[Any]:
        """Tell what is captured until a limit is reached or the asker hangs up. `peer` is an address; without it, everybody's."""
        settings = self.settings
        if not settings.allowed:
            raise Refused("the configuration allows no captures: set capture.allowed, and `ikegwctl reload`")
        if len(self._running) >= MOST_CAPTURES:
            raise Refused(f"{MOST_CAPTURES} captures are being taken already")
        peer = address_of_argument(arguments, "peer")
        seconds = number_of_argument(arguments, "seconds", settings.most_seconds)
        octets = number_of_argument(arguments, "bytes", settings.most_octets)
        taken = _Capture(self, peer, tell, who, int(octets), seconds)
        self._running.add(taken)
        return taken.ended

    def made_keys(self, made: MadeKeys) -> None:
        """See `ports.Witness`."""
        for taken in tuple(self._running):
            taken.keys(made)

    def configure(self, settings: CaptureSettings) -> None:
        """Do as these settings have it from now on."""
        self.settings = settings
        if not settings.allowed:
            for taken in tuple(self._running):
                taken.end("captures are no longer allowed")

    def over(self, taken: "_Capture") -> None:
        """One ended."""
        self._running.discard(taken)
        self.transport.taps.discard(taken.datagram)


@define(eq=False)
class _Capture:
    """One that is being taken."""

    of: Capturing
    peer: Address | None
    tell: Tell
    who: str
    room: int
    seconds: float
    ended: Deferred[Any] = field(init=False)
    _messages: int = field(default=0, init=False)
    _keys: int = field(default=0, init=False)
    _timer: IDelayedCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.ended = Deferred(lambda _: self._over("they hung up"))
        self._timer = self.of.clock.callLater(0, self._begin)  # once the asker can be told

    def _begin(self) -> None:
        """Say what it will be, to the asker, and to whoever reads the log."""
        what = "IKE of everybody" if self.peer is None else f"IKE of {self.peer}"
        text = "{who} captures {what}, with keys, for up to {seconds:g} s"
        self.of.log.warn(text, who=self.who, what=what, seconds=self.seconds)
        self.tell({"what": what, "seconds": self.seconds, "bytes": self.room})
        self._timer = self.of.clock.callLater(self.seconds, self.end, "its time was over")
        self.of.transport.taps.add(self.datagram)

    def datagram(self, path: Path, sent: bool, payload: bytes) -> None:
        """One UDP payload of ours."""
        if self.peer is not None and path.remote.address != self.peer:
            return
        self.room -= len(payload)
        if self.room < 0:
            self.end("it was full")
            return
        self._messages += 1
        told: dict[str, Json] = {
            "at": self.of.wall(),
            "sent": sent,
            "local": [str(path.local.address), path.local.port],
            "remote": [str(path.remote.address), path.remote.port],
            "data": b64encode(payload).decode(),
        }
        self.tell(told)

    def keys(self, made: MadeKeys) -> None:
        """The keys of one IKE SA; an empty line for those that Wireshark cannot use."""
        if self.peer is None or made.path.remote.address == self.peer:
            self._keys += 1
            self.tell({"keys": table_line(made) or ""})

    def end(self, why: str) -> None:
        """No more of it."""
        self._over(why)
        self.ended.callback({"ended": why})

    def _over(self, why: str) -> None:
        if self._timer.active():
            self._timer.cancel()
        self.of.over(self)
        self.of.log.warn(
            "the capture by {who} ended: {messages} messages, {keys} keys; {why}",
            who=self.who,
            messages=self._messages,
            keys=self._keys,
            why=why,
        )
