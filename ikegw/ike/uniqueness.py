"""What becomes of the other IKE SAs of a peer, as its connection has it (`unique`), and by INITIAL_CONTACT (RFC 7296 §2.4)."""

from collections.abc import Sequence

from ikegw.ike.sa import IkeSa
from ikegw.ike.sessions import SessionTable
from ikegw.ike.tenancy import Tenancy
from ikegw.policy.connections import Unique
from ikegw.policy.identities import Normal, normal
from ikegw.ports import AddressRequest
from ikegw.session import EndCause

PeerKey = tuple[str, Normal]


def peer_key(sa: IkeSa) -> PeerKey:
    """Whose it is: every login looks for the others of its peer, and there may be thousands of other peers.

    After an EAP login it is the user's, for nobody has looked at IDi: Windows' is its own address. 0 is no type of identity.
    """
    return sa.connection.name, (0, sa.user) if sa.user else normal(sa.peer)


def end_all(others: Sequence[IkeSa], sa: IkeSa) -> None:
    """INITIAL_CONTACT: its peer says that it has no other."""
    if sa.connection.unique is not Unique.NEVER:
        for other in others:
            why = f"the peer began anew as {sa.name} (INITIAL_CONTACT)"
            other.ends_because(why, EndCause.PORT_PREEMPTED)
            other.end()


def make_way(others: Sequence[IkeSa], sa: IkeSa) -> None:
    """It is mature, and its peer may have only one."""
    if not sa.initiator and sa.connection.unique not in (Unique.NEVER, Unique.KEEP):
        for other in others:
            other.give_way_to(sa)


def tenancy_of(others: Sequence[IkeSa], sa: IkeSa, request: AddressRequest, *, anew: bool) -> Tenancy | None:
    """What was lent to one of the others that ends for this one, if that is what it asks for."""
    ending = sa.connection.unique is Unique.REPLACE or (anew and sa.connection.unique is not Unique.NEVER)
    tenancies = [other.tenancy for other in others] if ending else []
    suiting = [one for one in tenancies if one is not None and one.suits(request)]
    return suiting[-1] if suiting else None


def no_seat(others: Sequence[IkeSa], sa: IkeSa, sessions: SessionTable, *, initial_contact: bool) -> str:
    """Take the place of one more session of its user; else why there is none."""
    unique = sa.connection.unique
    if unique is Unique.REFUSE:
        elsewhere = [other for other in others if other.path.remote != sa.path.remote]
        staying = {one.number for one in others if one not in elsewhere}
        why = sessions.take_seat(sa, staying, peer_key(sa))
        if why:
            for other in elsewhere:
                other.doubt()
        return why
    replaces = unique is Unique.REPLACE or (initial_contact and unique is not Unique.NEVER)
    leaving = {other.number for other in others} if replaces else set()
    return sessions.take_seat(sa, leaving, None)
