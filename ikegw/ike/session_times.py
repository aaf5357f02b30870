"""When a session must end: Session-Timeout and Idle-Timeout (RFC 2865 §5.27, §5.28), as granted at the login or changed since."""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ikegw.ports import Usage
from ikegw.session import EndCause, Grant, Termination

LOOKS = 8
"""How often in an Idle-Timeout the data plane is asked: a session ends by so much of it late at most."""

SOONEST, LATEST = 1.0, 60.0
"""Seconds between two looks."""


@define(eq=False)
class SessionTimes:
    """The two timers of one session. `ask` tells what it carried, `renew` has the peer authenticate anew (0: not any more)."""

    clock: IReactorTime = field(repr=False)
    ask: Callable[[], Deferred[Usage]] = field(repr=False)
    renew: Callable[[float], None] = field(repr=False)
    end: Callable[[str, EndCause], None] = field(repr=False)
    _timers: dict[str, IDelayedCall] = field(factory=dict, init=False, repr=False)
    _asking: bool = field(default=False, init=False)
    _idle_seconds: float = field(default=0.0, init=False)
    _packets: int = field(default=0, init=False)
    _busy_at: float = field(default=0.0, init=False)

    def set(self, grant: Grant) -> None:
        """Begin with what was granted, or go on with other times: seconds from now, None leaves it as it is, 0 is for ever."""
        if grant.session_seconds is not None:
            self._limit(grant.session_seconds, grant.termination)
        if grant.idle_seconds is not None:
            self._limit_idleness(grant.idle_seconds)

    def stop(self) -> None:
        """The session is over."""
        self._idle_seconds = 0.0
        for name in tuple(self._timers):
            self._disarm(name)

    def _arm(self, name: str, seconds: float, elapsed: Callable[[], None]) -> None:
        def fired() -> None:
            del self._timers[name]
            elapsed()

        self._disarm(name)
        self._timers[name] = self.clock.callLater(seconds, fired)

    def _disarm(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _limit(self, seconds: float, termination: Termination) -> None:
        by_renewal = termination is Termination.REAUTHENTICATE
        self.renew(seconds if by_renewal else 0.0)
        self._disarm("over")
        if seconds and not by_renewal:
            why = f"its {seconds:.0f} s are over (Session-Timeout)"
            self._arm("over", seconds, lambda: self.end(why, EndCause.SESSION_TIMEOUT))

    def _limit_idleness(self, seconds: float) -> None:
        self._disarm("idle")
        self._idle_seconds = seconds
        self._busy_at = self.clock.seconds()
        if seconds and not self._asking:
            self._look_later()

    def _look_later(self) -> None:
        every = min(max(self._idle_seconds / LOOKS, SOONEST), LATEST)
        left = self._busy_at + self._idle_seconds - self.clock.seconds()
        self._arm("idle", min(every, max(left, SOONEST)), self._look)

    def _look(self) -> None:
        self._asking = True
        self.ask().addCallback(self._judge)

    def _judge(self, usage: Usage) -> None:
        self._asking = False
        packets, now = usage.inbound_packets + usage.outbound_packets, self.clock.seconds()
        if packets != self._packets:
            self._packets, self._busy_at = packets, now
        if not self._idle_seconds:
            return
        if now - self._busy_at >= self._idle_seconds:
            why = f"it carried nothing for {now - self._busy_at:.0f} s (Idle-Timeout)"
            self.end(why, EndCause.IDLE_TIMEOUT)
        else:
            self._look_later()
