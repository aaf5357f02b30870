"""A few rtnetlink messages, synchronous: links, addresses, routes and rules (RFC 3549, rtnetlink(7)).

Encoded by hand because installing thousands of SAs must not hold up packets: pyroute2 takes about 200 µs to encode a
route, this 5.
"""

import errno
import os
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import Final

Address = IPv4Address | IPv6Address

NEWLINK, NEWADDR, DELADDR, GETADDR, NEWROUTE, DELROUTE, NEWRULE, DELRULE = 16, 20, 21, 22, 24, 25, 32, 33

_REQUEST, _ACK, _REPLACE, _EXCLUSIVE, _CREATE, _DUMP = 1, 4, 0x100, 0x200, 0x400, 0x300
_ERROR, _DONE = 2, 3

_HEADER: Final = Struct("=LHHLL")
_ATTRIBUTE: Final = Struct("=HH")
_LINK: Final = Struct("=BxHiLL")
_ADDRESS: Final = Struct("=BBBBL")
_ROUTE: Final = Struct("=BBBBBBBBL")
_NUMBER: Final = Struct("=L")
_ERRNO: Final = Struct("=i")

_UP: Final = 1
_UNSPEC, _UNIVERSE, _LINK_SCOPE = 0, 0, 253
_UNICAST, _BOOT, _STATIC = 1, 3, 4
_TO_TABLE, _INVERT = 1, 2
_SOL_NETLINK, _EXT_ACK = 270, 11
_NODAD: Final = 2
_ADDRESS_GROUPS: Final = 0x10 | 0x100


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
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def set_up(self, index: int, mtu: int, queue: int) -> None:
        """Give a link its MTU and the length of its transmit queue, keep IPv6 from inventing addresses, and set it up."""
        self._ask(
            "set the MTU", NEWLINK, 0, _LINK.pack(0, 0, index, 0, 0) + _number(4, mtu) + _number(13, queue)
        )
        self._ask("set up the link", NEWLINK, 0, _LINK.pack(0, 0, index, _UP, _UP))

    def address(self, add: bool, index: int, address: Address) -> None:
        """Put a single address on a link, or take it off."""
        body = _ADDRESS.pack(_family(address), address.max_prefixlen, _NODAD, _UNIVERSE, index)
        body += _attribute(1, address.packed) + _attribute(2, address.packed)
        self._change("address", add, NEWADDR, DELADDR, _CREATE | _REPLACE, body, str(address))

    def route(
        self, add: bool, index: int, network: Address, length: int, table: int, source: Address | None
    ) -> None:
        """Route a network into a link; `source` is what packets of our own then come from."""
        scope = _LINK_SCOPE if network.version == 4 else _UNIVERSE
        body = _ROUTE.pack(_family(network), length, 0, 0, _UNSPEC, _STATIC, scope, _UNICAST, 0)
        body += _attribute(1, network.packed) + _number(4, index) + _number(15, table)
        if source is not None and add:
            body += _attribute(7, source.packed)
        self._change("route", add, NEWROUTE, DELROUTE, _CREATE | _REPLACE, body, f"{network}/{length}")

    def rule(
        self,
        add: bool,
        family: int,
        priority: int,
        table: int,
        unless_mark: int | None = None,
        longer_than: int | None = None,
    ) -> None:
        """Look a table up: for packets without a mark, or only heeding routes with a prefix longer than a length."""
        flags = _INVERT if unless_mark is not None else 0
        body = (
            _ROUTE.pack(family, 0, 0, 0, _UNSPEC, 0, 0, _TO_TABLE, flags)
            + _number(6, priority)
            + _number(15, table)
        )
        if unless_mark is not None:
            body += _number(10, unless_mark) + _number(16, 0xFFFFFFFF)
        if longer_than is not None:
            body += _number(14, longer_than)
        self._change(
            "rule", add, NEWRULE, DELRULE, _CREATE | _EXCLUSIVE, body, f"{priority} to table {table}"
        )

    def addresses(self) -> list[Address]:
        """Every address of this network namespace, except those of links that are being checked for duplicates."""
        found: list[Address] = []
        for kind, body in self._dump(GETADDR, _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
            if kind == NEWADDR:
                attributes = dict(_attributes(body[_ADDRESS.size :]))
                octets = attributes.get(2) or attributes.get(1)
                if octets:
                    found.append(ip_address(octets))
        return found

    def _change(self, what: str, add: bool, new: int, old: int, flags: int, body: bytes, name: str) -> None:
        if add:
            self._ask(f"add {what} {name}", new, flags, body)
            return
        try:
            self._ask(f"remove {what} {name}", old, 0, body)
        except NetlinkError as error:
            if error.errno not in (errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL, errno.ENODEV):
                raise

    def _ask(self, what: str, kind: int, flags: int, body: bytes) -> None:
        self._send(kind, flags | _ACK, body)
        for answer, octets in self._answers():
            if answer == _ERROR:
                number = -_ERRNO.unpack_from(octets)[0]
                if number and not (number == errno.EEXIST and flags & _EXCLUSIVE):
                    raise NetlinkError(number, f"{what}: {os.strerror(number)}")
                return

    def _dump(self, kind: int, body: bytes) -> Iterator[tuple[int, bytes]]:
        self._send(kind, _DUMP, body)
        return self._answers()

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._sequence += 1
        length = _HEADER.size + len(body)
        self._socket.send(_HEADER.pack(length, kind, flags | _REQUEST, self._sequence, 0) + body)

    def _answers(self) -> Iterator[tuple[int, bytes]]:
        """The messages that answer the last request, until the kernel has said all."""
        while True:
            octets, at = self._socket.recv(1 << 16), 0
            while at + _HEADER.size <= len(octets):
                length, kind, _flags, sequence, _port = _HEADER.unpack_from(octets, at)
                if length < _HEADER.size:
                    return
                if sequence == self._sequence:
                    if kind == _DONE:
                        return
                    yield kind, octets[at + _HEADER.size : at + length]
                at += (length + 3) & ~3


def _family(address: Address) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _attribute(kind: int, octets: bytes) -> bytes:
    return _ATTRIBUTE.pack(4 + len(octets), kind) + octets + bytes(-len(octets) % 4)


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, _NUMBER.pack(value))


def _attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(octets):
        length, kind = _ATTRIBUTE.unpack_from(octets, at)
        if length < 4:
            return
        yield kind, octets[at + 4 : at + length]
        at += (length + 3) & ~3
