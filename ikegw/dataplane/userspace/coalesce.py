"""Joining consecutive TCP segments to one super-packet for the TUN, as generic receive offload does (virtio-net GSO).

Joined is only what a sender's segmentation could have cut: headers equal but for length, identification, sequence number,
checksums and PSH, sequence numbers without a gap, all payloads of one size but the last. And no checksum that is wrong may
become right by it, since the inner packets may be older than the tunnel:

* What is for an address of this host gets a checksum that is worked out from those of its parts, headers only: the kernel
  verifies it, and it is right if and only if the parts' sum was.
* For all else the kernel would write a new one without looking. So the parts are verified here, all at once, by the sum over
  all of them; if that is wrong, they go up as they came, for the receiver to judge.
"""

import os
from collections.abc import Callable
from functools import lru_cache
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


def _mask(ip_header: int, header: int, lengths: bool) -> int:
    """Which bits of the headers must be equal in all segments of a super-packet; with `lengths`, their length too."""
    octets = bytearray(b"\xff" * header)
    varying = [(4, 6), (10, 12)] if ip_header == 20 else []
    if not lengths:
        varying.append((2, 4) if ip_header == 20 else (4, 6))
    for start, stop in (*varying, (ip_header + 4, ip_header + 8), (ip_header + 16, ip_header + 18)):
        octets[start:stop] = bytes(stop - start)
    octets[ip_header + 13] ^= _PSH
    return int.from_bytes(octets, "big")


_MASKS: Final = {
    (ip, ip + tcp): (_mask(ip, ip + tcp, False), _mask(ip, ip + tcp, True))
    for ip in (20, 40)
    for tcp in range(20, 64, 4)
}


@lru_cache(512)
def _octets(length: int) -> Callable[[memoryview, int], tuple[bytes]]:
    """What takes so many octets out of a buffer: faster than comparing a slice."""
    return Struct(f"{length}s").unpack_from


class Coalescer:
    """Writes inner packets to a TUN. They lie in `packets`; `take` remembers where until `flush`, the rest goes at once."""

    def __init__(self, descriptor: int, packets: memoryview) -> None:
        self.local: frozenset[bytes] = frozenset()
        """This host's addresses, packed."""
        self._descriptor = descriptor
        self._packets = packets
        self._members: list[tuple[int, int]] = []
        self._ip_header = self._header = self._size = self._octets = 0
        self._mask = self._pattern = self._full_mask = self._full_pattern = self._next = self._headers = 0
        self._whole = self._plaintext = 0
        self._tail = b""
        self._tail_of = _octets(0)
        self.refused = 0

    def write(self, start: int, stop: int) -> None:
        """One packet, as it is."""
        try:
            os.writev(self._descriptor, (PLAIN, self._packets[start:stop]))
        except OSError:
            self.refused += 1

    def joins(self, start: int, end: int) -> int:
        """The short way for the plaintext at packets[start:end], if it is the next full segment of the run.

        What equals the run's first plaintext but for sequence number, checksums and payload needs no other look. Its packet's
        length if it was joined, 0 if it must be looked at.
        """
        packets = self._packets
        if (
            end - start != self._plaintext
            or not self._members
            or (headers := int.from_bytes(packets[start : start + self._header], "big")) & self._full_mask
            != self._full_pattern
            or _SEQUENCE.unpack_from(packets, start + self._ip_header + 4)[0] != self._next
            or self._octets + self._size > _MOST_OCTETS
            or self._tail_of(packets, start + self._whole)[0] != self._tail
        ):
            return 0
        whole, size = self._whole, self._size
        self._members.append((start, start + whole))
        self._headers += headers
        self._octets += size
        self._next = (self._next + size) & _LOW
        if packets[start + self._ip_header + 13] & _PSH or len(self._members) >= _MOST_SEGMENTS:
            self.flush()
        return whole

    def _append(self, start: int, stop: int, payload: int, headers: int) -> None:
        self._members.append((start, stop))
        self._headers += headers
        self._octets += payload
        self._next = (self._next + payload) & _LOW
        if (
            payload < self._size
            or self._packets[start + self._ip_header + 13] & _PSH
            or len(self._members) >= _MOST_SEGMENTS
        ):
            self.flush()

    def take(self, start: int, stop: int, ip_header: int, end: int) -> None:
        """A TCP packet whose IP header has `ip_header` octets (20: IPv4, 40: IPv6) and whose length is right.

        Its plaintext, trailer and all, ends at `end`.
        """
        packets = self._packets
        if self._members:
            header = self._header
            payload = stop - start - header
            if (
                0 < payload <= self._size
                and self._octets + payload <= _MOST_OCTETS
                and (headers := int.from_bytes(packets[start : start + header], "big")) & self._mask
                == self._pattern
                and _SEQUENCE.unpack_from(packets, start + ip_header + 4)[0] == self._next
            ):
                self._append(start, stop, payload, headers)
                return
            self.flush()
        self._begin(start, stop, ip_header, end)

    def _begin(self, start: int, stop: int, ip_header: int, end: int) -> None:
        """The first of a run, if its flags and its length allow that others follow."""
        packets = self._packets
        header = (
            ip_header + (packets[start + ip_header + 12] >> 4) * 4 if stop - start >= ip_header + 20 else 0
        )
        payload = stop - start - header
        masks = _MASKS.get((ip_header, header))
        if masks is None or payload <= 0 or packets[start + ip_header + 13] != _ACK:
            self.write(start, stop)
            return
        self._mask, self._full_mask = masks
        self._headers = headers = int.from_bytes(packets[start : start + header], "big")
        self._pattern, self._full_pattern = headers & self._mask, headers & self._full_mask
        self._ip_header, self._header, self._size = ip_header, header, payload
        self._octets = self._whole = stop - start
        self._plaintext, self._tail = end - start, bytes(packets[stop:end])
        self._tail_of = _octets(end - stop)
        self._next = (_SEQUENCE.unpack_from(packets, start + ip_header + 4)[0] + payload) & _LOW
        self._members.append((start, stop))

    def flush(self) -> None:
        """Write what is remembered: joined if it is more than one packet and the checksums are right."""
        members = self._members
        if not members:
            return
        parts = self._joined() if len(members) > 1 else None
        if parts is None:
            for start, stop in members:
                self.write(start, stop)
        else:
            try:
                os.writev(self._descriptor, parts)
            except OSError:
                self.refused += len(members)
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
        total += self._pseudo_headers(self._addresses())
        return folded(total) % _ONES == 0

    def _addresses(self) -> int:
        """Both addresses, as a number: in IPv4 they have not been summed as part of the pseudo-headers."""
        start = self._members[0][0]
        return int.from_bytes(self._packets[start + 12 : start + 20], "big") if self._ip_header == 20 else 0

    def _pseudo_headers(self, addresses: int) -> int:
        """The sum of all members' pseudo-headers: addresses, protocol, length of the TCP part."""
        count = len(self._members)
        tcp = self._octets + self._header * (count - 1) - self._ip_header * count
        return (addresses + 6) * count + tcp

    def _joined(self) -> list[bytes | bytearray | memoryview] | None:
        """The super-packet in parts, its virtio-net header first; None if a checksum was wrong."""
        packets, members = self._packets, self._members
        ip_header, header, octets = self._ip_header, self._header, self._octets
        start, _ = members[0]
        first = 12 if ip_header == 20 else 8
        here = bytes(packets[start + (first + ip_header) // 2 : start + ip_header]) in self.local
        here = here and not self._size & 1
        if not here and not self._checksums_right():
            return None
        front = bytearray(packets[start : start + header])
        if ip_header == 20:
            _LENGTH4.pack_into(front, 2, octets)
            _CHECKSUM.pack_into(front, 10, 0)
            _CHECKSUM.pack_into(front, 10, _ONES - int.from_bytes(front[:20], "big") % _ONES)
        else:
            _LENGTH4.pack_into(front, 4, octets - 40)
        addresses = int.from_bytes(front[first:ip_header], "big")
        pseudo = addresses + 6 + octets - ip_header
        front[ip_header + 13] |= packets[members[-1][0] + ip_header + 13] & _PSH
        checksum = self._combined(front, addresses, pseudo) if here else pseudo
        _CHECKSUM.pack_into(front, ip_header + 16, checksum % _ONES)
        kind = GSO_TCP4 if ip_header == 20 else GSO_TCP6
        vnet = VNET_HEADER.pack(0 if here else NEEDS_CHECKSUM, kind, header, self._size, ip_header, 16)
        parts: list[bytes | bytearray | memoryview] = [vnet, front]
        parts.extend([packets[start + header : stop] for start, stop in members])
        return parts

    def _combined(self, front: bytearray, addresses: int, pseudo: int) -> int:
        """The super-packet's TCP checksum out of the parts' own.

        Each part's headers (an IPv4 header is zero), its checksum among them, pseudo-header and payload sum up to zero, so the
        payloads are worth what the headers lack; `front` is the new header, whose own sum is taken off.
        """
        ip_header, count = self._ip_header, len(self._members)
        total = self._headers + self._pseudo_headers(addresses)
        if ip_header == 40:
            start = self._members[0][0]
            ip = int.from_bytes(self._packets[start : start + 40], "big") % _ONES
            lengths = self._octets + self._header * (count - 1) - 40 * count
            total -= (ip - (self._whole - 40)) * count + lengths
        _CHECKSUM.pack_into(front, ip_header + 16, 0)
        return total - pseudo - int.from_bytes(front[ip_header:], "big")


def folded(number: int) -> int:
    """A shorter number with the same remainder modulo 65535: halves added, several times faster than dividing."""
    while (bits := number.bit_length()) > 512:
        half = (bits // 2 + 15) & ~15
        number = (number >> half) + (number & ((1 << half) - 1))
    return number
