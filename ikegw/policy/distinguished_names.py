"""Distinguished names: `C=CH, O=Example, CN=gw` as an operator writes them, DER as IKE carries them (RFC 5280 §4.1.2.4).

The text stands in the order of the encoding, as swanctl shows it (RFC 4514 would turn it round). Names are compared as
RFC 5280 §7.1 asks: value by value, without regard to letter case, string type and repeated spaces.
"""

import re
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from ikegw.policy.der import element

Rdn = frozenset[tuple[str, str]]
"""One relative distinguished name: pairs of dotted OID and value; mostly one pair, several when joined with `+`."""

MOST_ATTRIBUTES: Final = 64
MOST_OCTETS: Final = 4096

_NAMES: Final = {
    "C": NameOID.COUNTRY_NAME, "ST": NameOID.STATE_OR_PROVINCE_NAME, "L": NameOID.LOCALITY_NAME,
    "STREET": NameOID.STREET_ADDRESS, "O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME, "SN": NameOID.SURNAME, "GN": NameOID.GIVEN_NAME, "T": NameOID.TITLE,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER, "UID": NameOID.USER_ID, "DC": NameOID.DOMAIN_COMPONENT,
    "E": NameOID.EMAIL_ADDRESS, "DNQ": NameOID.DN_QUALIFIER,
}  # fmt: skip
_ALIASES: Final = {
    "S": "ST", "G": "GN", "GIVENNAME": "GN", "SURNAME": "SN", "EMAIL": "E", "EMAILADDRESS": "E", "USERID": "UID",
}  # fmt: skip
_SHORT: Final = {oid.dotted_string: name for name, oid in _NAMES.items()}
_DOTTED: Final = re.compile(r"[0-2](\.\d+)+")
_SPECIAL: Final = ',+"\\<>;='
_TEXTS: Final = {
    0x0C: "utf-8",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}


def encode(text: str) -> bytes:
    """DER of the name that `text` spells; ValueError if it spells none."""
    rdns = [[x509.NameAttribute(oid, value) for oid, value in rdn] for rdn in _parse(text)]
    return x509.Name([x509.RelativeDistinguishedName(rdn) for rdn in rdns]).public_bytes()


def normal_text(text: str) -> tuple[Rdn, ...]:
    """The name that `text` spells, in the form in which names are compared; ValueError."""
    return tuple(frozenset((oid.dotted_string, _folded(value)) for oid, value in rdn) for rdn in _parse(text))


@lru_cache(maxsize=64)  # one identity is held against every connection
def normal(der: bytes) -> tuple[Rdn, ...] | None:
    """The name in DER in the form in which names are compared; None if these octets are no name."""
    decoded = decode(der)
    if decoded is None:
        return None
    return tuple(frozenset((oid, _folded(value)) for oid, value in rdn) for rdn in decoded)


def spell(der: bytes) -> str | None:
    """How an operator writes the name in DER, plain ASCII whatever is in it; None if these octets are no name."""
    decoded = decode(der)
    if decoded is None:
        return None
    return ", ".join(
        "+".join(f"{_SHORT.get(oid, oid)}={_escaped(value)}" for oid, value in rdn) for rdn in decoded
    )


def decode(der: bytes) -> tuple[tuple[tuple[str, str], ...], ...] | None:
    """Dotted OIDs and values, in the order of the encoding; None if these octets (a peer's, perhaps) are no name."""
    if len(der) > MOST_OCTETS:
        return None
    try:
        return tuple(
            tuple(_attribute_value(attribute) for attribute in _elements(rdn, 0x30))
            for rdn in _elements(_only(der, 0x30), 0x31)
        )
    except (ValueError, IndexError):  # UnicodeDecodeError is a ValueError
        return None


def _parse(text: str) -> list[list[tuple[x509.ObjectIdentifier, str]]]:
    separator = ","
    if text.startswith("/"):
        text, separator = text[1:], "/"
    rdns = [[_attribute(part) for part in _split(rdn, "+")] for rdn in _split(text, separator)]
    if sum(map(len, rdns)) > MOST_ATTRIBUTES:
        raise ValueError(f"a distinguished name of more than {MOST_ATTRIBUTES} parts")
    return rdns


def _split(text: str, separator: str) -> list[str]:
    """Cut at each separator that is neither escaped nor within quotes; escapes stay for the next cut."""
    parts, part, quoted, position = [], "", False, 0
    while position < len(text):
        character = text[position]
        if character == "\\":
            part += text[position : position + 2]
            position += 2
            continue
        quoted ^= character == '"'
        if character == separator and not quoted:
            parts.append(part)
            part = ""
        else:
            part += character
        position += 1
    if quoted:
        raise ValueError(f"the quotes in {text!r} are not closed")
    return [*parts, part]


def _attribute(text: str) -> tuple[x509.ObjectIdentifier, str]:
    name, equals, value = text.partition("=")
    name = name.strip().upper()
    if not equals:
        raise ValueError(f"{text.strip()!r} is not written KEY=VALUE")
    oid = _NAMES.get(_ALIASES.get(name, name))
    if oid is None and _DOTTED.fullmatch(name):
        oid = x509.ObjectIdentifier(name)
    if oid is None:
        raise ValueError(f"{name!r} is no part of a distinguished name; known are {', '.join(_NAMES)}")
    plain = _unescaped(value)
    if not plain:
        raise ValueError(f"{name}= has no value")
    return oid, plain


def _unescaped(text: str) -> str:
    text = text.strip()
    if (len(text) - len(text.rstrip("\\"))) % 2:  # it was a space that the last backslash escaped
        text += " "
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _escaped(value: str) -> str:
    visible = "".join(f"\\{c}" if c in _SPECIAL else c for c in value)
    return "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode("ascii") for c in visible)


def _folded(value: str) -> str:
    return " ".join(value.casefold().split())


def _attribute_value(attribute: bytes) -> tuple[str, str]:
    oid_tag, oid, rest = element(attribute)
    tag, value, rest = element(rest)
    if oid_tag != 0x06 or rest:
        raise ValueError("not an attribute of a name")
    text = value.decode(_TEXTS[tag]) if tag in _TEXTS else "#" + value.hex()
    return _oid(oid), text


def _oid(octets: bytes) -> str:
    """Dotted form; arcs in base 128, the first two packed into one (X.690 §8.19)."""
    if not octets or octets[-1] & 0x80 or len(octets) > 32:
        raise ValueError("not an object identifier")
    arcs, arc = [], 0
    for octet in octets:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    top = min(arcs[0] // 40, 2)
    return ".".join(map(str, (top, arcs[0] - 40 * top, *arcs[1:])))


def _only(octets: bytes, tag: int) -> bytes:
    found, content, rest = element(octets)
    if found != tag or rest:
        raise ValueError("not a name")
    return content


def _elements(octets: bytes, tag: int) -> list[bytes]:
    found: list[bytes] = []
    while octets:
        kind, content, octets = element(octets)
        if kind != tag or len(found) == MOST_ATTRIBUTES:
            raise ValueError("not a name")
        found.append(content)
    return found
