"""What MS-CHAPv2 computes (RFC 2759 §8), and the keys that follow from it (RFC 3079 §3).

All names and passwords are in UTF-8. Challenges have 16 octets, an NT-Response 24.
"""

import warnings
from hashlib import sha1
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from ikegw.eap.md4 import md4

CHALLENGE_OCTETS: Final = 16
NT_RESPONSE_OCTETS: Final = 24

_SIGN_SERVER_1: Final = b"Magic server to client signing constant"
_SIGN_SERVER_2: Final = b"Pad to make it do more than one iteration"
_MASTER_KEY: Final = b"This is the MPPE Master Key"
_CLIENT_SENDS: Final = b"On the client side, this is the send key; on the server side, it is the receive key."
_CLIENT_RECEIVES: Final = (
    b"On the client side, this is the receive key; on the server side, it is the send key."
)
_SHS_PAD_1: Final = bytes(40)
_SHS_PAD_2: Final = b"\xf2" * 40
_MSK_OCTETS: Final = 64


def nt_password_hash(password: bytes) -> bytes:
    """NtPasswordHash: MD4 of the password in UTF-16, little end first."""
    return md4(password.decode("utf-8", "replace").encode("utf-16-le"))


def without_domain(name: bytes) -> bytes:
    r"""The user of `DOMAIN\user`: only that goes into the challenge hash (RFC 2759 §4)."""
    return name.rpartition(b"\\")[2]


def challenge_hash(peer_challenge: bytes, authenticator_challenge: bytes, name: bytes) -> bytes:
    """ChallengeHash: the 8 octets that the password is to encrypt."""
    return sha1(peer_challenge + authenticator_challenge + without_domain(name)).digest()[:8]  # noqa: S324


def nt_response(
    authenticator_challenge: bytes, peer_challenge: bytes, name: bytes, password_hash: bytes
) -> bytes:
    """GenerateNTResponse."""
    challenge = challenge_hash(peer_challenge, authenticator_challenge, name)
    keys = password_hash.ljust(21, b"\0")
    return b"".join(_des(keys[start : start + 7], challenge) for start in (0, 7, 14))


def authenticator_response(
    authenticator_challenge: bytes, peer_challenge: bytes, name: bytes, password_hash: bytes, response: bytes
) -> bytes:
    """GenerateAuthenticatorResponse, its 20 octets before they are written as `S=` and hex."""
    digest = sha1(md4(password_hash) + response + _SIGN_SERVER_1).digest()  # noqa: S324
    challenge = challenge_hash(peer_challenge, authenticator_challenge, name)
    return sha1(digest + challenge + _SIGN_SERVER_2).digest()  # noqa: S324


def master_key(password_hash: bytes, response: bytes) -> bytes:
    """GetMasterKey (RFC 3079 §3.4)."""
    return sha1(md4(password_hash) + response + _MASTER_KEY).digest()[:16]  # noqa: S324


def start_key(master: bytes, *, client_sends: bool, octets: int = 16) -> bytes:
    """GetAsymmetricStartKey: the key for what the client sends, or for what it receives."""
    magic = _CLIENT_SENDS if client_sends else _CLIENT_RECEIVES
    return sha1(master + _SHS_PAD_1 + magic + _SHS_PAD_2).digest()[:octets]  # noqa: S324


def msk(password_hash: bytes, response: bytes) -> bytes:
    """The MSK of EAP-MSCHAPv2 as RADIUS servers give it: what the server receives by, then sends by, zeros up to 64 octets."""
    master = master_key(password_hash, response)
    keys = start_key(master, client_sends=True) + start_key(master, client_sends=False)
    return keys.ljust(_MSK_OCTETS, b"\0")


def _des(key: bytes, block: bytes) -> bytes:
    """DesEncrypt: 7 octets of key, spread over 8 whose lowest bits are parity that nobody looks at."""
    bits = int.from_bytes(key, "big")
    spread = bytes((bits >> (49 - 7 * place) & 0x7F) << 1 for place in range(8))
    with warnings.catch_warnings():  # it is decrepit; MS-CHAPv2 has no other
        warnings.simplefilter("ignore")
        cipher = Cipher(TripleDES(spread * 3), modes.ECB())  # noqa: S305  # three times the same key is DES
    return cipher.encryptor().update(block)
