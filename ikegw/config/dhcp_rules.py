"""What the values of DHCP must be to each other, and to the connections that name its servers."""

from collections.abc import Iterator

from ikegw.config.dhcp import LeasePer
from ikegw.config.problems import Problem
from ikegw.config.reading import Section
from ikegw.policy.connections import Unique

Found = Iterator[Problem]

ALONE = "dhcp"
"""What a connection may call the servers of the only table."""
_SHORTEST_TIMEOUT = 0.05


def check_dhcp(tables: dict[str, Section]) -> Found:
    """Every problem of each table."""
    for table in tables.values():
        if table.whole("servers"):
            yield from _servers(table)
        if table.whole("timeout") and table["timeout"] < _SHORTEST_TIMEOUT:
            yield table.problem("timeout", "no answer could come in time; make it longer")


def _servers(table: Section) -> Found:
    versions = {server.version for server in table["servers"]}
    if not versions:
        yield table.problem("servers", "no servers: nobody would get an address")
    for version, key, others in (
        (4, "giaddr", ("link_selection", "subnet_selection")),
        (6, "source6", ("link_address",)),
    ):
        if version in versions and table.whole(key) and table[key] is None:
            text = f"missing: an address of ours that the IPv{version} servers answer to is needed"
            yield table.problem(key, text)
        for name in (key, *others):
            if version not in versions and table[name] is not None:
                yield table.problem(name, f"it means nothing without an IPv{version} server; leave it out")


def names_of(tables: dict[str, Section]) -> tuple[str, ...]:
    """How connections may call them."""
    return tuple(called for name in tables for called in names_of_one(name, len(tables)))


def names_of_one(name: str, tables: int) -> tuple[str, ...]:
    """How connections may call one of so many tables."""
    return (f"{ALONE}:{name}", ALONE) if tables == 1 else (f"{ALONE}:{name}",)


def table_of(name: str, tables: dict[str, Section]) -> Section | None:
    """The table that a connection means by `name`."""
    if name == ALONE and len(tables) == 1:
        return next(iter(tables.values()))
    kind, _, rest = name.partition(":")
    return tables.get(rest) if kind == ALONE else None


def check_dhcp_of(connection: Section, tables: dict[str, Section]) -> Found:
    """Sessions of one identity that may be up together must not share an address."""
    if not connection.whole("pools", "unique"):
        return
    for name, place in zip(connection["pools"], connection.items.get("pools", ()), strict=False):
        table = table_of(name, tables)
        shared = table is not None and table["lease_per"] is LeasePer.IDENTITY
        if table is not None and shared and connection["unique"] in (Unique.KEEP, Unique.NEVER):
            text = (
                f'two sessions of one identity would share an address, since unique = "{connection["unique"].value}"; '
                f'write lease_per = "session" into [{".".join(table.path)}]'
            )
            yield connection.problem("pools", text, place)
