"""Sending a request again until it is answered (RFC 7296 §2.1; rows L-02, L-09)."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ikegw.ike.fragmentation import SMALLER_AFTER
from ikegw.ike.window import Datagrams
from ikegw.policy.connections import Retransmit
from ikegw.ports import Random


@define(eq=False)
class Retransmission:
    """At most one request in flight. The machines hear only of the end: `gave_up` after the last try.

    `smaller` is asked once, after some tries, for the message in smaller fragments.
    """

    _clock: IReactorTime
    _random: Random
    _policy: Retransmit
    _send: Callable[[Datagrams], None]
    _gave_up: Callable[[], None]
    _smaller: Callable[[Datagrams], Datagrams]
    _datagrams: Datagrams = field(default=(), init=False, repr=False)
    _sent: int = field(default=0, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)

    def start(self, datagrams: Datagrams) -> None:
        """Send now, and again at growing intervals, always the same octets but for the trial of smaller fragments."""
        self.stop()
        self._datagrams = datagrams
        self._transmit()

    def stop(self) -> None:
        """It was answered, or nobody waits any more."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        self._datagrams = ()
        self._sent = 0

    @property
    def tries(self) -> int:
        """How often the request in flight was sent so far."""
        return self._sent

    def _transmit(self) -> None:
        self._send(self._datagrams)
        self._sent += 1
        spread = int.from_bytes(self._random(2), "big") / 65535
        wait = self._policy.wait(self._sent) * (1 - self._policy.jitter * spread)
        self._timer = self._clock.callLater(wait, self._elapsed)

    def _elapsed(self) -> None:
        self._timer = None
        if self._sent <= self._policy.tries:
            if self._sent == 1 + SMALLER_AFTER:
                self._datagrams = self._smaller(self._datagrams)
            self._transmit()
        else:
            self.stop()
            self._gave_up()
