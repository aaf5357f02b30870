"""Stateless cookies (RFC 7296 §2.6): a stranger proves that it receives what we send to its address (row L-05).

A cookie is one octet, the number of the secret, and 16 octets of keyed BLAKE2b (RFC 7693) over SPIi, the source
address and Ni: nothing of the SA or KE payload, so that it holds when the initiator repeats its request with another
key exchange group (§2.6.1). The port is left out, because a NAT may change it between the two requests.
"""

from collections.abc import Callable
from hashlib import blake2b

from ikegw.crypto.compare import equal

COOKIE_OCTETS = 17
_SECRET_OCTETS = 32


class Cookies:
    """Makes and recognises cookies. A secret is used for one period (seconds) and recognised for one more."""

    def __init__(self, random: Callable[[int], bytes], now: float, period: float = 60.0) -> None:
        self._random = random
        self._period = period
        self._number = random(1)[0]
        self._secret = random(_SECRET_OCTETS)
        self._previous = random(_SECRET_OCTETS)
        self._until = now + period

    def make(self, nonce: bytes, address: bytes, spi: bytes, now: float) -> bytes:
        """Make the cookie for an initiator's Ni, its packed address, and its SPI."""
        if now >= self._until:
            self._rotate(now)
        return bytes((self._number,)) + _mac(self._secret, nonce, address, spi)

    def is_right(self, cookie: bytes, nonce: bytes, address: bytes, spi: bytes, now: float) -> bool:
        """Tell whether we made this cookie for these three, at most two periods ago."""
        if now >= self._until:
            self._rotate(now)
        if len(cookie) != COOKIE_OCTETS:
            return False
        if cookie[0] == self._number:
            secret = self._secret
        elif cookie[0] == (self._number - 1) & 0xFF:
            secret = self._previous
        else:
            return False
        return equal(cookie[1:], _mac(secret, nonce, address, spi))

    def _rotate(self, now: float) -> None:
        # After a silence of more than one period the last secret is too old to be a previous one.
        late = now >= self._until + self._period
        self._previous = self._random(_SECRET_OCTETS) if late else self._secret
        self._secret = self._random(_SECRET_OCTETS)
        self._number = (self._number + 1) & 0xFF
        self._until = now + self._period if late else self._until + self._period


def _mac(secret: bytes, nonce: bytes, address: bytes, spi: bytes) -> bytes:
    # The address's length separates it from the nonce, which is of any length from 16 to 256 octets.
    octets = b"%b%c%b%b" % (spi, len(address), address, nonce)
    return blake2b(octets, digest_size=COOKIE_OCTETS - 1, key=secret).digest()
