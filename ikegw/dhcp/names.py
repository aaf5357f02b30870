"""Lists of domain names in options (RFC 1035 §3.1; compressed as RFC 1035 §4.1.4 for DHCPv4, RFC 3397; never for DHCPv6)."""

import re
from collections.abc import Iterable
from typing import Final

from ikegw.dhcp.errors import Malformed

_LONGEST_NAME: Final = 255
_LONGEST_LABEL: Final = 63
_POINTER: Final = 0xC0
_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")


def decode_names(data: bytes, offset: int, compressed: bool) -> tuple[str, ...]:
    """Every name in `data`, without the dot at its end; `offset` is where the option stands, for errors. Malformed."""
    found, at = [], 0
    while at < len(data):
        name, at = _name(data, at, offset, compressed)
        found.append(name)
    return tuple(dict.fromkeys(found))


def encode_names(names: Iterable[str]) -> bytes:
    """The names without compression, which every reader understands."""
    return b"".join(
        b"".join(bytes([len(label)]) + label for label in name.encode("ascii").split(b".")) + b"\0"
        for name in names
    )


def one_name(data: bytes, offset: int) -> str:
    """The text of option 15: some servers end it with a zero octet or with a dot."""
    return _checked(data.rstrip(b"\0").rstrip(b"."), offset)


def _name(data: bytes, start: int, offset: int, compressed: bool) -> tuple[str, int]:
    """(the name at `start`, where the next one begins). Pointers lead backwards only, so that every name ends."""
    labels: list[bytes] = []
    at, limit, after = start, start, -1
    while True:
        octet = _octet(data, at, offset)
        if octet >= _POINTER and compressed:
            target = (octet & ~_POINTER) << 8 | _octet(data, at + 1, offset)
            if target >= limit:
                raise Malformed("a compressed name points forwards", offset + at)
            after = at + 2 if after < 0 else after
            at = limit = target
        elif octet > _LONGEST_LABEL:
            raise Malformed("a label of a name is too long", offset + at)
        elif octet == 0:
            return _checked(b".".join(labels), offset + start), at + 1 if after < 0 else after
        else:
            label = data[at + 1 : at + 1 + octet]
            labels.append(label)
            if len(label) < octet or sum(map(len, labels)) + len(labels) >= _LONGEST_NAME:
                raise Malformed("a name is cut short or too long", offset + at)
            at += 1 + octet


def _octet(data: bytes, at: int, offset: int) -> int:
    if at >= len(data):
        raise Malformed("a name is cut short", offset + at)
    return data[at]


def _checked(octets: bytes, offset: int) -> str:
    text = octets.decode("latin-1")
    if not _NAME.fullmatch(text):
        raise Malformed("not the name of a domain", offset)
    return text
