"""The one registry of algorithms: what proposals, IKE, ESP and the kernel call the same thing.

Names are swanctl's; numbers are IANA's (RFC 7296 §3.3.2); sizes are octets unless a name says bits. An algorithm that is not
here does not exist for us: it can be neither configured, nor offered, nor chosen.
"""

from collections.abc import Mapping

from attrs import frozen

from ikegw.wire.registry import EncryptionId, EsnId, IntegrityId, KeGroup, PrfId


@frozen
class Encryption:
    """A cipher, or a cipher with its own integrity (`aead`), for SK payloads and for ESP alike.

    `key_bits` is the key length attribute on the wire (None where the attribute is forbidden); `key_octets` the cipher's key
    without the `salt_octets` that follow it in the keying material (RFC 4106 §8.1, RFC 3686 §5.1). `block_octets` is what the
    plaintext with its padding is a multiple of; `icv_octets` is 0 unless `aead`. `kernel_name` is Linux's crypto API name.
    """

    name: str
    id: EncryptionId
    key_bits: int | None
    key_octets: int
    salt_octets: int
    iv_octets: int
    icv_octets: int
    block_octets: int
    aead: bool
    kernel_name: str


@frozen
class Prf:
    """A pseudorandom function: HMAC (RFC 2104) with `hash_name`. Its preferred key and its output are both `key_octets`."""

    name: str
    id: PrfId
    hash_name: str
    key_octets: int


@frozen
class Integrity:
    """HMAC with `hash_name`, cut to `icv_octets` (RFC 2404, RFC 4868)."""

    name: str
    id: IntegrityId
    hash_name: str
    key_octets: int
    icv_octets: int
    kernel_name: str


@frozen
class Group:
    """A key exchange method; `none` (NO_GROUP) only says that a CHILD SA may do without one."""

    name: str
    id: KeGroup


@frozen
class Esn:
    """Whether a CHILD SA counts in 64 bits (RFC 4303 §2.2.1)."""

    name: str
    id: EsnId
    extended: bool


Algorithm = Encryption | Prf | Integrity | Group | Esn

_AES_BITS = (128, 192, 256)


def _aes(
    suffix: str, id_: EncryptionId, salt: int, iv: int, icv: int, block: int, kernel: str
) -> list[Encryption]:
    return [
        Encryption(f"aes{bits}{suffix}", id_, bits, bits // 8, salt, iv, icv, block, icv > 0, kernel)
        for bits in _AES_BITS
    ]


ENCRYPTIONS: tuple[Encryption, ...] = (
    *_aes("gcm16", EncryptionId.AES_GCM_16, salt=4, iv=8, icv=16, block=1, kernel="rfc4106(gcm(aes))"),
    Encryption(
        "chacha20poly1305",
        EncryptionId.CHACHA20_POLY1305,
        None,
        32,
        4,
        8,
        16,
        1,
        True,
        "rfc7539esp(chacha20,poly1305)",
    ),
    *_aes("ccm16", EncryptionId.AES_CCM_16, salt=3, iv=8, icv=16, block=1, kernel="rfc4309(ccm(aes))"),
    *_aes("", EncryptionId.AES_CBC, salt=0, iv=16, icv=0, block=16, kernel="cbc(aes)"),
    *_aes("ctr", EncryptionId.AES_CTR, salt=4, iv=8, icv=0, block=1, kernel="rfc3686(ctr(aes))"),
)

PRFS: tuple[Prf, ...] = (
    Prf("prfsha256", PrfId.HMAC_SHA2_256, "sha256", 32),
    Prf("prfsha384", PrfId.HMAC_SHA2_384, "sha384", 48),
    Prf("prfsha512", PrfId.HMAC_SHA2_512, "sha512", 64),
    Prf("prfsha1", PrfId.HMAC_SHA1, "sha1", 20),
)

INTEGRITIES: tuple[Integrity, ...] = (
    Integrity("sha256", IntegrityId.HMAC_SHA2_256_128, "sha256", 32, 16, "hmac(sha256)"),
    Integrity("sha384", IntegrityId.HMAC_SHA2_384_192, "sha384", 48, 24, "hmac(sha384)"),
    Integrity("sha512", IntegrityId.HMAC_SHA2_512_256, "sha512", 64, 32, "hmac(sha512)"),
    Integrity("sha1", IntegrityId.HMAC_SHA1_96, "sha1", 20, 12, "hmac(sha1)"),
)

NO_GROUP = Group("none", KeGroup.NONE)

GROUPS: tuple[Group, ...] = (
    Group("x25519", KeGroup.X25519),
    Group("x448", KeGroup.X448),
    Group("ecp256", KeGroup.ECP_256),
    Group("ecp384", KeGroup.ECP_384),
    Group("ecp521", KeGroup.ECP_521),
    Group("modp2048", KeGroup.MODP_2048),
    Group("modp3072", KeGroup.MODP_3072),
    Group("modp4096", KeGroup.MODP_4096),
    NO_GROUP,
)

NO_ESN = Esn("noesn", EsnId.NO_ESN, False)
ESN = Esn("esn", EsnId.ESN, True)

_ALIASES = {
    "curve25519": "x25519",
    "curve448": "x448",
    "modpnone": "none",
    "aes": "aes128",
    "sha": "sha1",
    "sha2_256": "sha256",
    "sha2_384": "sha384",
    "sha2_512": "sha512",
    "aes128gcm": "aes128gcm16",
    "aes192gcm": "aes192gcm16",
    "aes256gcm": "aes256gcm16",
    "aes128gcm128": "aes128gcm16",
    "aes192gcm128": "aes192gcm16",
    "aes256gcm128": "aes256gcm16",
    "aes128ccm": "aes128ccm16",
    "aes192ccm": "aes192ccm16",
    "aes256ccm": "aes256ccm16",
    "aes128ccm128": "aes128ccm16",
    "aes192ccm128": "aes192ccm16",
    "aes256ccm128": "aes256ccm16",
}

_CANONICAL: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for kind in (ENCRYPTIONS, PRFS, INTEGRITIES, GROUPS, (NO_ESN, ESN))
    for algorithm in kind
}
BY_NAME: Mapping[str, Algorithm] = _CANONICAL | {alias: _CANONICAL[name] for alias, name in _ALIASES.items()}
"""Every word that a proposal may hold, swanctl's aliases included."""

ENCRYPTION_BY_ID: Mapping[tuple[int, int | None], Encryption] = {(e.id, e.key_bits): e for e in ENCRYPTIONS}
"""By transform number and key length attribute, as they stand on the wire."""

PRF_BY_ID: Mapping[int, Prf] = {prf.id: prf for prf in PRFS}
INTEGRITY_BY_ID: Mapping[int, Integrity] = {integrity.id: integrity for integrity in INTEGRITIES}
GROUP_BY_ID: Mapping[int, Group] = {group.id: group for group in GROUPS}

_PRF_BY_HASH = {prf.hash_name: prf for prf in PRFS}


def prf_following(integrity: Integrity) -> Prf:
    """The PRF that an IKE proposal means when it names `integrity` and no PRF: the same HMAC, uncut (as swanctl does)."""
    return _PRF_BY_HASH[integrity.hash_name]
