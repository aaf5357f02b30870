"""What must hold: all the time, when things come to rest, and when everyone has left."""

from attrs import define, field

from ikegw.events import Event, SessionBegan, SessionEnded
from ikegw.ike.sa import IkeSa
from ikegw.testing.simulation.party import Party
from ikegw.testing.simulation.town import NET, Town

DOUBLE_SECONDS = 100.0
"""How long two live children may stand for one pair of selectors: guard time, retransmission of the DELETE and its TIMEOUT."""

LIVE = ("SA_MATURE", "SA_REKEY", "SA_REKEY_WAIT")


class Violation(AssertionError):
    """Something that must hold does not; the text says what, and where."""


def of_client(gateway: Party, client: Party) -> list[IkeSa]:
    """The gateway's IKE SAs with one client, as far as it has heard who that is."""
    own = client.connection.local.identity
    return [sa for sa in gateway.sas if sa.remote_identity == own]


def _children(sa: IkeSa) -> set[tuple[bytes, bytes]]:
    return {(child.tunnel.inbound_spi, child.tunnel.outbound_spi) for child in sa.children.values()}


def disagreement(gateway: Party, client: Party) -> str:
    """Why the two are not at rest in agreement: '' if they have the same IKE SA with the same children, and nothing else."""
    theirs, ours = of_client(gateway, client), client.sas
    if len(ours) != 1 or len(theirs) != 1:
        return f"IKE SAs: client {[_tell(sa) for sa in ours]}, gateway {[_tell(sa) for sa in theirs]}"
    (mine,), (peers,) = ours, theirs
    if (mine.spi_initiator, mine.spi_responder) != (peers.spi_initiator, peers.spi_responder):
        return f"{_tell(mine)} at the client is not {_tell(peers)} at the gateway"
    if mine.state != "SM_MATURE" or peers.state != "SM_MATURE":
        return f"client {_tell(mine)}, gateway {_tell(peers)}"
    if mine.asking.outstanding is not None or peers.asking.outstanding is not None:
        return f"not at rest: client {_tell(mine)}, gateway {_tell(peers)}"  # what was lost before may be given up soon
    if _children(mine) != {(outbound, inbound) for inbound, outbound in _children(peers)}:
        return f"children: client {_tell(mine)}, gateway {_tell(peers)}"
    for sa in (mine, peers):
        names = [child.policy.name for child in sa.children.values()]
        if len(set(names)) != len(names) or NET not in names:
            return f"children: {_tell(sa)}"
        if any(child.state != "SA_MATURE" or child.successor for child in sa.children.values()):
            return f"children: {_tell(sa)}"
    taken, installed = client.host.plane.spis.taken, {sa.inbound_spi for sa in client.host.plane.installed}
    if taken != set(mine.children) or installed != set(mine.children):
        return f"SPIs of {client.name}: {_hex(taken)} taken, {_hex(installed)} installed, {_tell(mine)}"
    return ""


def _hex(spis: set[bytes]) -> list[str]:
    return sorted(spi.hex() for spi in spis)


def _tell(sa: IkeSa) -> str:
    children = ", ".join(
        f"{child.policy.name} {spi.hex()} {child.state}{' replaced' if child.successor else ''}"
        for spi, child in sa.children.items()
    )
    return f"{sa.name} {sa.spi_initiator.hex()} {sa.state} ({children})"


@define(eq=False)
class Doubles:
    """Never two live children for one pair of selectors, except for as long as a rekeying may take."""

    town: Town
    _since: dict[tuple[object, ...], float] = field(factory=dict, init=False)

    def check(self) -> None:
        """Look once; Violation if something has stood double for too long."""
        now = self.town.world.clock.seconds()
        double: dict[tuple[object, ...], float] = {}
        for party in self.town.parties:
            seen = set()
            for sa in party.sas:
                for child in sa.children.values():
                    tunnel = child.tunnel
                    key: tuple[object, ...] = (
                        party.name,
                        sa.number,
                        tunnel.local_selectors,
                        tunnel.remote_selectors,
                    )
                    if child.state in LIVE and key in seen:
                        double[key] = self._since.get(key, now)
                    seen.add(key)
        self._since = double
        for key, since in double.items():
            if now - since > DOUBLE_SECONDS:
                raise Violation(f"two live children for one pair of selectors for {now - since:.0f} s: {key}")


@define(eq=False)
class OneEnd:
    """Every session that was told as begun is told as ended once, unless its host lost power; and none that never began."""

    _open: dict[str, str] = field(factory=dict, init=False)
    """The ids of those that are up, and whose they are."""

    _wrong: str = field(default="", init=False)

    def hear(self, party: Party, event: Event) -> None:
        """An event of a host; what is wrong with it is told by the next `check`."""
        if isinstance(event, SessionBegan):
            if event.session.id in self._open:
                self._wrong = f"session {event.session.id} of {party.name} began twice"
            self._open[event.session.id] = party.name
        elif isinstance(event, SessionEnded) and self._open.pop(event.session.id, None) is None:
            self._wrong = f"session {event.session.id} of {party.name} ended, and was not up: {event.reason}"

    def check(self) -> None:
        """Violation if a session began or ended twice."""
        if self._wrong:
            raise Violation(self._wrong)

    def never_ended(self, party: Party) -> list[str]:
        """The sessions of a host's present life whose ends were not told."""
        boot = party.host.gateway._surroundings.boot
        return [each for each, name in self._open.items() if name == party.name and each.startswith(boot)]


def remains(party: Party) -> dict[str, object]:
    """What a party still has that it should not have when everyone has left; empty if nothing."""
    if not party.alive:
        return {}
    host = party.host
    gateway = host.gateway
    gateway._table.departed._sweep(party.world.clock.seconds())
    found = {
        "IKE SAs": [_tell(sa) for sa in party.sas],
        "IKE SAs by peer": list(gateway._table.by_peer),
        "half-open": gateway.half_open_total + gateway.admission.half_open_total,
        "stored answers": len(gateway._table.departed),
        "installed": len(host.plane.installed),
        "SPIs": _hex(host.plane.spis.taken),
        "lent addresses": sum(use.lent for use in host.pool.usage()),
        "sessions": [session.id for session in gateway.sessions()],
        "places of sessions": len(gateway._table.running._seats),
        "timers": party.timers,
        "unanswered wishes": len(party.asked),
    }
    return {what: value for what, value in found.items() if value}
