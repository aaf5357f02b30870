"""N(USE_TRANSPORT_MODE), RFC 7296 §1.3.1: who begins a CHILD SA asks for it, the other end grants it or makes a tunnel.

Through a NAT it is neither asked for nor granted: checksums would be wrong, and hosts behind the NAT have one address.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from attrs import evolve

from ikegw.policy.carriage import Carriage, Mode
from ikegw.policy.connections import ChildPolicy
from ikegw.wire.message import Message
from ikegw.wire.notify import Notify
from ikegw.wire.registry import NotifyType
from ikegw.wire.selectors import TrafficSelector

if TYPE_CHECKING:
    from ikegw.ike.sa import IkeSa

NOTIFY: Final = Notify(NotifyType.USE_TRANSPORT_MODE)


def wanted(sa: "IkeSa", policy: ChildPolicy) -> bool:
    """Whether we ask for it."""
    return policy.carriage.mode is Mode.TRANSPORT and not (sa.behind_nat or sa.peer_behind_nat)


def asked(wanted: bool) -> tuple[Notify, ...]:
    """The notify of a request, or of the answer that grants it."""
    return (NOTIFY,) if wanted else ()


def is_in(message: Message) -> bool:
    """Whether the peer asks for it, or grants it."""
    return message.notify(NotifyType.USE_TRANSPORT_MODE) is not None


def granted(
    sa: "IkeSa",
    policy: ChildPolicy,
    message: Message,
    local: Sequence[TrafficSelector],
    remote: Sequence[TrafficSelector],
) -> bool:
    """Whether a responder grants what the peer asks: only for what the two hosts themselves say to each other."""
    if not is_in(message) or not wanted(sa, policy):
        return False
    ends = ((local, sa.path.local.address), (remote, sa.path.remote.address))
    return all(each.start == each.end == address for selectors, address in ends for each in selectors)


def carriage(policy: ChildPolicy, transport: bool) -> Carriage:
    """How a child is carried, in the mode that was agreed."""
    mode = Mode.TRANSPORT if transport else Mode.TUNNEL
    return policy.carriage if policy.carriage.mode is mode else evolve(policy.carriage, mode=mode)
