"""Key exchange on curves: ECP groups (RFC 5903) and X25519, X448 (RFC 8031).

An ECP public value is x | y; the shared secret is the x coordinate of the common point. Points off the curve and the point at
infinity are refused (RFC 6989 §2.3); so is an all-zero secret of X25519 or X448, to which only the few points of small
order lead (RFC 8031 §3.1 asks for the check, RFC 7748 §6 describes it).
"""

from collections.abc import Callable
from typing import Self

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ikegw.crypto.public_values import BadPublicValue

Random = Callable[[int], bytes]

_P256, _P384, _P521 = ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()
ORDERS: dict[str, int] = {
    _P256.name: 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551,
    _P384.name: (1 << 384) - (1 << 192) + 0xC7634D81_F4372DDF_581A0DB2_48B0A77A_ECEC196A_CCC52973,
    _P521.name: (1 << 521)
    - (1 << 260)
    + 0xA_51868783_BF2F966B_7FCC0148_F709A5D0_3BB5C9B8_899C47AE_BB6FB71E_91386409,
}
_UNCOMPRESSED = b"\x04"
_ECDH = ec.ECDH()


def _private_value(random: Random, order: int) -> int:
    # FIPS 186-5 §A.2.1: 64 bits more than the order has, so that the remainder is not biased.
    octets = (order.bit_length() + 7) // 8 + 8
    return int.from_bytes(random(octets), "big") % (order - 1) + 1


@frozen(eq=False)
class EcpKeyPair:
    """A key pair on a prime curve."""

    _private: ec.EllipticCurvePrivateKey = field(repr=False)
    public: bytes

    @classmethod
    def generate(cls, curve: ec.EllipticCurve, random: Random) -> Self:
        """A key pair whose private value comes from `random` alone."""
        private = ec.derive_private_key(_private_value(random, ORDERS[curve.name]), curve)
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return cls(private, point[1:])

    @classmethod
    def p256(cls, random: Random) -> Self:
        """Group 19."""
        return cls.generate(_P256, random)

    @classmethod
    def p384(cls, random: Random) -> Self:
        """Group 20."""
        return cls.generate(_P384, random)

    @classmethod
    def p521(cls, random: Random) -> Self:
        """Group 21."""
        return cls.generate(_P521, random)

    def shared(self, peer_public: bytes) -> bytes:
        """The x coordinate, in as many octets as the field has; BadPublicValue."""
        if len(peer_public) != len(self.public):
            raise BadPublicValue(f"{len(peer_public)} octets instead of {len(self.public)}")
        try:
            peer = ec.EllipticCurvePublicKey.from_encoded_point(
                self._private.curve, _UNCOMPRESSED + peer_public
            )
            return self._private.exchange(_ECDH, peer)
        except ValueError as error:
            raise BadPublicValue(f"not a point of {self._private.curve.name}") from error


@frozen(eq=False)
class MontgomeryKeyPair:
    """A key pair of X25519 or X448."""

    _private: X25519PrivateKey | X448PrivateKey = field(repr=False)
    public: bytes

    @classmethod
    def x25519(cls, random: Random) -> Self:
        """Group 31."""
        private = X25519PrivateKey.from_private_bytes(random(32))
        return cls(private, private.public_key().public_bytes_raw())

    @classmethod
    def x448(cls, random: Random) -> Self:
        """Group 32."""
        private = X448PrivateKey.from_private_bytes(random(56))
        return cls(private, private.public_key().public_bytes_raw())

    def shared(self, peer_public: bytes) -> bytes:
        """The shared u coordinate; BadPublicValue."""
        if len(peer_public) != len(self.public):
            raise BadPublicValue(f"{len(peer_public)} octets instead of {len(self.public)}")
        try:
            if isinstance(self._private, X25519PrivateKey):
                return self._private.exchange(X25519PublicKey.from_public_bytes(peer_public))
            return self._private.exchange(X448PublicKey.from_public_bytes(peer_public))
        except ValueError as error:  # the library refuses an all-zero secret
            raise BadPublicValue("a point of small order") from error
