"""CoA and Disconnect requests as octets, and their answers (RFC 5176 §2.3, §3): nothing is read of one that is not authentic."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final

from attrs import field, frozen
from pyrad.packet import CoAPacket, PacketError

from ikegw.config.coa import CoaClient
from ikegw.radius.packets import (
    LARGEST_PACKET,
    Attribute,
    BadReply,
    Code,
    Dropped,
    Value,
    Why,
    add,
    decode_header,
    dictionary,
    values_of,
)

ANSWERS: Final = {
    Code.DISCONNECT_REQUEST: (Code.DISCONNECT_ACK, Code.DISCONNECT_NAK),
    Code.COA_REQUEST: (Code.COA_ACK, Code.COA_NAK),
}
"""What is answered to each: yes, no."""


class ErrorCause(IntEnum):
    """Why a request was refused (RFC 5176 §3.5)."""

    UNSUPPORTED_ATTRIBUTE = 401
    MISSING_ATTRIBUTE = 402
    NAS_IDENTIFICATION_MISMATCH = 403
    INVALID_REQUEST = 404
    UNSUPPORTED_SERVICE = 405
    INVALID_ATTRIBUTE_VALUE = 407
    SESSION_CONTEXT_NOT_FOUND = 503
    MULTIPLE_SESSION_SELECTION_UNSUPPORTED = 508


class Refused(Exception):
    """A request will not be done; the text is for the log."""

    def __init__(self, cause: ErrorCause, text: str) -> None:
        super().__init__(text)
        self.cause = cause


@frozen
class DynamicRequest:
    """An authentic request."""

    code: Code
    identifier: int
    authenticator: bytes
    packet: CoAPacket = field(repr=False)

    @property
    def timestamp(self) -> int | None:
        """Event-Timestamp, in seconds since 1970."""
        octets: list[bytes] = self.packet.get(dictionary().attrindex.GetForward("Event-Timestamp"), [])
        return int.from_bytes(octets[0], "big") if octets and len(octets[0]) == 4 else None

    def values(self) -> Mapping[str, tuple[Value, ...]]:
        """What it says, by the names of attributes; Refused if one is unknown to us, or its length is wrong."""
        unknown = [key for key in self.packet.keys() if not isinstance(key, str)]  # noqa: SIM118 - codes without
        if unknown:
            raise Refused(ErrorCause.UNSUPPORTED_ATTRIBUTE, f"attribute {unknown[0]} is not known here")
        try:
            return values_of(self.packet)
        except BadReply as bad:
            raise Refused(ErrorCause.INVALID_ATTRIBUTE_VALUE, str(bad)) from None

    def answer(self, cause: ErrorCause | None) -> bytes:
        """Yes, or no because of that; Proxy-State goes back as it came. Dropped if no packet can hold that."""
        reply = self.packet.CreateReply(message_authenticator=True)
        yes, no = ANSWERS[self.code]
        reply.code = yes if cause is None else no
        if cause is not None:
            reply.AddAttribute("Error-Cause", int(cause))
        octets: bytes = reply.ReplyPacket()
        if len(octets) > LARGEST_PACKET:
            raise Dropped(Why.MALFORMED)
        return octets


def open_request(octets: bytes, client: CoaClient) -> DynamicRequest:
    """Read a datagram of a client's; Dropped if it is not authentic, or is no request."""
    identifier, octets = decode_header(octets)
    try:
        packet = CoAPacket(secret=client.secret, dict=dictionary(), packet=octets)
    except PacketError:
        raise Dropped(Why.MALFORMED) from None
    if packet.code not in ANSWERS:
        raise Dropped(Why.FOREIGN)
    if not packet.VerifyCoARequest():
        raise Dropped(Why.FORGED)
    if packet.message_authenticator:
        if not packet.verify_message_authenticator():
            raise Dropped(Why.FORGED)
    elif not client.old:
        raise Dropped(Why.UNSIGNED)
    return DynamicRequest(Code(packet.code), identifier, packet.authenticator, packet)


def seal_request(
    code: Code, identifier: int, secret: bytes, attributes: Sequence[Attribute], *, signed: bool = True
) -> bytes:
    """Make a request, as a client does."""
    packet = CoAPacket(code, identifier, secret, dict=dictionary(), message_authenticator=signed or None)
    for name, value in attributes:
        add(packet, name, value)
    octets: bytes = packet.RequestPacket()
    return octets
