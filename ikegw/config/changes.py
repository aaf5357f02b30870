"""What a reload has to touch: the difference of two configurations, by name."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from attrs import frozen

from ikegw.config.settings import Config


@frozen
class Difference:
    """Names, in the order of their configuration (`removed`: of the old one)."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@frozen
class Changes:
    """`reordered`: the connections that stayed stand in another order, which decides between equal matches.

    `applied` are the sections that can be changed while running, `restart` those for which ikegw must be started anew.
    Files in the credential directories are not compared; whoever reloads reads them again.
    """

    connections: Difference = Difference()
    pools: Difference = Difference()
    shared_keys: Difference = Difference()
    reordered: bool = False
    applied: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        named = (self.connections, self.pools, self.shared_keys)
        return any(named) or self.reordered or bool(self.applied or self.restart)


def changes(old: Config, new: Config) -> Changes:
    """What is different in `new`."""
    return Changes(
        _difference(old.connections, new.connections),
        _difference(old.pools, new.pools),
        _difference(old.shared_keys, new.shared_keys),
        _order(old, new) != _order(new, old),
        tuple(
            name
            for name in (
                "limits",
                "logging",
                "radius",
                "eap",
                "accounting",
                "coa",
                "dhcp",
                "inform",
                "lending",
                "downloads",
                "authorities",
                "web",
                "shunts",
                "resolver",
                "capture",
            )
            if getattr(old, name) != getattr(new, name)
        ),
        tuple(
            name
            for name in ("listen", "data_plane", "control", "store")
            if getattr(old, name) != getattr(new, name)
        ),
    )


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


def _difference(old: Iterable[N], new: Iterable[N]) -> Difference:
    before, after = {item.name: item for item in old}, {item.name: item for item in new}
    return Difference(
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        tuple(name for name in after if name in before and before[name] != after[name]),
    )


def _order(config: Config, other: Config) -> list[str]:
    names = {connection.name for connection in other.connections}
    return [connection.name for connection in config.connections if connection.name in names]
