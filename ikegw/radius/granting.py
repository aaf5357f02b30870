"""What an Access-Accept says of the session, in our terms (RFC 2865, 2869, 3162, 4818, 6911; RFC 2548 for Microsoft's)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from ikegw.radius.packets import BadReply, Reply
from ikegw.session import Grant, Termination

SHORTEST_INTERIM_SECONDS: Final = 60
"""RFC 2869 §5.16: no shorter interval may be asked for."""

MSK_OCTETS: Final = 64
_KEY_OCTETS: Final = MSK_OCTETS // 2

_NO_ADDRESS: Final = frozenset(
    {IPv4Address("255.255.255.255"), IPv4Address("255.255.255.254"), IPv4Address(0)}
)
"""The client, or we, may choose (RFC 2865 §5.8)."""

TERMINATIONS: Final[Mapping[str, Termination]] = {
    "Default": Termination.END,
    "RADIUS-Request": Termination.REAUTHENTICATE,
}
"""What Termination-Action says."""

Complain = Callable[[str], None]
"""Told, as a sentence, what is of no use as it stands and was left out."""


def grant(reply: Reply, complain: Complain) -> Grant:
    """The session as the server wants it."""
    return Grant(
        user_name=reply.text("User-Name"),
        ip4=_address4(reply, "Framed-IP-Address"),
        ip4_netmask=_netmask(reply),
        ip6=next((IPv6Address(text) for text in reply.texts("Framed-IPv6-Address")), None),
        pools4=_filled(reply, "Framed-Pool"),
        pools6=_filled(reply, "Framed-IPv6-Pool"),
        routes=tuple(dict.fromkeys(_routes(reply, complain))),
        dns=tuple(
            dict.fromkeys(
                (*_servers4(reply, "DNS"), *map(IPv6Address, reply.texts("DNS-Server-IPv6-Address")))
            )
        ),
        nbns=_servers4(reply, "NBNS"),
        classes=reply.octets("Class"),
        filters=_filled(reply, "Filter-Id"),
        session_seconds=reply.number("Session-Timeout") or None,
        termination=TERMINATIONS.get(reply.text("Termination-Action"), Termination.END),
        idle_seconds=reply.number("Idle-Timeout") or None,
        interim_seconds=_interim(reply.number("Acct-Interim-Interval")),
        message=message(reply),
        port_limit=reply.number("Port-Limit"),
    )


def msk(reply: Reply) -> bytes | None:
    """The method's key out of MS-MPPE-Recv-Key and -Send-Key (RFC 2548 §2.4), filled up with zeros; None: it has none."""
    receive, send = reply.octets("MS-MPPE-Recv-Key"), reply.octets("MS-MPPE-Send-Key")
    if not receive and not send:
        return None
    if len(receive) != 1 or len(send) != 1:
        raise BadReply("not one MS-MPPE-Recv-Key and one MS-MPPE-Send-Key, which make a key together")
    if not 0 < len(receive[0]) <= _KEY_OCTETS or not 0 < len(send[0]) <= _KEY_OCTETS:
        raise BadReply(f"MS-MPPE keys that are not of 1 to {_KEY_OCTETS} octets")
    return (receive[0] + send[0]).ljust(MSK_OCTETS, b"\0")


def message(reply: Reply) -> str:
    """What the server has to say, as one line."""
    return " ".join(" ".join(reply.texts("Reply-Message")).split())


def _filled(reply: Reply, name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in reply.texts(name) if text))


def _address4(reply: Reply, name: str) -> IPv4Address | None:
    addresses = (IPv4Address(text) for text in reply.texts(name))
    return next((address for address in addresses if address not in _NO_ADDRESS), None)


def _netmask(reply: Reply) -> IPv4Address | None:
    return next((IPv4Address(text) for text in reply.texts("Framed-IP-Netmask")), None)


def _servers4(reply: Reply, kind: str) -> tuple[IPv4Address, ...]:
    found = (_address4(reply, f"MS-{which}-{kind}-Server") for which in ("Primary", "Secondary"))
    return tuple(dict.fromkeys(address for address in found if address is not None))


def _interim(seconds: int | None) -> int | None:
    return max(seconds, SHORTEST_INTERIM_SECONDS) if seconds else None


def _routes(reply: Reply, complain: Complain) -> Iterator[IPv4Network | IPv6Network]:
    """Networks behind the client. A route is a text that begins with the network; hop and metric, which may follow, are ours."""
    for name, version in (("Framed-Route", 4), ("Framed-IPv6-Route", 6)):
        yield from _parsed(name, reply.texts(name), version, complain)
    for name in ("Delegated-IPv6-Prefix", "Route-IPv6-Information"):
        yield from _parsed(name, reply.texts(name), 6, complain)


def _parsed(
    name: str, texts: Iterable[str], version: int, complain: Complain
) -> Iterator[IPv4Network | IPv6Network]:
    for text in texts:
        first = next(iter(text.split()), "")
        try:
            network = _network(first)
        except ValueError:
            complain(f"{name} {text!r} names no network and is left out")
            continue
        if network.version != version:
            complain(f"{name} {text!r} is not IPv{version} and is left out")
            continue
        yield network


def _network(text: str) -> IPv4Network | IPv6Network:
    """A network; an IPv4 one without length has that of its class (RFC 2865 §5.22)."""
    if "/" in text:
        return ip_network(text, strict=False)
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        return ip_network(address)
    first = address.packed[0]
    length = 8 if first < 128 else 16 if first < 192 else 24
    network = ip_network(f"{address}/{length}", strict=False)
    return network if network.network_address == address else ip_network(address)
