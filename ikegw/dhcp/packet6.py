"""DHCPv6 on the wire (RFC 8415 §8, §9, §21): messages, relayed ones, options. Whoever needs an option reads those within it."""

import struct
from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Final

from attrs import frozen

from ikegw.dhcp.errors import Malformed
from ikegw.dhcp.registry import Message6, Option6

_RELAYED: Final = struct.Struct("!BB16s16s")
_OPTION: Final = struct.Struct("!HH")
_MESSAGE_TYPES: Final = {int(kind): kind for kind in Message6}

Options = tuple[tuple[int, bytes, int], ...]
"""Each option's number, its octets, and where these stand."""


@frozen
class Message:
    """A message of a client or a server."""

    kind: Message6
    transaction: int
    options: Options


@frozen
class Relayed:
    """A message of a relay or for one. `link` is an address of the subnet where the client is."""

    kind: Message6
    link: IPv6Address
    peer: IPv6Address
    options: Options


def encode_options(options: Iterable[tuple[int, bytes]]) -> bytes:
    """The options in their order."""
    return b"".join(_OPTION.pack(code, len(data)) + data for code, data in options)


def encode_message(kind: Message6, transaction: int, options: Iterable[tuple[int, bytes]]) -> bytes:
    """A client's or a server's message."""
    return bytes([kind]) + transaction.to_bytes(3, "big") + encode_options(options)


def encode_relayed(
    kind: Message6, link: IPv6Address, peer: IPv6Address, options: Iterable[tuple[int, bytes]]
) -> bytes:
    """A relay's message, or one for a relay."""
    return _RELAYED.pack(kind, 0, link.packed, peer.packed) + encode_options(options)


def decode_options(octets: bytes, offset: int) -> Options:
    """Every option; Malformed if one ends after the octets do. `offset` is where they stand in the message."""
    found, at = [], 0
    while at < len(octets):
        if len(octets) - at < _OPTION.size:
            raise Malformed("an option is cut short", offset + at)
        code, length = _OPTION.unpack_from(octets, at)
        start = at + _OPTION.size
        at = start + length
        if at > len(octets):
            raise Malformed(f"option {code} is cut short", offset + start)
        found.append((code, octets[start:at], offset + start))
    return tuple(found)


def decode_message(octets: bytes, offset: int) -> Message:
    """A client's or a server's message."""
    kind = _kind(octets, offset)
    if len(octets) < 4 or kind in (Message6.RELAY_FORWARD, Message6.RELAY_REPLY):
        raise Malformed("no message of a client or a server", offset)
    return Message(kind, int.from_bytes(octets[1:4], "big"), decode_options(octets[4:], offset + 4))


def decode_relayed(octets: bytes) -> Relayed:
    """A relay's message, or one for a relay."""
    kind = _kind(octets, 0)
    if len(octets) < _RELAYED.size or kind not in (Message6.RELAY_FORWARD, Message6.RELAY_REPLY):
        raise Malformed("no relayed message", 0)
    _, _, link, peer = _RELAYED.unpack_from(octets)
    options = decode_options(octets[_RELAYED.size :], _RELAYED.size)
    return Relayed(kind, IPv6Address(link), IPv6Address(peer), options)


def only(options: Options, code: Option6) -> tuple[bytes, int] | None:
    """An option that may stand once, and where it stands."""
    found = [(data, at) for number, data, at in options if number == code]
    if len(found) > 1:
        raise Malformed(f"option {int(code)} stands twice", found[1][1])
    return found[0] if found else None


def _kind(octets: bytes, offset: int) -> Message6:
    if not octets or octets[0] not in _MESSAGE_TYPES:
        raise Malformed("a message of no known type", offset)
    return _MESSAGE_TYPES[octets[0]]
