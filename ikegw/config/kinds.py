"""The kinds of values that a key may have: what is expected, how it is read, and what is said when it is something else."""

import re
from base64 import b64decode
from collections.abc import Callable
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv6Address,
    collapse_addresses,
    ip_address,
    summarize_address_range,
)
from pathlib import Path
from string import Formatter
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from attrs import field, frozen

from ikegw.config.downloads import Proxy
from ikegw.paths import Endpoint
from ikegw.policy.carriage import Mark
from ikegw.policy.demands import Pin, parse_policy
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.policy.offers import Offer, parse_offer
from ikegw.policy.selectors import parse_network, parse_range, parse_selector


@frozen
class Kind:
    """What a value must be. `read` turns what TOML gave into the value, or raises ValueError with what else is to be said.

    `listed`: the value is a list of such, one alone may stand without brackets, and if `commas`, a text may hold several.
    """

    name: str
    expected: str
    read: Callable[[Any], Any] = field(repr=False)
    listed: bool = False
    commas: bool = False
    secret: bool = False


class NotThat(ValueError):
    """The value is of another type altogether; nothing to add."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NotThat
    return value


def _filled(value: object) -> str:
    if not _text(value).strip():
        raise ValueError("it is empty")
    return str(value)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        hint = "write it without quotes" if value in ("true", "false", "yes", "no") else ""
        raise ValueError(hint)
    return value


def integer(low: int, high: int) -> Kind:
    """A whole number from `low` to `high`."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise NotThat
        return value

    return Kind("integer", f"a whole number from {low} to {high}", read)


def number(low: float, high: float) -> Kind:
    """A number from `low` to `high`."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise NotThat
        return float(value)

    return Kind("number", f"a number from {low:g} to {high:g}", read)


def one_of(choices: type[Enum], *unsaid: Enum) -> Kind:
    """One of the values of an Enum; `unsaid` are understood but not proposed."""
    by_name = {str(member.value): member for member in choices}

    def read(value: object) -> Enum:
        if not isinstance(value, str) or value not in by_name:
            raise NotThat
        return by_name[value]

    proposed = ", ".join(f'"{name}"' for name, member in by_name.items() if member not in unsaid)
    return Kind("choice", f"one of {proposed}", read)


_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LONGEST: Final = 10 * 365 * 86400.0


def _duration(value: object) -> float:
    if value in (0, "0") and not isinstance(value, bool):
        return 0.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f'write the unit: "{value}s"')
    text = _text(value).replace(" ", "")
    parts = _DURATION.findall(text)
    if not parts or "".join(amount + unit for amount, unit in parts) != text:
        raise ValueError("units are ms, s, m, h, d")
    seconds = sum(float(amount) * _UNITS[unit] for amount, unit in parts)
    if seconds > _LONGEST:
        raise ValueError("more than ten years")
    return float(seconds)


def _positive_duration(value: object) -> float:
    if not (seconds := _duration(value)):
        raise ValueError("nothing can be done in no time")
    return seconds


_REPLACED: Final = ("connection", "identity", "address")


def _template(value: object) -> str:
    text = _text(value)
    try:
        named = {name for _, name, form, _ in Formatter().parse(text) if name is not None and not form}
        text.format(**dict.fromkeys(named, ""))
    except (ValueError, LookupError, AttributeError):
        raise ValueError("braces must hold a name, or be doubled") from None
    if not named <= set(_REPLACED):
        raise ValueError(f"names are {', '.join(_REPLACED)}")
    return text


def _mark(value: object) -> Mark:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)
    value_text, slash, mask_text = text.partition("/")
    try:
        mark = Mark(int(value_text, 0), int(mask_text, 0) if slash else 0xFFFFFFFF)
    except ValueError:
        raise NotThat from None
    if not (0 <= mark.value <= mark.mask <= 0xFFFFFFFF) or mark.value & ~mark.mask:
        raise ValueError("it has bits that are not in its mask, or more than 32")
    return mark


def _octets(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        amount, unit = value, ""
    else:
        found = re.fullmatch(r"(\d+)\s*([KMGT]?)", _text(value))
        if not found:
            raise NotThat
        amount, unit = int(found[1]), found[2]
    octets = amount << {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[unit]
    if not 0 <= octets < 1 << 63:
        raise ValueError("beyond what can be counted")
    return octets


def _peer_networks(value: object) -> tuple[Any, ...]:
    """The networks that a connection's address stands for; `%any` for none in particular."""
    if _text(value) in ("%any", "%any4", "%any6", "0.0.0.0", "::"):
        return ()
    if re.search(r"[g-zG-Z]", str(value)):
        raise ValueError("names are not looked up: write the address that the name has")
    first, last = parse_range(str(value))
    if isinstance(first, IPv4Address) and isinstance(last, IPv4Address):
        return tuple(collapse_addresses(summarize_address_range(first, last)))
    if isinstance(first, IPv6Address) and isinstance(last, IPv6Address):
        return tuple(collapse_addresses(summarize_address_range(first, last)))
    raise NotThat


def _secret(value: object) -> bytes:
    """The octets of a secret as strongSwan spells them; no text of an error may quote it."""
    text = _text(value)
    try:
        if text[:2] in ("0x", "0X"):
            octets = bytes.fromhex(text[2:])
        elif text[:2] in ("0s", "0S"):
            octets = b64decode(text[2:], validate=True)
        else:
            octets = text.encode()
    except ValueError:
        digits = "hex digits in pairs" if text[1] in "xX" else "base64"
        raise ValueError(f"after {text[:2]} {digits} must follow") from None
    if not octets:
        raise ValueError("it is empty")
    return octets


def _interface(value: object) -> str:
    text = _filled(value)
    if len(text) > 15 or re.search(r"[\s/]", text):
        raise ValueError("a device's name has up to 15 characters, no space and no slash")
    return text


def _file_name(value: object) -> str:
    text = _filled(value)
    if "/" in text or text in (".", ".."):
        raise ValueError("a name only, without a directory")
    if len(text.encode()) > 255 or not text.isprintable():
        raise ValueError("no file has such a name")
    return text


def _socket(value: object) -> Path | None:
    text = _text(value)
    if not text:
        return None
    if not text.startswith("/") or len(text.encode()) > 107:
        raise ValueError("the whole path is needed, of up to 107 characters")
    return Path(text)


def _directory(value: object) -> Path:
    path = Path(_filled(value))
    if not path.is_absolute():
        raise ValueError("the whole path is needed, from / on")
    return path


def _path(value: object) -> Path:
    text = _filled(value)
    if not text.startswith("/") or "\0" in text:
        raise ValueError("the whole path is needed")
    return Path(text)


def _domain(value: object) -> str:
    text = _filled(value).strip().rstrip(".").lower()
    try:
        name = text.encode("ascii").decode() if text.isascii() else text.encode("idna").decode()
    except UnicodeError:
        raise ValueError("no domain has such a name") from None
    labels = name.split(".")
    if len(name) > 253 or not all(
        re.fullmatch(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", one) for one in labels
    ):
        raise ValueError("no domain has such a name")
    return name


def _endpoint(value: object) -> Endpoint | None:
    text = _text(value)
    if not text:
        return None
    address, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("a port from 1 to 65535 is needed after the last colon")
    found = ip_address(address.removeprefix("[").removesuffix("]"))
    if found.is_unspecified:
        raise ValueError("one address of this host is needed, not all of them")
    return Endpoint(found, int(port))


def _url(*schemes: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = _filled(value).strip()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("it has characters that no URL has")
        parts = urlsplit(text)
        if parts.scheme not in schemes:
            raise ValueError(f"it begins with none of {', '.join(f'{each}:' for each in schemes)}")
        if parts.scheme != "file" and (not parts.hostname or parts.port == 0 or "@" in parts.netloc):
            raise ValueError("a host must follow the slashes, and no user name")
        return text

    return read


def _proxy(value: object) -> Proxy:
    parts = urlsplit(_url("http")(value))
    if parts.path.strip("/") or parts.query:
        raise ValueError("nothing may follow the port")
    return Proxy(str(parts.hostname), parts.port or 80)


def _offers(protocol: Literal["ike", "esp"]) -> Callable[[object], tuple[Offer, ...]]:
    def read(value: object) -> tuple[Offer, ...]:
        text = _filled(value).strip()
        try:
            return parse_offer(protocol, text)
        except ValueError as wrong:  # its text begins with the proposal, which stands in ours already
            raise ValueError(str(wrong).removeprefix(f'"{text.lower()}"').lstrip(": ")) from None

    return read


def _reader(parse: Callable[[str], Any]) -> Callable[[object], Any]:
    return lambda value: parse(_filled(value))


def listed(kind: Kind, commas: bool = True) -> Kind:
    """A list of them."""
    return Kind(kind.name, kind.expected, kind.read, listed=True, commas=commas, secret=kind.secret)


BOOLEAN: Final = Kind("boolean", "true or false", _boolean)
DURATION: Final = Kind("duration", 'a duration like "30s", "10m" or "4h"', _duration)
POSITIVE_DURATION: Final = Kind("duration", 'a duration like "10s"', _positive_duration)
OCTETS: Final = Kind(
    "octets", 'a number of octets like 500000 or "10G" (K, M, G, T: powers of 1024)', _octets
)
MARK: Final = Kind("mark", 'a firewall mark like 42, "0x2a" or "0x2a/0xff"', _mark)
COUNT: Final = integer(0, (1 << 63) - 1)
PORT: Final = integer(0, 65535)
INTERFACE: Final = Kind("interface", "the name of a network device", _interface)
FILE_NAME: Final = Kind("file name", "the name of a file", _file_name)
ENDPOINT: Final = Kind(
    "endpoint", 'an address and a port like "127.0.0.1:9440" or "[::1]:9440", or ""', _endpoint
)
GROUP: Final = Kind("group", 'the name of a group of users, or ""', _text)
SOCKET: Final = Kind("path", 'the path of a UNIX socket, or "" for none', _socket)
DIRECTORY: Final = Kind("directory", "the path of a directory", _directory)
ADDRESS4: Final = Kind("IPv4 address", "an IPv4 address", _reader(IPv4Address))
ADDRESS6: Final = Kind("IPv6 address", "an IPv6 address", _reader(IPv6Address))
TEMPLATE: Final = Kind("text", "a text, in which names in braces are replaced", _template)
PATH: Final = Kind("path", "the path of a file", _path)
DOMAIN: Final = Kind("domain", "a domain like corp.example.org", _domain)
DSN: Final = Kind("connection string", "a connection string of PostgreSQL", _filled, secret=True)
ADDRESS: Final = Kind("address", "an IPv4 or IPv6 address", _reader(ip_address))
NETWORK: Final = Kind("network", "a network like 10.1.0.0/16", _reader(parse_network))
RANGE: Final = Kind(
    "range", "a network like 10.3.0.0/24 or a range like 10.3.0.10-10.3.0.99", _reader(parse_range)
)
PEER: Final = Kind("peer address", "an address, a network, a range, or %any", _peer_networks)
URL: Final = Kind("URL", 'a URL like "http://ca.example.org/ocsp"', _url("http", "https"))
LIST_URL: Final = Kind("URL", 'a URL like "http://ca.example.org/root.crl"', _url("http", "https", "file"))
PROXY: Final = Kind("proxy", 'a URL like "http://proxy.example.org:3128"', _proxy)
TEXT: Final = Kind("text", "a text", _filled)
POOL_NAME: Final = Kind("pool", "the name of a pool", _filled)
IDENTITY: Final = Kind(
    "identity", "an identity like gw.example.org or user@example.org", _reader(parse_identity)
)
PATTERN: Final = Kind(
    "identity pattern",
    "an identity, *@example.org, *.example.org, or %any",
    lambda value: IdentityPattern.parse(_text(value)),
)
PIN: Final = Kind(
    "pin",
    'a SHA-256 in hex or base64: "sha256:…" of a certificate, "key-sha256:…" of a public key',
    _reader(Pin.parse),
)
CERTIFICATE_POLICY: Final = Kind(
    "certificate policy", "an object identifier like 1.3.6.1.4.1.99999.1", _reader(parse_policy)
)
SELECTOR: Final = Kind(
    "selector", 'a selector like "10.1.0.0/16", "10.1.0.1[tcp/443]" or "dynamic"', _reader(parse_selector)
)
IKE_PROPOSAL: Final = Kind(
    "IKE proposal", 'a proposal like "aes256gcm16-prfsha256-x25519", or "default"', _offers("ike")
)
ESP_PROPOSAL: Final = Kind(
    "ESP proposal", 'a proposal like "aes256gcm16-x25519", or "default"', _offers("esp")
)
SECRET: Final = Kind("secret", 'a secret: "text", "0x…" in hex or "0s…" in base64', _secret, secret=True)
