"""What an AUTH payload is computed over, and the shared key's MAC (RFC 7296 §2.15).

Values only: nothing here knows messages or payloads, so that initiator, responder and EAP's last round use the same lines.
"""

from ikegw.crypto.prf import digest
from ikegw.crypto.transforms import Prf

KEY_PAD = b"Key Pad for IKEv2"


def signed_octets(message: bytes, peer_nonce: bytes, prf: Prf, sk_p: bytes, identity_body: bytes) -> bytes:
    """The octets that one side signs: RealMessage | NonceData | prf(SK_p, RestOfIDPayload).

    `message` is that side's own last IKE_SA_INIT message as it went over the wire, without the non-ESP marker;
    `peer_nonce` the other side's nonce; `sk_p` SK_pi or SK_pr of that side; `identity_body` the body of its IDi or IDr
    payload without the generic header (the ID type comes first).
    """
    return message + peer_nonce + digest(prf, sk_p, identity_body)


def psk_mac(prf: Prf, key: bytes, octets: bytes) -> bytes:
    """AUTH data for method 2, and for EAP with `key` the MSK (§2.16): prf(prf(key, "Key Pad for IKEv2"), octets)."""
    return digest(prf, digest(prf, key, KEY_PAD), octets)
