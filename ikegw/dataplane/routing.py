"""How packets find the tunnel: routes in tables of our own, and rules that give each prefix length its due.

A route into the tunnel competes with the main table's routes by prefix length, as if they stood in one table, and wins a tie:
routes of length n are in a table of their own, and before it is looked up a rule looks up main for anything longer. So a tunnel
that takes 0.0.0.0/0 leaves the networks that the host is connected to alone, and one that takes 10.1.0.0/24 is not beaten by a
route for 10.0.0.0/8. Packets with `marks.SOCKET_MARK`, the tunnel's own, are never led into it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeVar

from attrs import frozen

from ikegw.dataplane.marks import SLOTS, SOCKET_MARK, TABLE_BASE
from ikegw.dataplane.prefixes import Selector
from ikegw.dataplane.rtnetlink import Address, Netlink
from ikegw.dataplane.rules import MAIN, Action, Rule
from ikegw.dataplane.shunts import Shunts

_WIDTH: Final = {4: 32, 6: 128}

K = TypeVar("K")

Network = tuple[int, int, int]
"""IP version, first address as a number, prefix length."""


class Routing:
    """The routes, rules and addresses of one TUN device; each is counted, since SAs share them while one replaces another."""

    def __init__(self, netlink: Netlink, index: int) -> None:
        self._netlink, self._index = netlink, index
        self.shunts = Shunts(netlink)
        self.ours: tuple[Address, ...] = ()
        """This host's addresses, as they were last learned."""
        self._routes: dict[Network, list[Address | None]] = {}
        self._lengths: Counter[tuple[int, int]] = Counter()
        self._addresses: Counter[Address] = Counter()

    def lead(
        self, local: Iterable[Selector], remotes: Iterable[Selector], virtual: Iterable[Address] = ()
    ) -> "Lead":
        """Put `virtual` addresses on the TUN and lead what `remotes` select into it; NetlinkError, and then nothing stays.

        Packets of our own then come from a virtual address, else from one of ours that `local` selects.
        """
        undo: list[Callable[[], None]] = []
        sources = self._sources(local, virtual)
        try:
            for address in virtual:
                self.add_address(address)
                undo.append(partial(self.remove_address, address))
            for network in dict.fromkeys(
                (one.version, *prefix) for one in remotes for prefix in one.prefixes
            ):
                source = sources[network[0]]
                self._add_route(network, source)
                undo.append(partial(self._remove_route, network, source))
        except OSError:
            _all_of(undo)
            raise
        return Lead(sources, undo)

    def lead_anew(self, lead: "Lead", local: Iterable[Selector], remotes: Iterable[Selector]) -> "Lead":
        """The same `lead` if our addresses change nothing about it, else another in its place."""
        if lead.sources == self._sources(local, ()):
            return lead
        other = self.lead(local, remotes)
        lead.undo()
        return other

    def _sources(self, local: Iterable[Selector], virtual: Iterable[Address]) -> dict[int, Address | None]:
        lent = {address.version: address for address in virtual}
        return {
            version: lent.get(version)
            or self.source_within([(s.version, s.start, s.end) for s in local if s.version == version])
            for version in (4, 6)
        }

    def _add_route(self, network: Network, source: Address | None) -> None:
        sources = self._routes.get(network)
        if sources is None:
            self._first_of_length(network[0], network[2])
            try:
                self._set_route(network, source)
            except OSError:
                self._last_of_length(network[0], network[2])
                raise
            self._routes[network] = [source]
            return
        if source is not None and source != _wanted(sources):
            self._set_route(network, source)
        sources.append(source)

    def _remove_route(self, network: Network, source: Address | None) -> None:
        sources = self._routes[network]
        before = _wanted(sources)
        sources.remove(source)
        if not sources:
            del self._routes[network]
            version, start, length = network
            self._netlink.route(
                False, self._index, _address(version, start), length, TABLE_BASE + length, None
            )
            self._last_of_length(version, length)
        elif _wanted(sources) != before:
            self._set_route(network, _wanted(sources))

    def _set_route(self, network: Network, source: Address | None) -> None:
        """Make it, or change its source."""
        version, start, length = network
        self._netlink.route(True, self._index, _address(version, start), length, TABLE_BASE + length, source)

    def add_address(self, address: Address) -> None:
        """Put a virtual address on the TUN; NetlinkError."""
        if not self._addresses[address]:
            self._netlink.address(True, self._index, address)
        self._addresses[address] += 1

    def remove_address(self, address: Address) -> None:
        """Undo one `add_address`. With a device's last IPv4 address the kernel takes all its routes: others need theirs."""
        if not _less(self._addresses, address):
            self._netlink.address(False, self._index, address)
            if address.version == 4 and not any(one.version == 4 for one in self._addresses):
                for network, sources in self._routes.items():
                    if network[0] == 4:
                        self._set_route(network, _wanted(sources))

    def source_within(self, ranges: Iterable[tuple[int, int, int]]) -> Address | None:
        """An address of this host within one of the ranges (version, first, last): what it should send from itself.

        None too where any would do: then the kernel knows best.
        """
        for version, first, last in ranges:
            if (first, last) == (0, (1 << _WIDTH[version]) - 1):
                return None
            for address in self.ours:
                if address.version == version and first <= int(address) <= last:
                    return address
        return None

    def clear(self) -> None:
        """Remove all rules; routes and addresses go with the device."""
        self.shunts.clear()
        for version, length in list(self._lengths):
            self._lengths[version, length] = 1
            self._last_of_length(version, length)

    def _first_of_length(self, version: int, length: int) -> None:
        self._lengths[version, length] += 1
        if self._lengths[version, length] == 1:
            self._rules(True, version, length)
            self.shunts.length_comes(version, length)

    def _last_of_length(self, version: int, length: int) -> None:
        if not _less(self._lengths, (version, length)):
            self.shunts.length_goes(version, length)
            self._rules(False, version, length)

    def _rules(self, add: bool, version: int, length: int) -> None:
        priority = SLOTS + 4 * (128 - length)
        if length < _WIDTH[version]:
            self._netlink.rule(add, Rule(version, priority + 1, Action.LOOK_UP, MAIN, longer_than=length))
        table = TABLE_BASE + length
        self._netlink.rule(add, Rule(version, priority + 2, Action.LOOK_UP, table, unless_mark=SOCKET_MARK))


@frozen
class Lead:
    """What was done to lead packets into the TUN; `sources` is where our own come from, by IP version."""

    sources: dict[int, Address | None]
    _undo: list[Callable[[], None]]

    def undo(self) -> None:
        """Take it all back; NetlinkError, after all was tried."""
        _all_of(self._undo)


def _wanted(sources: Sequence[Address | None]) -> Address | None:
    """Of those who share a route, the newest that knows a source decides."""
    return next((source for source in reversed(sources) if source is not None), None)


def _all_of(undo: list[Callable[[], None]]) -> None:
    problem: OSError | None = None
    while undo:
        try:
            undo.pop()()
        except OSError as error:
            problem = error
    if problem is not None:
        raise problem


def _address(version: int, number: int) -> Address:
    return IPv4Address(number) if version == 4 else IPv6Address(number)


def _less(counter: Counter[K], key: K) -> int:
    """One less; how many are left."""
    counter[key] -= 1
    left = counter[key]
    if left <= 0:
        del counter[key]
    return left
