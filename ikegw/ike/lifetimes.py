"""When an established IKE SA is to be checked, rekeyed, re-authenticated or ended: the timers of §10 and what they post."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import DeferredList

from ikegw.ike.slot import Intent
from ikegw.session import EndCause
from ikegw.wire.message import Message
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType

if TYPE_CHECKING:
    from ikegw.ike.sa import IkeSa

MARGIN = 0.1
"""An initiator re-authenticates by so much of AUTH_LIFETIME before it is over."""

SOONEST = 0.5
"""Seconds: no check is worth coming sooner, and a clock's rounding must not make it come at once, for ever."""

DOUBT_SECONDS = 10.0
"""A peer heard so lately lives, whatever an unprotected notify says."""

SHORTEST_LIFETIME = 10
"""Seconds that a peer is given at least to authenticate anew."""

_TIMERS = ("dpd", "rekey", "over", "reauth", "lease", "crl")

CRL_RETRY_SECONDS = 60.0
"""When a CRL that could not be had is asked for again; twice as long each time (row Q-14)."""

LONGEST_CRL_RETRY = 3600.0


@define(eq=False)
class Lifetimes:
    """The timers of one IKE SA; `post` takes the internal messages, `end` is MSG_IKE_TERMINATE."""

    sa: "IkeSa" = field(repr=False)
    post: Callable[[Any], None] = field(repr=False)
    end: Callable[[str, EndCause], None] = field(repr=False)
    _reauth_at: float | None = field(default=None, init=False)
    _granted_at: float | None = field(default=None, init=False)
    """The same, as an AAA server has it; `_granted_left` is how long its time then still lasts."""

    _granted_left: float = field(default=0.0, init=False)
    _end_at: float | None = field(default=None, init=False)
    """When it ends, once the peer was told so."""

    _doubtful_since: float | None = field(default=None, init=False)
    _crl_retry: float = field(default=CRL_RETRY_SECONDS, init=False)

    def start(self, before: "Lifetimes | None" = None) -> None:
        """Start all; `before` are those of the IKE SA that was rekeyed, whose authentication does not get younger by it."""
        sa, connection = self.sa, self.sa.connection
        self._start_dpd(connection.dpd_seconds)
        if connection.rekey_seconds:
            self._arm("rekey", self._jittered(connection.rekey_seconds), lambda: self.post(Intent.REKEY))
        if connection.hard_seconds:
            self._arm(
                "over",
                connection.hard_seconds,
                lambda: self.end(
                    "its lifetime is over, and it could not be rekeyed", EndCause.SESSION_TIMEOUT
                ),
            )
        if before is not None:
            self._reauth_at, self._end_at = before._reauth_at, before._end_at
            self._granted_at, self._granted_left = before._granted_at, before._granted_left
        elif connection.reauth_seconds:
            self._reauth_at = sa.surroundings.clock.seconds() + self._jittered(connection.reauth_seconds)
        self._start_reauth()
        self.start_renewal()
        self.await_crl_update()

    def stop(self) -> None:
        """Stop all."""
        for name in _TIMERS:
            self.sa.disarm(name)

    def _arm(self, name: str, seconds: float, elapsed: Callable[[], None]) -> None:
        self.sa.arm(name, seconds, elapsed)

    def _jittered(self, seconds: float) -> float:
        spread = int.from_bytes(self.sa.surroundings.random(2), "big") / 65535
        return seconds - spread * self.sa.connection.jitter_of(seconds)

    # ------------------------------------------------------------ the lease (row Q-20)

    def start_renewal(self) -> None:
        """T1 of the lease, if it has an end. One that is overdue, since the IKE SA was rekeyed meanwhile, is renewed soon."""
        tenancy = self.sa.tenancy
        if tenancy is not None and tenancy.renew_at is not None:
            left = tenancy.renew_at - self.sa.surroundings.clock.seconds()
            self._arm("lease", max(left, SOONEST), lambda: self.post(Intent.LEASE_RENEW))

    # ------------------------------------------------------------ liveness (row Q-08)

    @property
    def is_quiet(self) -> bool:
        """Has nothing authentic come in for the DPD interval, or since the peer became doubtful?"""
        if self._doubtful_since is not None and self.sa.last_heard < self._doubtful_since:
            return True
        return self._quiet_for > self.sa.connection.dpd_seconds - SOONEST

    def doubt(self) -> None:
        """Row L-08: someone says that the peer does not know this IKE SA. Ask, but not because of every such datagram."""
        if self._quiet_for > DOUBT_SECONDS:
            self._doubtful_since = self.sa.surroundings.clock.seconds()
            self.post(Intent.DPD)

    @property
    def _quiet_for(self) -> float:
        return self.sa.surroundings.clock.seconds() - self.sa.last_heard

    def _start_dpd(self, seconds: float) -> None:
        if self.sa.connection.dpd_seconds:
            self._arm("dpd", max(seconds, SOONEST), self._check)

    def _check(self) -> None:
        interval = self.sa.connection.dpd_seconds
        if not self.is_quiet:
            self._start_dpd(interval - self._quiet_for)
            return
        plane = self.sa.surroundings.data_plane
        asked = DeferredList([plane.usage(spi) for spi in self.sa.children], consumeErrors=True)
        self.sa.wait_for(asked, self._judge, Exception, lambda error: self.post(Intent.DPD))

    def _judge(self, usages: Any) -> None:
        """ESP that came in is as good as IKE: it is authentic too."""
        heard = [usage.last_inbound for worked, usage in usages if worked and usage.last_inbound is not None]
        if heard:
            now = self.sa.surroundings.clock.seconds()
            self.sa.last_heard = max(self.sa.last_heard, now - min(heard))
        interval = self.sa.connection.dpd_seconds
        if self.is_quiet:
            self.post(Intent.DPD)
            self._start_dpd(interval)
        else:
            self._start_dpd(interval - self._quiet_for)

    # ------------------------------------------------------------ re-authentication (rows Q-16 … Q-19; RFC 4478)

    def _start_reauth(self) -> None:
        self.sa.disarm("reauth")
        due = min((at for at in (self._reauth_at, self._granted_at) if at is not None), default=None)
        due = due if self._end_at is None else self._end_at
        if due is not None:
            left = due - self.sa.surroundings.clock.seconds()
            self._arm("reauth", max(left, 0.0), lambda: self.post(Intent.REAUTH))

    def hear(self, message: Message) -> None:
        """N(AUTH_LIFETIME) of the peer: authenticate anew before it is over."""
        notify = message.notify(NotifyType.AUTH_LIFETIME)
        if notify is None:
            return
        seconds = int.from_bytes(notify.data, "big")
        at = self.sa.surroundings.clock.seconds() + seconds * (1 - MARGIN)
        if self._reauth_at is None or at < self._reauth_at:
            self._reauth_at = at
            self._start_reauth()

    def authenticated_for(self, seconds: float, *, told: bool) -> None:
        """What an AAA server says of it (Session-Timeout), 0 for ever; `told`: the peer was told so when it logged in."""
        self._granted_left = min(max(seconds * MARGIN, SHORTEST_LIFETIME), seconds) if told else seconds
        at = self.sa.surroundings.clock.seconds() + seconds - self._granted_left
        self._granted_at, self._end_at = at if seconds else None, None
        self._start_reauth()

    def tell_lifetime(self) -> None:
        """Row Q-19: once, and then end it when the time is over."""
        established = self.sa.established
        if self._end_at is not None:
            why = "its authentication is over, and the peer did not renew it"
            self.end(why, EndCause.SESSION_TIMEOUT)
            return
        now = self.sa.surroundings.clock.seconds()
        left = self._left(now)
        self._end_at = now + left
        self._start_reauth()
        lifetime = Notify(NotifyType.AUTH_LIFETIME, left.to_bytes(4, "big"))
        established.send(ExchangeType.INFORMATIONAL, (lifetime,), lambda message: established.release_slot())

    def _left(self, now: float) -> int:
        """How many seconds the peer is given, when it is told."""
        connection = self.sa.connection
        over = connection.reauth_seconds * 0.1 if connection.over_seconds is None else connection.over_seconds
        if self._granted_at is not None and self._granted_at <= now:
            over = self._granted_at + self._granted_left - now
        return max(round(over), SHORTEST_LIFETIME)

    # ------------------------------------------------------------ revocation (rows Q-11 … Q-15)

    def check_peer(self, seconds: float) -> None:
        """Post MSG_IKE_CRL_UPDATE after so many seconds: what the peer is judged by has changed here."""
        if self.sa.examination is not None and self.sa.successor is None:
            self._arm("crl", seconds, lambda: self.post(Intent.CRL_UPDATE))

    def await_crl_update(self, *, failed: bool = False) -> None:
        """Post MSG_IKE_CRL_UPDATE when what we know of the peer's certificates has to be asked for anew; sooner if it failed."""
        due = None if self.sa.examination is None else self.sa.examination.due()
        if due is None:
            return
        if failed:
            due, self._crl_retry = self._crl_retry, min(self._crl_retry * 2, LONGEST_CRL_RETRY)
        else:
            self._crl_retry = CRL_RETRY_SECONDS
        self._arm("crl", self._jittered(due), lambda: self.post(Intent.CRL_UPDATE))
