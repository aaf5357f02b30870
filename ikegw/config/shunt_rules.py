"""The sections of shunts: made into values, and what is wrong with what they select."""

from collections.abc import Iterator

from ikegw.config.problems import Problem
from ikegw.config.reading import Section
from ikegw.policy.selectors import Dynamic
from ikegw.policy.shunts import Shunt, check


def check_shunts(tables: dict[str, Section]) -> Iterator[Problem]:
    """Every problem of each that could be read."""
    for section in tables.values():
        if section.whole("action", "local_ts", "remote_ts"):
            yield from _problems(section)


def _problems(section: Section) -> Iterator[Problem]:
    for name in ("local_ts", "remote_ts"):
        if any(isinstance(one, Dynamic) for one in section[name]):
            text = "`dynamic` is an end of a tunnel, and here is none; write networks"
            yield section.problem(name, text)
            return
    try:
        check(build_shunt(section))
    except ValueError as error:
        yield section.problem("remote_ts", str(error))


def build_shunt(section: Section) -> Shunt:
    """One `[shunts.NAME]`."""
    local, remote = tuple(section["local_ts"]), tuple(section["remote_ts"])
    return Shunt(section.path[-1], section["action"], local, remote)
