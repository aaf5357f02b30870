"""What we begin ourselves: at the start, when an operator or traffic wants it, and again if it ended and is to stand."""

from collections.abc import Callable, Iterable, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.ike.calling import Calling
from ikegw.ike.initiating import Initiating
from ikegw.ike.living import Living
from ikegw.ike.on_demand import OnDemand
from ikegw.ike.sa import IkeSa
from ikegw.ike.surroundings import Surroundings
from ikegw.ike.table import SaTable
from ikegw.paths import Address, Endpoint, Path
from ikegw.policy.connections import ChildPolicy, Connection, DpdAction, StartAction
from ikegw.session import SaName

ENDING = frozenset(("SM_TERMINATE", "SM_DYING", "SM_DEAD"))


class NotBegun(Exception):
    """An IKE SA could not be begun or did not come up; the text says why."""


@define(eq=False)
class Beginning:
    """Begins IKE SAs and CHILD SAs; `connections` are those that are configured now."""

    surroundings: Surroundings = field(repr=False)
    table: SaTable = field(repr=False)
    connections: Callable[[], tuple[Connection, ...]] = field(repr=False)
    stopped: bool = field(default=False, init=False)
    on_demand: OnDemand = field(init=False, repr=False)
    _calling: Calling = field(init=False, repr=False)

    _log = Logger()

    def __attrs_post_init__(self) -> None:
        around = self.surroundings
        self.on_demand = OnDemand(around.data_plane, around.clock, self)
        self._calling = Calling(around.clock, around.random, self._may_begin)

    def stop(self) -> None:
        """Begin nothing any more."""
        self.stopped = True
        self._calling.stop()
        self.on_demand.clear()

    # ------------------------------------------------------------ what is to stand by itself

    def begin_connections(self, connections: Iterable[Connection]) -> None:
        """Those of their children that are to start."""
        for connection in connections:
            self.begin(connection, [one for one in connection.children if one.start is StartAction.START])

    def begin(self, connection: Connection, wanted: Sequence[ChildPolicy]) -> None:
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

    def _may_begin(self, connection: Connection) -> bool:
        """Is it configured as it was, and not begun already?"""
        return not self.stopped and connection in self.connections() and not self._begun(connection)

    def _begun(self, connection: Connection) -> bool:
        """Is there an IKE SA of a connection that we began, or are beginning, and that does not end?"""
        return any(
            sa.initiator_of_session and sa.connection == connection and sa.state != "SM_DYING"
            for sa in self.table.by_spi.values()
        )

    # ------------------------------------------------------------ what ended and is to come back

    def ended(self, sa: IkeSa) -> None:
        """Rows Q-25, P-01: by itself, or with traffic."""
        self._lay_traps(sa)
        if sa.may_reauthenticate:
            self._restart(sa)

    def _lay_traps(self, sa: IkeSa) -> None:
        """Rows Q-25, P-01: some of its children are to come back with traffic, if they did not before."""
        for policy in sa.connection.children:
            died = sa.peer_lost and policy.dpd is DpdAction.TRAP
            if died or (sa.peer_closed and policy.close is StartAction.TRAP):
                self.bring_back_with_traffic(sa, policy)

    def bring_back_with_traffic(self, sa: IkeSa, policy: ChildPolicy) -> None:
        """See `phase.Table`."""
        connection = sa.connection
        if not self.stopped and connection.peer is not None and connection in self.connections():
            self.on_demand.lay(connection, policy)

    def _restart(self, sa: IkeSa) -> None:
        """Rows Q-25, P-01: the peer is dead or closed it, and some of its children are to come back by themselves."""
        wanted: list[ChildPolicy] = []
        if sa.peer_lost:
            wanted = [one for one in sa.connection.children if one.dpd is DpdAction.RESTART]
        elif sa.peer_closed:
            wanted = [one for one in sa.connection.children if one.close is StartAction.START]
        if wanted and self._may_begin(sa.connection):
            self.begin(sa.connection, wanted)

    def reauthenticate(self, sa: IkeSa) -> Deferred[SaName]:
        """See `phase.Table`: make before break (RFC 7296 §2.8.3)."""
        wanted = list({child.policy.name: child.policy for child in sa.children.values()}.values())
        if not wanted and sa.connection.virtual:
            wanted = list(sa.connection.children[:1])  # addresses are asked for together with a child
        source = self.surroundings.transport.source(sa.path.remote.address, sa.path.local.address)
        if source is None:
            return fail(NotBegun(f"{sa.name}: we listen on {sa.path.local.address} no more"))
        path = Path(source, Endpoint(sa.path.remote.address, sa.connection.remote_port))
        first = wanted[0] if wanted else None
        begun = self._initiate(sa.connection, first, path, initial_contact=False)
        return begun.addCallback(self._create_others, wanted[1:])

    # ------------------------------------------------------------ one IKE SA, or one child

    def initiate(self, connection_name: str, child: str | None = None) -> Deferred[SaName]:
        """Begin an IKE SA; fires when its child is up, fails with NotBegun and a sentence."""
        connection = next((one for one in self.connections() if one.name == connection_name), None)
        if connection is None:
            return fail(NotBegun(f"there is no connection {connection_name}"))
        policy = connection.child(child) if child else next(iter(connection.children), None)
        if child and policy is None:
            return fail(NotBegun(f"connection {connection_name} has no child {child}"))
        return self.call(connection, policy)

    def call(self, connection: Connection, policy: ChildPolicy | None) -> Deferred[SaName]:
        """The same, for one who has looked these up; `policy` may ask for less than the connection's."""
        name = connection.name
        if connection.peer is None:
            return fail(NotBegun(f"{name}.remote_addrs is not one host, so there is nobody to call"))
        if connection.second_remote is not None:
            return fail(NotBegun(f"{name}: who opens it logs in by EAP (remote-2), so the peer must"))
        source = self.surroundings.transport.source(connection.peer, connection.own_address)
        if source is None:
            return fail(NotBegun(f"{name}: we listen on no address that reaches {connection.peer}"))
        path = Path(source, Endpoint(connection.peer, connection.remote_port))
        return self._initiate(connection, policy, path, initial_contact=self._first_contact(connection))

    def _initiate(
        self, connection: Connection, policy: ChildPolicy | None, path: Path, *, initial_contact: bool
    ) -> Deferred[SaName]:
        sa = self.table.make(connection, path, initiator=True)
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

    def _first_contact(self, connection: Connection) -> bool:
        return not any(
            sa.initiator and sa.connection.name == connection.name and sa.up_since is not None
            for sa in self.table.by_spi.values()
        )

    def create_child(self, sa_number: int, child: str) -> Deferred[None]:
        """MSG_CHILD_CREATE: another child in an IKE SA that is up; fires when it is installed, or fails with NotBegun."""
        living = self.table.living(sa_number)
        if living is None:
            return fail(NotBegun(f"there is no established IKE SA {sa_number}"))
        sa = living.sa
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

        living.create_child(policy, decided)
        return made

    # ------------------------------------------------------------ as traps need it (`on_demand.Callers`)

    def established_with(self, connection: Connection) -> IkeSa | None:
        """The newest IKE SA of this connection in which children can be made; for a client, one that it began itself."""
        found = (
            sa
            for sa in reversed(self.table.by_spi.values())
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
        sas = self.table.by_spi.values()
        return any(isinstance(sa.phase, Initiating) and sa.connection == connection for sa in sas)

    def own_address(self, connection: Connection) -> Address | None:
        """Where we would call its peer from; None if we listen on no address that reaches it."""
        if connection.peer is None:
            return None
        source = self.surroundings.transport.source(connection.peer, connection.own_address)
        return None if source is None else source.address
