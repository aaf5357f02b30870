"""The gateway: joins the table of IKE SAs, a datagram's way to them and what begins them; what an operator may ask of it all."""

from collections import Counter

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.internet.interfaces import IReactorTime

from ikegw.auth.authenticator import Authenticator
from ikegw.events import Dropped, Publish
from ikegw.gate.admission import Admission
from ikegw.gate.answers import notify_datagram
from ikegw.ike.beginning import Beginning, NotBegun
from ikegw.ike.listing import Row
from ikegw.ike.living import Living
from ikegw.ike.reception import Reception
from ikegw.ike.responding import Responding
from ikegw.ike.roaming import follow_esp
from ikegw.ike.sa import IkeSa
from ikegw.ike.slot import Intent
from ikegw.ike.surroundings import Surroundings
from ikegw.ike.table import SaTable
from ikegw.paths import Path
from ikegw.policy.connections import Connection, for_addresses
from ikegw.ports import (
    Aaa,
    Acquired,
    Addresses,
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

__all__ = ["Gateway", "NotBegun"]

SHUTDOWN_SECONDS = 4.0
"""How long answers to our DELETEs are waited for when the gateway stops."""

JUDGING_SECONDS = 0.005
"""Peers are judged anew in such steps: thousands at once would keep everybody waiting."""


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
    _table: SaTable = field(init=False, repr=False)
    _beginning: Beginning = field(init=False, repr=False)
    _reception: Reception = field(init=False, repr=False)

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
        table = self._table = SaTable(self._surroundings, self.admission, self._by_spi)
        self._beginning = table.comebacks = Beginning(self._surroundings, table, lambda: self.connections)
        self._reception = Reception(
            self.clock,
            self.transport,
            self.admission,
            self.publish,
            table.by_spi,
            table.half_open,
            table.departed,
            self._respond,
            lambda: self._beginning.stopped,
        )

    # ------------------------------------------------------------ life

    def start(self) -> Deferred[None]:
        """Listen to the data plane, then begin what the configuration wants begun."""
        return self.data_plane.start(self._data_plane_told).addCallback(lambda _: self._started())

    def _started(self) -> None:
        self._beginning.on_demand.configure(self.connections)
        self._beginning.begin_connections(self.connections)

    def reload(self, connections: tuple[Connection, ...]) -> None:
        """Take other connections; IKE SAs of those that are gone or differ are deleted, others untouched.

        What is new, or differs, and is to start by itself does so.
        """
        known, self.connections = self.connections, connections
        self._beginning.on_demand.configure(connections)
        for sa in self._table:
            if sa.connection not in connections:
                why = "its connection was removed or changed in the configuration"
                sa.phase.told_to_end(why, EndCause.ADMIN_RESET)
        self._beginning.begin_connections(one for one in connections if one not in known)

    def credentials_changed(self) -> None:
        """To be called when authorities or CRLs have changed: every peer is judged anew, one after the other."""
        established = [sa.phase for sa in self._table if isinstance(sa.phase, Living)]
        for number, phase in enumerate(established):
            phase.lifetimes.check_peer(number * JUDGING_SECONDS)

    def addresses_changed(self) -> None:
        """To be called when this host's addresses or routes have changed.

        Every IKE SA of a session that we began, if both ends speak MOBIKE, goes over to the address that routing prefers now
        among those that we listen on, and tells its peer. A replaced one that its peer may still know does so too.
        """
        self._beginning.on_demand.addresses_changed()
        for sa in self._table:
            if sa.roaming is not None and sa.up_since is not None:
                sa.roaming.addresses_changed()

    def shutdown(self) -> Deferred[None]:
        """Delete every IKE SA in order; what is not answered in time ends all the same."""
        self._beginning.stop()
        for sa in self._table:
            sa.phase.told_to_end("this gateway is shutting down", EndCause.ADMIN_REBOOT)
        timer = self.clock.callLater(SHUTDOWN_SECONDS, self._end_all)

        def stopped(_: object) -> None:
            if timer.active():
                timer.cancel()

        return self._all_ended().addCallback(stopped).addCallback(lambda _: self._table.running.all_told())

    def _all_ended(self, _: object = None) -> Deferred[None]:
        """Also what a rekeying that was under way has made meanwhile."""
        alive = [_watch(sa.ended) for sa in self._table if not sa.ended.called]
        return DeferredList(alive).addCallback(self._all_ended) if alive else succeed(None)

    def _end_all(self) -> None:
        for sa in self._table:
            sa.end()

    # ------------------------------------------------------------ what comes in

    def datagram_received(self, path: Path, octets: bytes) -> None:
        """One IKE message as it came, without a non-ESP marker. Whatever it is, nothing is raised."""
        self._reception.datagram_received(path, octets)

    def _respond(self, message: Message, path: Path, octets: bytes) -> None:
        candidates = for_addresses(self.connections, path.local.address, path.remote.address)
        if not candidates or message.one(KeyExchange) is None:
            self.transport.send(path, notify_datagram(octets, NotifyType.NO_PROPOSAL_CHOSEN))
            self.publish(Dropped(path, "no-connection", "no connection is for these addresses"))
            return
        sa = self._table.make_half_open(candidates[0], path, message.header.initiator_spi)
        Responding(sa, candidates, message, octets).begin()

    def _data_plane_told(self, event: DataPlaneEvent) -> None:
        if isinstance(event, Acquired) and not self._beginning.stopped:
            self._beginning.on_demand.acquired(event)
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

    # ------------------------------------------------------------ what an operator asks

    def listing(self, most: int | None = None) -> list[Row]:
        """The table of SAs, oldest first; of `most` of them at most."""
        return self._table.listing(most)

    def states(self) -> Counter[tuple[str, str]]:
        """How many SAs are in each state, by (machine, state): IKE SAs by their stages, CHILD SAs as `child`."""
        return self._table.states()

    @property
    def half_open_total(self) -> int:
        """IKE SAs that we answered and that are not authenticated yet."""
        return len(self._table.half_open)

    def established_with(self, connection: Connection) -> IkeSa | None:
        """The newest IKE SA of this connection in which children can be made."""
        return self._beginning.established_with(connection)

    def initiate(self, connection_name: str, child: str | None = None) -> Deferred[SaName]:
        """Begin an IKE SA; fires when its child is up, fails with NotBegun and a sentence."""
        return self._beginning.initiate(connection_name, child)

    def create_child(self, sa_number: int, child: str) -> Deferred[None]:
        """MSG_CHILD_CREATE: another child in an IKE SA that is up; fires when it is installed, or fails with NotBegun."""
        return self._beginning.create_child(sa_number, child)

    def terminate(self, sa_number: int) -> Deferred[None]:
        """Delete one IKE SA; fires when it is gone."""
        sa = self._table.numbered(sa_number)
        if sa is None:
            return fail(NotBegun(f"there is no IKE SA {sa_number}"))
        gone = _watch(sa.ended)
        sa.phase.told_to_end("the operator ended it", EndCause.ADMIN_RESET)
        return gone

    def rekey(self, sa_number: int) -> None:
        """MSG_IKE_REKEY for one IKE SA."""
        self._post(sa_number, Intent.REKEY)

    def authenticate_anew(self, sa_number: int) -> None:
        """MSG_IKE_REAUTH for one IKE SA."""
        self._post(sa_number, Intent.REAUTH)

    def _post(self, sa_number: int, intent: Intent) -> None:
        living = self._table.living(sa_number)
        if living is not None:
            living.slot.post(intent)

    def rekey_child(self, sa_number: int, child: str) -> bool:
        """MSG_CHILD_REKEY for the children of that name; False if there is none that stands."""
        sa = self._table.numbered(sa_number)
        standing = [] if sa is None else [one for one in sa.children.values() if one.policy.name == child]
        for one in standing:
            one.soft_expired()
        return bool(standing)

    # ------------------------------------------------------------ ports.Sessions

    def sessions(self) -> tuple[Session, ...]:
        """See `ports.Sessions`."""
        return self._table.running.sessions()

    def usage(self, session: str) -> Deferred[Usage]:
        """See `ports.Sessions`."""
        return self._table.running.usage(session)

    def end(self, session: str, cause: EndCause, reason: str) -> bool:
        """See `ports.Sessions`."""
        return self._table.running.terminate(session, cause, reason)

    def objection(self, session: str, grant: Grant) -> str:
        """See `ports.Sessions`."""
        return self._table.running.objection(session, grant)

    def change(self, session: str, grant: Grant) -> bool:
        """See `ports.Sessions`."""
        return self._table.running.change(session, grant)


def _watch(ended: Deferred[None]) -> Deferred[None]:
    """A Deferred of the watcher's own that fires with `ended`."""
    watcher: Deferred[None] = Deferred()

    def told(result: None) -> None:
        watcher.callback(None)

    ended.addCallback(told)
    return watcher
