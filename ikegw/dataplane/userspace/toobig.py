"""Telling an inner sender that its packet is too long (RFC 1191, RFC 8201; RFC 4301 §8.2).

The answer comes from the packet's own destination: an address that the sender's reverse path filter expects on the TUN.
"""

from struct import Struct
from typing import Final

_ONES: Final = 65535
_IP4: Final = Struct("!BBHHHBBH4s4s")
_IP6: Final = Struct("!LHBB16s16s")
_ICMP: Final = Struct("!BBHHH")
_ICMP6: Final = Struct("!BBHL")
_PSEUDO6: Final = Struct("!16s16sLL")
_QUOTED4: Final = 548
"""Octets of the packet that are quoted: the answer has 576 (RFC 1812 §4.3.2.3)."""
_QUOTED6: Final = 1280 - 48


def too_big(packet: memoryview, mtu: int) -> bytes:
    """The ICMP or ICMPv6 packet that asks the sender of `packet` to keep to `mtu`."""
    return _too_big_4(packet, mtu) if packet[0] >> 4 == 4 else _too_big_6(packet, mtu)


def _too_big_4(packet: memoryview, mtu: int) -> bytes:
    source, destination = bytes(packet[12:16]), bytes(packet[16:20])
    quoted = bytes(packet[:_QUOTED4])
    checksum = _checksum(_ICMP.pack(3, 4, 0, 0, mtu) + quoted)
    icmp = _ICMP.pack(3, 4, checksum, 0, mtu) + quoted
    length = _IP4.size + len(icmp)
    header = _IP4.pack(0x45, 0xC0, length, 0, 0, 64, 1, 0, destination, source)
    return _IP4.pack(0x45, 0xC0, length, 0, 0, 64, 1, _checksum(header), destination, source) + icmp


def _too_big_6(packet: memoryview, mtu: int) -> bytes:
    source, destination = bytes(packet[8:24]), bytes(packet[24:40])
    quoted = bytes(packet[:_QUOTED6])
    length = _ICMP6.size + len(quoted)
    pseudo = _PSEUDO6.pack(destination, source, length, 58)
    checksum = _checksum(pseudo + _ICMP6.pack(2, 0, 0, mtu) + quoted)
    return _IP6.pack(6 << 28, length, 58, 64, destination, source) + _ICMP6.pack(2, 0, checksum, mtu) + quoted


def _checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    return _ONES - int.from_bytes(octets + bytes(len(octets) & 1), "big") % _ONES
