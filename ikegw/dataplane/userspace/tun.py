"""The TUN device: made here, gone when its descriptor closes.

It has the virtio-net header (IFF_VNET_HDR), so that a joined super-packet can be written to it in one piece. What is read from it
comes cut and with checksums, one packet a read: the kernel sums and cuts far faster than we could, and the read costs less
than the cutting would.
"""

import fcntl
import os
import socket
from struct import Struct
from typing import Final

from attrs import frozen

_TUNSETIFF: Final = 0x400454CA
_TUNSETOFFLOAD: Final = 0x400454D0
_TUN, _NO_PI, _VNET_HDR = 0x0001, 0x1000, 0x4000
_REQUEST: Final = Struct("16sH22x")

VNET_HEADER: Final = Struct("=BBHHHH")
"""virtio_net_hdr: flags, GSO type, header length, GSO size, where the checksum starts, where it goes."""

PLAIN: Final = bytes(VNET_HEADER.size)
"""The header of a packet that is whole and has its checksums."""

NEEDS_CHECKSUM: Final = 1
GSO_TCP4: Final = 1
GSO_TCP6: Final = 4


@frozen
class Tun:
    """An open TUN device; `descriptor` is non-blocking."""

    name: str
    index: int
    descriptor: int

    @classmethod
    def open(cls, name: str) -> "Tun":
        """Make the device; OSError if we may not, or if another process has one of this name."""
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            given = fcntl.ioctl(
                descriptor, _TUNSETIFF, _REQUEST.pack(name.encode(), _TUN | _NO_PI | _VNET_HDR)
            )
            fcntl.ioctl(descriptor, _TUNSETOFFLOAD, 0)
            real = given[:16].split(b"\0")[0].decode()
            return cls(real, socket.if_nametoindex(real), descriptor)
        except OSError:
            os.close(descriptor)
            raise

    def close(self) -> None:
        """The device goes, and with it its routes and addresses."""
        os.close(self.descriptor)
