"""Explicit congestion notification through a tunnel (RFC 6040 §4.2): what an outer CE mark does to the inner header."""

from typing import Final

CONGESTION: Final = 3
_NOT_ECT: Final = 0
_ONES: Final = 65535


def decapsulated(octets: memoryview, start: int) -> bool:
    """Mark the inner packet at `start` as the outer one was marked, CE; False if it must be dropped: it is not ECN-capable."""
    if octets[start] >> 4 == 6:
        ecn = octets[start + 1] >> 4 & 3
        octets[start + 1] |= 0x30
        return ecn != _NOT_ECT
    ecn = octets[start + 1] & 3
    if ecn == _NOT_ECT:
        return False
    checksum = octets[start + 10] << 8 | octets[start + 11]
    checksum = (checksum - (CONGESTION - ecn)) % _ONES  # RFC 1624: the word grew by as much
    octets[start + 1] |= CONGESTION
    octets[start + 10], octets[start + 11] = checksum >> 8, checksum & 255
    return True
