"""The UDP sockets of IKE: one for each local address and port.

A socket on the wildcard address cannot tell which of our addresses a datagram was sent to, and the answer must come
from that one (RFC 7296 §2.11).
"""

import errno
import socket
from collections.abc import Collection
from contextlib import suppress
from ipaddress import IPv6Address

from attrs import frozen

from ikegw.net.errors import CannotListen
from ikegw.net.holder import holder_of
from ikegw.net.local_addresses import every_local_address, local_addresses
from ikegw.paths import IKE_PORT, NAT_T_PORT, Address, Endpoint

# Linux's numbers (in.h, in6.h, socket.h) that Python's socket module does not name.
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_DONT = 10, 23, 0
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78
_SO_RCVBUFFORCE = 33
_RECEIVE_BUFFER_OCTETS = 4 << 20


@frozen
class IkeSocket:
    """A bound, non-blocking UDP socket of ours. On a NAT-T one IKE messages carry the non-ESP marker (RFC 3948 §2.2)."""

    endpoint: Endpoint
    socket: socket.socket
    is_nat_t: bool


def open_sockets(
    addresses: Collection[Address] = (),
    ike_port: int = IKE_PORT,
    nat_t_port: int = NAT_T_PORT,
    mark: int | None = None,
    interfaces: Collection[str] = (),
) -> tuple[IkeSocket, ...]:
    """Open both ports on each address; without any, on all that a peer may reach, or on those of `interfaces`.

    0.0.0.0 and :: stand for every address of their family.

    `mark` is set on all that they send (SO_MARK), so that routing can keep it out of our own tunnels; it is left out
    where we have no right to set it. Raises CannotListen, with nothing left open, and tells all that went wrong.
    """
    opened: list[IkeSocket] = []
    problems: list[str] = []
    for address in _expanded(addresses) or local_addresses(interfaces):
        for port, is_nat_t in ((ike_port, False), (nat_t_port, True)):
            try:
                opened.append(_open(Endpoint(address, port), is_nat_t, mark))
            except OSError as error:
                problems.append(_sentence(Endpoint(address, port), error))
    if not opened and not problems:
        where = " or ".join(interfaces) or "this host"
        problems.append(
            f"cannot listen: {where} has no address that a peer could reach; see listen.addresses"
        )
    if problems:
        for each in opened:
            each.socket.close()
        raise CannotListen(problems)
    return tuple(opened)


def _expanded(addresses: Collection[Address]) -> tuple[Address, ...]:
    """Put for 0.0.0.0 and :: what they mean: every address of that family."""
    every = local_addresses() if any(address.is_unspecified for address in addresses) else ()
    versions = {address.version for address in addresses if address.is_unspecified}
    meant = [address for address in every if address.version in versions]
    return tuple(dict.fromkeys([*(a for a in addresses if not a.is_unspecified), *meant]))


def _open(endpoint: Endpoint, is_nat_t: bool, mark: int | None) -> IkeSocket:
    family = socket.AF_INET if endpoint.address.version == 4 else socket.AF_INET6
    udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        _prepare(udp, mark)
        _bind(udp, endpoint)
        port = udp.getsockname()[1]
    except OSError:
        udp.close()
        raise
    return IkeSocket(Endpoint(endpoint.address, port), udp, is_nat_t)


def _prepare(udp: socket.socket, mark: int | None) -> None:
    if udp.family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        udp.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DONT)
    else:
        # Big IKE messages (certificates) go out in IP fragments, not with "don't fragment" set and lost.
        udp.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DONT)
    try:
        udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_OCTETS)
    except PermissionError:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_OCTETS)
    if mark is not None:
        with suppress(PermissionError):
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)


def _bind(udp: socket.socket, endpoint: Endpoint) -> None:
    address = endpoint.address
    if isinstance(address, IPv6Address) and address.scope_id:
        name: tuple[str | int, ...] = (
            str(address),
            endpoint.port,
            0,
            socket.if_nametoindex(address.scope_id),
        )
    else:
        name = (str(address), endpoint.port)
    try:
        udp.bind(name)
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL or address not in every_local_address():
            raise
        # Ours, but IPv6 duplicate address detection still runs: it will be usable in a second.
        if udp.family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        else:
            udp.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        udp.bind(name)


def _sentence(endpoint: Endpoint, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        holder = holder_of(endpoint) or "another process"
        return f"cannot listen on {endpoint}: address in use by {holder}; stop the other IKE daemon, or use other ports"
    if error.errno == errno.EADDRNOTAVAIL:
        ours = ", ".join(str(address) for address in local_addresses()) or "none"
        return f"cannot listen on {endpoint}: it is not an address of this host (it has {ours})"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"cannot listen on {endpoint}: ports below 1024 need root or CAP_NET_BIND_SERVICE"
    return f"cannot listen on {endpoint}: {error.strerror or error}"
