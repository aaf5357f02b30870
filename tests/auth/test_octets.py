"""What AUTH is computed over, against the formulas of RFC 7296 §2.15 spelled out with the standard library."""

import hashlib
import hmac

import pytest

from ikegw.auth.octets import psk_mac, signed_octets
from ikegw.crypto.transforms import Prf
from ikegw.wire.identification import Identity
from ikegw.wire.registry import IdType, PrfId

PRFS = [
    Prf("prfsha1", PrfId.HMAC_SHA1, "sha1", 20),
    Prf("prfsha256", PrfId.HMAC_SHA2_256, "sha256", 32),
    Prf("prfsha512", PrfId.HMAC_SHA2_512, "sha512", 64),
]


@pytest.mark.parametrize("prf", PRFS, ids=lambda prf: prf.name)
def test_signed_octets_are_message_nonce_and_mac_of_the_identity(prf: Prf) -> None:
    identity = Identity(IdType.FQDN, b"gw.ikegw.example")
    mac = hmac.new(b"sk_pr", b"\x02\0\0\0gw.ikegw.example", prf.hash_name).digest()
    assert signed_octets(b"message", b"nonce", prf, b"sk_pr", identity.encode()) == b"messagenonce" + mac


@pytest.mark.parametrize("prf", PRFS, ids=lambda prf: prf.name)
@pytest.mark.parametrize("key", [b"k", b"correct horse", bytes(range(200))], ids=len)
def test_psk_mac_pads_the_key(prf: Prf, key: bytes) -> None:
    inner = hmac.new(key, b"Key Pad for IKEv2", prf.hash_name).digest()
    assert len(b"Key Pad for IKEv2") == 17
    assert psk_mac(prf, key, b"octets") == hmac.new(inner, b"octets", prf.hash_name).digest()
    assert len(psk_mac(prf, key, b"octets")) == hashlib.new(prf.hash_name).digest_size
