"""Timeouts that do not fit together: each is right by itself, and a login ends before all that was meant to be tried is tried."""

from collections.abc import Iterator

from ikegw.config import Config
from ikegw.config.dhcp import DhcpServers
from ikegw.config.dhcp_rules import names_of_one
from ikegw.config.lending import CONFIGURATION_SECONDS
from ikegw.policy.connections import Connection


def told_of_timeouts(config: Config) -> Iterator[str]:
    """A sentence for each thing that the operator should know."""
    named = {name: each for each in config.dhcp for name in names_of_one(each.name, len(config.dhcp))}
    yield from _given_up_early(config, named)
    for connection in config.connections:
        yield from _never_asked(connection, named, config.lending.provider_seconds)


def _given_up_early(config: Config, named: dict[str, DhcpServers]) -> Iterator[str]:
    limit = config.lending.provider_seconds
    used = {named[pool] for connection in config.connections for pool in connection.pools if pool in named}
    for each in config.dhcp:
        if each in used and each.offer_seconds > limit:
            yield (
                f"dhcp.{each.name}: timeout and tries come to {each.offer_seconds:g} s, but addresses.provider_timeout gives "
                f"it up after {limit:g} s, before its last try; make that longer, or these smaller"
            )


def _never_asked(connection: Connection, named: dict[str, DhcpServers], limit: float) -> Iterator[str]:
    """Silent servers of DHCP come first, and a login is over before whoever comes after them is asked."""
    waited = 0.0
    for pool in connection.pools:
        if waited >= CONFIGURATION_SECONDS:
            yield (
                f"connections.{connection.name}.pools: when the DHCP servers before {pool} are silent, a login has waited "
                f"{waited:g} s and ends after {CONFIGURATION_SECONDS:g} s; lessen their tries, or addresses.provider_timeout"
            )
            return
        if pool in named:
            waited += min(named[pool].offer_seconds, limit)
