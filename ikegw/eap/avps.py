"""The attributes that EAP-TTLS carries within TLS: Diameter's AVPs (RFC 5281 §10)."""

from struct import Struct
from typing import Final, Self

from attrs import field, frozen

from ikegw.eap.errors import BadEap

USER_NAME: Final = 1
USER_PASSWORD: Final = 2
REPLY_MESSAGE: Final = 18
EAP_MESSAGE: Final = 79
MICROSOFT: Final = 311
MS_CHAP_ERROR: Final = 2
MS_CHAP_CHALLENGE: Final = 11
MS_CHAP2_RESPONSE: Final = 25
MS_CHAP2_SUCCESS: Final = 26

_VENDOR: Final = 0x80
_MANDATORY: Final = 0x40
_HEADER: Final = Struct("!II")
_VENDOR_ID: Final = Struct("!I")
_MOST: Final = 64


@frozen
class Avp:
    """One attribute; its value is often a secret. `vendor` 0: RADIUS's own. `mandatory`: who does not know it must fail."""

    code: int
    value: bytes = field(repr=False)
    vendor: int = 0
    mandatory: bool = True

    def encode(self) -> bytes:
        """Octets, filled up to a multiple of four."""
        flags = (_VENDOR if self.vendor else 0) | (_MANDATORY if self.mandatory else 0)
        vendor = _VENDOR_ID.pack(self.vendor) if self.vendor else b""
        length = _HEADER.size + len(vendor) + len(self.value)
        return _HEADER.pack(self.code, flags << 24 | length) + vendor + self.value + bytes(-length % 4)

    @classmethod
    def decode_all(cls, octets: bytes) -> tuple[Self, ...]:
        """All that stand in `octets`; BadEap for lengths that do not fit, and for more than anybody sends."""
        found: list[Self] = []
        at = 0
        while at < len(octets):
            if len(found) >= _MOST:
                raise BadEap(f"more than {_MOST} AVPs within TTLS")
            avp, length = cls._decode(octets, at)
            found.append(avp)
            at += length + -length % 4
        return tuple(found)

    @classmethod
    def _decode(cls, octets: bytes, at: int) -> tuple[Self, int]:
        if len(octets) - at < _HEADER.size:
            raise BadEap(f"{len(octets) - at} octets within TTLS where an AVP begins")
        code, word = _HEADER.unpack_from(octets, at)
        flags, length = word >> 24, word & 0xFFFFFF
        header = _HEADER.size + (_VENDOR_ID.size if flags & _VENDOR else 0)
        if not header <= length <= len(octets) - at:
            raise BadEap(f"AVP {code} of {length} octets within TTLS, where {len(octets) - at} are left")
        vendor = _VENDOR_ID.unpack_from(octets, at + _HEADER.size)[0] if flags & _VENDOR else 0
        return cls(code, octets[at + header : at + length], vendor, bool(flags & _MANDATORY)), length
