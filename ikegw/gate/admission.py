"""Who may have a new IKE SA: rows D-01…D-08, with nothing kept for a stranger but counts (RFC 7296 §2.6).

Two ways in, with the same rules. `judge` takes a decoded message. `challenge_raw`, `too_new_raw` and
`unknown_spi_raw` take the octets and give the whole answer: the way for a flood, at a few microseconds a datagram.
"""

from collections.abc import Callable

from attrs import field, frozen

from ikegw.gate.answers import notify_datagram
from ikegw.gate.classify import Drop, Why
from ikegw.gate.cookies import Cookies
from ikegw.gate.limits import HalfOpen, Limits, RateLimit, source_of
from ikegw.gate.walk import nonce_and_cookie
from ikegw.paths import Address, Path
from ikegw.wire.message import Message
from ikegw.wire.nonce import Nonce
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType

_COOKIE = int(NotifyType.COOKIE)
_INVALID_MAJOR_VERSION = int(NotifyType.INVALID_MAJOR_VERSION)
_INVALID_IKE_SPI = int(NotifyType.INVALID_IKE_SPI)


@frozen
class Admit:
    """Make an IKE SA for it (rows D-01, D-03)."""


@frozen
class Challenge:
    """Answer with N(COOKIE) holding `cookie`, and keep nothing (row D-02)."""

    cookie: bytes = field(repr=False)


@frozen
class Answer:
    """Answer with this one notify, unprotected, and keep nothing (rows D-04, D-05, D-08)."""

    notify: Notify


Judgement = Admit | Challenge | Answer | Drop

_ADMIT = Admit()
_FULL = Drop(Why.HALF_OPEN_FULL)
_BLOCKED = Drop(Why.SOURCE_BLOCKED)


class Admission:
    """The gate's memory: counts of half-open SAs, the cookies' secrets, and what answers went out lately.

    The caller tells it of every SA that is answered but not authenticated (`half_open`), and of its end.
    """

    def __init__(self, limits: Limits, random: Callable[[int], bytes], now: float) -> None:
        self.limits = limits
        self.cookies = 0
        """How many were asked for."""
        self._cookies = Cookies(random, now, limits.cookie_period)
        self._half_open = HalfOpen()
        self._rates = {
            why: RateLimit(limits.notifies_per_second, limits.notifies_per_source, limits.sources, now)
            for why in (Why.NEWER_VERSION, Why.CRITICAL_PAYLOAD, Why.UNKNOWN_SPI)
        }

    @property
    def half_open_total(self) -> int:
        """How many IKE SAs are half open now."""
        return self._half_open.total

    def half_open(self, remote_address: Address) -> None:
        """Count an IKE SA of this peer that we answered and that is not authenticated yet."""
        self._half_open.add(source_of(remote_address))

    def no_longer_half_open(self, remote_address: Address) -> None:
        """Count it no more: it is authenticated, or gone."""
        self._half_open.remove(source_of(remote_address))

    def judge(self, message: Message, path: Path, now: float) -> Judgement:
        """Judge a message that belongs to no IKE SA of ours."""
        header = message.header
        if header.is_response:
            return Drop(Why.UNKNOWN_SPI)
        if header.major > 2:
            return self._answer(Why.NEWER_VERSION, Notify(NotifyType.INVALID_MAJOR_VERSION), path, now)
        if header.exchange != ExchangeType.IKE_SA_INIT:
            return self._answer(Why.UNKNOWN_SPI, Notify(NotifyType.INVALID_IKE_SPI), path, now)
        return self.refused(path) or self._opening(message, path, now)

    def refused(self, path: Path) -> Drop | None:
        """Say whether nothing of this source is heard now (row D-07); it costs no look at the message."""
        if self._half_open.total >= self.limits.hard_total:
            return _FULL
        if self._half_open.of(source_of(path.remote.address)) >= self.limits.block_per_source:
            return _BLOCKED
        return None

    def unsupported_critical(self, payload_type: int, path: Path, now: float) -> Answer | Drop:
        """Answer an IKE_SA_INIT request with a critical payload that we do not know (row D-05).

        Decoding found it (`ParseError.unsupported_critical`), so that `judge` never sees such a message.
        """
        notify = Notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, bytes((payload_type & 0xFF,)))
        return self._answer(Why.CRITICAL_PAYLOAD, notify, path, now)

    def challenge_raw(self, octets: bytes, path: Path, now: float) -> bytes | None:
        """Make the N(COOKIE) datagram for an IKE_SA_INIT request if it needs one and brings no right one.

        None: decode it and ask `judge`. `octets` were classified as `Opening`.
        """
        address = path.remote.address
        if not self._cookie_needed(address):
            return None
        found = nonce_and_cookie(octets)
        if found is None:
            return None
        nonce, cookie = found
        spi = octets[:8]
        if cookie and self._cookies.is_right(cookie, nonce, address.packed, spi, now):
            return None
        self.cookies += 1
        return notify_datagram(octets, _COOKIE, self._cookies.make(nonce, address.packed, spi, now))

    def too_new_raw(self, octets: bytes, path: Path, now: float) -> bytes | Drop:
        """Make the N(INVALID_MAJOR_VERSION) datagram for what was classified as `TooNew` (row D-04)."""
        if not self._allows(Why.NEWER_VERSION, path, now):
            return Drop(Why.NEWER_VERSION)
        return notify_datagram(octets, _INVALID_MAJOR_VERSION)

    def unknown_spi_raw(self, octets: bytes, path: Path, now: float) -> bytes | Drop:
        """Make the N(INVALID_IKE_SPI) datagram for a request of an IKE SA that we do not have (row D-08)."""
        if not self._allows(Why.UNKNOWN_SPI, path, now):
            return Drop(Why.UNKNOWN_SPI)
        return notify_datagram(octets, _INVALID_IKE_SPI)

    def _opening(self, message: Message, path: Path, now: float) -> Judgement:
        address = path.remote.address
        if not self._cookie_needed(address):
            return _ADMIT
        nonce = message.one(Nonce)
        if nonce is None:
            return Drop(Why.MALFORMED)
        spi = message.header.initiator_spi
        cookie = message.notify(NotifyType.COOKIE)
        if cookie and self._cookies.is_right(cookie.data, nonce.octets, address.packed, spi, now):
            return _ADMIT
        self.cookies += 1
        return Challenge(self._cookies.make(nonce.octets, address.packed, spi, now))

    def _cookie_needed(self, address: Address) -> bool:
        return (
            self._half_open.total >= self.limits.cookie_total
            or self._half_open.of(source_of(address)) >= self.limits.cookie_per_source
        )

    def _allows(self, why: Why, path: Path, now: float) -> bool:
        return self._rates[why].allows(source_of(path.remote.address), now)

    def _answer(self, why: Why, notify: Notify, path: Path, now: float) -> Answer | Drop:
        return Answer(notify) if self._allows(why, path, now) else Drop(why)
