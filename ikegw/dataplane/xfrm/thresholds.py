"""Which policies the kernel finds by a hash: those whose networks are at least so long.

By default only those between two single hosts. All others stand in one list, which the kernel walks through twice to lay
another: with thousands of clients that takes longer than everything else. A hash over the remote end alone finds whoever was
lent an address.
"""

from struct import Struct
from typing import Final

from attrs import frozen

from ikegw.dataplane.netlink import ACK, Answer, attribute, attributes
from ikegw.dataplane.xfrm.encoding import Request

NEWSPDINFO, GETSPDINFO = 36, 37
_IPV4, _IPV6 = 3, 4
_FLAGS: Final = b"\xff\xff\xff\xff"
_LENGTHS: Final = Struct("=BB")

Lengths = tuple[int, int]
"""Of the local and of the remote network, in bits."""


@frozen
class Thresholds:
    """The shortest networks that are hashed, by IP version."""

    ipv4: Lengths
    ipv6: Lengths


KERNELS: Final = Thresholds((32, 32), (128, 128))
"""What a kernel begins with."""

OURS: Final = Thresholds((0, 32), (0, 128))


def ask() -> Request:
    """Ask what they are."""
    return GETSPDINFO, 0, _FLAGS


def set_to(wanted: Thresholds) -> Request:
    """Have the kernel sort its policies anew by these."""
    found = ((_IPV4, wanted.ipv4), (_IPV6, wanted.ipv6))
    return NEWSPDINFO, ACK, _FLAGS + b"".join(attribute(kind, _LENGTHS.pack(*each)) for kind, each in found)


def read(answer: Answer) -> Thresholds | None:
    """What the kernel says they are; None if it does not."""
    told = {kind: octets for kind, octets in attributes(answer.body[len(_FLAGS) :]) if len(octets) >= 2}
    if answer.kind != NEWSPDINFO or not {_IPV4, _IPV6} <= told.keys():
        return None
    return Thresholds(_LENGTHS.unpack_from(told[_IPV4]), _LENGTHS.unpack_from(told[_IPV6]))
