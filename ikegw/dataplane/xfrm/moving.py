"""How an SA of the kernel's goes over to another path, which for the kernel is another SA.

XFRM_MSG_MIGRATE is not for us: it finds SAs by reqid and addresses and not by SPI, while ours that receive share a reqid when
one takes the place of another; it wants addresses in the template of each policy, where ours for what comes in have none; and it
copies the outbound counter a moment before it switches, so that numbers would be sent twice.
"""

from collections.abc import Sequence
from typing import Final

from attrs import evolve

from ikegw.dataplane.xfrm import encoding
from ikegw.dataplane.xfrm.encoding import Request
from ikegw.dataplane.xfrm.values import Replay, State, StateId
from ikegw.ports import TunnelSa

_LEAP: Final = 64
"""Sequence numbers that are left out: packets may leave between asking and taking over. Fewer than any window."""

_SAFETY: Final = 4
"""So many times more may leave then than left between asking twice, before numbers would be sent twice."""


def changes_only_ports(before: TunnelSa, after: TunnelSa) -> bool:
    """Whether the kernel can change the SAs that it has: the addresses stay, and so does the encapsulation."""
    one, other = before.path, after.path
    return (
        before.udp_encapsulated
        and after.udp_encapsulated
        and (one.local.address, one.remote.address) == (other.local.address, other.remote.address)
    )


def counters_after(inbound: Replay, outbound: Replay, sent_before: int) -> tuple[Replay, Replay]:
    """Where the SAs that take over have to begin: no number is sent twice, none is accepted twice.

    `sent_before` is what had been sent when it was asked the time before: a fast sender leaves out more.
    """
    return inbound, evolve(outbound, sent=outbound.sent + _LEAP + _SAFETY * (outbound.sent - sent_before))


def taking_over(
    old: tuple[StateId, StateId], new: tuple[State, State], policies: Sequence[Request]
) -> list[Request]:
    """The requests, in the order in which the least is lost: one whose far end differs is there before the old one goes.

    First the old ones are asked what they carried. The kernel tells SAs apart by destination and SPI, so another source alone
    is one SA for it: the old one goes first. What comes in the moment between finds none.
    """
    wanted = [encoding.get_state(each) for each in old]
    late: list[Request] = []
    for before, after in zip(old, new, strict=True):
        delete, add = encoding.delete_state(before), encoding.add_state(after)
        if before.destination == after.id.destination:
            wanted += [delete, add]
        else:
            wanted.append(add)
            late.append(delete)
    return [*wanted, *policies, *late]
