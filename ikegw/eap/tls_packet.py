"""EAP-TLS on the wire (RFC 5216 §3), which EAP-TTLS shares (RFC 5281 §9.1): flags, a length perhaps, a piece of a TLS message."""

from struct import Struct
from typing import Final, Self

from attrs import field, frozen

from ikegw.eap.errors import BadEap

_LENGTH_INCLUDED: Final = 0x80
_MORE_FRAGMENTS: Final = 0x40
_START: Final = 0x20
_VERSION: Final = 0x07
_LENGTH: Final = Struct("!I")


@frozen
class TlsPacket:
    """Type data. `total` is the length of the whole message, which the first of several fragments tells.

    An empty one acknowledges a fragment, or says that there is nothing to say.
    """

    data: bytes = field(default=b"", repr=lambda data: f"<{len(data)} octets>")
    more: bool = False
    total: int | None = None
    start: bool = False

    def encode(self) -> bytes:
        """Octets, of version 0."""
        flags = _START if self.start else 0
        flags |= _MORE_FRAGMENTS if self.more else 0
        if self.total is None:
            return bytes((flags,)) + self.data
        return bytes((flags | _LENGTH_INCLUDED,)) + _LENGTH.pack(self.total) + self.data

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Refuses what is too short for its flags, and a fragment or a start that contradicts itself; BadEap."""
        if not data:
            raise BadEap("EAP-TLS packet without its flags")
        flags, rest, total = data[0], data[1:], None
        if flags & _LENGTH_INCLUDED:
            if len(rest) < _LENGTH.size:
                raise BadEap(f"EAP-TLS packet of {len(data)} octets that says that it holds a length")
            (total,) = _LENGTH.unpack_from(rest)
            rest = rest[_LENGTH.size :]
            if len(rest) > total:
                raise BadEap(f"EAP-TLS fragment of {len(rest)} octets, of a message of {total}")
        more = bool(flags & _MORE_FRAGMENTS)
        if more and not rest:
            raise BadEap("EAP-TLS fragment without data that says that more follow")
        return cls(rest, more, total, bool(flags & _START))
