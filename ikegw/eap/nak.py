"""NAK: a peer declines a method and says which it wants (RFC 3748 §5.3, the expanded one §5.3.2)."""

from collections.abc import Iterable
from struct import Struct

from ikegw.eap.errors import BadEap
from ikegw.wire.registry import EapType

_EXPANDED = Struct("!B3xI")
_OCTETS = _EXPANDED.size
NONE = 0
"""In place of a type: there is no other method that the peer would take."""


def legacy(types: Iterable[EapType]) -> bytes:
    """The type data of a NAK (type 3)."""
    return bytes(types) or bytes((NONE,))


def expanded(types: Iterable[EapType]) -> bytes:
    """The type data of an expanded NAK (type 254), the only answer to a request of type 254 that is declined."""
    wanted = [_EXPANDED.pack(EapType.EXPANDED, kind) for kind in types] or [
        _EXPANDED.pack(EapType.EXPANDED, NONE)
    ]
    return (_EXPANDED.pack(EapType.EXPANDED, EapType.NAK) + b"".join(wanted))[1:]


def wanted(data: bytes) -> tuple[EapType, ...]:
    """The methods that a NAK (type 3) asks for, the preferred first; BadEap."""
    if not data:
        raise BadEap("a NAK that names no method, not even none (RFC 3748 §5.3.1)")
    return tuple(EapType(kind) for kind in data if kind != NONE)
