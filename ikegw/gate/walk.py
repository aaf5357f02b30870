"""A light walk over an IKE_SA_INIT request's payload headers: Ni and the cookie, with nothing decoded.

Under a flood most requests deserve no more than this. Whatever looks odd here is left to `ikegw.wire` to refuse.
"""

from ikegw.wire.registry import NotifyType, PayloadType

_HEADER_OCTETS = 28
_NONCE = int(PayloadType.NONCE)
_NOTIFY = int(PayloadType.NOTIFY)
_COOKIE = NotifyType.COOKIE.to_bytes(2)
_MOST_PAYLOADS = 64
"""An IKE_SA_INIT request has about ten; a datagram could hold 16,000 empty ones."""


def nonce_and_cookie(octets: bytes) -> tuple[bytes, bytes] | None:
    """Find Ni (RFC 7296 §3.9) and N(COOKIE)'s data, empty if there is none, in a whole IKE_SA_INIT request.

    None if the chain of payloads is broken or too long, or has no nonce of 16 to 256 octets.
    """
    nonce = cookie = b""
    end = len(octets)
    offset = _HEADER_OCTETS
    kind = octets[16] if end > offset else 0
    for _ in range(_MOST_PAYLOADS):
        if not kind:
            return (nonce, cookie) if 16 <= len(nonce) <= 256 else None
        if offset + 4 > end:
            return None
        after = offset + (octets[offset + 2] << 8 | octets[offset + 3])
        if after < offset + 4 or after > end:
            return None
        if kind == _NONCE:
            nonce = octets[offset + 4 : after]
        elif kind == _NOTIFY and octets[offset + 6 : offset + 8] == _COOKIE and after >= offset + 8:
            cookie = octets[offset + 8 + octets[offset + 5] : after]
        kind = octets[offset]
        offset = after
    return None
