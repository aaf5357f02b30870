"""The anti-replay window (RFC 4303 §3.4.3) and the high half of extended sequence numbers (§2.2.1, appendix A2).

The bitmap is a ring of octets (RFC 6479): nothing is ever shifted, so a window of 65,536 costs a packet no more than one of 64.
"""

from typing import Final

from attrs import define, field

_HALF: Final = 1 << 32


@define
class ReplayWindow:
    """The sequence numbers seen: `top` is the highest, `size` how far behind it one may still come. Size 0 checks nothing."""

    size: int
    top: int = 0
    _ring: bytearray = field(init=False, repr=False)
    _mask: int = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        octets = 1
        while (
            octets * 8 < self.size + 8
        ):  # one octet more: the one that `top` is filling is cleared as a whole
            octets *= 2
        self._ring = bytearray(octets)
        self._mask = octets - 1

    def fresh(self, sequence: int) -> bool:
        """Whether this number may still come. Ask before opening; `mark` only what proved authentic."""
        if sequence > self.top:
            return True
        if not self.size:
            return True
        if sequence <= 0 or sequence + self.size <= self.top:
            return False
        return not self._ring[(sequence >> 3) & self._mask] & (1 << (sequence & 7))

    def mark(self, sequence: int) -> None:
        """Remember an authentic, fresh number."""
        ring, mask = self._ring, self._mask
        if sequence > self.top:
            octet, last = sequence >> 3, self.top >> 3
            if octet != last:
                if octet - last > mask:
                    ring[:] = bytes(mask + 1)
                else:
                    for cleared in range(last + 1, octet + 1):
                        ring[cleared & mask] = 0
            self.top = sequence
        elif sequence + self.size <= self.top:
            return
        ring[(sequence >> 3) & mask] |= 1 << (sequence & 7)


def extended(low: int, top: int, size: int) -> int:
    """The 64-bit sequence number that `low`, its sent half, must mean: the one nearest to the window (appendix A2.2).

    Negative where it could only lie before the first packet of all: never fresh.
    """
    high, top_low = top >> 32, top & (_HALF - 1)
    if top_low >= size - 1:  # the window lies within one subspace
        return (high << 32 | low) if low >= top_low - size + 1 else ((high + 1) << 32 | low)
    bottom = (top_low - size + 1) % _HALF
    return ((high - 1) * _HALF + low) if low >= bottom else (high << 32 | low)
