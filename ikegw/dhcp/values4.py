"""What DHCPv4 options hold (RFC 2132, 3442), octets to values and back. Malformed names the option."""

import struct
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from math import inf
from typing import Final

from ikegw.dhcp.errors import Malformed
from ikegw.dhcp.names import decode_names, one_name
from ikegw.dhcp.packet4 import address4
from ikegw.dhcp.registry import FOR_EVER, AgentOption, Option4

_OPTIONS_AT: Final = 240
_PREFIXES: Final = {(0xFFFFFFFF << 32 - length) & 0xFFFFFFFF: length for length in range(33)}


class Options4:
    """The options of one message, each read as what it holds; one that is not there is None or empty."""

    def __init__(self, octets: Mapping[int, bytes]) -> None:
        self._octets = octets

    def addresses(self, option: Option4) -> tuple[IPv4Address, ...]:
        """A list of addresses."""
        data = self._octets.get(option)
        if data is None:
            return ()
        if not data or len(data) % 4:
            raise _wrong(option, "is no list of addresses")
        return tuple([address4(data[at : at + 4]) for at in range(0, len(data), 4)])

    def address(self, option: Option4) -> IPv4Address | None:
        """One address."""
        found = self.addresses(option)
        if len(found) > 1:
            raise _wrong(option, "has more than one address")
        return found[0] if found else None

    def prefix(self) -> int | None:
        """The length of the prefix that option 1 says as a mask."""
        mask = self.address(Option4.SUBNET_MASK)
        if mask is None:
            return None
        if int(mask) not in _PREFIXES:
            raise _wrong(Option4.SUBNET_MASK, "is no mask of a subnet")
        return _PREFIXES[int(mask)]

    def seconds(self, option: Option4) -> float | None:
        """A time; the greatest number means for ever."""
        data = self._octets.get(option)
        if data is None:
            return None
        if len(data) != 4:
            raise _wrong(option, "is no number of seconds")
        (number,) = struct.unpack("!I", data)
        return inf if number == FOR_EVER else float(number)

    def domains(self) -> tuple[str, ...]:
        """The search list (option 119), and the domain of option 15 if the list does not have it."""
        search = decode_names(self._octets.get(Option4.DOMAIN_SEARCH, b""), _OPTIONS_AT, compressed=True)
        own = self._octets.get(Option4.DOMAIN_NAME, b"").rstrip(b"\0")
        return tuple(dict.fromkeys((*search, *((one_name(own, _OPTIONS_AT),) if own else ()))))

    def destinations(self) -> tuple[IPv4Network, ...]:
        """Where the classless routes lead (option 121, else Microsoft's 249); through a tunnel the routers mean nothing."""
        for option in (Option4.CLASSLESS_ROUTES, Option4.MICROSOFT_ROUTES):
            data = self._octets.get(option)
            if data is not None:
                return _destinations(option, data)
        return ()

    def text(self, option: Option4) -> str:
        """A text, made printable."""
        return self._octets.get(option, b"").decode("latin-1").encode("unicode_escape").decode("ascii")

    def octets(self, option: Option4) -> bytes | None:
        """The option as it came."""
        return self._octets.get(option)


def _wrong(option: Option4, what: str) -> Malformed:
    return Malformed(f"option {int(option)} {what}", _OPTIONS_AT)


def _destinations(option: Option4, data: bytes) -> tuple[IPv4Network, ...]:
    found, at = [], 0
    while at < len(data):
        length = data[at]
        significant = (length + 7) // 8
        end = at + 1 + significant + 4
        if length > 32 or end > len(data):
            raise _wrong(option, "is no list of routes")
        destination = data[at + 1 : at + 1 + significant].ljust(4, b"\0")
        found.append(IPv4Network((destination, length), strict=False))
        at = end
    return tuple(dict.fromkeys(found))


def encode_addresses(addresses: Iterable[IPv4Address]) -> bytes:
    """A list of addresses."""
    return b"".join(address.packed for address in addresses)


def encode_seconds(seconds: float) -> bytes:
    """A time."""
    return struct.pack("!I", FOR_EVER if seconds == inf else min(int(seconds), FOR_EVER - 1))


def encode_routes(routes: Iterable[tuple[IPv4Network, IPv4Address]]) -> bytes:
    """Destinations, each with its router (RFC 3442)."""
    return b"".join(
        bytes([network.prefixlen])
        + network.network_address.packed[: (network.prefixlen + 7) // 8]
        + router.packed
        for network, router in routes
    )


def encode_agent_information(information: Mapping[AgentOption, bytes]) -> bytes:
    """Relay agent information (RFC 3046 §2.0); each sub-option has up to 255 octets."""
    return b"".join(bytes([code, len(data)]) + data for code, data in information.items())
