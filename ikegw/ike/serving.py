"""Figure 7: the peer's requests on an established IKE SA, acted on and answered at once, in every state that §9 allows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ikegw.events import Refused
from ikegw.ike import rekeying
from ikegw.ike.child import ChildSa
from ikegw.ike.child_answering import ChildAnswering, replaced_child
from ikegw.ike.configuration import reply
from ikegw.ike.negotiation import NoChild
from ikegw.ike.sa import IkeSa
from ikegw.policy.connections import StartAction
from ikegw.session import EndCause
from ikegw.wire.configuration import Configuration
from ikegw.wire.delete import Delete
from ikegw.wire.message import Message, Payload
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ConfigType, ExchangeType, NotifyType, ProtocolId
from ikegw.wire.shapes import REKEY_IKE_REQUEST, shape_of

if TYPE_CHECKING:
    from ikegw.ike.living import Living

MAX_CHILDREN = 32
"""CHILD SAs that one peer may ask for in one IKE SA, those being rekeyed among them."""


def serve(living: "Living", message: Message) -> None:
    """Rows P-01 … P-07, P-09."""
    sa, deletes = living.sa, message.every(Delete)
    creates = message.header.exchange is ExchangeType.CREATE_CHILD_SA
    if sa.awaits is not None and (creates or any(delete.protocol is ProtocolId.ESP for delete in deletes)):
        sa.awaits.established.take_rival()
    if creates:
        _create(living, message)
        return
    if any(delete.protocol is ProtocolId.IKE for delete in deletes):
        sa.respond(message.header, ())
        living.succession.take_rival()
        sa.peer_closed = not sa.ending
        sa.ends_because("the peer deleted it", EndCause.USER_REQUEST)
        living.machine.peer_deleted()
    elif message.notify(NotifyType.AUTHENTICATION_FAILED) is not None:
        _rejected(living, message)
    else:
        living.lifetimes.hear(message)
        alive = [child for child in sa.children.values() if child.state in ("SA_MATURE", "SA_REKEY")]
        about_moving = () if sa.roaming is None else sa.roaming.serve(message, sa.came_on(message.header))
        payloads = (*_delete_children(sa, deletes), *_configuration(sa, message), *about_moving)
        sa.respond(message.header, payloads)
        _make_anew(living, [child for child in alive if child.state == "SA_DEAD"])
        if sa.roaming is not None:
            sa.roaming.served()


def _rejected(living: "Living", message: Message) -> None:
    """RFC 7296 §2.21.2: an initiator that does not believe our IKE_AUTH response says so, and that deletes the IKE SA."""
    sa = living.sa
    sa.respond(message.header, ())
    why = "the peer does not believe who we are; its log says why"
    sa.surroundings.publish(Refused(sa.name, sa.path, True, NotifyType.AUTHENTICATION_FAILED.name, why))
    sa.ends_because(why, EndCause.USER_ERROR)
    living.machine.peer_deleted()


def _delete_children(sa: IkeSa, deletes: Sequence[Delete]) -> tuple[Payload, ...]:
    """Rows P-03, K-04, K-05, K-06, K-14: our inbound SPIs of the pairs that were alive, and none for what is gone or going."""
    ours = []
    for spi in (spi for delete in deletes if delete.protocol is ProtocolId.ESP for spi in delete.spis):
        child = next((one for one in sa.children.values() if one.tunnel.outbound_spi == spi), None)
        if child is None:
            if sa.makes_a_child and len(sa.deleted_early) < MAX_CHILDREN:
                sa.deleted_early.add(spi)
            continue
        if child.state != "SA_REMOVE":
            ours.append(child.tunnel.inbound_spi)
        child.peer_deleted()
    return (Delete(ProtocolId.ESP, tuple(ours)),) if ours else ()


def _make_anew(living: "Living", closed: Sequence[ChildSa]) -> None:
    """What the peer closed and nothing replaced, if it is to come back (close_action)."""
    for child in closed:
        if child.successor is None and child.policy.close is StartAction.START:
            living.create_child(child.policy)
        elif child.successor is None and child.policy.close is StartAction.TRAP:
            living.sa.table.bring_back_with_traffic(living.sa, child.policy)


def _configuration(sa: IkeSa, message: Message) -> tuple[Payload, ...]:
    """Row P-09: what the client was lent, told once more. To a gateway that asks its client, only what we are."""
    asked = message.one(Configuration)
    if asked is None or asked.type is not ConfigType.REQUEST:
        return ()
    subnets = [selector for child in sa.children.values() for selector in child.tunnel.local_selectors]
    lease = None if sa.initiator_of_session else sa.lease
    told = reply(asked, lease, dict.fromkeys(subnets), sa.group.domains or sa.connection.domains)
    return () if told is None else (told,)


def _create(living: "Living", message: Message) -> None:
    """Rows P-04 … P-07, as far as what is going on allows (§7.1)."""
    sa = living.sa
    try:
        if shape_of(message) is REKEY_IKE_REQUEST:
            _rekey(living, message)
        else:
            _create_child(living, message)
    except NoChild as error:
        sa.respond(message.header, (error.notify,))
        sa.tell_refused(error.notify.type.name, error.detail)


def _rekey(living: "Living", message: Message) -> None:
    """Row P-07."""
    sa = living.sa
    if sa.state == "SM_DYING" or sa.successor is not None:
        raise _later("K-13, K-15: this IKE SA is being closed")
    if living.children_under_way:
        raise _later("K-07: a CHILD SA of ours is under way")
    payloads, made = rekeying.answer(sa, message)
    sa.respond(message.header, payloads)
    living.succession.rekeyed_by_peer(made)


def _create_child(living: "Living", message: Message) -> None:
    sa, rekey = living.sa, message.notify(NotifyType.REKEY_SA)
    if sa.state == "SM_DYING" or sa.successor is not None:
        raise _later("K-13, IE-19: this IKE SA is being closed")
    if sa.state in ("SM_REKEY", "SM_REKEY_WAIT"):
        raise _later("K-08: we are rekeying the IKE SA")
    if len(sa.children) >= MAX_CHILDREN:
        why = f"the peer has {MAX_CHILDREN} CHILD SAs already"
        raise NoChild(Notify(NotifyType.NO_ADDITIONAL_SAS), why)
    ChildAnswering(sa, message, None if rekey is None else replaced_child(sa, rekey)).serve()


def _later(why: str) -> NoChild:
    return NoChild(Notify(NotifyType.TEMPORARY_FAILURE), why)
