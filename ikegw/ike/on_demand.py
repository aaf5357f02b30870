"""Tunnels that traffic brings up: traps in the data plane, and what follows when a packet meets one (rows I-01, C-02, C-03).

A trap stands beneath the SAs of its child: where one is gone, for whatever reason, the next packet meets the trap again.
"""

from collections.abc import Iterable
from typing import Protocol

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.ike.child import ChildSa
from ikegw.ike.living import Living
from ikegw.ike.negotiation import asked_of_us, show
from ikegw.ike.sa import IkeSa
from ikegw.paths import Address
from ikegw.policy.connections import ChildPolicy, Connection, StartAction
from ikegw.policy.selectors import resolve, within
from ikegw.ports import Acquired, DataPlane, Selectors
from ikegw.session import SaName

RETRY_SECONDS = 5.0
"""How long traffic brings nothing about after it did in vain; twice as long each time, up to `LONGEST_RETRY_SECONDS`."""

LONGEST_RETRY_SECONDS = 60.0


class Callers(Protocol):
    """The gateway, as traps need it."""

    def call(self, connection: Connection, policy: ChildPolicy | None) -> Deferred[SaName]:
        """Begin an IKE SA; fires when its child is up."""

    def established_with(self, connection: Connection) -> IkeSa | None:
        """An IKE SA of this connection in which children can be made."""

    def is_calling(self, connection: Connection) -> bool:
        """Is an IKE SA of this connection being begun? Another beside it would make the peer drop one of them."""

    def own_address(self, connection: Connection) -> Address | None:
        """Where we would call the connection's peer from."""


@define(eq=False)
class _Trap:
    connection: Connection
    policy: ChildPolicy
    selectors: tuple[Selectors, Selectors]
    in_vain: int = 0
    not_before: float = 0.0
    acquiring: bool = False


@define(eq=False)
class OnDemand:
    """The traps of a gateway, each called `connection.child`."""

    plane: DataPlane
    clock: IReactorTime
    callers: Callers
    _traps: dict[str, _Trap] = field(factory=dict, init=False, repr=False)

    _log = Logger()

    # ------------------------------------------------------------ traps

    def configure(self, connections: Iterable[Connection]) -> None:
        """Lay the traps of `start_action = "trap"`; take away those whose connection is gone or differs."""
        connections = tuple(connections)
        before = {name: trap for name, trap in self._traps.items() if trap.connection not in connections}
        for name in before:
            del self._traps[name]
        for connection in connections:
            for policy in connection.children:
                if policy.start is StartAction.TRAP:
                    self.lay(connection, policy)
        for name in before.keys() - self._traps.keys():  # others gave way to theirs without a gap
            self._untrap(name)

    def clear(self) -> None:
        """Take all away."""
        for name in self._traps:
            self._untrap(name)
        self._traps.clear()

    def lay(self, connection: Connection, policy: ChildPolicy) -> None:
        """Lay a child's trap, unless it is there.

        `dynamic` on our side is the address that we would call from, and any if that one is not known before the peer lends it.
        """
        name = f"{connection.name}.{policy.name}"
        if connection.peer is None:
            self._log.error(
                "{name}: traffic can bring nothing up: remote_addrs is not one host, so there is nobody to call",
                name=name,
            )
        elif name not in self._traps:
            trap = self._traps[name] = _Trap(connection, policy, self._selectors(connection, policy))
            self.plane.trap(name, *trap.selectors).addErrback(self._failed, name)

    def addresses_changed(self) -> None:
        """Lay those traps anew whose `dynamic` is another address now."""
        for name, trap in self._traps.items():
            selectors = self._selectors(trap.connection, trap.policy)
            if selectors != trap.selectors:
                trap.selectors = selectors
                self.plane.trap(name, *selectors).addErrback(self._failed, name)

    def _selectors(self, connection: Connection, policy: ChildPolicy) -> tuple[Selectors, Selectors]:
        own, peer = self.callers.own_address(connection), connection.peer
        if peer is None:
            raise AssertionError(f"{connection.name} has nobody to call")
        return asked_of_us(connection, policy, own or type(peer)(0)), resolve(
            policy.remote_selectors, (peer,)
        )

    def _untrap(self, name: str) -> None:
        self.plane.untrap(name).addErrback(self._failed, name)

    def _failed(self, failure: Failure, name: str) -> None:
        self._log.error("{name}: no trap: {reason}", name=name, reason=failure.getErrorMessage())

    # ------------------------------------------------------------ a packet met one

    def acquired(self, met: Acquired) -> None:
        """Bring up what the packet needs, in the IKE SA that there is or in a new one; one at a time for each trap."""
        trap = self._traps.get(met.name)
        if trap is None or trap.acquiring or self.clock.seconds() < trap.not_before:
            return
        sa = self.callers.established_with(trap.connection)
        if self.callers.is_calling(trap.connection) if sa is None else _carrier(sa, trap, met):
            return
        self._log.info(
            "{name}: wanted for traffic from {local} to {remote}",
            name=met.name,
            local=show(met.local_selector),
            remote=show(met.remote_selector),
        )
        trap.acquiring = True
        policy = _led_by(met, trap)
        made = self.callers.call(trap.connection, policy) if sa is None else _created(sa, policy)
        made.addCallback(self._made, trap, met).addErrback(self._in_vain, trap, met.name)

    def _made(self, made: "SaName | ChildSa", trap: _Trap, met: Acquired) -> None:
        trap.acquiring = False
        sa = self.callers.established_with(trap.connection)
        if sa is None or _carrier(sa, trap, met) is not None:
            trap.in_vain = 0
            return
        why = "what came up with the peer does not carry the packet that it is for; compare the traffic selectors"
        if isinstance(made, ChildSa):
            made.remove(why)
        raise InVain(why)

    def _in_vain(self, failure: Failure, trap: _Trap, name: str) -> None:
        trap.acquiring = False
        wait = min(RETRY_SECONDS * 2**trap.in_vain, LONGEST_RETRY_SECONDS)
        trap.in_vain, trap.not_before = min(trap.in_vain + 1, 10), self.clock.seconds() + wait
        self._log.error(
            "{name}: {reason}; the next try in {wait:.0f} s, when there is traffic",
            name=name,
            reason=failure.getErrorMessage(),
            wait=wait,
        )


class InVain(Exception):
    """A child that a packet asked for did not come up, or does not carry it; the text says why."""


def _created(sa: IkeSa, policy: ChildPolicy) -> "Deferred[SaName | ChildSa]":
    phase = sa.phase
    if not isinstance(phase, Living):
        raise AssertionError(f"{sa.name} is not established")
    if sa.takes_no_more_children:
        return fail(InVain(f"{sa.name}: the peer said that it takes no more children in this IKE SA"))
    made: Deferred[SaName | ChildSa] = Deferred()

    def decided(why_not: str) -> None:
        if why_not:
            made.errback(InVain(why_not))
        else:
            made.callback(child)

    child = phase.create_child(policy, decided)
    return made


def _carrier(sa: IkeSa, trap: _Trap, met: Acquired) -> ChildSa | None:
    """The child that carries such a packet. Of a client's packets the source counts not: it changes as an address is lent."""
    for child in sa.children.values():
        tunnel = child.tunnel
        if (
            child.policy.name == trap.policy.name
            and child.state in ("SA_MATURE", "SA_REKEY", "SA_REKEY_WAIT")
            and within((met.remote_selector,), tunnel.remote_selectors)
            and (trap.connection.virtual or within((met.local_selector,), tunnel.local_selectors))
        ):
            return child
    return None


def _led_by(met: Acquired, trap: _Trap) -> ChildPolicy:
    """The policy with the packet's own selectors first, so that narrowing keeps them (RFC 7296 §2.9)."""
    local = () if trap.connection.virtual else (met.local_selector,)
    return evolve(
        trap.policy,
        local_selectors=(*local, *trap.policy.local_selectors),
        remote_selectors=(met.remote_selector, *trap.policy.remote_selectors),
    )
