"""This host's own addresses, asked of the kernel by one RTM_GETADDR dump (rtnetlink(7)).

pyroute2 is only the codec here: its own sockets run an event loop that the reactor does not bear.
"""

import socket
from collections.abc import Collection, Iterator
from ipaddress import IPv6Address, ip_address
from typing import Any

from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE
from pyroute2.netlink.rtnl import RTM_GETADDR
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from ikegw.paths import Address

_RECEIVE_OCTETS = 1 << 16


def local_addresses(interfaces: Collection[str] = ()) -> tuple[Address, ...]:
    """List the addresses that a peer elsewhere may reach: without loopback and link-local ones.

    With `interfaces`, those of these devices, loopback too if it is named.
    """
    return tuple(
        address
        for address, device in _addresses()
        if not address.is_link_local and (device in interfaces if interfaces else not address.is_loopback)
    )


def every_local_address() -> tuple[Address, ...]:
    """List all addresses of all interfaces, in the kernel's order; IPv6 link-local ones with their scope."""
    return tuple(address for address, _ in _addresses())


def _addresses() -> tuple[tuple[Address, str], ...]:
    found = dict.fromkeys(_address(message) for message in _dump())
    return tuple(each for each in found if each is not None)


def _dump() -> Iterator[Any]:
    request = ifaddrmsg()
    request["header"]["type"] = RTM_GETADDR
    request["header"]["flags"] = NLM_F_REQUEST | NLM_F_DUMP
    request["header"]["sequence_number"] = 1
    request.encode()
    marshal = MarshalRtnl()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.bind((0, 0))
        netlink.sendto(bytes(request.data), (0, 0))
        while True:
            # The kernel has its answer ready before sendto() returns: this never waits.
            for message in marshal.parse(netlink.recv(_RECEIVE_OCTETS)):
                if message["header"]["type"] == NLMSG_DONE:
                    return
                yield message


def _address(message: Any) -> tuple[Address, str] | None:
    # IFA_LOCAL is our own end where IFA_ADDRESS is the peer's, on point-to-point interfaces.
    text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    if text is None:
        return None
    address = ip_address(text)
    device = socket.if_indextoname(message["index"])
    if address.is_link_local and isinstance(address, IPv6Address):
        address = IPv6Address(f"{text}%{device}")
    return address, device
