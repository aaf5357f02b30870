"""IKE's own sockets, as the kernel's IPsec has to treat them."""

import socket
from struct import Struct
from typing import Final

from ikegw.dataplane.xfrm.encoding import policy_info
from ikegw.dataplane.xfrm.values import Direction, PacketSelector

_UDP_ENCAP, _ESP_IN_UDP, _NOTHING = 100, 2, 0
_IP_XFRM_POLICY, _IPV6_XFRM_POLICY = 17, 35
_NUMBER: Final = Struct("=i")


def exempt(sock: socket.socket) -> None:
    """Let IKE pass whatever the policies say (RFC 4301 §4.4.1: the bypass of IKE), in both directions; OSError."""
    four = sock.family == socket.AF_INET
    anything = PacketSelector(4 if four else 6, b"", 0, b"", 0)
    level, option = (socket.IPPROTO_IP, _IP_XFRM_POLICY) if four else (socket.IPPROTO_IPV6, _IPV6_XFRM_POLICY)
    for direction in (Direction.IN, Direction.OUT):
        sock.setsockopt(level, option, policy_info(anything, 0, 0, direction, 0, 0, 0))


def take_esp(sock: socket.socket, wanted: bool = True) -> None:
    """Have the kernel take ESP out of what comes to a NAT-T socket (RFC 3948 §2.2), or no longer; OSError."""
    sock.setsockopt(socket.IPPROTO_UDP, _UDP_ENCAP, _NUMBER.pack(_ESP_IN_UDP if wanted else _NOTHING))
