"""Which data plane carries the packets: in this version the process of our own, whatever is chosen."""

import os
from collections.abc import Callable
from typing import Any

from ikegw.config import Config
from ikegw.dataplane.userspace.client import UserspacePlane
from ikegw.net.sockets import IkeSocket
from ikegw.net.transport import Received
from ikegw.service.assembly import Plane

WORKER = 0
"""The number of this process, the first octet of every SPI that it chooses."""


def userspace_plane(
    reactor: Any,
    config: Config,
    nat_t_sockets: tuple[IkeSocket, ...],
    received: Received,
    lost: Callable[[str], None],
) -> Plane:
    """Make the data plane that is a process of its own, with a TUN device (`assembly.MakePlane`)."""
    settings = config.data_plane
    pairs = [(each.endpoint, each.socket) for each in nat_t_sockets]
    plane = UserspacePlane(reactor, pairs, received, os.urandom, settings.tun, settings.mtu, WORKER, lost)
    return Plane(plane, "userspace", reads_nat_t=True)
