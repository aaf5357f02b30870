"""Identities (RFC 7296 §3.5) as an operator writes them, as a log shows them, and patterns that match them."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from attrs import field, frozen

from ikegw.policy import distinguished_names
from ikegw.wire.identification import Identity
from ikegw.wire.registry import IdType

IP4: Final = IdType.IPV4_ADDR
FQDN: Final = IdType.FQDN
EMAIL: Final = IdType.RFC822_ADDR
IP6: Final = IdType.IPV6_ADDR
DN: Final = IdType.DER_ASN1_DN
GENERAL_NAME: Final = IdType.DER_ASN1_GN
KEY_ID: Final = IdType.KEY_ID

LONGEST_SHOWN: Final = 160
"""Characters of an identity that a log shows."""

_ANY: Final = frozenset({"%any", "%any6", "*", "0.0.0.0", "::", ""})
_PREFIXES: Final = {
    "ipv4": IP4, "ipv6": IP6, "fqdn": FQDN, "dns": FQDN, "rfc822": EMAIL, "email": EMAIL, "userfqdn": EMAIL,
    "asn1dn": DN, "asn1gn": GENERAL_NAME, "keyid": KEY_ID,
}  # fmt: skip
_SPELLED: Final = {FQDN: "fqdn:", EMAIL: "rfc822:", DN: "asn1dn:", GENERAL_NAME: "asn1gn:", KEY_ID: "keyid:"}

ANY_RANK: Final = 1
EXACT_RANK: Final = 1_000_000


def parse_identity(text: str) -> Identity:
    """Read one identity by swanctl's rules; ValueError says what is wrong with `text`.

    `192.0.2.1` and `2001:db8::1` are addresses, `user@example.org` an RFC822 address, `gw.example.org` an FQDN, anything
    with `=` a distinguished name. `@name` is an FQDN, `@@user@host` an RFC822 address, `@#6b6579` a KEY_ID in hex. A prefix
    says the type outright: `ipv4:` `ipv6:` `fqdn:` `dns:` `rfc822:` `email:` `userfqdn:` `asn1dn:` `asn1gn:` `keyid:`; after it
    `#` announces hex.
    """
    text = text.strip()
    if text in _ANY:
        raise ValueError(f"{text!r} stands for any identity; an identity of one's own must be a certain one")
    prefix, colon, rest = text.partition(":")
    kind = _PREFIXES.get(prefix.lower()) if colon else None
    if kind is not None:
        return _of_type(kind, rest)
    if "=" in text:
        return Identity(DN, distinguished_names.encode(text))
    if text.startswith("@#"):
        return Identity(KEY_ID, _hex(text[2:]))
    if text.startswith("@@"):
        return _of_type(EMAIL, text[2:])
    if text.startswith("@"):
        return _of_type(FQDN, text[1:])
    if "@" in text:
        return _of_type(EMAIL, text)
    try:
        address = ip_address(text)
    except ValueError:
        return _of_type(KEY_ID if colon else FQDN, text)
    return from_address(address)


def from_address(address: IPv4Address | IPv6Address) -> Identity:
    """An address as an identity."""
    return Identity(IP4 if address.version == 4 else IP6, address.packed)


def _of_type(kind: IdType, text: str) -> Identity:
    if not text:
        raise ValueError("the identity is empty")
    if text.startswith("#"):
        return Identity(kind, _hex(text[1:]))
    if kind == DN:
        return Identity(kind, distinguished_names.encode(text))
    if kind in (IP4, IP6):
        identity = from_address(ip_address(text))
        if identity.type != kind:
            raise ValueError(f"{text!r} is an address of the other family")
        return identity
    if kind == GENERAL_NAME:
        raise ValueError("a GeneralName can only be written in hex: asn1gn:#3082…")
    return Identity(kind, text.encode())


def _hex(text: str) -> bytes:
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"{text!r} is not hex") from None
    if not octets:
        raise ValueError("the identity is empty")
    return octets


def display(identity: Identity) -> str:
    """The identity for a log line: printable ASCII of bounded length, whatever octets a peer sent."""
    shown = _address_text(identity) or _text(identity)
    return shown if len(shown) <= LONGEST_SHOWN else shown[: LONGEST_SHOWN - 1] + "…"


def _address_text(identity: Identity) -> str | None:
    if identity.type in (IP4, IP6) and len(identity.data) == (4 if identity.type == IP4 else 16):
        return str(ip_address(identity.data))
    return None


def _text(identity: Identity) -> str:
    octets = identity.data
    if identity.type == DN:
        return distinguished_names.spell(octets) or "asn1dn:#" + octets[:LONGEST_SHOWN].hex()
    if identity.type in (FQDN, EMAIL) and octets:
        text = _visible(octets)
        expected = b"@" in octets.strip(b"@") if identity.type == EMAIL else b"@" not in octets
        return text if expected else _SPELLED[identity.type] + text
    if identity.type == KEY_ID and octets and all(0x20 < octet < 0x7F for octet in octets):
        return f"keyid:{_visible(octets)}"
    return _SPELLED.get(identity.type, f"{int(identity.type)}:") + "#" + octets[:LONGEST_SHOWN].hex()


def _visible(octets: bytes) -> str:
    return octets[:LONGEST_SHOWN].decode("latin-1").encode("unicode_escape").decode("ascii")


Normal = tuple[int, object]


def normal(identity: Identity) -> Normal:
    """The form in which identities are compared: names of hosts and mailboxes without case, DNs as RFC 5280 §7.1."""
    kind = int(identity.type)
    if identity.type in (FQDN, EMAIL):
        return kind, identity.data.lower()
    if identity.type == DN:
        return kind, distinguished_names.normal(identity.data) or identity.data
    return kind, identity.data


def same(one: Identity, other: Identity) -> bool:
    """Whether two identities mean the same peer."""
    return normal(one) == normal(other)


Matched = IPv4Network | IPv6Network | bytes | tuple[distinguished_names.Rdn, ...] | None


@frozen
class IdentityPattern:
    """Which identities a rule is for: `%any`, one identity, or a pattern.

    Patterns: `*@example.org`, `*.example.org`, `C=CH, O=Example, CN=*`, `192.0.2.0/24`.
    """

    text: str
    exact: Identity | None = None
    _kind: int = field(default=0, repr=False)
    _matched: Matched = field(default=None, repr=False)
    _normal: Normal | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> "IdentityPattern":
        """Read a pattern; what has no wildcard is one identity by the rules of `parse_identity`. ValueError."""
        text = text.strip()
        if text in _ANY:
            return ANY
        kind, body = _kind_and_body(text)
        if kind in (int(FQDN), int(EMAIL)) and "*" in body:
            return cls(text, None, kind, _suffix(body))
        if kind == DN and "*" in body:
            return cls(text, None, kind, distinguished_names.normal_text(body))
        if "/" in body and kind in (int(FQDN), int(KEY_ID)):
            network = _network(body)
            if network is not None:
                return cls(text, None, int(IP4 if network.version == 4 else IP6), network)
        exact = parse_identity(text)
        return cls(text, exact, int(exact.type), None, normal(exact))

    @classmethod
    def of(cls, identity: Identity) -> "IdentityPattern":
        """The pattern that matches just this identity."""
        return cls(display(identity), identity, int(identity.type), None, normal(identity))

    def matches(self, identity: Identity) -> bool:
        """Whether the rule is for this identity."""
        return self.rank(identity) > 0

    def rank(self, identity: Identity, normalised: Normal | None = None) -> int:
        """How well it matches: 0 not at all, ANY_RANK for `%any`, more the more certain, EXACT_RANK for equality.

        Who holds one identity against many patterns gives `normal(identity)` too.
        """
        if self._normal is not None:
            return EXACT_RANK if self._normal == (normalised or normal(identity)) else 0
        if self._matched is None:
            return ANY_RANK
        return self._rank_of_pattern(identity) if self._kind == identity.type else 0

    def _rank_of_pattern(self, identity: Identity) -> int:
        matched, octets = self._matched, identity.data
        if isinstance(matched, bytes):
            start, suffix = octets[: -len(matched)], octets[-len(matched) :]
            # The wildcard of a mailbox is its local part; that of a host name is any number of labels
            good = start and b"@" not in start and suffix.lower() == matched
            return ANY_RANK + len(matched) if good else 0
        if isinstance(matched, IPv4Network | IPv6Network):
            good = len(octets) == matched.max_prefixlen // 8 and ip_address(octets) in matched
            return ANY_RANK + 1 + matched.prefixlen if good else 0
        name = distinguished_names.normal(octets)
        if matched is None or name is None or len(name) != len(matched):
            return 0
        ranks = [_rdn_rank(pattern, rdn) for pattern, rdn in zip(matched, name, strict=True)]
        return 0 if None in ranks else ANY_RANK + 1 + sum(filter(None, ranks))

    def __str__(self) -> str:
        return self.text


ANY: Final = IdentityPattern("%any")


def _rdn_rank(pattern: distinguished_names.Rdn, rdn: distinguished_names.Rdn) -> int | None:
    """How many values are equal, None if one differs; `*` stands for any value."""
    if pattern == rdn:
        return len(pattern)
    values = dict(rdn)
    wanted = dict(pattern)
    if values.keys() != wanted.keys() or len(values) != len(rdn):
        return None
    if any(value not in ("*", values[oid]) for oid, value in wanted.items()):
        return None
    return sum(value != "*" for value in wanted.values())


def _kind_and_body(text: str) -> tuple[int, str]:
    """Which type `text` spells, without what only announces the type; 0 when only `parse_identity` can tell."""
    prefix, colon, rest = text.partition(":")
    if colon and prefix.lower() in _PREFIXES:
        return int(_PREFIXES[prefix.lower()]), rest
    if "=" in text:
        return int(DN), text
    if text.startswith("@@"):
        return int(EMAIL), text[2:]
    if text.startswith("@"):
        return (0, text) if text.startswith("@#") else (int(FQDN), text[1:])
    if "@" in text:
        return int(EMAIL), text
    return (int(KEY_ID) if colon else int(FQDN)), text


def _suffix(body: str) -> bytes:
    suffix = body[1:]
    if not body.startswith("*") or "*" in suffix or suffix[:1] not in ("@", ".") or len(suffix) < 2:
        raise ValueError(f"in {body!r} the * must be the first label or the whole part before the @")
    return suffix.lower().encode()


def _network(body: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(body)
    except ValueError:
        return None
