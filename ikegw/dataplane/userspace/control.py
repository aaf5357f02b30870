"""What gateway and process say to each other, over two pipes: frames of length, kind, request number, and a body.

Bodies are JSON, except that of IKE. An INSTALL carries keys, so no body is ever logged; every request has one REPLY or REFUSAL
with its number, in any order. The end of a pipe is the other's death.
"""

import json
from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import Any, Final

Json = dict[str, Any]
"""A body, as `json` gives it."""

_FRAME: Final = Struct("!LBL")
_IKE: Final = Struct("!HHB")

MOST_OCTETS: Final = 1 << 24
"""A longer frame is nonsense: the other side is not ours, and the pipe is closed."""


class Kind(IntEnum):
    """What a frame is; requests come from the gateway, all else from the process."""

    START = 1
    INSTALL = 2
    MOVE = 3
    REMOVE = 4
    USAGE = 5
    STOP = 6
    ACTIVATE = 7
    RETIRE = 8
    COUNTS = 9
    TRAP = 10
    UNTRAP = 11
    SHUNT = 12
    UNSHUNT = 13
    REPLY = 16
    REFUSAL = 17
    EVENT = 18
    IKE = 19


class BadFrame(Exception):
    """What came is no frame of this protocol."""


def frame(kind: Kind, number: int, body: bytes) -> bytes:
    """One frame."""
    return _FRAME.pack(len(body), kind, number) + body


def json_frame(kind: Kind, number: int, body: Json) -> bytes:
    """One frame with a JSON body."""
    return frame(kind, number, json.dumps(body, separators=(",", ":")).encode())


class Frames:
    """Cuts a stream of octets into frames."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, octets: bytes) -> Iterator[tuple[Kind, int, bytes]]:
        """Every frame that is now complete; BadFrame if the stream cannot be ours."""
        held, at = self._held + octets, 0
        while len(held) - at >= _FRAME.size:
            length, kind, number = _FRAME.unpack_from(held, at)
            if length > MOST_OCTETS:
                raise BadFrame(f"a frame of {length} octets")
            end = at + _FRAME.size + length
            if end > len(held):
                break
            try:
                known = Kind(kind)
            except ValueError:
                raise BadFrame(f"a frame of kind {kind}") from None
            yield known, number, held[at + _FRAME.size : end]
            at = end
        self._held = held[at:]


def encode_ike(socket_number: int, host: str, port: int, octets: bytes) -> bytes:
    """Body of an IKE frame: which of the sockets it came to, from where, and the message without the non-ESP marker."""
    name = host.encode()
    return _IKE.pack(socket_number, port, len(name)) + name + octets


def decode_ike(body: bytes) -> tuple[int, str, int, bytes]:
    """The reverse of `encode_ike`."""
    socket_number, port, length = _IKE.unpack_from(body)
    at = _IKE.size
    return socket_number, body[at : at + length].decode(), port, body[at + length :]
