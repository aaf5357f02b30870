"""Traffic selectors as the kernel's policies want them: networks and blocks of ports; and which policy is asked first."""

from collections.abc import Iterator
from itertools import product
from typing import Final

from ikegw.dataplane.prefixes import ANY, OPAQUE, Selector
from ikegw.dataplane.xfrm.values import EVERY_PORT, Masked, PacketSelector
from ikegw.ports import DataPlaneError, Selectors

MOST_POLICIES: Final = 1024
"""What one CHILD SA may need of the kernel's policies in one direction."""

_ICMP: Final = (1, 58)
_WIDTH: Final = {4: 32, 6: 128}


def cut(name: str, local: Selectors, remote: Selectors) -> tuple[PacketSelector, ...]:
    """What a kernel's outbound policies must select for these selectors; DataPlaneError if none or too many."""
    locals_, remotes = [Selector.like(one) for one in local], [Selector.like(one) for one in remote]
    found = dict.fromkeys(one for far in remotes for near in locals_ for one in _pair(near, far))
    if not found:
        raise DataPlaneError(
            f"{name}: no packet could match: the selectors have no address family or protocol in common"
        )
    if len(found) > MOST_POLICIES:
        raise DataPlaneError(
            f"{name}: the selectors would need {len(found)} policies of the kernel, of {MOST_POLICIES} at most; "
            "write networks in place of ranges, or fewer ports"
        )
    return tuple(found)


def _pair(near: Selector, far: Selector) -> Iterator[PacketSelector]:
    if near.version != far.version or (near.protocol and far.protocol and near.protocol != far.protocol):
        return
    protocol = near.protocol or far.protocol
    ports = _icmp(near.ports, far.ports) if protocol in _ICMP else _blocks(near.ports, far.ports)
    for (far_net, far_length), (near_net, near_length), (near_port, far_port) in product(
        far.prefixes, near.prefixes, ports
    ):
        yield PacketSelector(
            near.version,
            near_net.to_bytes(_WIDTH[near.version] // 8, "big"),
            near_length,
            far_net.to_bytes(_WIDTH[near.version] // 8, "big"),
            far_length,
            protocol,
            near_port,
            far_port,
        )


def _blocks(near: tuple[int, int], far: tuple[int, int]) -> list[tuple[Masked, Masked]]:
    return list(product(_masked(near, 16), _masked(far, 16)))


def _masked(ports: tuple[int, int], bits: int) -> list[Masked]:
    """A range of numbers as blocks: each some bits that are given."""
    full = (1 << bits) - 1
    if ports == (0, full):
        return [EVERY_PORT]
    if ports == OPAQUE:
        return [(0, full)]  # the kernel takes port 0 for what shows none
    blocks, (low, high) = [], ports
    while low <= high:
        size = low & -low or 1 << bits
        while low + size - 1 > high:
            size >>= 1
        blocks.append((low, full & ~(size - 1)))
        low += size
    return blocks


def _icmp(near: tuple[int, int], far: tuple[int, int]) -> list[tuple[Masked, Masked]]:
    """Type × 256 + code (RFC 7296 §3.13.1), of whichever end says more; the kernel has the type and the code apart."""
    if OPAQUE in (near, far):
        return [((0, 0xFFFF), (0, 0xFFFF))]
    low, high = max(near[0], far[0]), min(near[1], far[1])
    if (low, high) == ANY:
        return [(EVERY_PORT, EVERY_PORT)]
    found: list[tuple[Masked, Masked]] = []
    for kind in range(low >> 8, (high >> 8) + 1):
        codes = (low & 255 if kind == low >> 8 else 0, high & 255 if kind == high >> 8 else 255)
        blocks = [EVERY_PORT] if codes == (0, 255) else [(c, m | 0xFF00) for c, m in _masked(codes, 8)]
        found += [((kind, 0xFFFF), block) for block in blocks]
    return found


def priority(packets: PacketSelector, rank: int, *, trap: bool = False) -> int:
    """Of an outbound policy: the smaller the sooner. Longest remote prefix, longest local one, a protocol, fewest ports.

    What `dataplane.matching` says. Traps come after all SAs; `rank`, 0 to 7, decides between equals.
    """
    width = _WIDTH[packets.version]
    number = width - packets.destination_length
    number = number << 8 | width - packets.source_length
    number = number << 1 | (not packets.protocol)
    number = number << 5 | _open_bits(packets.destination_port)
    number = number << 5 | _open_bits(packets.source_port)
    return trap << 30 | number << 3 | rank


def _open_bits(port: Masked) -> int:
    return 16 - port[1].bit_count()
