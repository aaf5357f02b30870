"""Shunts, for whichever data plane: rules of policy routing, so that what passes never comes near a tunnel.

Of shunts and tunnels that overlap, the longest remote prefix decides; at the same length what passes comes first, then
tunnels, then what is dropped. Routes of the main table save nothing from being dropped. For that there are two rows of slots,
a slot for each prefix length and the longest first: one for all packets, where main's longer routes count, and one for those
which some shunt drops, unless a pass or a tunnel whose prefix is as long takes them before.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from ikegw.dataplane.marks import (
    DROP_ENTRIES,
    DROP_SLOTS,
    OURS_PASS,
    PAST_ALL,
    SLOTS,
    SOCKET_MARK,
    TABLE_BASE,
)
from ikegw.dataplane.prefixes import Prefix, Selector
from ikegw.dataplane.rtnetlink import Netlink
from ikegw.dataplane.rules import Action, Rule
from ikegw.policy.shunts import Fate, Shunt, check
from ikegw.ports import DataPlaneError

_WIDEST: Final = 128
_UNBOUND: Final[Prefix] = (0, 32)
"""The source of IPv4 packets of this host's whose sender left it open: it would be chosen only after the rules."""

Pair = tuple[int, Prefix, Prefix, int, tuple[int, int], tuple[int, int]]
"""IP version, local network, remote network, protocol, local ports, remote ports."""


def check_shunt(shunt: Shunt) -> None:
    """DataPlaneError if no rule could tell its packets from others."""
    try:
        check(shunt)
    except ValueError as error:
        raise DataPlaneError(f"shunt {shunt.name}: {error}") from None


class Shunts:
    """Those that are laid. `length_comes` and `length_goes` tell of the prefix lengths for which tunnels have a table."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink
        self._laid: dict[str, tuple[Rule, ...]] = {}
        self._rules: Counter[Rule] = Counter()
        self._lengths: set[tuple[int, int]] = set()

    def lay(self, shunt: Shunt) -> None:
        """Lay it, in place of one of that name; DataPlaneError or NetlinkError, and then nothing has changed."""
        check_shunt(shunt)
        rules = tuple(dict.fromkeys(_rules(shunt)))
        drops = {rule.version for rule in rules if rule.action is Action.NOWHERE}
        tables = tuple(_table(version, length) for version, length in self._lengths if version in drops)
        self._add((*rules, *tables))
        self.lift(shunt.name)
        self._laid[shunt.name] = rules

    def lift(self, name: str) -> None:
        """Take it away, if there is one of that name."""
        rules = self._laid.pop(name, ())
        drops = {rule.version for rule in rules if rule.action is Action.NOWHERE}
        tables = tuple(_table(version, length) for version, length in self._lengths if version in drops)
        self._remove((*rules, *tables))

    def clear(self) -> None:
        """Take all away."""
        for name in tuple(self._laid):
            self.lift(name)

    def length_comes(self, version: int, length: int) -> None:
        """Tunnels have a table for prefixes of this length from now on."""
        self._lengths.add((version, length))
        self._add([_table(version, length)] * self._dropping(version))

    def length_goes(self, version: int, length: int) -> None:
        """They have none any more."""
        self._lengths.discard((version, length))
        self._remove([_table(version, length)] * self._dropping(version))

    def _dropping(self, version: int) -> int:
        """How many shunts drop packets of this IP version."""
        return sum(
            any(rule.action is Action.NOWHERE and rule.version == version for rule in rules)
            for rules in self._laid.values()
        )

    def _add(self, rules: Iterable[Rule]) -> None:
        """Each is counted, since shunts share some; NetlinkError, and then nothing has changed."""
        added: list[Rule] = []
        try:
            for rule in rules:
                if not self._rules[rule]:
                    self._netlink.rule(True, rule)
                self._rules[rule] += 1
                added.append(rule)
        except OSError:
            self._remove(added)
            raise

    def _remove(self, rules: Iterable[Rule]) -> None:
        """In the order that undoes `_add`: nobody is sent on to a rule that is gone."""
        for rule in reversed(tuple(rules)):
            self._rules[rule] -= 1
            if self._rules[rule] <= 0:
                del self._rules[rule]
                self._netlink.rule(False, rule)


def _pairs(shunt: Shunt) -> Iterator[Pair]:
    for local, remote in shunt.pairs():
        near, far = Selector.like(local), Selector.like(remote)
        for far_prefix in far.prefixes:
            for near_prefix in near.prefixes:
                protocol = near.protocol or far.protocol
                yield near.version, near_prefix, far_prefix, protocol, near.ports, far.ports


def _rules(shunt: Shunt) -> Iterator[Rule]:
    """What it needs, in the order in which it is to be laid."""
    pairs = tuple(_pairs(shunt))
    dropping = shunt.fate is Fate.DROP
    for version in sorted({pair[0] for pair in pairs}):
        yield Rule(version, PAST_ALL, Action.GO_ON)
        yield Rule(version, OURS_PASS, Action.GO_TO, PAST_ALL, mark=SOCKET_MARK)
        if dropping:
            yield Rule(version, DROP_SLOTS, Action.GO_ON)
    for pair in pairs:
        after = 4 * (_WIDEST - pair[2][1])
        if dropping:
            yield from _selecting(pair, DROP_SLOTS + after + 3, Action.NOWHERE)
        else:
            yield from _selecting(pair, DROP_SLOTS + after + 1, Action.GO_TO, PAST_ALL)
            yield from _selecting(pair, SLOTS + after, Action.GO_TO, PAST_ALL)
    if dropping:
        for pair in pairs:
            yield from _selecting(pair, DROP_ENTRIES, Action.GO_TO, DROP_SLOTS)


def _selecting(pair: Pair, priority: int, action: Action, target: int = 0) -> Iterator[Rule]:
    """What is to be dropped is so too where its sender left the source open, for nobody can tell that it is another."""
    version, near, far, protocol, near_ports, far_ports = pair
    careful = bool(near[1]) and (action is Action.NOWHERE or target == DROP_SLOTS)
    for source in (near, _UNBOUND) if careful and version == 4 else (near,):
        yield Rule(
            version,
            priority,
            action,
            target,
            source=source,
            destination=far,
            protocol=protocol,
            source_ports=near_ports,
            destination_ports=far_ports,
            unbound=careful and version == 6,
        )


def _table(version: int, length: int) -> Rule:
    """Where packets that are to be dropped find a tunnel of so long a prefix."""
    priority = DROP_SLOTS + 4 * (_WIDEST - length) + 2
    return Rule(version, priority, Action.LOOK_UP, TABLE_BASE + length)
