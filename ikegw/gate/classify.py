"""What the first 28 octets of a datagram say, before anything is kept, parsed or decrypted (RFC 7296 §3.1; row L-01).

This runs for every datagram of every stranger, so it makes one `unpack` and a few comparisons. What it lets through
is shaped like an IKEv2 message; whether it is one, `ikegw.wire` says.
"""

from enum import StrEnum
from struct import Struct

from attrs import frozen

from ikegw.wire.registry import ExchangeType, PayloadType

_HEADER = Struct(">8s8s4BII")
"""SPIi, SPIr, first payload, version, exchange, flags, Message ID, length."""

_NO_SPI = bytes(8)
_IKE_SA_INIT = int(ExchangeType.IKE_SA_INIT)
_EXCHANGES = frozenset(range(_IKE_SA_INIT, ExchangeType.INFORMATIONAL + 1))
_PROTECTED = frozenset({int(PayloadType.SK), int(PayloadType.SKF)})
_NOTIFY = int(PayloadType.NOTIFY)
_INITIATOR = 0x08
_RESPONSE = 0x20


class Why(StrEnum):
    """The fixed set of words for `events.Dropped.reason`: each is a counter's name."""

    TOO_SHORT = "too-short"
    WRONG_LENGTH = "wrong-length"
    OLD_VERSION = "old-version"
    NEWER_VERSION = "newer-version"
    UNKNOWN_EXCHANGE = "unknown-exchange"
    ZERO_SPI = "zero-spi"
    STRANGE_SPI = "strange-spi"
    WRONG_FLAGS = "wrong-flags"
    WRONG_MESSAGE_ID = "wrong-message-id"
    NO_PAYLOAD = "no-payload"
    UNPROTECTED = "unprotected"
    MALFORMED = "malformed"
    CRITICAL_PAYLOAD = "critical-payload"
    UNKNOWN_SPI = "unknown-spi"
    HALF_OPEN_FULL = "half-open-full"
    SOURCE_BLOCKED = "source-blocked"


@frozen
class Drop:
    """Nothing is done with this datagram, nor answered."""

    reason: Why


@frozen
class Opening:
    """An IKE_SA_INIT request: somebody wants a new IKE SA and calls it `initiator_spi` (rows D-01…D-07)."""

    initiator_spi: bytes


@frozen
class ForSa:
    """A message of an IKE SA; `spi` is the one that we chose for it, 8 octets. If we have none so: row D-08."""

    spi: bytes
    is_response: bool


@frozen
class Hint:
    """An unprotected notify about an IKE SA, which anyone can send: at most a reason to ask the peer (row L-08)."""

    spi: bytes


@frozen
class TooNew:
    """A request of a major version above 2 (row D-04)."""


Verdict = Opening | ForSa | Hint | TooNew | Drop

_DROPS = {why: Drop(why) for why in Why}
_TOO_NEW = TooNew()


def classify(octets: bytes) -> Verdict:
    """Say what a datagram without its non-ESP marker is; any octets are allowed."""
    if len(octets) < _HEADER.size:
        return _DROPS[Why.TOO_SHORT]
    spi_i, spi_r, first, version, exchange, flags, message_id, length = _HEADER.unpack_from(octets)
    if length != len(octets):
        return _DROPS[Why.WRONG_LENGTH]
    if version >> 4 != 2:
        return _other_version(version >> 4, flags)
    if exchange not in _EXCHANGES:
        return _DROPS[Why.UNKNOWN_EXCHANGE]
    if spi_i == _NO_SPI:
        return _DROPS[Why.ZERO_SPI]
    if first == 0:
        return _DROPS[Why.NO_PAYLOAD]
    if exchange == _IKE_SA_INIT:
        return _first_exchange(spi_i, spi_r, flags, message_id)
    if spi_r == _NO_SPI:
        return _DROPS[Why.ZERO_SPI]
    if first not in _PROTECTED:
        return _unprotected(first, flags, spi_i, spi_r)
    return ForSa(spi_r if flags & _INITIATOR else spi_i, bool(flags & _RESPONSE))


def _unprotected(first: int, flags: int, spi_i: bytes, spi_r: bytes) -> Hint | Drop:
    if first == _NOTIFY and flags & _RESPONSE:
        return Hint(spi_r if flags & _INITIATOR else spi_i)
    return _DROPS[Why.UNPROTECTED]


def _other_version(major: int, flags: int) -> TooNew | Drop:
    if major < 2:
        return _DROPS[Why.OLD_VERSION]
    # A response must not be answered, or two hosts may talk for ever.
    return _DROPS[Why.NEWER_VERSION] if flags & _RESPONSE else _TOO_NEW


def _first_exchange(spi_i: bytes, spi_r: bytes, flags: int, message_id: int) -> Opening | ForSa | Drop:
    is_response = bool(flags & _RESPONSE)
    if is_response == bool(flags & _INITIATOR):
        return _DROPS[Why.WRONG_FLAGS]
    if message_id:
        return _DROPS[Why.WRONG_MESSAGE_ID]
    if is_response:
        return ForSa(spi_i, True)
    return _DROPS[Why.STRANGE_SPI] if spi_r != _NO_SPI else Opening(spi_i)
