"""The keys of an IKE SA as a line of Wireshark's IKEv2 decryption table (its file `ikev2_decryption_table`)."""

from typing import Final

from ikegw.crypto.transforms import Encryption
from ikegw.ports.witness import MadeKeys
from ikegw.wire.registry import EncryptionId

_ENCRYPTIONS: Final = {
    EncryptionId.AES_CBC: "AES-CBC-{bits} [RFC3602]",
    EncryptionId.AES_CTR: "AES-CTR-{bits} [RFC5930]",
    EncryptionId.AES_GCM_16: "AES-GCM-{bits} with 16 octet ICV [RFC5282]",
    EncryptionId.AES_CCM_16: "AES-CCM-{bits} with 16 octet ICV [RFC5282]",
}
_INTEGRITIES: Final = {
    "sha1": "HMAC_SHA1_96 [RFC2404]",
    "sha256": "HMAC_SHA2_256_128 [RFC4868]",
    "sha384": "HMAC_SHA2_384_192 [RFC4868]",
    "sha512": "HMAC_SHA2_512_256 [RFC4868]",
}
_NO_INTEGRITY: Final = "NONE [RFC4306]"


def table_line(made: MadeKeys) -> str | None:
    """The line, without its end; None: Wireshark's table does not know the algorithm (ChaCha20-Poly1305)."""
    encryption = _named(made.suite.encryption)
    if encryption is None:
        return None
    integrity = _NO_INTEGRITY if made.suite.integrity is None else _INTEGRITIES[made.suite.integrity.name]
    keys = made.keys
    return ",".join(
        (
            made.spi_initiator.hex(),
            made.spi_responder.hex(),
            keys.ei.hex(),
            keys.er.hex(),
            f'"{encryption}"',
            keys.ai.hex(),
            keys.ar.hex(),
            f'"{integrity}"',
        )
    )


def _named(encryption: Encryption) -> str | None:
    known = _ENCRYPTIONS.get(encryption.id)
    return None if known is None else known.format(bits=encryption.key_bits)
