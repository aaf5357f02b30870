"""Captures as Wireshark reads them: pcapng (draft-ietf-opsawg-pcapng) of IP packets, made around UDP payloads."""

import struct
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from ikegw.paths import Endpoint

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER: Final = 0x1A2B3C4D
_RAW_IP: Final = 101
"""LINKTYPE_RAW: packets begin with an IPv4 or IPv6 header."""

_COMMENT, _END, _INTERFACE_NAME, _PACKET_FLAGS, _APPLICATION = 1, 0, 2, 2, 4
_INBOUND, _OUTBOUND = 1, 2
_UDP: Final = 17
_HOPS: Final = 64


@frozen
class Datagram:
    """A UDP payload; `at` is in seconds since the epoch."""

    at: float
    sent: bool
    source: Endpoint
    destination: Endpoint
    payload: bytes


def header(application: str, comment: str) -> bytes:
    """What a file begins with: who wrote it, why, and the one interface that all packets are of."""
    section = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1)
    options = _options((_COMMENT, comment.encode()), (_APPLICATION, application.encode()))
    interface = struct.pack("<HHI", _RAW_IP, 0, 0) + _options((_INTERFACE_NAME, b"ikegw"))
    return _block(_SECTION, section + options) + _block(_INTERFACE, interface)


def packet(datagram: Datagram) -> bytes:
    """One packet, with its time in microseconds, and its direction."""
    octets = _ip(datagram)
    at = round(datagram.at * 1_000_000)
    head = struct.pack("<IIIII", 0, at >> 32, at & 0xFFFFFFFF, len(octets), len(octets))
    flags = struct.pack("<I", _OUTBOUND if datagram.sent else _INBOUND)
    return _block(_PACKET, head + _padded(octets) + _options((_PACKET_FLAGS, flags)))


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def _options(*options: tuple[int, bytes]) -> bytes:
    def written() -> Iterator[bytes]:
        for code, value in (*options, (_END, b"")):
            yield struct.pack("<HH", code, len(value)) + _padded(value)

    return b"".join(written())


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def _ip(datagram: Datagram) -> bytes:
    source, destination = datagram.source.address.packed, datagram.destination.address.packed
    length = 8 + len(datagram.payload)
    ports = struct.pack("!HHH", datagram.source.port, datagram.destination.port, length)
    pseudo = source + destination + struct.pack("!IHBB", length, 0, 0, _UDP)
    check = _checksum(pseudo + ports + bytes(2) + datagram.payload) or 0xFFFF
    udp = ports + struct.pack("!H", check) + datagram.payload
    if datagram.source.address.version == 6:
        return struct.pack("!IHBB", 6 << 28, length, _UDP, _HOPS) + source + destination + udp
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, _HOPS, _UDP, 0) + source + destination
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + udp


def _checksum(octets: bytes) -> int:
    """RFC 1071."""
    even = octets + bytes(len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(even) // 2}H", even))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
