"""Which SA an outbound packet takes (RFC 4301 §4.4.1): by hash and longest prefix, never by walking a list of SAs.

Precedence: longest remote prefix, longest local prefix, protocol named, fewest remote ports, fewest local ports, newest SA. A
look-up costs one hash for each prefix length in use; loops remember its answer for each flow.
"""

from collections.abc import Iterable
from typing import Final, Generic, TypeVar

from ikegw.dataplane.prefixes import ANY, OPAQUE, Prefix, Selector

Ports = tuple[int, int]
Entry = tuple[int, Ports, Ports]
"""Protocol (0: any), remote ports, local ports."""

T = TypeVar("T")

_UNSEEN: Final = (OPAQUE, ANY)


class PrefixTable(Generic[T]):
    """Values by network, and all those networks that hold an address, longest first. `width`: bits of an address."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._by_length: dict[int, dict[int, T]] = {}
        self._probes: list[tuple[int, dict[int, T]]] = []

    def __bool__(self) -> bool:
        return bool(self._by_length)

    def get(self, prefix: Prefix) -> T | None:
        """The value of exactly this network."""
        network, length = prefix
        values = self._by_length.get(length)
        return None if values is None else values.get(network >> (self._width - length))

    def put(self, prefix: Prefix, value: T) -> None:
        """Set the value of a network."""
        network, length = prefix
        if length not in self._by_length:
            self._by_length[length] = {}
            self._renew_probes()
        self._by_length[length][network >> (self._width - length)] = value

    def discard(self, prefix: Prefix) -> None:
        """Forget a network."""
        network, length = prefix
        values = self._by_length.get(length, {})
        values.pop(network >> (self._width - length), None)
        if not values and self._by_length.pop(length, None) is not None:
            self._renew_probes()

    def holding(self, address: int) -> Iterable[T]:
        """The values of the networks that hold `address`, longest prefix first."""
        for shift, values in self._probes:
            found = values.get(address >> shift)
            if found is not None:
                yield found

    def _renew_probes(self) -> None:
        self._probes = [(self._width - n, self._by_length[n]) for n in sorted(self._by_length, reverse=True)]


class _Leaf(Generic[T]):
    """The policies between one remote and one local network: each entry has a stack of SAs, the newest on top."""

    def __init__(self) -> None:
        self.stacks: dict[Entry, list[T]] = {}
        self._walk: list[Entry] | None = None

    def push(self, entry: Entry, sa: T) -> None:
        self.stacks.setdefault(entry, []).append(sa)
        self._renew()

    def drop(self, entry: Entry, sa: T) -> None:
        stack = self.stacks.get(entry, [])
        if sa in stack:
            stack.remove(sa)
        if not stack:
            self.stacks.pop(entry, None)
            self._renew()

    def find(self, protocol: int, remote: int | None, local: int | None) -> T | None:
        if self._walk is not None:
            return self._find_in_ranges(protocol, remote, local)
        remotes = _UNSEEN if remote is None else ((remote, remote), ANY)
        locals_ = _UNSEEN if local is None else ((local, local), ANY)
        for named in (protocol, 0):
            for remote_ports in remotes:
                for local_ports in locals_:
                    stack = self.stacks.get((named, remote_ports, local_ports))
                    if stack:
                        return stack[-1]
        return None

    def _find_in_ranges(self, protocol: int, remote: int | None, local: int | None) -> T | None:
        for entry in self._walk or ():
            if entry[0] in (0, protocol) and _within(remote, entry[1]) and _within(local, entry[2]):
                return self.stacks[entry][-1]
        return None

    def _renew(self) -> None:
        """Ranges of ports cannot be hashed: only where there are some are the entries tried in their order."""
        ranges = any(_span(ports) not in (0, 65535) for entry in self.stacks for ports in entry[1:])
        order = sorted(self.stacks, key=lambda entry: (entry[0] == 0, _span(entry[1]), _span(entry[2])))
        self._walk = order if ranges else None


class OutboundPolicy(Generic[T]):
    """The outbound policies of one address family. An SA is anything that can be compared."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._remotes: PrefixTable[PrefixTable[_Leaf[T]]] = PrefixTable(width)

    def add(self, remote: Selector, local: Selector, sa: T) -> None:
        """Let `sa` take what goes from `local` to `remote`. Selectors of different protocols have nothing in common."""
        entry = _entry(remote, local)
        if entry is None:
            return
        for remote_prefix in remote.prefixes:
            locals_ = self._remotes.get(remote_prefix)
            if locals_ is None:
                locals_ = PrefixTable(self._width)
                self._remotes.put(remote_prefix, locals_)
            for local_prefix in local.prefixes:
                leaf = locals_.get(local_prefix)
                if leaf is None:
                    leaf = _Leaf()
                    locals_.put(local_prefix, leaf)
                leaf.push(entry, sa)

    def remove(self, remote: Selector, local: Selector, sa: T) -> None:
        """Undo `add`."""
        entry = _entry(remote, local)
        if entry is None:
            return
        for remote_prefix in remote.prefixes:
            locals_ = self._remotes.get(remote_prefix)
            if locals_ is None:
                continue
            for local_prefix in local.prefixes:
                leaf = locals_.get(local_prefix)
                if leaf is not None:
                    leaf.drop(entry, sa)
                    if not leaf.stacks:
                        locals_.discard(local_prefix)
            if not locals_:
                self._remotes.discard(remote_prefix)

    def find(self, source: int, destination: int, protocol: int, ports: tuple[int, int] | None) -> T | None:
        """The SA for a packet, or None. `ports` is (source, destination), None if they cannot be seen."""
        source_port, destination_port = ports or (None, None)
        for locals_ in self._remotes.holding(destination):
            for leaf in locals_.holding(source):
                sa = leaf.find(protocol, destination_port, source_port)
                if sa is not None:
                    return sa
        return None


def _entry(remote: Selector, local: Selector) -> Entry | None:
    if remote.protocol and local.protocol and remote.protocol != local.protocol:
        return None
    return remote.protocol or local.protocol, remote.ports, local.ports


def _within(port: int | None, ports: Ports) -> bool:
    if port is None:
        return ports in _UNSEEN
    return ports[0] <= port <= ports[1]


def _span(ports: Ports) -> int:
    return max(ports[1] - ports[0], 0)
