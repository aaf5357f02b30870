"""How an SA of the kernel's goes over to another path, which for the kernel is another SA."""

from typing import Final

from attrs import evolve

from ikegw.dataplane.xfrm.values import Replay
from ikegw.ports import TunnelSa

_LEAP: Final = 64
"""Sequence numbers that are left out: packets may leave between asking and taking over. Fewer than any window."""


def changes_only_ports(before: TunnelSa, after: TunnelSa) -> bool:
    """Whether the kernel can change the SAs that it has: the addresses stay, and so does the encapsulation."""
    one, other = before.path, after.path
    return (
        before.udp_encapsulated
        and after.udp_encapsulated
        and (one.local.address, one.remote.address) == (other.local.address, other.remote.address)
    )


def counters_after(inbound: Replay, outbound: Replay) -> tuple[Replay, Replay]:
    """Where the SAs that take over have to begin: no number is sent twice, none is accepted twice."""
    return inbound, evolve(outbound, sent=outbound.sent + _LEAP)
