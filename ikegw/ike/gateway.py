"""The gateway: every IKE SA of ours by its SPI, the way of a datagram to it, and what an operator may ask."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.auth.authenticator import Authenticator
from ikegw.crypto.keymat import IkeKeys
from ikegw.crypto.suites import IkeSuite
from ikegw.events import Dropped, IkeBegun, Publish
from ikegw.gate.admission import Admission
from ikegw.gate.answers import notify_datagram
from ikegw.ike.calling import Calling
from ikegw.ike.departed import Departed
from ikegw.ike.initiating import Initiating
from ikegw.ike.listing import Row, row_of
from ikegw.ike.living import Living
from ikegw.ike.on_demand import OnDemand
from ikegw.ike.reception import Reception
from ikegw.ike.responding import Responding
from ikegw.ike.roaming import follow_esp
from ikegw.ike.running_session import RunningSession
from ikegw.ike.sa import IkeSa
from ikegw.ike.sessions import SessionTable
from ikegw.ike.slot import Intent
from ikegw.ike.surroundings import Surroundings
from ikegw.ike.tenancy import Tenancy
from ikegw.ike.window import Datagrams
from ikegw.paths import Address, Endpoint, Path
from ikegw.policy.connections import ChildPolicy, Connection, DpdAction, StartAction, Unique, for_addresses
from ikegw.policy.identities import Normal, normal
from ikegw.ports import (
    Aaa,
    Acquired,
    Addresses,
    AddressRequest,
    DataPlane,
    DataPlaneEvent,
    HardExpired,
    MappingChanged,
    Random,
    SoftExpired,
    Supplicants,
    Transport,
    Usage,
)
from ikegw.ports.witness import Witness, nobody
from ikegw.session import EndCause, Grant, SaName, Session
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import Message
from ikegw.wire.registry import NotifyType

ENDING = frozenset(("SM_TERMINATE", "SM_DYING", "SM_DEAD"))

SHUTDOWN_SECONDS = 4.0
"""How long answers to our DELETEs are waited for when the gateway stops."""

JUDGING_SECONDS = 0.005
"""Peers are judged anew in such steps: thousands at once would keep everybody waiting."""


class NotBegun(Exception):
    """An IKE SA could not be begun or did not come up; the text says why."""


@define(eq=False)
class Gateway:
    """All IKE SAs of one process."""

    clock: IReactorTime
    random: Random
    transport: Transport
    data_plane: DataPlane
    addresses: Addresses
    authenticator: Authenticator
    aaa: Aaa
    supplicants: Supplicants
    admission: Admission
    connections: tuple[Connection, ...]
    publish: Publish
    witness: Witness = nobody
    _surroundings: Surroundings = field(init=False, repr=False)
    _by_spi: dict[bytes, IkeSa] = field(factory=dict, init=False, repr=False)
    _by_peer: dict[tuple[str, Normal], tuple[IkeSa, ...]] = field(factory=dict, init=False, repr=False)
    _half_open: dict[tuple[bytes, Endpoint], IkeSa] = field(factory=dict, init=False, repr=False)
    _on_demand: OnDemand = field(init=False, repr=False)
    _departed: Departed = field(factory=Departed, init=False, repr=False)
    _sessions: SessionTable = field(factory=SessionTable, init=False, repr=False)
    _numbers: int = field(default=0, init=False)
    _stopping: bool = field(default=False, init=False)

    _reception: Reception = field(init=False, repr=False)
    _calling: Calling = field(init=False, repr=False)

    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._surroundings = Surroundings(
            self.clock,
            self.random,
            self.transport,
            self.data_plane,
            self.addresses,
            self.authenticator,
            self.aaa,
            self.supplicants,
            self.publish,
            self.witness,
        )
        self._reception = Reception(
            self.clock,
            self.transport,
            self.admission,
            self.publish,
            self._by_spi,
            self._half_open,
            self._departed,
            self._respond,
            lambda: self._stopping,
        )
        self._on_demand = OnDemand(self.data_plane, self.clock, self)

        self._calling = Calling(self.clock, self.random, self._may_begin)

    # ------------------------------------------------------------ life

    def start(self) -> Deferred[None]:
        """Listen to the data plane, then begin what the configuration wants begun."""
        return self.data_plane.start(self._data_plane_told).addCallback(lambda _: self._started())

    def _started(self) -> None:
        self._on_demand.configure(self.connections)
        self._begin_connections(self.connections)

    def _begin_connections(self, connections: Iterable[Connection]) -> None:
        for connection in connections:
            self._begin(connection, [one for one in connection.children if one.start is StartAction.START])

    def _begin(self, connection: Connection, wanted: Sequence[ChildPolicy]) -> None:
        """One IKE SA for all children that are wanted of a connection, as `unique` has it at the peer too."""
        if wanted:
            self._calling.call(
                connection,
                lambda: self.initiate(connection.name, wanted[0].name).addCallback(
                    self._create_others, wanted[1:]
                ),
            )

    def _create_others(self, name: SaName, wanted: Sequence[ChildPolicy]) -> Deferred[SaName]:
        """IKE_AUTH makes one child; the others are made in the IKE SA that it made. Fires when each is up or refused."""
        made = [
            self.create_child(name.number, policy.name).addErrback(self._not_begun, name.connection)
            for policy in wanted
        ]
        return DeferredList(made).addCallback(lambda _: name)

    def _not_begun(self, failure: Failure, name: str) -> None:
        self._log.error("{name}: {reason}", name=name, reason=failure.getErrorMessage())

    def shutdown(self) -> Deferred[None]:
        """Delete every IKE SA in order; what is not answered in time ends all the same."""
        self._stopping = True
        self._calling.stop()
        self._on_demand.clear()
        sas = tuple(self._by_spi.values())
        for sa in sas:
            sa.phase.told_to_end("this gateway is shutting down", EndCause.ADMIN_REBOOT)
        alive = [sa.ended for sa in sas if not sa.ended.called]
        watched = DeferredList([_watch(ended) for ended in alive])
        timer = self.clock.callLater(SHUTDOWN_SECONDS, self._end_all)

        def stopped(_: object) -> None:
            if timer.active():
                timer.cancel()

        return watched.addCallback(stopped).addCallback(lambda _: self._sessions.all_told())

    def _end_all(self) -> None:
        for sa in tuple(self._by_spi.values()):
            sa.end()

    def datagram_received(self, path: Path, octets: bytes) -> None:
        """One IKE message as it came, without a non-ESP marker. Whatever it is, nothing is raised."""
        self._reception.datagram_received(path, octets)

    def _respond(self, message: Message, path: Path, octets: bytes) -> None:
        candidates = for_addresses(self.connections, path.local.address, path.remote.address)
        if not candidates or message.one(KeyExchange) is None:
            self.transport.send(path, notify_datagram(octets, NotifyType.NO_PROPOSAL_CHOSEN))
            self.publish(Dropped(path, "no-connection", "no connection is for these addresses"))
            return
        sa = self._make(candidates[0], path, initiator=False, peer_spi=message.header.initiator_spi)
        self.admission.half_open(path.remote.address)
        self._half_open[sa.spi_initiator, path.remote] = sa
        sa.opened_from = path.remote
        Responding(sa, candidates, message, octets).begin()

    # ------------------------------------------------------------ the table

    def _make(
        self, connection: Connection, path: Path, *, initiator: bool, peer_spi: bytes = bytes(8)
    ) -> IkeSa:
        spi = self._surroundings.ike_spi()
        while spi in self._by_spi:
            spi = self._surroundings.ike_spi()
        self._numbers += 1
        sa = IkeSa(
            self._surroundings,
            self._numbers,
            connection,
            initiator,
            path,
            spi if initiator else peer_spi,
            peer_spi if initiator else spi,
            self,
            self.clock.seconds(),
        )
        self._by_spi[spi] = sa
        self.publish(IkeBegun(sa.name, path, initiator))
        return sa

    def succeed(
        self, old: IkeSa, spis: tuple[bytes, bytes], suite: IkeSuite, keys: IkeKeys, *, initiator: bool
    ) -> IkeSa:
        """See `Table`: it keeps the number and so the name, for to an operator it is the same session."""
        sa = IkeSa(
            self._surroundings,
            old.number,
            old.connection,
            initiator,
            old.path,
            spis[0],
            spis[1],
            self,
            self.clock.seconds(),
        )
        sa.protect(suite, keys)
        sa.come_after(old)
        self._by_spi[sa.own_spi] = sa
        self._meet(sa)
        Living.begin_as_successor(sa)
        old.ended.addCallback(lambda _: _orphaned(sa))
        return sa

    def reauthenticate(self, sa: IkeSa) -> Deferred[SaName]:
        """See `Table`: make before break (RFC 7296 §2.8.3)."""
        wanted = list({child.policy.name: child.policy for child in sa.children.values()}.values())
        if not wanted and sa.connection.virtual:
            wanted = list(sa.connection.children[:1])  # addresses are asked for together with a child
        source = self.transport.source(sa.path.remote.address, sa.path.local.address)
        if source is None:
            return fail(NotBegun(f"{sa.name}: we listen on {sa.path.local.address} no more"))
        path = Path(source, Endpoint(sa.path.remote.address, sa.connection.remote_port))
        first = wanted[0] if wanted else None
        begun = self._initiate(sa.connection, first, path, initial_contact=False)
        return begun.addCallback(self._create_others, wanted[1:])

    def forget(self, sa: IkeSa, last_answer: Datagrams) -> None:
        """See `Table`."""
        self._by_spi.pop(sa.own_spi, None)
        self._part(sa)
        self._close_half(sa)
        self._departed.keep(sa.own_spi, sa.answering.expected - 1, last_answer, self.clock.seconds())
        if sa.successor is None:
            self._lay_traps(sa)
        if sa.successor is None and sa.may_reauthenticate:
            self._restart(sa)

    def _lay_traps(self, sa: IkeSa) -> None:
        """Rows Q-25, P-01: some of its children are to come back with traffic, if they did not before."""
        for policy in sa.connection.children:
            died = sa.peer_lost and policy.dpd is DpdAction.TRAP
            if died or (sa.peer_closed and policy.close is StartAction.TRAP):
                self.bring_back_with_traffic(sa, policy)

    def bring_back_with_traffic(self, sa: IkeSa, policy: ChildPolicy) -> None:
        """See `Table`."""
        connection = sa.connection
        if not self._stopping and connection.peer is not None and connection in self.connections:
            self._on_demand.lay(connection, policy)

    def _restart(self, sa: IkeSa) -> None:
        """Rows Q-25, P-01: the peer is dead or closed it, and some of its children are to come back by themselves."""
        wanted: list[ChildPolicy] = []
        if sa.peer_lost:
            wanted = [one for one in sa.connection.children if one.dpd is DpdAction.RESTART]
        elif sa.peer_closed:
            wanted = [one for one in sa.connection.children if one.close is StartAction.START]
        if wanted and self._may_begin(sa.connection):
            self._begin(sa.connection, wanted)

    def _may_begin(self, connection: Connection) -> bool:
        """Is it configured as it was, and not begun already?"""
        return not self._stopping and connection in self.connections and not self._begun(connection)

    def _begun(self, connection: Connection) -> bool:
        """Is there an IKE SA of a connection that we began, or are beginning, and that does not end?"""
        return any(
            sa.initiator_of_session and sa.connection == connection and sa.state != "SM_DYING"
            for sa in self._by_spi.values()
        )

    def _close_half(self, sa: IkeSa) -> None:
        remote, sa.opened_from = sa.opened_from, None
        if remote is not None:
            del self._half_open[sa.spi_initiator, remote]
            self.admission.no_longer_half_open(remote.address)

    def initial_contact(self, sa: IkeSa) -> None:
        """See `Table`."""
        if sa.connection.unique is not Unique.NEVER:
            for other in self._others_of_its_peer(sa):
                why = f"the peer began anew as {sa.name} (INITIAL_CONTACT)"
                other.ends_because(why, EndCause.PORT_PREEMPTED)
                other.end()

    def tenancy_of_its_peer(self, sa: IkeSa, request: AddressRequest, *, anew: bool) -> Tenancy | None:
        """See `Table`."""
        ending = sa.connection.unique is Unique.REPLACE or (anew and sa.connection.unique is not Unique.NEVER)
        tenancies = [other.tenancy for other in self._others_of_its_peer(sa)] if ending else []
        suiting = [one for one in tenancies if one is not None and one.suits(request)]
        return suiting[-1] if suiting else None

    def established(self, sa: IkeSa) -> None:
        """See `Table`."""
        self._close_half(sa)
        self._meet(sa)
        if not sa.initiator and sa.connection.unique not in (Unique.NEVER, Unique.KEEP):
            for other in self._others_of_its_peer(sa):
                other.give_way_to(sa)

    def session_of(self, sa: IkeSa) -> RunningSession:
        """See `Table`."""
        return self._sessions.begin(sa)

    def session_over(self, sa: IkeSa) -> None:
        """See `Table`."""
        if sa.successor is None and sa.awaits is None:
            self._sessions.end(sa)

    def no_seat(self, sa: IkeSa, *, initial_contact: bool) -> str:
        """See `Table`."""
        unique, others = sa.connection.unique, self._others_of_its_peer(sa)
        if unique is Unique.REFUSE:
            elsewhere = [other for other in others if other.path.remote != sa.path.remote]
            why = self._sessions.take_seat(
                sa, {one.number for one in others if one not in elsewhere}, _peer_key(sa)
            )
            if why:
                for other in elsewhere:
                    other.doubt()
            return why
        replaces = unique is Unique.REPLACE or (initial_contact and unique is not Unique.NEVER)
        leaving = {other.number for other in others} if replaces else set()
        return self._sessions.take_seat(sa, leaving, None)

    def _others_of_its_peer(self, sa: IkeSa) -> list[IkeSa]:
        known = self._by_peer.get(_peer_key(sa), ())
        return [other for other in known if other.number != sa.number and other.up_since is not None]

    def _meet(self, sa: IkeSa) -> None:
        key = _peer_key(sa)
        self._by_peer[key] = (*self._by_peer.get(key, ()), sa)

    def _part(self, sa: IkeSa) -> None:
        if sa.remote_identity is None:
            return
        key = _peer_key(sa)
        others = tuple([one for one in self._by_peer.pop(key, ()) if one is not sa])
        if others:
            self._by_peer[key] = others

    def listing(self, most: int | None = None) -> list[Row]:
        """The table of SAs, oldest first; of `most` of them at most."""
        return [row_of(sa) for sa in islice(self._by_spi.values(), most)]

    def states(self) -> Counter[tuple[str, str]]:
        """How many SAs are in each state, by (machine, state): IKE SAs by their stages, CHILD SAs as `child`."""
        sas = self._by_spi.values()
        return Counter((sa.stage, sa.state) for sa in sas) + Counter(
            ("child", child.state) for sa in sas for child in sa.children.values()
        )

    @property
    def half_open_total(self) -> int:
        """IKE SAs that we answered and that are not authenticated yet."""
        return len(self._half_open)

    # ------------------------------------------------------------ what an operator or the data plane asks

    def initiate(self, connection_name: str, child: str | None = None) -> Deferred[SaName]:
        """Begin an IKE SA; fires when its child is up, fails with NotBegun and a sentence."""
        connection = next((one for one in self.connections if one.name == connection_name), None)
        if connection is None:
            return fail(NotBegun(f"there is no connection {connection_name}"))
        policy = connection.child(child) if child else next(iter(connection.children), None)
        if child and policy is None:
            return fail(NotBegun(f"connection {connection_name} has no child {child}"))
        return self.call(connection, policy)

    def call(self, connection: Connection, policy: ChildPolicy | None) -> Deferred[SaName]:
        """The same, for one who has looked these up; `policy` may ask for less than the connection's."""
        if connection.peer is None:
            return fail(
                NotBegun(f"{connection.name}.remote_addrs is not one host, so there is nobody to call")
            )
        if connection.second_remote is not None:
            return fail(
                NotBegun(f"{connection.name}: who opens it logs in by EAP (remote-2), so the peer must")
            )
        source = self.transport.source(connection.peer, connection.own_address)
        if source is None:
            return fail(
                NotBegun(f"{connection.name}: we listen on no address that reaches {connection.peer}")
            )
        path = Path(source, Endpoint(connection.peer, connection.remote_port))
        return self._initiate(connection, policy, path, initial_contact=self._first_contact(connection))

    def _initiate(
        self, connection: Connection, policy: ChildPolicy | None, path: Path, *, initial_contact: bool
    ) -> Deferred[SaName]:
        sa = self._make(connection, path, initiator=True)
        up: Deferred[SaName] = Deferred()

        def came_up() -> None:
            up.callback(sa.name)

        def ended(_: None) -> None:
            if not up.called:
                up.errback(NotBegun(f"{sa.name}: {sa.ending}"))

        sa.came_up = came_up
        sa.ended.addCallback(ended)
        Initiating(sa, policy, initial_contact).machine.begin()
        return up

    def established_with(self, connection: Connection) -> IkeSa | None:
        """The newest IKE SA of this connection in which children can be made; for a client, one that it began itself."""
        found = (
            sa
            for sa in reversed(self._by_spi.values())
            if sa.connection == connection
            and sa.up_since is not None
            and sa.successor is None
            and isinstance(sa.phase, Living)
            and sa.state not in ENDING
            and (sa.initiator_of_session or not connection.virtual)
        )
        return next(found, None)

    def is_calling(self, connection: Connection) -> bool:
        """Is an IKE SA of this connection being begun by us?"""
        return any(
            isinstance(sa.phase, Initiating) and sa.connection == connection for sa in self._by_spi.values()
        )

    def own_address(self, connection: Connection) -> Address | None:
        """Where we would call its peer from; None if we listen on no address that reaches it."""
        if connection.peer is None:
            return None
        source = self.transport.source(connection.peer, connection.own_address)
        return None if source is None else source.address

    def _first_contact(self, connection: Connection) -> bool:
        return not any(
            sa.initiator and sa.connection.name == connection.name and sa.up_since is not None
            for sa in self._by_spi.values()
        )

    def terminate(self, sa_number: int) -> Deferred[None]:
        """Delete one IKE SA; fires when it is gone."""
        sa = self._numbered(sa_number)
        if sa is None:
            return fail(NotBegun(f"there is no IKE SA {sa_number}"))
        gone = _watch(sa.ended)
        sa.phase.told_to_end("the operator ended it", EndCause.ADMIN_RESET)
        return gone

    def reload(self, connections: tuple[Connection, ...]) -> None:
        """Take other connections; IKE SAs of those that are gone or differ are deleted, others untouched.

        What is new, or differs, and is to start by itself does so.
        """
        known, self.connections = self.connections, connections
        self._on_demand.configure(connections)
        for sa in tuple(self._by_spi.values()):
            if sa.connection not in connections:
                why = "its connection was removed or changed in the configuration"
                sa.phase.told_to_end(why, EndCause.ADMIN_RESET)
        self._begin_connections(one for one in connections if one not in known)

    def _numbered(self, sa_number: int) -> IkeSa | None:
        """The IKE SA of that number, the newest of its line."""
        numbered = (one for one in self._by_spi.values() if one.number == sa_number)
        return next((one for one in numbered if one.successor is None), None)

    def create_child(self, sa_number: int, child: str) -> Deferred[None]:
        """MSG_CHILD_CREATE: another child in an IKE SA that is up; fires when it is installed, or fails with NotBegun."""
        sa = self._numbered(sa_number)
        if sa is None or not isinstance(sa.phase, Living):
            return fail(NotBegun(f"there is no established IKE SA {sa_number}"))
        policy = sa.connection.child(child)
        if policy is None:
            return fail(NotBegun(f"connection {sa.connection.name} has no child {child}"))
        if sa.takes_no_more_children:
            return fail(NotBegun(f"{sa.name}: the peer said that it takes no more children in this IKE SA"))
        made: Deferred[None] = Deferred()

        def decided(why_not: str) -> None:
            if why_not:
                made.errback(NotBegun(f"{sa.name}.{child}: {why_not}"))
            else:
                made.callback(None)

        sa.phase.create_child(policy, decided)
        return made

    def rekey(self, sa_number: int) -> None:
        """MSG_IKE_REKEY for one IKE SA."""
        sa = self._numbered(sa_number)
        if sa is not None and isinstance(sa.phase, Living):
            sa.phase.slot.post(Intent.REKEY)

    def rekey_child(self, sa_number: int, child: str) -> bool:
        """MSG_CHILD_REKEY for the children of that name; False if there is none that stands."""
        sa = self._numbered(sa_number)
        standing = [] if sa is None else [one for one in sa.children.values() if one.policy.name == child]
        for one in standing:
            one.soft_expired()
        return bool(standing)

    def authenticate_anew(self, sa_number: int) -> None:
        """MSG_IKE_REAUTH for one IKE SA."""
        sa = self._numbered(sa_number)
        if sa is not None and isinstance(sa.phase, Living):
            sa.phase.slot.post(Intent.REAUTH)

    def credentials_changed(self) -> None:
        """To be called when authorities or CRLs have changed: every peer is judged anew, one after the other."""
        established = [sa.phase for sa in self._by_spi.values() if isinstance(sa.phase, Living)]
        for number, phase in enumerate(established):
            phase.lifetimes.check_peer(number * JUDGING_SECONDS)

    def addresses_changed(self) -> None:
        """To be called when this host's addresses or routes have changed.

        Every IKE SA of a session that we began, if both ends speak MOBIKE, goes over to the address that routing prefers now
        among those that we listen on, and tells its peer. A replaced one that its peer may still know does so too.
        """
        self._on_demand.addresses_changed()
        for sa in tuple(self._by_spi.values()):
            if sa.roaming is not None and sa.up_since is not None:
                sa.roaming.addresses_changed()

    # ------------------------------------------------------------ ports.Sessions

    def sessions(self) -> tuple[Session, ...]:
        """See `ports.Sessions`."""
        return self._sessions.sessions()

    def usage(self, session: str) -> Deferred[Usage]:
        """See `ports.Sessions`."""
        return self._sessions.usage(session)

    def end(self, session: str, cause: EndCause, reason: str) -> bool:
        """See `ports.Sessions`."""
        return self._sessions.terminate(session, cause, reason)

    def objection(self, session: str, grant: Grant) -> str:
        """See `ports.Sessions`."""
        return self._sessions.objection(session, grant)

    def change(self, session: str, grant: Grant) -> bool:
        """See `ports.Sessions`."""
        return self._sessions.change(session, grant)

    def _data_plane_told(self, event: DataPlaneEvent) -> None:
        if isinstance(event, Acquired) and not self._stopping:
            self._on_demand.acquired(event)
        if not isinstance(event, SoftExpired | HardExpired | MappingChanged):
            return
        for sa in self._by_spi.values():
            child = sa.children.get(event.inbound_spi)
            if child is None:
                continue
            if isinstance(event, SoftExpired):
                child.soft_expired()
            elif isinstance(event, MappingChanged):
                follow_esp(sa, event.path)
            else:
                child.remove("its hard limit was reached")
            return


def _orphaned(sa: IkeSa) -> None:
    """The IKE SA that it was to replace ended before it did: nobody else would ever end it."""
    if sa.awaits is not None and sa.successor is None:
        sa.phase.told_to_end("the IKE SA that it was to replace ended before")


def _watch(ended: Deferred[None]) -> Deferred[None]:
    """A Deferred of the watcher's own that fires with `ended`."""
    watcher: Deferred[None] = Deferred()

    def told(result: None) -> None:
        watcher.callback(None)

    ended.addCallback(told)
    return watcher


def _peer_key(sa: IkeSa) -> tuple[str, Normal]:
    """Whose it is: every login looks for the others of its peer, and there may be thousands of other peers.

    After an EAP login it is the user's, for nobody has looked at IDi: Windows' is its own address. 0 is no type of identity.
    """
    return sa.connection.name, (0, sa.user) if sa.user else normal(sa.peer)
