"""Netlink's frame (RFC 3549 §2): a header, attributes, and how the kernel says no."""

import errno
import os
import socket
from collections.abc import Iterator
from struct import Struct
from typing import Final

from attrs import frozen

HEADER: Final = Struct("=LHHLL")
"""Length with the header, type, flags, sequence number, port of the sender."""

_ATTRIBUTE: Final = Struct("=HH")
_NUMBER: Final = Struct("=L")
_ERRNO: Final = Struct("=i")

REQUEST, MULTI, ACK, DUMP_INTERRUPTED, REPLACE, EXCLUSIVE, CREATE, DUMP = (
    1,
    2,
    4,
    0x10,
    0x100,
    0x200,
    0x400,
    0x300,
)
ERROR, DONE, OVERRUN = 2, 3, 4
_CAPPED, _WITH_ATTRIBUTES = 0x100, 0x200
_TYPE_MASK: Final = 0x3FFF
_MESSAGE_ATTRIBUTE: Final = 1
SOL_NETLINK, ADD_MEMBERSHIP, EXT_ACK, CAP_ACK = 270, 1, 11, 10


@frozen
class Answer:
    """One message of the kernel's: its type, the sequence number of what it answers (0: an event), what it holds."""

    kind: int
    flags: int
    sequence: int
    body: bytes


@frozen
class Refusal:
    """What an NLMSG_ERROR says: a number of errno, 0 for "done", and the kernel's own words if it has some."""

    number: int
    text: str = ""

    def __str__(self) -> str:
        name = errno.errorcode.get(self.number, str(self.number))
        said = f' ("{self.text}")' if self.text else ""
        return f"{name}, {os.strerror(self.number)}{said}"


def pack(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """One message, which is a multiple of 4 octets: several may stand in one datagram."""
    length = HEADER.size + len(body)
    return HEADER.pack(length, kind, flags, sequence, 0) + body + bytes(-length % 4)


def messages(octets: bytes) -> Iterator[Answer]:
    """The messages in a datagram. What follows one whose length cannot be is left out: there is no telling where it begins."""
    at, size = 0, HEADER.size
    while at + size <= len(octets):
        length, kind, flags, sequence, _ = HEADER.unpack_from(octets, at)
        if length < size or at + length > len(octets):
            return
        yield Answer(kind, flags, sequence, octets[at + size : at + length])
        at += (length + 3) & ~3


def is_whole(octets: bytes) -> bool:
    """Whether the messages of a datagram are all of it."""
    at, size = 0, HEADER.size
    while at + size <= len(octets):
        length = HEADER.unpack_from(octets, at)[0]
        if length < size or at + length > len(octets):
            return False
        at += (length + 3) & ~3
    return at >= len(octets)


def attribute(kind: int, octets: bytes) -> bytes:
    """One attribute, padded."""
    return _ATTRIBUTE.pack(4 + len(octets), kind) + octets + bytes(-len(octets) % 4)


def number(kind: int, value: int) -> bytes:
    """An attribute that is 32 bits in this machine's order."""
    return attribute(kind, _NUMBER.pack(value))


def attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in order; what cannot be one ends them."""
    at = 0
    while at + 4 <= len(octets):
        length, kind = _ATTRIBUTE.unpack_from(octets, at)
        if length < 4 or at + length > len(octets):
            return
        yield kind & _TYPE_MASK, octets[at + 4 : at + length]
        at += (length + 3) & ~3


def refusal(answer: Answer) -> Refusal:
    """What an NLMSG_ERROR says, with the text of NETLINK_EXT_ACK."""
    if len(answer.body) < _ERRNO.size:
        return Refusal(errno.EBADMSG)
    said = -_ERRNO.unpack_from(answer.body)[0]
    text = ""
    if answer.flags & _WITH_ATTRIBUTES and len(answer.body) >= 4 + HEADER.size:
        length = HEADER.unpack_from(answer.body, 4)[0]
        at = 4 + (HEADER.size if answer.flags & _CAPPED else (length + 3) & ~3)
        for kind, octets in attributes(answer.body[at:]):
            if kind == _MESSAGE_ATTRIBUTE:
                text = octets.rstrip(b"\0").decode(errors="replace")
    return Refusal(said, text)


def open_socket(family: int) -> socket.socket:
    """A netlink socket of ours that does not block and hears the kernel's own words for what it refuses."""
    made = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, family
    )
    try:
        made.setsockopt(SOL_NETLINK, EXT_ACK, 1)
        made.setsockopt(SOL_NETLINK, CAP_ACK, 1)
        made.bind((0, 0))
    except OSError:
        made.close()
        raise
    return made
