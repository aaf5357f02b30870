"""The notifies of MOBIKE (RFC 4555): that we speak it, where else we are, how a message left us, and the peer's of these."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from ikegw.paths import Address, Path
from ikegw.wire.message import Message
from ikegw.wire.notify import Notify
from ikegw.wire.registry import NotifyType

SUPPORTED = Notify(NotifyType.MOBIKE_SUPPORTED)

MOST_ADDRESSES = 16
"""Of a peer's additional addresses, so many are remembered."""


def elsewhere(path: Path, ours: Iterable[Address]) -> tuple[Notify, ...]:
    """Our addresses besides the one in use: N(ADDITIONAL_IP4_ADDRESS) and N(ADDITIONAL_IP6_ADDRESS), or that there are none."""
    others = [one for one in ours if one != path.local.address and not one.is_link_local]
    return tuple(
        Notify(
            NotifyType.ADDITIONAL_IP4_ADDRESS if one.version == 4 else NotifyType.ADDITIONAL_IP6_ADDRESS,
            one.packed,
        )
        for one in others[:MOST_ADDRESSES]
    ) or (Notify(NotifyType.NO_ADDITIONAL_ADDRESSES),)


def addresses_in(message: Message) -> tuple[Address, ...] | None:
    """The peer's further addresses, () if it has none, None if it says nothing about them."""
    said, found = False, list[Address]()
    for notify in message.every(Notify):
        octets = notify.data
        if notify.type is NotifyType.NO_ADDITIONAL_ADDRESSES:
            said = True
        elif notify.type is NotifyType.ADDITIONAL_IP4_ADDRESS:
            found.append(IPv4Address(octets))
        elif notify.type is NotifyType.ADDITIONAL_IP6_ADDRESS:
            found.append(IPv6Address(octets))
    return tuple(found[:MOST_ADDRESSES]) if said or found else None


def no_nats(path: Path) -> Notify:
    """N(NO_NATS_ALLOWED): the addresses and ports that a message leaves us with (§3.9)."""
    return Notify(NotifyType.NO_NATS_ALLOWED, _described(path))


def came_through_nat(message: Message, path: Path) -> bool:
    """Does the peer forbid NATs, and was its message, received on `path`, changed by one all the same?"""
    notify = message.notify(NotifyType.NO_NATS_ALLOWED)
    return notify is not None and notify.data != _described(Path(path.remote, path.local))


def _described(path: Path) -> bytes:
    source, destination = path.local, path.remote
    ports = source.port.to_bytes(2, "big") + destination.port.to_bytes(2, "big")
    return source.address.packed + destination.address.packed + ports
