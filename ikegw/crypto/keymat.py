"""Keys out of shared secrets and nonces: SKEYSEED and SK_* (RFC 7296 §2.14, §2.18) and KEYMAT (§2.17)."""

from attrs import field, frozen

from ikegw.crypto.prf import digest, prf_plus
from ikegw.crypto.suites import EspSuite, IkeSuite
from ikegw.crypto.transforms import Encryption, Integrity, Prf


@frozen
class ChildKeys:
    """The keys of one direction: `encryption` ends with the salt, `integrity` is empty with an AEAD."""

    encryption: bytes = field(repr=False)
    integrity: bytes = field(repr=False)


@frozen
class IkeKeys:
    """SK_d, SK_ai, SK_ar, SK_ei, SK_er, SK_pi, SK_pr; `e*` end with the salt, `a*` are empty with an AEAD (RFC 5282 §7)."""

    d: bytes = field(repr=False)
    ai: bytes = field(repr=False)
    ar: bytes = field(repr=False)
    ei: bytes = field(repr=False)
    er: bytes = field(repr=False)
    pi: bytes = field(repr=False)
    pr: bytes = field(repr=False)

    @property
    def initiator(self) -> ChildKeys:
        """What seals the original initiator's messages."""
        return ChildKeys(self.ei, self.ai)

    @property
    def responder(self) -> ChildKeys:
        """What seals the original responder's messages."""
        return ChildKeys(self.er, self.ar)


def _sizes(encryption: Encryption, integrity: Integrity | None) -> tuple[int, int]:
    return encryption.key_octets + encryption.salt_octets, 0 if integrity is None else integrity.key_octets


def _cut(octets: bytes, *lengths: int) -> list[bytes]:
    parts, start = [], 0
    for length in lengths:
        parts.append(octets[start : start + length])
        start += length
    return parts


def _keys_of_seed(suite: IkeSuite, skeyseed: bytes, nonces: bytes, spis: bytes) -> IkeKeys:
    prf = suite.prf
    key, mac = _sizes(suite.encryption, suite.integrity)
    n = prf.key_octets
    octets = prf_plus(prf, skeyseed, nonces + spis, 3 * n + 2 * mac + 2 * key)
    return IkeKeys(*_cut(octets, n, mac, mac, key, key, n, n))


def ike_keys(suite: IkeSuite, shared: bytes, ni: bytes, nr: bytes, spi_i: bytes, spi_r: bytes) -> IkeKeys:
    """The keys of a new IKE SA: SKEYSEED = prf(Ni | Nr, g^ir) (RFC 7296 §2.14)."""
    nonces = ni + nr
    return _keys_of_seed(suite, digest(suite.prf, nonces, shared), nonces, spi_i + spi_r)


def rekeyed_ike_keys(
    suite: IkeSuite,
    old_prf: Prf,
    old_sk_d: bytes,
    shared: bytes,
    ni: bytes,
    nr: bytes,
    spi_i: bytes,
    spi_r: bytes,
) -> IkeKeys:
    """The keys of an IKE SA that replaces another: SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr) with the *old* prf.

    Everything after SKEYSEED is the new suite's (RFC 7296 §2.18).
    """
    nonces = ni + nr
    return _keys_of_seed(suite, digest(old_prf, old_sk_d, shared + nonces), nonces, spi_i + spi_r)


def child_keys(
    suite: EspSuite, prf: Prf, sk_d: bytes, ni: bytes, nr: bytes, shared: bytes = b""
) -> tuple[ChildKeys, ChildKeys]:
    """KEYMAT = prf+(SK_d, [g^ir (new)] | Ni | Nr): keys initiator→responder, then responder→initiator (RFC 7296 §2.17).

    `prf` and `sk_d` are the IKE SA's; initiator and nonces are those of the exchange that makes the CHILD SA.
    """
    key, mac = _sizes(suite.encryption, suite.integrity)
    octets = prf_plus(prf, sk_d, shared + ni + nr, 2 * (key + mac))
    ei, ai, er, ar = _cut(octets, key, mac, key, mac)
    return ChildKeys(ei, ai), ChildKeys(er, ar)
