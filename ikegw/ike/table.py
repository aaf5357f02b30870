"""Every IKE SA of a gateway: made, found by its SPI, its number or its peer, replaced by the next of its line, forgotten."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred

from ikegw.crypto.keymat import IkeKeys
from ikegw.crypto.suites import IkeSuite
from ikegw.events import IkeBegun
from ikegw.gate.admission import Admission
from ikegw.ike import uniqueness
from ikegw.ike.departed import Departed
from ikegw.ike.listing import Row, row_of
from ikegw.ike.living import Living
from ikegw.ike.running_session import RunningSession
from ikegw.ike.sa import IkeSa
from ikegw.ike.sessions import SessionTable
from ikegw.ike.surroundings import Surroundings
from ikegw.ike.tenancy import Tenancy
from ikegw.ike.uniqueness import PeerKey, peer_key
from ikegw.ike.window import Datagrams
from ikegw.paths import Endpoint, Path
from ikegw.policy.connections import ChildPolicy, Connection
from ikegw.ports import AddressRequest
from ikegw.session import SaName


class Comebacks(Protocol):
    """Who begins IKE SAs, as the table needs it."""

    def reauthenticate(self, sa: IkeSa) -> Deferred[SaName]:
        """See `phase.Table`."""

    def bring_back_with_traffic(self, sa: IkeSa, policy: ChildPolicy) -> None:
        """See `phase.Table`."""

    def ended(self, sa: IkeSa) -> None:
        """Nothing has taken its place: some of what it carried may have to come back."""


@define(eq=False)
class SaTable:
    """`phase.Table`. `comebacks` is there before the first IKE SA is."""

    surroundings: Surroundings = field(repr=False)
    admission: Admission = field(repr=False)
    by_spi: dict[bytes, IkeSa] = field(factory=dict, repr=False)
    by_peer: dict[PeerKey, tuple[IkeSa, ...]] = field(factory=dict, init=False, repr=False)
    half_open: dict[tuple[bytes, Endpoint], IkeSa] = field(factory=dict, init=False, repr=False)
    departed: Departed = field(factory=Departed, init=False, repr=False)
    running: SessionTable = field(factory=SessionTable, init=False, repr=False)
    comebacks: Comebacks = field(init=False, repr=False)
    _numbers: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[IkeSa]:
        """All of them as they are now, the oldest first."""
        return iter(tuple(self.by_spi.values()))

    # ------------------------------------------------------------ in

    def make(
        self, connection: Connection, path: Path, *, initiator: bool, peer_spi: bytes = bytes(8)
    ) -> IkeSa:
        """A new one: begun by us, or by the peer whose SPI this is."""
        spi = self.surroundings.ike_spi()
        while spi in self.by_spi:
            spi = self.surroundings.ike_spi()
        self._numbers += 1
        spis = (spi, peer_spi) if initiator else (peer_spi, spi)
        sa = self._sa(self._numbers, connection, path, spis, initiator=initiator)
        self.surroundings.publish(IkeBegun(sa.name, path, initiator))
        return sa

    def make_half_open(self, connection: Connection, path: Path, peer_spi: bytes) -> IkeSa:
        """The same for a peer that begins, which counts until it has authenticated."""
        sa = self.make(connection, path, initiator=False, peer_spi=peer_spi)
        self.admission.half_open(path.remote.address)
        self.half_open[sa.spi_initiator, path.remote] = sa
        sa.opened_from = path.remote
        return sa

    def _sa(
        self, number: int, connection: Connection, path: Path, spis: tuple[bytes, bytes], *, initiator: bool
    ) -> IkeSa:
        now = self.surroundings.clock.seconds()
        sa = IkeSa(self.surroundings, number, connection, initiator, path, *spis, self, now)
        self.by_spi[sa.own_spi] = sa
        return sa

    def succeed(
        self, old: IkeSa, spis: tuple[bytes, bytes], suite: IkeSuite, keys: IkeKeys, *, initiator: bool
    ) -> IkeSa:
        """See `phase.Table`: it keeps the number and so the name, for to an operator it is the same session."""
        sa = self._sa(old.number, old.connection, old.path, spis, initiator=initiator)
        sa.protect(suite, keys)
        sa.come_after(old)
        self._meet(sa)
        Living.begin_as_successor(sa)
        old.ended.addCallback(lambda _: _orphaned(sa))
        return sa

    def established(self, sa: IkeSa) -> None:
        """See `phase.Table`."""
        self._close_half(sa)
        self._meet(sa)
        uniqueness.make_way(self._others(sa), sa)

    # ------------------------------------------------------------ out

    def forget(self, sa: IkeSa, last_answer: Datagrams) -> None:
        """See `phase.Table`."""
        self.by_spi.pop(sa.own_spi, None)
        self._part(sa)
        self._close_half(sa)
        now = self.surroundings.clock.seconds()
        self.departed.keep(sa.own_spi, sa.answering.expected - 1, last_answer, now)
        if sa.successor is None:
            self.comebacks.ended(sa)

    def _close_half(self, sa: IkeSa) -> None:
        remote, sa.opened_from = sa.opened_from, None
        if remote is not None:
            del self.half_open[sa.spi_initiator, remote]
            self.admission.no_longer_half_open(remote.address)

    def reauthenticate(self, sa: IkeSa) -> Deferred[SaName]:
        """See `phase.Table`."""
        return self.comebacks.reauthenticate(sa)

    def bring_back_with_traffic(self, sa: IkeSa, policy: ChildPolicy) -> None:
        """See `phase.Table`."""
        self.comebacks.bring_back_with_traffic(sa, policy)

    # ------------------------------------------------------------ those of one peer, and their sessions

    def initial_contact(self, sa: IkeSa) -> None:
        """See `phase.Table`."""
        uniqueness.end_all(self._others(sa), sa)

    def tenancy_of_its_peer(self, sa: IkeSa, request: AddressRequest, *, anew: bool) -> Tenancy | None:
        """See `phase.Table`."""
        return uniqueness.tenancy_of(self._others(sa), sa, request, anew=anew)

    def who_shares_lease(self, sa: IkeSa) -> list[IkeSa]:
        """See `phase.Table`."""
        return [other for other in self._others(sa) if sa.tenancy is not None and other.tenancy is sa.tenancy]

    def no_seat(self, sa: IkeSa, *, initial_contact: bool) -> str:
        """See `phase.Table`."""
        return uniqueness.no_seat(self._others(sa), sa, self.running, initial_contact=initial_contact)

    def session_of(self, sa: IkeSa) -> RunningSession:
        """See `phase.Table`."""
        return self.running.begin(sa)

    def session_over(self, sa: IkeSa) -> None:
        """See `phase.Table`."""
        if sa.successor is None and sa.awaits is None:
            self.running.end(sa)

    def _others(self, sa: IkeSa) -> list[IkeSa]:
        known = self.by_peer.get(peer_key(sa), ())
        return [other for other in known if other.number != sa.number and other.up_since is not None]

    def _meet(self, sa: IkeSa) -> None:
        key = peer_key(sa)
        self.by_peer[key] = (*self.by_peer.get(key, ()), sa)

    def _part(self, sa: IkeSa) -> None:
        if sa.remote_identity is None:
            return
        key = peer_key(sa)
        others = tuple([one for one in self.by_peer.pop(key, ()) if one is not sa])
        if others:
            self.by_peer[key] = others

    # ------------------------------------------------------------ found

    def numbered(self, number: int) -> IkeSa | None:
        """The IKE SA of that number, the newest of its line."""
        numbered = (one for one in self.by_spi.values() if one.number == number)
        return next((one for one in numbered if one.successor is None), None)

    def living(self, number: int) -> Living | None:
        """The same, if it is established."""
        sa = self.numbered(number)
        return sa.phase if sa is not None and isinstance(sa.phase, Living) else None

    def listing(self, most: int | None = None) -> list[Row]:
        """All of them for an operator, oldest first; of `most` of them at most."""
        return [row_of(sa) for sa in islice(self.by_spi.values(), most)]

    def states(self) -> Counter[tuple[str, str]]:
        """How many SAs are in each state, by (machine, state): IKE SAs by their stages, CHILD SAs as `child`."""
        sas = self.by_spi.values()
        return Counter((sa.stage, sa.state) for sa in sas) + Counter(
            ("child", child.state) for sa in sas for child in sa.children.values()
        )


def _orphaned(sa: IkeSa) -> None:
    """The IKE SA that it was to replace ended before it did: nobody else would ever end it."""
    if sa.awaits is not None and sa.successor is None:
        sa.phase.told_to_end("the IKE SA that it was to replace ended before")
