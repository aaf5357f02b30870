"""What is asked of an authority, checked: each gives the value, or Refused with what is wrong."""

from datetime import UTC, datetime
from typing import Final

from attrs import evolve

from ikegw.pki.authority import Authority, Period
from ikegw.pki.errors import Refused
from ikegw.pki.extensions import SIGNING
from ikegw.pki.keys import KINDS

LONGEST_COMMON_NAME: Final = 64


def key_usages_of(kind: str) -> frozenset[str]:
    """RSA keys may encipher as well: old TLS of EAP asks for it."""
    return SIGNING | {"key_encipherment"} if kind.startswith("rsa") else SIGNING


def kind_of_key(kind: str) -> str:
    """A name of KINDS."""
    if kind not in KINDS:
        raise Refused(f"{kind!r} is no kind of key; there are {', '.join(KINDS)}")
    return kind


def common_name(text: str) -> str:
    """A name that stands in a certificate, and for a file."""
    if (
        not text.strip()
        or text != text.strip()
        or not text.isprintable()
        or "/" in text
        or text.startswith(".")
    ):
        raise Refused(
            f"{text!r} is no name for a certificate and its file: letters, digits and signs, no slash"
        )
    if len(text) > LONGEST_COMMON_NAME:
        raise Refused(
            f"{text!r} is longer than {LONGEST_COMMON_NAME} characters, which is the most (RFC 5280, ub-common-name)"
        )
    return text


def period_of(days: int, now: datetime) -> Period:
    """So many days from now."""
    try:
        period = Period.around(now.astimezone(UTC).replace(microsecond=0), days)
        if days < 1 or period.end.year > 9998:
            raise OverflowError
    except OverflowError:
        raise Refused(f"{days} is no number of days that a certificate can be good for") from None
    return period


def period_under(issuer: Authority, days: int, now: datetime) -> Period:
    """So many days, which must not outlast the authority."""
    period, last = period_of(days, now), issuer.period.end
    if now > last:
        raise Refused(f"the authority itself expired at {last:%Y-%m-%d}; make a new one in another directory")
    if period.end > last:
        left = (last - now).days
        raise Refused(f"the authority itself ends at {last:%Y-%m-%d}; say --days {left} at most")
    return evolve(period, start=max(period.start, issuer.period.start))
