"""MD4 (RFC 1320), which MS-CHAPv2 makes its password hashes with and which no library that we use still has.

MD4 is broken as a hash; here it is only a step of a protocol that cannot be spoken without it.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final

_WORDS: Final = Struct("<16I")
_STATE: Final = Struct("<4I")
_MASK: Final = 0xFFFFFFFF
_ROUNDS: Final[tuple[tuple[Callable[[int, int, int], int], int, tuple[int, ...], tuple[int, ...]], ...]] = (
    (lambda x, y, z: (x & y) | (~x & z), 0, tuple(range(16)), (3, 7, 11, 19)),
    (
        lambda x, y, z: (x & y) | (x & z) | (y & z),
        0x5A827999,
        (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
        (3, 5, 9, 13),
    ),
    (
        lambda x, y, z: x ^ y ^ z,
        0x6ED9EBA1,
        (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
        (3, 9, 11, 15),
    ),
)
"""For each round of RFC 1320 §3.4: its function, its constant, the order of the words, the shifts."""


def md4(octets: bytes) -> bytes:
    """The 16 octets of the digest."""
    length = (8 * len(octets)) & 0xFFFFFFFFFFFFFFFF
    padded = octets + b"\x80" + bytes(-(len(octets) + 9) % 64) + length.to_bytes(8, "little")
    state = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
    for start in range(0, len(padded), 64):
        state = _block(state, _WORDS.unpack_from(padded, start))
    return _STATE.pack(*state)


def _block(state: tuple[int, int, int, int], words: tuple[int, ...]) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for mix, constant, order, shifts in _ROUNDS:
        for step, word in enumerate(order):
            total = (a + mix(b, c, d) + words[word] + constant) & _MASK
            shift = shifts[step % 4]
            a, b, c, d = d, ((total << shift) | (total >> (32 - shift))) & _MASK, b, c
    return (
        (state[0] + a) & _MASK,
        (state[1] + b) & _MASK,
        (state[2] + c) & _MASK,
        (state[3] + d) & _MASK,
    )
