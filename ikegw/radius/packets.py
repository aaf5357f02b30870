"""RADIUS packets: requests into octets, octets into replies. On pyrad's packets; what it forgives is refused here.

A reply is looked at three times: `decode_header` for its form, with nothing known of it; `open_reply` for whom it is from,
with the request that it answers; and every value of the dictionary's types within it, since a server may be wrong too.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, IntEnum
from functools import cache
from importlib.resources import files
from struct import Struct
from typing import Final

from attrs import field, frozen
from pyrad.dictionary import Dictionary
from pyrad.packet import AcctPacket, AuthPacket, Packet, PacketError

Value = str | int | bytes
"""What an attribute holds: a text, the name of a number, an address as text; a number; octets as they are."""
Attribute = tuple[str, Value]
"""By the dictionary's name. Of attributes with one name, the order is kept."""

LARGEST_PACKET: Final = 4096
LARGEST_VALUE: Final = 253
AUTHENTICATOR_OCTETS: Final = 16

_HEADER: Final = Struct("!BBH16s")
_MESSAGE_AUTHENTICATOR: Final = 80
_PROXY_STATE: Final = 33


class Code(IntEnum):
    """RFC 2865 §4, RFC 2866 §4, RFC 5997 §3, RFC 5176 §3."""

    ACCESS_REQUEST = 1
    ACCESS_ACCEPT = 2
    ACCESS_REJECT = 3
    ACCOUNTING_REQUEST = 4
    ACCOUNTING_RESPONSE = 5
    ACCESS_CHALLENGE = 11
    STATUS_SERVER = 12
    DISCONNECT_REQUEST = 40
    DISCONNECT_ACK = 41
    DISCONNECT_NAK = 42
    COA_REQUEST = 43
    COA_ACK = 44
    COA_NAK = 45


ANSWERS: Final[Mapping[Code, frozenset[Code]]] = {
    Code.ACCESS_REQUEST: frozenset({Code.ACCESS_ACCEPT, Code.ACCESS_REJECT, Code.ACCESS_CHALLENGE}),
    Code.ACCOUNTING_REQUEST: frozenset({Code.ACCOUNTING_RESPONSE}),
    Code.STATUS_SERVER: frozenset({Code.ACCESS_ACCEPT, Code.ACCOUNTING_RESPONSE}),
}


class Why(Enum):
    """Why a packet was dropped: few words, so that they can be counted."""

    MALFORMED = "malformed"
    FOREIGN = "foreign"
    LATE = "late"
    FORGED = "forged"
    UNSIGNED = "no-message-authenticator"
    PROXY_STATE = "proxy-state"


class Dropped(Exception):
    """Nobody can be blamed for it: anybody may have sent it."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


class BadReply(Exception):
    """The server did send it, and it breaks the RFCs; the text says which attribute. To be taken as a rejection (RFC 2865 §5)."""


@frozen
class Reply:
    """What a server answered, authentic. Attributes that the dictionary does not know are not in it."""

    code: Code
    attributes: Mapping[str, tuple[Value, ...]] = field(repr=lambda attributes: ", ".join(attributes))

    def texts(self, name: str) -> tuple[str, ...]:
        """Every value of a text attribute, or of one whose values have names."""
        values = self.attributes.get(name, ())
        return tuple(
            value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in values
        )

    def text(self, name: str) -> str:
        """The first one of them, empty if there is none."""
        return next(iter(self.texts(name)), "")

    def number(self, name: str) -> int | None:
        """The first value of a number."""
        return next((value for value in self.attributes.get(name, ()) if isinstance(value, int)), None)

    def octets(self, name: str) -> tuple[bytes, ...]:
        """Every value of an attribute of octets."""
        return tuple(value for value in self.attributes.get(name, ()) if isinstance(value, bytes))


@cache
def dictionary() -> Dictionary:
    """Our dictionary, the file beside this one."""
    with files("ikegw.radius").joinpath("dictionary").open() as text:
        return Dictionary(text)


@frozen
class Sealed:
    """A request as it is sent, and what it takes to know its answer."""

    octets: bytes = field(repr=False)
    packet: Packet = field(repr=False)


def seal(
    code: Code, identifier: int, authenticator: bytes, secret: bytes, attributes: Sequence[Attribute]
) -> Sealed:
    """Make a request. ValueError for what no attribute can hold, or no packet.

    A Message-Authenticator stands first, in Access-Requests and Status-Server (RFC 3579 §3.2, RFC 5997 §3); the authenticator
    of an Accounting-Request signs all of it, and its type has no place for another (RFC 2866 §5.13).
    """
    if code is Code.ACCOUNTING_REQUEST:
        packet: Packet = AcctPacket(code, identifier, secret, dict=dictionary())
    else:
        packet = AuthPacket(
            code, identifier, secret, authenticator, dict=dictionary(), message_authenticator=True
        )
    for name, value in attributes:
        if value not in ("", b""):  # such an attribute is left out altogether (RFC 2865 §5)
            add(packet, name, value)
    octets: bytes = packet.RequestPacket()
    if len(octets) > LARGEST_PACKET:
        raise ValueError(f"a RADIUS packet of {len(octets)} octets; {LARGEST_PACKET} is the most")
    return Sealed(octets, packet)


def add(packet: Packet, name: str, value: Value) -> None:
    """Add an attribute. Octets go as they are: pyrad would read those that begin with `0x` as hex."""
    if isinstance(value, bytes):
        packet.setdefault(dictionary().attrindex.GetForward(name), []).append(value)
    else:
        packet.AddAttribute(name, value)


def split(name: str, octets: bytes) -> tuple[Attribute, ...]:
    """An attribute that may be longer than one holds, such as EAP-Message (RFC 3579 §3.1)."""
    return tuple((name, octets[at : at + LARGEST_VALUE]) for at in range(0, len(octets), LARGEST_VALUE))


def decode_header(octets: bytes) -> tuple[int, bytes]:
    """The identifier of a packet, and the packet without what follows it; Dropped if its form is wrong anywhere."""
    if len(octets) < _HEADER.size:
        raise Dropped(Why.MALFORMED)
    _, identifier, length, _ = _HEADER.unpack_from(octets)
    if not _HEADER.size <= length <= min(len(octets), LARGEST_PACKET):
        raise Dropped(Why.MALFORMED)
    signatures = 0
    at = _HEADER.size
    while at < length:
        if at + 2 > length or octets[at + 1] < 2 or at + octets[at + 1] > length:
            raise Dropped(Why.MALFORMED)
        if octets[at] == _MESSAGE_AUTHENTICATOR:
            signatures += 1
            if signatures > 1 or octets[at + 1] != 2 + AUTHENTICATOR_OCTETS:
                raise Dropped(Why.MALFORMED)
        at += octets[at + 1]
    return identifier, octets[:length]


def open_reply(sent: Sealed, octets: bytes, *, demand_signature: bool) -> Reply:
    """Read a well-formed packet as the answer to `sent`.

    Dropped if it is not from the server, or if it lacks the Message-Authenticator that is demanded of every answer to an
    Access-Request (CVE-2024-3596); BadReply if it is, and holds what it must not.

    We send no Proxy-State, and proxies take out what is theirs (RFC 2865 §5.33): one that comes all the same is how forgers have
    two packets share an MD5 sum.
    """
    request = sent.packet
    code = Code(request.code)
    try:
        packet = request.CreateReply(packet=octets)
    except PacketError:
        raise Dropped(Why.MALFORMED) from None
    if packet.code not in ANSWERS[code]:
        raise Dropped(Why.FOREIGN)
    if _PROXY_STATE in packet and code is not Code.ACCOUNTING_REQUEST:
        raise Dropped(Why.PROXY_STATE)
    if not request.VerifyReply(packet):
        raise Dropped(Why.FORGED)
    if demand_signature and code is Code.ACCESS_REQUEST and not packet.message_authenticator:
        raise Dropped(Why.UNSIGNED)
    packet.request_authenticator = request.authenticator  # without it, keys would be decrypted to rubbish
    return Reply(Code(packet.code), values_of(packet))


def values_of(packet: Packet) -> dict[str, tuple[Value, ...]]:
    """Every attribute of the dictionary; BadReply names one whose length does not fit its type."""
    found: dict[str, tuple[Value, ...]] = {}
    names = packet.keys()  # iterating over the packet itself would give codes
    for name in names:
        if isinstance(name, str):
            try:
                found[name] = tuple(packet[name])
            except (ValueError, PacketError) as error:
                raise BadReply(f"{name} of a wrong length: {error}") from None
    return found
