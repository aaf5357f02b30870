"""Groups of users: who is a member, by what an AAA server says of a login (RFC 2865 §5.25, §5.11), and what members get."""

import re
from collections.abc import Collection, Iterable
from functools import cache
from ipaddress import IPv4Address, IPv6Address

from attrs import evolve, frozen

from ikegw.policy.selectors import Dynamic
from ikegw.session import Grant
from ikegw.wire.selectors import TrafficSelector


@frozen
class Group:
    """`classes` and `filters` are patterns of Class and Filter-Id: who bears one that fits is a member; without any, everybody.

    What is empty or None is as the connection and the AAA server have it. Members reach of a child's networks on our side only
    what is in `reach` too. Seconds are counted from the login.
    """

    name: str
    classes: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    dns: tuple[IPv4Address | IPv6Address, ...] = ()
    domains: tuple[str, ...] = ()
    reach: tuple[TrafficSelector | Dynamic, ...] = ()
    session_seconds: int | None = None
    idle_seconds: int | None = None
    port_limit: int | None = None

    @property
    def takes_everybody(self) -> bool:
        """Is nobody asked for a Class or Filter-Id?"""
        return not self.classes and not self.filters

    def has(self, grant: Grant) -> bool:
        """Is one a member of whom an AAA server said this?"""
        if self.takes_everybody:
            return True
        return _any_fits(self.classes, map(readable, grant.classes)) or _any_fits(self.filters, grant.filters)

    def terms(self, grant: Grant) -> Grant:
        """What holds for a member: what its AAA server said of it alone, and where that is silent, the group's."""
        if self is NO_GROUP:
            return grant
        return evolve(
            grant,
            dns=grant.dns or self.dns,
            session_seconds=self.session_seconds if grant.session_seconds is None else grant.session_seconds,
            idle_seconds=self.idle_seconds if grant.idle_seconds is None else grant.idle_seconds,
            port_limit=self.port_limit if grant.port_limit is None else grant.port_limit,
        )


NO_GROUP = Group("")
"""Whose connection knows of none: all is as that has it."""


def group_of(groups: Collection[Group], grant: Grant) -> Group | None:
    """The first that has such a member; None: there are groups, and it is in none of them."""
    if not groups:
        return NO_GROUP
    return next((group for group in groups if group.has(grant)), None)


def readable(octets: bytes) -> str:
    """A Class as text, which it need not be."""
    return octets.decode("utf-8", "replace")


def said_of(grant: Grant) -> str:
    """What decides about groups, for the operator."""
    said = [f"Class {readable(octets)!r}" for octets in grant.classes]
    said += [f"Filter-Id {text!r}" for text in grant.filters]
    return ", ".join(said) or "no Class and no Filter-Id"


def _any_fits(patterns: tuple[str, ...], texts: Iterable[str]) -> bool:
    return any(_compiled(pattern).fullmatch(text) for text in texts for pattern in patterns)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """`*` stands for anything, all else for itself."""
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
