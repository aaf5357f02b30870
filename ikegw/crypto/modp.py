"""Key exchange modulo a prime: RFC 3526's groups, the only place that knows the library's deprecated finite field interface.

The library draws private values itself, so one is drawn from the handed-in `random` instead, and the library is asked for the
"shared secret" with the generator, which is the public value. That is as quick as its own generation (0.35 ms for 2048 bits
on the machine where `pow` takes 3.3 ms), and OpenSSL's exponentiation does not depend on the bits of the exponent,
whereas `pow` does.

The primes are safe and 2 generates the subgroup of prime order (p-1)/2, so that short exponents lose nothing as long as they
have twice the group's strength (RFC 3526 §8, NIST SP 800-56A §5.6.1.1); and the only elements of small order are 1 and p-1,
which are refused (RFC 6989 §2.1).
"""

import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Self

from attrs import field, frozen
from cryptography.utils import CryptographyDeprecationWarning

from ikegw.crypto.public_values import BadPublicValue

with warnings.catch_warnings():
    warnings.simplefilter("ignore", CryptographyDeprecationWarning)
    from cryptography.hazmat.primitives.asymmetric.dh import (
        DHParameterNumbers,
        DHPrivateKey,
        DHPrivateNumbers,
        DHPublicKey,
        DHPublicNumbers,
    )

Random = Callable[[int], bytes]

_GENERATOR = 2

PRIME_2048 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AACAA68FFFFFFFFFFFFFFFF",
    16,
)
PRIME_3072 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
PRIME_4096 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A92108011A723C12A787E6D7"
    "88719A10BDBA5B2699C327186AF4E23C1A946834B6150BDA2583E9CA2AD44CE8DBBBC2DB04DE8EF92E8EFC141FBECAA6"
    "287C59474E6BC05D99B2964FA090C3A2233BA186515BE7ED1F612970CEE2D7AFB81BDD762170481CD0069127D5B05AA9"
    "93B4EA988D8FDDC186FFB7DC90A6C08F4DF435C934063199FFFFFFFFFFFFFFFF",
    16,
)


class _Group:
    """A prime as the library wants it; `exponent_octets` is the length of private values."""

    def __init__(self, prime: int, exponent_octets: int) -> None:
        self.prime = prime
        self.octets = prime.bit_length() // 8
        self.exponent_octets = exponent_octets
        self.parameters = DHParameterNumbers(prime, _GENERATOR)
        self.generator = DHPublicNumbers(_GENERATOR, self.parameters)

    @cached_property
    def generator_key(self) -> DHPublicKey:
        """The generator in a public value's place."""
        return self.generator.public_key()

    def private_key(self, exponent: int) -> DHPrivateKey:
        # The public value that goes with it is not known yet and not looked at by exchange(): the generator stands in.
        return DHPrivateNumbers(exponent, self.generator).private_key()


_MODP_2048 = _Group(PRIME_2048, 32)
_MODP_3072 = _Group(PRIME_3072, 40)
_MODP_4096 = _Group(PRIME_4096, 48)


@frozen(eq=False)
class ModpKeyPair:
    """A key pair of a MODP group."""

    _group: _Group = field(repr=False)
    _private: DHPrivateKey = field(repr=False)
    public: bytes

    @classmethod
    def generate(cls, group: _Group, random: Random) -> Self:
        """A key pair whose private value comes from `random` alone."""
        exponent = int.from_bytes(random(group.exponent_octets), "big")
        exponent |= 1 << (8 * group.exponent_octets - 1)  # one length, so that time tells nothing about it
        private = group.private_key(exponent)
        return cls(group, private, private.exchange(group.generator_key))

    @classmethod
    def modp2048(cls, random: Random) -> Self:
        """Group 14."""
        return cls.generate(_MODP_2048, random)

    @classmethod
    def modp3072(cls, random: Random) -> Self:
        """Group 15."""
        return cls.generate(_MODP_3072, random)

    @classmethod
    def modp4096(cls, random: Random) -> Self:
        """Group 16."""
        return cls.generate(_MODP_4096, random)

    def shared(self, peer_public: bytes) -> bytes:
        """g^ir in as many octets as the prime has (RFC 7296 §2.14); BadPublicValue."""
        if len(peer_public) != self._group.octets:
            raise BadPublicValue(f"{len(peer_public)} octets instead of {self._group.octets}")
        value = int.from_bytes(peer_public, "big")
        if not 1 < value < self._group.prime - 1:
            raise BadPublicValue("not between 1 and p-1")
        return self._private.exchange(DHPublicNumbers(value, self._group.parameters).public_key())
