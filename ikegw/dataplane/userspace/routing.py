"""How packets find the tunnel: routes in tables of our own, and rules that give each prefix length its due.

A route into the tunnel competes with the main table's routes by prefix length, as if they stood in one table, and wins a tie:
routes of length n are in a table of their own, and before it is looked up a rule looks up main for anything longer. So a tunnel
that takes 0.0.0.0/0 leaves the networks that the host is connected to alone, and one that takes 10.1.0.0/24 is not beaten by a
route for 10.0.0.0/8. Packets with `marks.SOCKET_MARK`, the tunnel's own, are never led into it.
"""

import socket
from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeVar

from ikegw.dataplane.marks import RULE_BASE, SOCKET_MARK, TABLE_BASE
from ikegw.dataplane.userspace.netlink import Address, Netlink

_MAIN: Final = 254
_FAMILY: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_WIDTH: Final = {4: 32, 6: 128}

K = TypeVar("K")

Network = tuple[int, int, int]
"""IP version, first address as a number, prefix length."""


class Routing:
    """The routes, rules and addresses of one TUN device; each is counted, since SAs share them while one replaces another."""

    def __init__(self, netlink: Netlink, index: int) -> None:
        self._netlink, self._index = netlink, index
        self.ours: tuple[Address, ...] = ()
        """This host's addresses, as they were last learned."""
        self._routes: Counter[Network] = Counter()
        self._lengths: Counter[tuple[int, int]] = Counter()
        self._addresses: Counter[Address] = Counter()

    def add_route(self, network: Network, source: Address | None) -> None:
        """Lead a network into the TUN; NetlinkError."""
        if not self._routes[network]:
            version, start, length = network
            self._first_of_length(version, length)
            try:
                self._netlink.route(
                    True, self._index, _address(version, start), length, TABLE_BASE + length, source
                )
            except OSError:
                self._last_of_length(version, length)
                raise
        self._routes[network] += 1

    def remove_route(self, network: Network) -> None:
        """Undo one `add_route`."""
        if not _less(self._routes, network):
            version, start, length = network
            self._netlink.route(
                False, self._index, _address(version, start), length, TABLE_BASE + length, None
            )
            self._last_of_length(version, length)

    def add_address(self, address: Address) -> None:
        """Put a virtual address on the TUN; NetlinkError."""
        if not self._addresses[address]:
            self._netlink.address(True, self._index, address)
        self._addresses[address] += 1

    def remove_address(self, address: Address) -> None:
        """Undo one `add_address`."""
        if not _less(self._addresses, address):
            self._netlink.address(False, self._index, address)

    def source_within(self, ranges: Iterable[tuple[int, int, int]]) -> Address | None:
        """An address of this host within one of the ranges (version, first, last): what it should send from itself."""
        for version, first, last in ranges:
            for address in self.ours:
                if address.version == version and first <= int(address) <= last:
                    return address
        return None

    def clear(self) -> None:
        """Remove all rules; routes and addresses go with the device."""
        for version, length in list(self._lengths):
            self._lengths[version, length] = 1
            self._last_of_length(version, length)

    def _first_of_length(self, version: int, length: int) -> None:
        self._lengths[version, length] += 1
        if self._lengths[version, length] == 1:
            self._rules(True, version, length)

    def _last_of_length(self, version: int, length: int) -> None:
        if not _less(self._lengths, (version, length)):
            self._rules(False, version, length)

    def _rules(self, add: bool, version: int, length: int) -> None:
        family, priority = _FAMILY[version], RULE_BASE + 2 * (128 - length)
        if length < _WIDTH[version]:
            self._netlink.rule(add, family, priority, _MAIN, longer_than=length)
        self._netlink.rule(add, family, priority + 1, TABLE_BASE + length, unless_mark=SOCKET_MARK)


def _address(version: int, number: int) -> Address:
    return IPv4Address(number) if version == 4 else IPv6Address(number)


def _less(counter: Counter[K], key: K) -> int:
    """One less; how many are left."""
    counter[key] -= 1
    left = counter[key]
    if left <= 0:
        del counter[key]
    return left
