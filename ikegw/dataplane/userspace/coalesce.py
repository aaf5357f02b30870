"""Joining consecutive TCP segments to one super-packet for the TUN, as generic receive offload does (virtio-net GSO).

Joined is only what a sender's segmentation could have cut: headers equal but for length, identification, sequence number,
checksums and PSH, sequence numbers without a gap, all payloads of one size but the last. And only if every checksum was right,
since the super-packet gets new ones: they are verified all at once by the sum over all packets; if that is wrong, the packets
go up as they came, for the receiver to judge.
"""

import os
from struct import Struct
from typing import Final

from ikegw.dataplane.userspace.tun import GSO_TCP4, GSO_TCP6, NEEDS_CHECKSUM, PLAIN, VNET_HEADER

_MOST_OCTETS: Final = 65535
_MOST_SEGMENTS: Final = 60
_ACK, _PSH = 0x10, 0x08
_ONES: Final = 65535
_LOW: Final = 0xFFFFFFFF
_LENGTH4: Final = Struct("!H")
_CHECKSUM: Final = Struct("!H")
_SEQUENCE: Final = Struct("!L")


def _mask(ip_header: int, header: int) -> int:
    """Which bits of the headers must be equal in all segments of a super-packet."""
    octets = bytearray(b"\xff" * header)
    varying = ((2, 6), (10, 12)) if ip_header == 20 else ((4, 6),)
    for start, stop in (*varying, (ip_header + 4, ip_header + 8), (ip_header + 16, ip_header + 18)):
        octets[start:stop] = bytes(stop - start)
    octets[ip_header + 13] ^= _PSH
    return int.from_bytes(octets, "big")


_MASKS: Final = {(ip, ip + tcp): _mask(ip, ip + tcp) for ip in (20, 40) for tcp in range(20, 64, 4)}


class Coalescer:
    """Writes inner packets to a TUN. They lie in `packets`; `take` remembers where until `flush`, the rest goes at once."""

    def __init__(self, descriptor: int, packets: memoryview) -> None:
        self._descriptor = descriptor
        self._packets = packets
        self._members: list[tuple[int, int]] = []
        self._ip_header = self._header = self._size = self._octets = 0
        self._mask = self._pattern = self._next = 0
        self.refused = 0

    def write(self, start: int, stop: int) -> None:
        """One packet, as it is."""
        try:
            os.writev(self._descriptor, (PLAIN, self._packets[start:stop]))
        except OSError:
            self.refused += 1

    def take(self, start: int, stop: int, ip_header: int) -> None:
        """A TCP packet whose IP header has `ip_header` octets (20: IPv4, 40: IPv6) and whose length is right."""
        packets = self._packets
        members = self._members
        if members:
            header = self._header
            payload = stop - start - header
            if (
                0 < payload <= self._size
                and self._octets + payload <= _MOST_OCTETS
                and int.from_bytes(packets[start : start + header], "big") & self._mask == self._pattern
                and _SEQUENCE.unpack_from(packets, start + ip_header + 4)[0] == self._next
            ):
                members.append((start, stop))
                self._octets += payload
                self._next = (self._next + payload) & _LOW
                if (
                    payload < self._size
                    or packets[start + ip_header + 13] & _PSH
                    or len(members) >= _MOST_SEGMENTS
                ):
                    self.flush()
                return
            self.flush()
        self._begin(start, stop, ip_header)

    def _begin(self, start: int, stop: int, ip_header: int) -> None:
        """The first of a run, if its flags and its length allow that others follow."""
        packets = self._packets
        header = (
            ip_header + (packets[start + ip_header + 12] >> 4) * 4 if stop - start >= ip_header + 20 else 0
        )
        payload = stop - start - header
        mask = self._mask_of(ip_header, header)
        if mask is None or payload <= 0 or packets[start + ip_header + 13] != _ACK:
            self.write(start, stop)
            return
        self._ip_header, self._header, self._size, self._mask = ip_header, header, payload, mask
        self._octets = stop - start
        self._pattern = int.from_bytes(packets[start : start + header], "big") & mask
        self._next = (_SEQUENCE.unpack_from(packets, start + ip_header + 4)[0] + payload) & _LOW
        self._members.append((start, stop))

    @staticmethod
    def _mask_of(ip_header: int, header: int) -> int | None:
        return _MASKS.get((ip_header, header))

    def flush(self) -> None:
        """Write what is remembered: joined if it is more than one packet and the checksums are right."""
        members = self._members
        if not members:
            return
        if len(members) > 1 and self._checksums_right():
            try:
                os.writev(self._descriptor, self._joined())
            except OSError:
                self.refused += len(members)
        else:
            for start, stop in members:
                self.write(start, stop)
        members.clear()

    def _checksums_right(self) -> bool:
        """Whether the one's complement sum (RFC 1071) over all members, each with its pseudo-header, is zero.

        An IPv4 header sums up to zero by itself; its addresses are added once more for the pseudo-header. In IPv6 the
        addresses are all of the header that the pseudo-header counts.
        """
        packets, members, ip_header = self._packets, self._members, self._ip_header
        skipped = 0 if ip_header == 20 else 8
        total = 0
        for start, stop in members[:-1]:
            total += int.from_bytes(packets[start + skipped : stop], "big")
        if self._size & 1:
            total <<= 8
        start, stop = members[-1]
        last = int.from_bytes(packets[start + skipped : stop], "big")
        total += last << 8 if (stop - start) & 1 else last
        total += (6 - ip_header) * len(members) + self._octets + self._header * (len(members) - 1)
        if ip_header == 20:
            total += int.from_bytes(packets[start + 12 : start + 20], "big") * len(members)
        return folded(total) % _ONES == 0

    def _joined(self) -> list[bytes | bytearray | memoryview]:
        packets, members = self._packets, self._members
        ip_header, header, octets = self._ip_header, self._header, self._octets
        start, _ = members[0]
        front = bytearray(packets[start : start + header])
        if ip_header == 20:
            _LENGTH4.pack_into(front, 2, octets)
            _CHECKSUM.pack_into(front, 10, 0)
            _CHECKSUM.pack_into(front, 10, _ONES - int.from_bytes(front[:20], "big") % _ONES)
            pseudo = int.from_bytes(front[12:20], "big")
        else:
            _LENGTH4.pack_into(front, 4, octets - 40)
            pseudo = int.from_bytes(front[8:40], "big")
        front[ip_header + 13] |= packets[members[-1][0] + ip_header + 13] & _PSH
        _CHECKSUM.pack_into(front, ip_header + 16, (pseudo + 6 + octets - ip_header) % _ONES)
        kind = GSO_TCP4 if ip_header == 20 else GSO_TCP6
        vnet = VNET_HEADER.pack(NEEDS_CHECKSUM, kind, header, self._size, ip_header, 16)
        parts: list[bytes | bytearray | memoryview] = [vnet, front]
        parts.extend([packets[start + header : stop] for start, stop in members])
        return parts


def folded(number: int) -> int:
    """A shorter number with the same remainder modulo 65535: halves added, several times faster than dividing."""
    while (bits := number.bit_length()) > 512:
        half = (bits // 2 + 15) & ~15
        number = (number >> half) + (number & ((1 << half) - 1))
    return number
