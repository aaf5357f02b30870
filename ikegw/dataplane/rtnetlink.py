"""A few rtnetlink messages, synchronous: links, addresses, routes and rules (RFC 3549, rtnetlink(7)).

Encoded by hand because installing thousands of SAs must not hold up packets: pyroute2 takes about 200 µs to encode a
route, this 5.
"""

import errno
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import Final

from ikegw.dataplane import netlink
from ikegw.dataplane.netlink import (
    ACK,
    CREATE,
    DONE,
    DUMP,
    ERROR,
    EXCLUSIVE,
    REPLACE,
    REQUEST,
    attribute,
    attributes,
    number,
)
from ikegw.dataplane.rules import PROTOCOL, Rule

Address = IPv4Address | IPv6Address

NEWLINK, DELLINK, GETLINK, NEWADDR, DELADDR, GETADDR = 16, 17, 18, 20, 21, 22
NEWROUTE, DELROUTE, NEWRULE, DELRULE, GETRULE = 24, 25, 32, 33, 34

_LINK: Final = Struct("=BxHiLL")
_ADDRESS: Final = Struct("=BBBBL")
_ROUTE: Final = Struct("=BBBBBBBBL")
_NUMBER: Final = Struct("=L")

_UP: Final = 1
_UNSPEC, _UNIVERSE, _LINK_SCOPE = 0, 0, 253
_UNICAST, _BOOT, _STATIC = 1, 3, 4
_NODAD: Final = 2
_ADDRESS_GROUPS: Final = 0x10 | 0x100
_LINK_INFO, _INFO_KIND, _INFO_DATA, _XFRM_IF_ID = 18, 1, 2, 2


class NetlinkError(OSError):
    """The kernel refused; the text says what was asked."""


class AddressChanges:
    """A socket that has something to read whenever an address of this network namespace comes or goes."""

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        )
        self._socket.bind((0, _ADDRESS_GROUPS))

    def fileno(self) -> int:
        """For epoll."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Forget what it has to say; the addresses are asked for anew."""
        try:
            while True:
                self._socket.recv(1 << 16)
        except OSError:
            return

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Netlink:
    """A NETLINK_ROUTE socket. Each method waits for the kernel's answer, some 10 µs; NetlinkError if it is no."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(netlink.SOL_NETLINK, netlink.EXT_ACK, 1)
        self._socket.setsockopt(netlink.SOL_NETLINK, netlink.CAP_ACK, 1)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def set_up(self, index: int, mtu: int, queue: int) -> None:
        """Give a link its MTU and the length of its transmit queue, keep IPv6 from inventing addresses, and set it up."""
        self._ask(
            "set the MTU", NEWLINK, 0, _LINK.pack(0, 0, index, 0, 0) + number(4, mtu) + number(13, queue)
        )
        self._ask("set up the link", NEWLINK, 0, _LINK.pack(0, 0, index, _UP, _UP))

    def add_xfrm(self, name: str, if_id: int) -> int:
        """Make an xfrm interface (ip-link(8)); its index. NetlinkError, EEXIST if there is one of the name or the number."""
        info = attribute(_INFO_KIND, b"xfrm") + attribute(_INFO_DATA, number(_XFRM_IF_ID, if_id))
        body = _LINK.pack(0, 0, 0, 0, 0) + attribute(3, name.encode() + b"\0") + attribute(_LINK_INFO, info)
        self._ask(f"make xfrm interface {name}", NEWLINK, CREATE | EXCLUSIVE, body, exists_is_done=False)
        return socket.if_nametoindex(name)

    def delete_link(self, index: int) -> None:
        """Remove a link, with its routes and addresses; nothing happens if it is gone."""
        self._gone("link", DELLINK, _LINK.pack(0, 0, index, 0, 0), str(index))

    def xfrm_links(self) -> dict[int, int]:
        """The index of each xfrm interface, and its if_id."""
        found: dict[int, int] = {}
        for kind, body in self._dump(GETLINK, _LINK.pack(0, 0, 0, 0, 0)):
            info = dict(attributes(dict(attributes(body[_LINK.size :])).get(_LINK_INFO, b"")))
            if kind == NEWLINK and info.get(_INFO_KIND, b"").rstrip(b"\0") == b"xfrm":
                if_id = dict(attributes(info.get(_INFO_DATA, b""))).get(_XFRM_IF_ID)
                if if_id:
                    found[_LINK.unpack_from(body)[2]] = _NUMBER.unpack(if_id)[0]
        return found

    def delete_rules(self, tables: range = range(0)) -> None:
        """Remove every shunt's rule that bears our name, and every rule that looks up one of these tables."""
        for family in (socket.AF_INET, socket.AF_INET6):
            for kind, body in list(self._dump(GETRULE, _ROUTE.pack(family, *(0,) * 8))):
                if kind == NEWRULE and _is_ours(body, tables):
                    self._gone("rule", DELRULE, body, "of a gateway that was killed")

    def index_of(self, address: Address) -> int:
        """The index of the link that has the address, 0 if none has."""
        return self._indexed().get(address, 0)

    def address(self, add: bool, index: int, address: Address) -> None:
        """Put a single address on a link, or take it off."""
        body = _ADDRESS.pack(_family(address), address.max_prefixlen, _NODAD, _UNIVERSE, index)
        body += attribute(1, address.packed) + attribute(2, address.packed)
        self._change("address", add, NEWADDR, DELADDR, CREATE | REPLACE, body, str(address))

    def route(
        self, add: bool, index: int, network: Address, length: int, table: int, source: Address | None
    ) -> None:
        """Route a network into a link; `source` is what packets of our own then come from."""
        scope = _LINK_SCOPE if network.version == 4 else _UNIVERSE
        body = _ROUTE.pack(_family(network), length, 0, 0, _UNSPEC, _STATIC, scope, _UNICAST, 0)
        body += attribute(1, network.packed) + number(4, index) + number(15, table)
        if source is not None and add:
            body += attribute(7, source.packed)
        self._change("route", add, NEWROUTE, DELROUTE, CREATE | REPLACE, body, f"{network}/{length}")

    def rule(self, add: bool, rule: Rule) -> None:
        """Lay a rule of policy routing, or take it away."""
        self._change("rule", add, NEWRULE, DELRULE, CREATE | EXCLUSIVE, rule.encode(), str(rule.priority))

    def addresses(self) -> list[Address]:
        """Every address of this network namespace, except those of links that are being checked for duplicates."""
        return list(self._indexed())

    def _indexed(self) -> dict[Address, int]:
        found: dict[Address, int] = {}
        for kind, body in self._dump(GETADDR, _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
            if kind == NEWADDR:
                found_there = dict(attributes(body[_ADDRESS.size :]))
                octets = found_there.get(2) or found_there.get(1)
                if octets:
                    found[ip_address(octets)] = _ADDRESS.unpack_from(body)[4]
        return found

    def _change(self, what: str, add: bool, new: int, old: int, flags: int, body: bytes, name: str) -> None:
        if add:
            self._ask(f"add {what} {name}", new, flags, body)
        else:
            self._gone(what, old, body, name)

    def _gone(self, what: str, kind: int, body: bytes, name: str) -> None:
        try:
            self._ask(f"remove {what} {name}", kind, 0, body)
        except NetlinkError as error:
            if error.errno not in (errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL, errno.ENODEV):
                raise

    def _ask(self, what: str, kind: int, flags: int, body: bytes, *, exists_is_done: bool = True) -> None:
        self._send(kind, flags | ACK, body)
        for answer in self._answers():
            if answer.kind == ERROR:
                said = netlink.refusal(answer)
                done = not said.number or (
                    said.number == errno.EEXIST and flags & EXCLUSIVE and exists_is_done
                )
                if not done:
                    raise NetlinkError(said.number, f"{what}: {said}")
                return

    def _dump(self, kind: int, body: bytes) -> Iterator[tuple[int, bytes]]:
        self._send(kind, DUMP, body)
        return ((answer.kind, answer.body) for answer in self._answers())

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._sequence += 1
        self._socket.send(netlink.pack(kind, flags | REQUEST, self._sequence, body))

    def _answers(self) -> Iterator[netlink.Answer]:
        """The messages that answer the last request, until the kernel has said all."""
        while True:
            for answer in netlink.messages(self._socket.recv(1 << 16)):
                if answer.sequence == self._sequence:
                    if answer.kind == DONE:
                        return
                    yield answer


def _is_ours(rule: bytes, tables: range) -> bool:
    found, table = dict(attributes(rule[_ROUTE.size :])), 0
    if 15 in found:
        table = _NUMBER.unpack(found[15])[0]
    return table in tables or (not table and found.get(21) == bytes([PROTOCOL]))


def _family(address: Address) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6
