"""DHCPv4 on the wire: the fixed header (RFC 2131 §2) and the options, overloaded and concatenated ones too (RFC 3396)."""

import struct
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Final

from attrs import field, frozen

from ikegw.dhcp.errors import Malformed
from ikegw.dhcp.registry import Message4, Option4

BOOT_REQUEST: Final = 1
BOOT_REPLY: Final = 2
ETHERNET: Final = 1
ANYBODY: Final = IPv4Address(0)

_HEADER: Final = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
_MAGIC: Final = b"\x63\x82\x53\x63"
_SERVER_NAME_AT: Final = 44
_FILE_AT: Final = 108
_LEAST_OCTETS: Final = 300
"""Shorter messages are not heard by everybody (RFC 1542 §2.1)."""
_BROADCAST: Final = 0x8000
_LONGEST_OPTION: Final = 255
_PAD, _END = int(Option4.PAD), int(Option4.END)
_MESSAGE_TYPES: Final = {int(kind): kind for kind in Message4}


@frozen
class Packet4:
    """One message. `options` are by their numbers, each with all of its octets; the message type stands in `kind`."""

    kind: Message4
    transaction: int
    hardware: bytes
    options: Mapping[int, bytes] = field(factory=dict)
    from_client: bool = True
    hops: int = 0
    seconds: int = 0
    broadcast: bool = False
    ciaddr: IPv4Address = ANYBODY
    yiaddr: IPv4Address = ANYBODY
    siaddr: IPv4Address = ANYBODY
    giaddr: IPv4Address = ANYBODY

    def encode(self) -> bytes:
        """The octets; an option of more than 255 octets is cut in several (RFC 3396)."""
        header = _HEADER.pack(
            BOOT_REQUEST if self.from_client else BOOT_REPLY,
            ETHERNET,
            len(self.hardware),
            self.hops,
            self.transaction,
            min(self.seconds, 0xFFFF),
            _BROADCAST if self.broadcast else 0,
            self.ciaddr.packed,
            self.yiaddr.packed,
            self.siaddr.packed,
            self.giaddr.packed,
            self.hardware,
            b"",
            b"",
            _MAGIC,
        )
        parts = [header, bytes((Option4.MESSAGE_TYPE, 1, self.kind))]
        for code, data in self.options.items():
            for start in range(0, len(data) or 1, _LONGEST_OPTION):
                part = data[start : start + _LONGEST_OPTION]
                parts += bytes((code, len(part))), part
        parts.append(bytes((Option4.END,)))
        return b"".join(parts).ljust(_LEAST_OCTETS, b"\0")

    @classmethod
    def decode(cls, octets: bytes) -> "Packet4":
        """Read one message; Malformed if anything in it is not as it must be."""
        if len(octets) < _HEADER.size:
            raise Malformed("shorter than a header", len(octets))
        op, kind, length, hops, transaction, seconds, flags, *rest = _HEADER.unpack_from(octets)
        ciaddr, yiaddr, siaddr, giaddr, hardware, server_name, file, magic = rest
        if op not in (BOOT_REQUEST, BOOT_REPLY):
            raise Malformed(f"operation {op} is neither request nor reply", 0)
        if kind != ETHERNET or length > len(hardware):
            raise Malformed(f"hardware address of type {kind} and {length} octets", 1)
        if magic != _MAGIC:
            raise Malformed("no DHCP: the magic cookie is missing", _HEADER.size - len(_MAGIC))
        options = _options(octets, file, server_name)
        return cls(
            _message_type(options),
            transaction,
            hardware[:length],
            options,
            op == BOOT_REQUEST,
            hops,
            seconds,
            bool(flags & _BROADCAST),
            *map(address4, (ciaddr, yiaddr, siaddr, giaddr)),
        )


@lru_cache(maxsize=1024)
def address4(packed: bytes) -> IPv4Address:
    """An address out of its four octets; most that come are of a few servers, and of ourselves."""
    return IPv4Address(packed)


def _message_type(options: dict[int, bytes]) -> Message4:
    data = options.pop(Option4.MESSAGE_TYPE, b"")
    if len(data) != 1 or data[0] not in _MESSAGE_TYPES:
        raise Malformed("the message type is missing or unknown", _HEADER.size)
    return _MESSAGE_TYPES[data[0]]


def _options(octets: bytes, file: bytes, server_name: bytes) -> dict[int, bytes]:
    """Every option, its parts joined in the order options, file, server name (RFC 3396 §7)."""
    found: dict[int, bytes] = {}
    _collect(octets[_HEADER.size :], _HEADER.size, found)
    overload = found.pop(Option4.OVERLOAD, b"")
    if overload not in (b"", b"\1", b"\2", b"\3"):
        raise Malformed("option 52 (overload) is neither 1, 2 nor 3", _HEADER.size)
    if overload in (b"\1", b"\3"):
        _collect(file, _FILE_AT, found)
    if overload in (b"\2", b"\3"):
        _collect(server_name, _SERVER_NAME_AT, found)
    return found


def _collect(octets: bytes, offset: int, found: dict[int, bytes]) -> None:
    at, length = 0, len(octets)
    while at < length:
        code = octets[at]
        if code == _END:
            return
        if code == _PAD:
            at += 1
            continue
        end = at + 2 + octets[at + 1] if at + 1 < length else length + 1
        if end > length:
            raise Malformed(f"option {code} is cut short", offset + at)
        part = octets[at + 2 : end]
        found[code] = found[code] + part if code in found else part
        at = end
    raise Malformed("the options have no end", offset + at)
