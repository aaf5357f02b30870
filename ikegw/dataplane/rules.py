"""Rules of policy routing, as values and as rtnetlink has them (ip-rule(8)): which packets, and where they are routed."""

import socket
from enum import IntEnum
from struct import Struct
from typing import Final

from attrs import frozen

from ikegw.dataplane.netlink import attribute, number
from ikegw.dataplane.prefixes import ANY, Prefix

PROTOCOL: Final = 73
"""Who made a rule, as `ip rule` shows it; those that keep the table of such numbers have given this one to nobody."""

MAIN: Final = 254

_HEADER: Final = Struct("=BBBBBBBBL")
_RANGE: Final = Struct("=HH")
_FAMILY: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_OCTETS: Final = {4: 4, 6: 16}
_DESTINATION, _SOURCE, _GOTO, _PRIORITY, _MARK, _SHORTEST, _TABLE, _MASK = 1, 2, 4, 6, 10, 14, 15, 16
_MADE_BY, _IP_PROTOCOL, _SOURCE_PORTS, _DESTINATION_PORTS = 21, 22, 23, 24
_INVERT, _SOURCE_MAY_COME_LATER = 2, 0x10000


class Action(IntEnum):
    """What a rule has done with its packets; NOWHERE has the sender told that it is prohibited (ICMP)."""

    LOOK_UP = 1
    GO_TO = 2
    GO_ON = 3
    NOWHERE = 8


@frozen
class Rule:
    """One rule; the smaller its priority the sooner it is asked. Prefixes of length 0 and ports 0 to 65535 select all.

    `target` is a table, or the priority of a rule to go on with. `unless_mark`: all packets but those with the mark.
    `longer_than`: routes of the table count only with a prefix longer than that. `unbound`: IPv6 packets of this host's count too
    whose source is not chosen yet.
    """

    version: int
    priority: int
    action: Action
    target: int = 0
    source: Prefix = (0, 0)
    destination: Prefix = (0, 0)
    protocol: int = 0
    source_ports: tuple[int, int] = ANY
    destination_ports: tuple[int, int] = ANY
    mark: int | None = None
    unless_mark: int | None = None
    longer_than: int | None = None
    unbound: bool = False

    def encode(self) -> bytes:
        """The body of RTM_NEWRULE and RTM_DELRULE."""
        flags = (_INVERT if self.unless_mark is not None else 0) | (
            _SOURCE_MAY_COME_LATER if self.unbound else 0
        )
        lengths = self.destination[1], self.source[1]
        body = _HEADER.pack(_FAMILY[self.version], *lengths, 0, 0, 0, 0, self.action, flags)
        body += number(_PRIORITY, self.priority) + attribute(_MADE_BY, bytes([PROTOCOL]))
        for kind, (first, length) in ((_DESTINATION, self.destination), (_SOURCE, self.source)):
            if length:
                body += attribute(kind, first.to_bytes(_OCTETS[self.version], "big"))
        if self.protocol:
            body += attribute(_IP_PROTOCOL, bytes([self.protocol]))
        for kind, ports in ((_SOURCE_PORTS, self.source_ports), (_DESTINATION_PORTS, self.destination_ports)):
            if ports != ANY:
                body += attribute(kind, _RANGE.pack(*ports))
        mark = self.mark if self.unless_mark is None else self.unless_mark
        if mark is not None:
            body += number(_MARK, mark) + number(_MASK, 0xFFFFFFFF)
        if self.action in (Action.LOOK_UP, Action.GO_TO):
            body += number(_TABLE if self.action is Action.LOOK_UP else _GOTO, self.target)
        if self.longer_than is not None:
            body += number(_SHORTEST, self.longer_than)
        return body
