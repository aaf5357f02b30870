"""Groups: made into values, and what must be so where a connection names them."""

from collections.abc import Collection, Iterator

from ikegw.config.eap import LOCAL
from ikegw.config.lending_rules import check_pools_of
from ikegw.config.problems import Problem
from ikegw.config.reading import Section
from ikegw.policy.groups import Group

Found = Iterator[Problem]


def build_groups(connection: Section, groups: dict[str, Section]) -> tuple[Group, ...]:
    """Those that a connection names."""
    return tuple(_group(groups[name]) for name in connection["groups"])


def _group(section: Section) -> Group:
    return Group(
        section.path[-1],
        tuple(section["class"]),
        tuple(section["filter_id"]),
        tuple(section["pools"]),
        tuple(section["dns"]),
        tuple(section["domains"]),
        tuple(section["local_ts"]),
        _seconds(section["session_timeout"]),
        _seconds(section["idle_timeout"]),
        section["port_limit"],
    )


def _seconds(duration: float | None) -> int | None:
    return round(duration) if duration else None


def check_groups(groups: dict[str, Section], providers: Collection[str], incomplete: bool) -> Found:
    """Every problem of the groups themselves."""
    for group in groups.values():
        yield from check_pools_of(group, providers, incomplete)
        for name in ("session_timeout", "idle_timeout"):
            if group.whole(name) and group[name] is not None and 0 < group[name] < 1:
                yield group.problem(name, "below a second; make it longer")


def check_groups_of(connection: Section, groups: dict[str, Section], incomplete: bool) -> Found:
    """A connection names groups that there are, each once, and so that each can have members."""
    if not connection.whole("groups", "aaa") or not connection["groups"]:
        return
    if connection["aaa"] in (None, LOCAL):
        text = "only a RADIUS server says who is in which group: name its realm in aaa"
        yield connection.problem("groups", text)
    seen: list[str] = []
    open_to_all = ""
    for name, place in zip(connection["groups"], connection.items.get("groups", ()), strict=False):
        if name not in groups:
            if not incomplete:
                known = f"known are {', '.join(sorted(groups))}" if groups else "there are none at all"
                text = f"there is no group {name!r}: {known}; write [groups.{name}]"
                yield connection.problem("groups", text, place)
            continue
        if name in seen:
            yield connection.problem("groups", f"{name!r} stands here twice", place)
        elif open_to_all:
            text = f"everybody is in {open_to_all!r} already, which stands before it; put that one last"
            yield connection.problem("groups", text, place)
        seen.append(name)
        if not groups[name]["class"] and not groups[name]["filter_id"]:
            open_to_all = open_to_all or name
