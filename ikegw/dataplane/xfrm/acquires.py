"""What a packet that wants an SA tells of itself, in the terms of IKE."""

from ipaddress import ip_address

from ikegw.dataplane.xfrm.values import PacketSelector
from ikegw.wire.selectors import TrafficSelector

_WITH_PORTS = frozenset((6, 17, 33, 132, 136))
_ICMP = (1, 58)


def told_of(packet: PacketSelector) -> tuple[TrafficSelector, TrafficSelector]:
    """Its local and its remote end; ports that cannot be seen are all ports (RFC 7296 §2.9, §3.13.1)."""
    near, far = _ports(packet)
    source, destination = ip_address(packet.source), ip_address(packet.destination)
    return (
        TrafficSelector(source, source, packet.protocol, *near),
        TrafficSelector(destination, destination, packet.protocol, *far),
    )


def _ports(packet: PacketSelector) -> tuple[tuple[int, int], tuple[int, int]]:
    (near, _), (far, _) = packet.source_port, packet.destination_port
    if packet.protocol in _ICMP:
        both = near << 8 | far
        return (both, both), (both, both)
    if packet.protocol in _WITH_PORTS and (near or far):
        return (near, near), (far, far)
    return (0, 65535), (0, 65535)
