"""Signatures of AUTH payloads: what we send, what we verify, and the forgeries of the past that must be refused."""

import hashlib
import os
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given
from hypothesis import strategies as st

from ikegw.crypto.signature_schemes import BY_IDENTIFIER, ECDSA, ED448, ED25519, RSA, RSA_PSS, RSA_SHA1
from ikegw.crypto.signatures import BadSignature, CannotSign, SignaturePolicy, sign, verify
from ikegw.wire.registry import AuthMethod, HashId

OCTETS = b"the message, the nonce of the peer, and prf(SK_p, ID)"
STRICT = SignaturePolicy()
WITH_SHA1 = SignaturePolicy(sha1=True)
SHA2 = frozenset((HashId.SHA2_256, HashId.SHA2_384, HashId.SHA2_512))
EVERYTHING = SHA2 | {HashId.SHA1, HashId.IDENTITY}
CLASSIC: frozenset[HashId] = frozenset()
SIGNATURE = AuthMethod.DIGITAL_SIGNATURE
SHA1 = hashes.SHA1()  # noqa: S303 — what old clients send


@cache
def key(kind: str) -> PrivateKeyTypes:
    match kind.split("-"):
        case ["rsa", bits]:
            return rsa.generate_private_key(65537, int(bits))
        case ["rsa", bits, "3"]:
            return rsa.generate_private_key(3, int(bits))
        case ["ecdsa", curve]:
            curves = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
            return ec.generate_private_key(curves[curve])
        case ["ed25519"]:
            return Ed25519PrivateKey.generate()
        case _:
            return Ed448PrivateKey.generate()


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    found = key(f"rsa-{bits}")
    assert isinstance(found, rsa.RSAPrivateKey)
    return found


def refused(
    kind: str, method: AuthMethod, data: bytes, policy: SignaturePolicy = STRICT, match: str | None = None
) -> None:
    with pytest.raises(BadSignature, match=match):
        verify(key(kind).public_key(), method, data, OCTETS, policy)


def prefixed(identifier: bytes, signature: bytes) -> bytes:
    return bytes((len(identifier),)) + identifier + signature


KINDS = ["rsa-2048", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "ed448"]


# ---------------------------------------------------------------- AlgorithmIdentifiers, as RFC 7427 and RFC 8420 print them


@pytest.mark.parametrize(
    ("printed", "scheme"),
    [
        ("300d06092a864886f70d0101050500", RSA_SHA1),
        ("300d06092a864886f70d01010b0500", RSA[HashId.SHA2_256]),
        ("300d06092a864886f70d01010c0500", RSA[HashId.SHA2_384]),
        ("300d06092a864886f70d01010d0500", RSA[HashId.SHA2_512]),
        ("300a06082a8648ce3d040302", ECDSA[HashId.SHA2_256]),
        ("300a06082a8648ce3d040303", ECDSA[HashId.SHA2_384]),
        ("300a06082a8648ce3d040304", ECDSA[HashId.SHA2_512]),
        (
            "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108"
            "300d06096086480165030402010500a203020120",
            RSA_PSS[HashId.SHA2_256],
        ),
        ("300506032b6570", ED25519),
        ("300506032b6571", ED448),
    ],
)
def test_identifiers(printed: str, scheme: object) -> None:
    assert BY_IDENTIFIER[bytes.fromhex(printed)] is scheme


# ---------------------------------------------------------------- what we send


@pytest.mark.parametrize("pss", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_we_sign_verifies(kind: str, pss: bool) -> None:
    method, data = sign(key(kind), OCTETS, EVERYTHING, pss)
    assert method == SIGNATURE
    verify(key(kind).public_key(), method, data, OCTETS, STRICT)
    with pytest.raises(BadSignature, match="wrong"):
        verify(key(kind).public_key(), method, data, OCTETS + b"!", STRICT)


@pytest.mark.parametrize(
    ("kind", "pss", "hash_ids", "name"),
    [
        ("rsa-2048", True, SHA2, "rsa-pss-sha256"),
        ("rsa-2048", False, SHA2, "rsa-sha256"),
        ("rsa-4096", True, SHA2, "rsa-pss-sha384"),
        ("rsa-2048", True, {HashId.SHA2_512}, "rsa-pss-sha512"),
        ("rsa-4096", False, {HashId.SHA2_256, HashId.SHA1}, "rsa-sha256"),
        ("ecdsa-p256", True, SHA2, "ecdsa-sha256"),
        ("ecdsa-p384", True, SHA2, "ecdsa-sha384"),
        ("ecdsa-p521", True, SHA2, "ecdsa-sha512"),
        ("ecdsa-p521", True, {HashId.SHA2_256, HashId.SHA2_384}, "ecdsa-sha384"),
        ("ecdsa-p256", True, {HashId.SHA2_384, HashId.SHA2_512}, "ecdsa-sha384"),
        ("ed25519", True, EVERYTHING, "ed25519"),
        ("ed448", True, {HashId.IDENTITY}, "ed448"),
    ],
)
def test_the_hash_fits_the_key_and_the_peer(kind: str, pss: bool, hash_ids: set[HashId], name: str) -> None:
    method, data = sign(key(kind), OCTETS, frozenset(hash_ids), pss)
    assert method == SIGNATURE
    assert verify(key(kind).public_key(), method, data, OCTETS, STRICT) == name


@pytest.mark.parametrize("hash_ids", [CLASSIC, frozenset({HashId.SHA1}), frozenset({HashId.IDENTITY})])
@pytest.mark.parametrize(
    ("kind", "method", "octets", "name"),
    [
        ("rsa-2048", AuthMethod.RSA_SIGNATURE, 256, "rsa-sha1"),
        ("ecdsa-p256", AuthMethod.ECDSA_SHA256_P256, 64, "ecdsa-sha256"),
        ("ecdsa-p384", AuthMethod.ECDSA_SHA384_P384, 96, "ecdsa-sha384"),
        ("ecdsa-p521", AuthMethod.ECDSA_SHA512_P521, 132, "ecdsa-sha512"),
    ],
)
def test_a_peer_without_sha2_gets_the_classic_methods(
    kind: str, method: AuthMethod, octets: int, name: str, hash_ids: frozenset[HashId]
) -> None:
    used, data = sign(key(kind), OCTETS, hash_ids)
    assert (used, len(data)) == (method, octets)
    assert verify(key(kind).public_key(), method, data, OCTETS, WITH_SHA1) == name


@pytest.mark.parametrize("kind", ["ed25519", "ed448"])
def test_edwards_keys_need_a_peer_that_announces_identity(kind: str) -> None:
    with pytest.raises(CannotSign, match=f"{kind} needs"):
        sign(key(kind), OCTETS, SHA2)


def test_keys_that_ikev2_has_no_signature_for() -> None:
    with pytest.raises(CannotSign, match="secp256k1 is not supported"):
        sign(ec.generate_private_key(ec.SECP256K1()), OCTETS, EVERYTHING)
    with pytest.raises(CannotSign, match="do not sign in IKEv2"):
        sign(dsa.generate_private_key(2048), OCTETS, EVERYTHING)


# ---------------------------------------------------------------- changed octets, methods and keys


@pytest.mark.parametrize("hash_ids", [EVERYTHING, CLASSIC], ids=["rfc7427", "classic"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_change_of_any_octet_is_refused(kind: str, hash_ids: frozenset[HashId]) -> None:
    if kind.startswith("ed") and not hash_ids:
        hash_ids = frozenset({HashId.IDENTITY})
    method, data = sign(key(kind), OCTETS, hash_ids)
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        refused(kind, method, bytes(changed), WITH_SHA1)
    for cut in range(len(data)):
        refused(kind, method, data[:cut], WITH_SHA1)
    refused(kind, method, data + b"\0", WITH_SHA1)


@given(
    st.sampled_from(KINDS),
    st.integers(0, 255).map(AuthMethod),
    st.one_of(
        st.binary(max_size=300),
        st.tuples(st.sampled_from(sorted(BY_IDENTIFIER)), st.binary(max_size=300)).map(
            lambda parts: prefixed(*parts)
        ),
    ),
)
def test_any_octets_at_all_are_refused_in_one_way(kind: str, method: AuthMethod, data: bytes) -> None:
    refused(kind, method, data, WITH_SHA1)


@pytest.mark.parametrize("other", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_of_a_key_of_another_kind_is_refused(kind: str, other: str) -> None:
    if kind != other:
        for hash_ids in (EVERYTHING, frozenset({HashId.IDENTITY})):
            method, data = sign(key(other), OCTETS, hash_ids)
            refused(kind, method, data, WITH_SHA1)


@pytest.mark.parametrize("method", [AuthMethod.SHARED_KEY, AuthMethod.DSS_SIGNATURE, AuthMethod.NULL])
def test_methods_that_are_no_signatures_of_ours_are_refused(method: AuthMethod) -> None:
    refused("rsa-2048", method, bytes(256), match="not a signature that we know")


def test_curves_outside_the_three_are_refused() -> None:
    koblitz = ec.generate_private_key(ec.SECP256K1())
    data = prefixed(ECDSA[HashId.SHA2_256].identifier, koblitz.sign(OCTETS, ec.ECDSA(hashes.SHA256())))
    with pytest.raises(BadSignature, match="needs an elliptic curve key on"):
        verify(koblitz.public_key(), SIGNATURE, data, OCTETS, STRICT)


@pytest.mark.parametrize("r_s", [(0, 0), (0, 1), (1, 0), (2**256 - 1, 2**256 - 1)])
def test_raw_ecdsa_of_zeros_and_of_too_great_numbers_is_refused(r_s: tuple[int, int]) -> None:
    data = b"".join(number.to_bytes(32, "big") for number in r_s)
    refused("ecdsa-p256", AuthMethod.ECDSA_SHA256_P256, data, match="wrong")


def test_raw_ecdsa_is_r_and_s_and_not_der() -> None:
    private = key("ecdsa-p256")
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    der = private.sign(OCTETS, ec.ECDSA(hashes.SHA256()))
    refused("ecdsa-p256", AuthMethod.ECDSA_SHA256_P256, der)
    r, s = decode_dss_signature(der)
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    verify(private.public_key(), AuthMethod.ECDSA_SHA256_P256, raw, OCTETS, STRICT)
    refused("ecdsa-p256", SIGNATURE, prefixed(ECDSA[HashId.SHA2_256].identifier, raw))
    longer = raw[:32] + b"\0" + raw[32:]  # the same numbers
    refused("ecdsa-p256", AuthMethod.ECDSA_SHA256_P256, longer, match="a signature of 65 octets")


# ---------------------------------------------------------------- SHA-1, only where policy allows it


def test_sha1_is_refused_unless_policy_allows_it() -> None:
    signature = rsa_key().sign(OCTETS, PKCS1v15(), SHA1)
    public = rsa_key().public_key()
    new_style = prefixed(RSA_SHA1.identifier, signature)
    for method, data in ((AuthMethod.RSA_SIGNATURE, signature), (SIGNATURE, new_style)):
        refused("rsa-2048", method, data, match="SHA-1 is not allowed")
        assert verify(public, method, data, OCTETS, WITH_SHA1) == "rsa-sha1"


@pytest.mark.parametrize("hash_id", sorted(SHA2))
def test_method_1_may_use_sha2(hash_id: HashId) -> None:
    scheme = RSA[hash_id]
    assert scheme.hash is not None
    data = rsa_key().sign(OCTETS, PKCS1v15(), scheme.hash)
    assert verify(rsa_key().public_key(), AuthMethod.RSA_SIGNATURE, data, OCTETS, STRICT) == scheme.name


# ---------------------------------------------------------------- RSA keys


def test_rsa_keys_below_2048_bits_are_refused() -> None:
    method, data = sign(key("rsa-1024"), OCTETS, SHA2)
    refused("rsa-1024", method, data, match="an RSA key of 1024 bits, where 2048 are demanded")
    refused("rsa-1024", AuthMethod.RSA_SIGNATURE, data, WITH_SHA1, match="1024 bits")


def test_rsa_exponent_3_is_refused_unless_policy_allows_it() -> None:
    method, data = sign(key("rsa-2048-3"), OCTETS, SHA2)
    refused("rsa-2048-3", method, data, match="exponent 3, where 65537 is the least")
    verify(key("rsa-2048-3").public_key(), method, data, OCTETS, SignaturePolicy(minimum_rsa_exponent=3))


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 128:
        return bytes((tag, len(body))) + body
    return bytes((tag, 0x82)) + len(body).to_bytes(2, "big") + body


def public_key_info(modulus: int, exponent: int) -> bytes:
    def integer(number: int) -> bytes:
        return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))

    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    return der(0x30, algorithm, der(0x03, b"\0", der(0x30, integer(modulus), integer(exponent))))


@pytest.mark.parametrize("exponent", [0, 1, 2])
def test_rsa_exponents_0_and_1_and_even_ones_never_verify(exponent: int) -> None:
    # With the exponent 0 every signature of 1 verifies, with 1 every padded message is its own signature.
    modulus = rsa_key().public_key().public_numbers().n
    padded = int.from_bytes(pkcs1(digest_info(hashlib.sha256(OCTETS).digest())), "big")
    try:
        public = load_der_public_key(public_key_info(modulus, exponent))
    except ValueError:
        return  # the library does not load such a key at all
    for signature in (padded, 1):
        data = prefixed(RSA[HashId.SHA2_256].identifier, signature.to_bytes(256, "big"))
        with pytest.raises(BadSignature, match=f"exponent {exponent}"):
            verify(public, SIGNATURE, data, OCTETS, STRICT)


def test_the_encoding_of_the_keys_above_is_right() -> None:
    numbers = rsa_key().public_key().public_numbers()
    assert load_der_public_key(public_key_info(numbers.n, numbers.e)) == rsa_key().public_key()


# ---------------------------------------------------------------- PKCS#1 v1.5 forgeries (CVE-2018-16151, CVE-2018-16152)

SHA256_OID = bytes.fromhex("0609608648016503040201")
NULL = b"\x05\x00"


def digest_info(digest: bytes, algorithm: bytes = SHA256_OID + NULL) -> bytes:
    return der(0x30, der(0x30, algorithm), der(0x04, digest))


def pkcs1(info: bytes, size: int = 256, block_type: int = 1, fill: bytes = b"\xff") -> bytes:
    return bytes((0, block_type)) + fill * (size - 3 - len(info)) + b"\0" + info


def raw_rsa(encoded: bytes) -> bytes:
    """`encoded` signed as it is: what a forger would reach if nobody looked."""
    numbers = rsa_key().private_numbers()
    n = numbers.public_numbers.n
    return pow(int.from_bytes(encoded, "big"), numbers.d, n).to_bytes(256, "big")


DIGEST = hashlib.sha256(OCTETS).digest()
INFO = digest_info(DIGEST)
SHORT = b"\0\1" + b"\xff" * 8 + b"\0"  # the least padding that the standard allows
FORGERIES = {
    "garbage after a short padding and the DigestInfo": SHORT + INFO + os.urandom(256 - len(SHORT + INFO)),
    "zeros after a short padding and the DigestInfo": SHORT + INFO + bytes(256 - len(SHORT + INFO)),
    "garbage in the algorithm's parameters": pkcs1(
        digest_info(DIGEST, SHA256_OID + der(0x04, os.urandom(60)))
    ),
    "no parameters": pkcs1(digest_info(DIGEST, SHA256_OID)),
    "octets after NULL": pkcs1(digest_info(DIGEST, SHA256_OID + NULL + b"\0\0")),
    "DigestInfo with octets after the digest": pkcs1(
        der(0x30, der(0x30, SHA256_OID, NULL), der(0x04, DIGEST), b"\0")
    ),
    "digest alone": pkcs1(DIGEST),
    "short DigestInfo of a cut digest": pkcs1(digest_info(DIGEST[:16])),
    "DigestInfo with an empty digest": pkcs1(digest_info(b"")),
    "long form of a length": pkcs1(b"\x30\x81" + INFO[1:]),
    "another hash's OID": pkcs1(digest_info(DIGEST, bytes.fromhex("0609608648016503040202") + NULL)),
    "block type 2": pkcs1(INFO, block_type=2),
    "block type 0": pkcs1(INFO, block_type=0, fill=b"\0"),
    "padding not of FF": pkcs1(INFO, fill=b"\xfe"),
    "padding with one octet changed": pkcs1(INFO)[:9] + b"\xfe" + pkcs1(INFO)[10:],
    "first octet not zero": b"\1" + pkcs1(INFO)[1:],
    "separator not zero": pkcs1(INFO).replace(b"\xff\0", b"\xff\1", 1),
    "no padding at all": b"\0\1\0" + INFO + bytes(253 - len(INFO)),
    "all zeros": bytes(256),
}


def test_the_forger_s_tools_make_a_good_signature_out_of_a_good_encoding() -> None:
    data = prefixed(RSA[HashId.SHA2_256].identifier, raw_rsa(pkcs1(INFO)))
    assert verify(rsa_key().public_key(), SIGNATURE, data, OCTETS, STRICT) == "rsa-sha256"


@pytest.mark.parametrize("encoded", FORGERIES.values(), ids=FORGERIES.keys())
def test_pkcs1_forgery(encoded: bytes) -> None:
    assert len(encoded) == 256
    signature = raw_rsa(encoded)
    refused("rsa-2048", SIGNATURE, prefixed(RSA[HashId.SHA2_256].identifier, signature))
    refused("rsa-2048", AuthMethod.RSA_SIGNATURE, signature, WITH_SHA1)


def test_a_signature_not_reduced_by_the_modulus_is_refused() -> None:
    numbers = rsa_key().public_key().public_numbers()
    _, data = sign(rsa_key(), OCTETS, SHA2, pss=False)
    identifier, signature = data[:-256], data[-256:]
    same_modulo_n = int.from_bytes(signature, "big") + numbers.n
    refused("rsa-2048", SIGNATURE, identifier + same_modulo_n.to_bytes(257, "big"))


# ---------------------------------------------------------------- PSS with odd parameters (CVE-2018-6459, CVE-2021-41990)


@pytest.mark.parametrize("salt_octets", [0, 1, 20, 31, 33, 64, 222])
def test_pss_with_another_salt_length_is_refused(salt_octets: int) -> None:
    signature = rsa_key().sign(OCTETS, PSS(MGF1(hashes.SHA256()), salt_octets), hashes.SHA256())
    refused("rsa-2048", SIGNATURE, prefixed(RSA_PSS[HashId.SHA2_256].identifier, signature), match="wrong")


def test_pss_with_another_hash_in_mgf1_is_refused() -> None:
    signature = rsa_key().sign(OCTETS, PSS(MGF1(SHA1), 32), hashes.SHA256())
    refused("rsa-2048", SIGNATURE, prefixed(RSA_PSS[HashId.SHA2_256].identifier, signature), match="wrong")


def pss_identifier(salt: bytes, mgf_hash: bytes = SHA256_OID + NULL, trailer: bytes = b"") -> bytes:
    return der(
        0x30,
        bytes.fromhex("06092a864886f70d01010a"),
        der(
            0x30,
            der(0xA0, der(0x30, SHA256_OID, NULL)),
            der(0xA1, der(0x30, bytes.fromhex("06092a864886f70d010108"), der(0x30, mgf_hash))),
            der(0xA2, der(0x02, salt)),
            trailer,
        ),
    )


ODD_PSS = {
    "salt length 0": pss_identifier(b"\0"),
    "salt length 20": pss_identifier(b"\x14"),
    "salt length -32": pss_identifier(b"\xe0"),
    "salt length with a leading zero": pss_identifier(b"\0\x20"),
    "salt length of 2^63": pss_identifier(b"\0\x80" + bytes(7)),
    "no salt length": pss_identifier(b""),
    "MGF1 with SHA-1": pss_identifier(b"\x20", bytes.fromhex("06052b0e03021a") + NULL),
    "MGF1 with SHA-384": pss_identifier(b"\x20", bytes.fromhex("0609608648016503040202") + NULL),
    "trailer field 1, which is the default and not to be written": pss_identifier(
        b"\x20", trailer=b"\xa3\3\2\1\1"
    ),
    "trailer field 2": pss_identifier(b"\x20", trailer=b"\xa3\3\2\1\2"),
    "no parameters, that is SHA-1": bytes.fromhex("300b06092a864886f70d01010a"),
    "empty parameters, that is SHA-1": bytes.fromhex("300d06092a864886f70d01010a3000"),
    "NULL parameters": bytes.fromhex("300d06092a864886f70d01010a0500"),
}


@pytest.mark.parametrize("identifier", ODD_PSS.values(), ids=ODD_PSS.keys())
def test_odd_pss_parameters_are_refused(identifier: bytes) -> None:
    _, data = sign(rsa_key(), OCTETS, SHA2)
    refused("rsa-2048", SIGNATURE, prefixed(identifier, data[-256:]), WITH_SHA1, match="none of ours")


def test_pss_parameters_with_and_without_null_are_the_same() -> None:
    _, data = sign(rsa_key(), OCTETS, SHA2)
    signature = data[-256:]
    assert pss_identifier(b"\x20") == RSA_PSS[HashId.SHA2_256].identifier == data[1:-256]
    without = data[1:-256].replace(SHA256_OID + NULL, SHA256_OID)
    for old, new in (
        (b"\x30\x41", b"\x30\x3d"),
        (b"\x30\x34", b"\x30\x30"),
        (b"\xa0\x0f\x30\x0d", b"\xa0\x0d\x30\x0b"),
    ):
        without = without.replace(old, new)
    without = without.replace(b"\xa1\x1c\x30\x1a", b"\xa1\x1a\x30\x18").replace(
        b"\x30\x0d\x06\x09\x60", b"\x30\x0b\x06\x09\x60"
    )
    assert len(without) == len(data[1:-256]) - 4
    verify(rsa_key().public_key(), SIGNATURE, prefixed(without, signature), OCTETS, STRICT)


# ---------------------------------------------------------------- odd AlgorithmIdentifiers (RFC 7427 §3)

GOOD = RSA[HashId.SHA2_256].identifier
ODD_IDENTIFIERS = {
    "trailing garbage": GOOD + b"\0",
    "trailing garbage inside the sequence": b"\x30\x0f" + GOOD[2:] + b"\0\0",
    "twice": GOOD * 2,
    "cut": GOOD[:-1],
    "no NULL": b"\x30\x0b" + GOOD[2:-2],
    "long form of the length": b"\x30\x81" + GOOD[1:],
    "indefinite length": b"\x30\x80" + GOOD[2:] + b"\0\0",
    "OID alone": GOOD[2:13],
    "MD5 with RSA": bytes.fromhex("300d06092a864886f70d0101040500"),
    "SHA-224 with RSA": bytes.fromhex("300d06092a864886f70d01010e0500"),
    "rsaEncryption": bytes.fromhex("300d06092a864886f70d0101010500"),
    "one octet": b"\x30",
}


@pytest.mark.parametrize("identifier", ODD_IDENTIFIERS.values(), ids=ODD_IDENTIFIERS.keys())
def test_odd_algorithm_identifiers_are_refused(identifier: bytes) -> None:
    _, data = sign(rsa_key(), OCTETS, SHA2, pss=False)
    refused("rsa-2048", SIGNATURE, prefixed(identifier, data[-256:]), WITH_SHA1, match="none of ours")


def test_ecdsa_identifier_with_null_is_refused() -> None:
    _, data = sign(key("ecdsa-p256"), OCTETS, SHA2)
    identifier, signature = data[1:13], data[13:]
    assert identifier == ECDSA[HashId.SHA2_256].identifier
    refused(
        "ecdsa-p256",
        SIGNATURE,
        prefixed(b"\x30\x0c" + identifier[2:] + NULL, signature),
        match="none of ours",
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\0" + bytes(256),
        b"\xff" + GOOD,
        bytes((len(GOOD),)) + GOOD,
        bytes((len(GOOD),)) + GOOD[:5],
    ],
    ids=["nothing", "length 0", "length 0 and more", "length past the end", "no signature", "cut identifier"],
)
def test_auth_data_that_end_too_soon_are_refused(data: bytes) -> None:
    refused("rsa-2048", SIGNATURE, data, match="end before the signature")
