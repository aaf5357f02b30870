"""Why a certificate does not hold now, as a sentence."""

from datetime import UTC, datetime


def validity_problem(title: str, start: datetime, end: datetime, now: datetime) -> str | None:
    """`certificate CN=x expired 2026-01-02 00:00 UTC (17 days ago); …`; None if it is valid at `now`."""
    clock = f"this host's clock says {_moment(now)}"
    if now > end:
        return f"{title} expired {_moment(end)} ({_span(now, end)} ago); {clock}: if that is right, issue a new one"
    if now < start:
        return (
            f"{title} is not valid before {_moment(start)} (in {_span(start, now)}); {clock}: is that right?"
        )
    return None


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _span(later: datetime, earlier: datetime) -> str:
    seconds = int((later - earlier).total_seconds())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"
