"""Key exchange: a private key for one use, its public value, and the shared secret (RFC 7296 §2.12).

A peer's public value is checked before it is used (RFC 6989; RFC 7748 §6, RFC 8031 §3). Shared secrets and public values
have a group's fixed length, leading zeros kept (RFC 7296 §2.14).
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from ikegw.crypto.curves import EcpKeyPair, MontgomeryKeyPair
from ikegw.crypto.modp import ModpKeyPair
from ikegw.crypto.public_values import BadPublicValue
from ikegw.wire.registry import KeGroup

__all__ = ["BadPublicValue", "KeyPair", "generate"]

Random = Callable[[int], bytes]


class KeyPair(Protocol):
    """A private key and its public value, as it stands in a KE payload."""

    @property
    def public(self) -> bytes:
        """What the KE payload carries."""
        ...

    def shared(self, peer_public: bytes) -> bytes:
        """The shared secret with a peer's public value; BadPublicValue if that is not one of the group."""
        ...


_GENERATORS: Mapping[int, Callable[[Random], KeyPair]] = {
    KeGroup.X25519: MontgomeryKeyPair.x25519,
    KeGroup.X448: MontgomeryKeyPair.x448,
    KeGroup.ECP_256: EcpKeyPair.p256,
    KeGroup.ECP_384: EcpKeyPair.p384,
    KeGroup.ECP_521: EcpKeyPair.p521,
    KeGroup.MODP_2048: ModpKeyPair.modp2048,
    KeGroup.MODP_3072: ModpKeyPair.modp3072,
    KeGroup.MODP_4096: ModpKeyPair.modp4096,
}


def generate(group: KeGroup, random: Random) -> KeyPair:
    """A fresh key pair of `group`; KeyError if the registry does not have the group."""
    return _GENERATORS[group](random)
