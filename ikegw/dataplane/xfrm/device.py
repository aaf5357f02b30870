"""The xfrm interface that leads packets into our tunnels: what it gets and no SA takes is dropped, not sent in the clear."""

import errno
from contextlib import suppress
from typing import Final

from attrs import frozen

from ikegw.dataplane.interface import quiet_ipv6
from ikegw.dataplane.marks import TABLE_BASE
from ikegw.dataplane.rtnetlink import Netlink, NetlinkError
from ikegw.dataplane.xfrm.ours import IF_ID
from ikegw.ports import DataPlaneError

_MOST_DEVICES: Final = 100
_QUEUE: Final = 1000


@frozen
class Device:
    """The interface, by name and index."""

    name: str
    index: int


def make_device(netlink: Netlink, pattern: str, mtu: int) -> Device:
    """Make it, with a number for `%d` as the kernel would do, and set it up; DataPlaneError."""
    names = [pattern.replace("%d", str(n), 1) for n in range(_MOST_DEVICES)] if "%d" in pattern else [pattern]
    for name in names:
        try:
            index = netlink.add_xfrm(name, IF_ID)
        except NetlinkError as error:
            if error.errno == errno.EEXIST and name != names[-1]:
                continue
            raise DataPlaneError(in_words(name, error)) from error
        quiet_ipv6(name)
        try:
            netlink.set_up(index, mtu, _QUEUE)
        except NetlinkError as error:
            netlink.delete_link(index)
            raise DataPlaneError(in_words(name, error)) from error
        return Device(name, index)
    raise AssertionError("there is at least one name")


def in_words(name: str, error: NetlinkError) -> str:
    """Why there is no such device, and what to do."""
    if error.errno == errno.EOPNOTSUPP:
        return "this kernel has no xfrm interfaces (CONFIG_XFRM_INTERFACE; Linux 4.19 or later)"
    if error.errno == errno.EPERM:
        return "we may not use the kernel's IPsec: it needs root or CAP_NET_ADMIN"
    if error.errno == errno.EEXIST:
        return f"there is a device {name} already; remove it, or write another name into data_plane.tun"
    return f"cannot make the device {name}: {error}"


def remove_leftovers(netlink: Netlink) -> int:
    """Remove the device, routes and rules of a gateway that was killed; how many devices there were."""
    left = [index for index, if_id in netlink.xfrm_links().items() if if_id == IF_ID]
    for index in left:
        netlink.delete_link(index)
    with suppress(NetlinkError):
        netlink.delete_rules(range(TABLE_BASE, TABLE_BASE + 129))
    return len(left)
