"""Fitting TCP's maximum segment size to the tunnel (RFC 9293 §3.7.1), for senders that ICMP does not reach."""

from typing import Final

_SYN: Final = 0x02
_END, _NOP, _MSS = 0, 1, 2
_ONES: Final = 65535


def clamp(octets: memoryview, start: int, stop: int, most: int) -> bool:
    """Whether the TCP header at `start` has SYN; if so its MSS option is lowered to `most`, the checksum kept right."""
    if stop - start < 20 or not octets[start + 13] & _SYN:
        return False
    at, end = start + 20, min(start + (octets[start + 12] >> 4) * 4, stop)
    while at + 1 < end:
        kind = octets[at]
        if kind == _END:
            break
        if kind == _NOP:
            at += 1
            continue
        length = octets[at + 1]
        if length < 2:
            break
        if kind == _MSS and length == 4 and at + 4 <= end:
            _lower(octets, start, at + 2, most)
            break
        at += length
    return True


def _lower(octets: memoryview, start: int, at: int, most: int) -> None:
    offered = octets[at] << 8 | octets[at + 1]
    if offered <= most:
        return
    octets[at], octets[at + 1] = most >> 8, most & 255
    # RFC 1624; an option at an odd place lies across two words of the sum, and counts with its octets swapped.
    shift = 8 if (at - start) & 1 else 0
    checksum = octets[start + 16] << 8 | octets[start + 17]
    checksum = (checksum + ((offered - most) << shift)) % _ONES
    octets[start + 16], octets[start + 17] = checksum >> 8, checksum & 255
