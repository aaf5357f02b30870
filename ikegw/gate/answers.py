"""Unprotected notifies as whole datagrams, made out of the request's own octets (RFC 7296 §1.5, §2.5, §2.6).

Nothing of the request is decoded for it: both SPIs, the exchange and the Message ID are copied from its header.
"""

from struct import Struct

from ikegw.wire.registry import PayloadType

_TAIL = Struct(">4BIIBBHBBH")
"""Header from its first payload on; generic payload header; protocol, SPI size, notify type."""

_NOTIFY = int(PayloadType.NOTIFY)
_INITIATOR = 0x08
_RESPONSE = 0x20
_OCTETS = 36


def notify_datagram(request: bytes, notify_type: int, data: bytes = b"") -> bytes:
    """Make the response to `request` (at least 28 octets) that holds one notify, unprotected, in version 2.0."""
    flags = _RESPONSE | (~request[19] & _INITIATOR)
    message_id = int.from_bytes(request[20:24])
    length = _OCTETS + len(data)
    tail = _TAIL.pack(
        _NOTIFY, 0x20, request[18], flags, message_id, length, 0, 0, 8 + len(data), 0, 0, notify_type
    )
    return request[:16] + tail + data
