"""Which policies the kernel has to hold, for SAs that come and go: it has room for one for the same packets in each direction.

Outbound, the newest SA that may send is what the policy of its packets asks for, by a reqid that no other SA has: so no choice is
the kernel's. Inbound, SAs for the same packets share a reqid, since all go on receiving while one takes the place of another.
"""

from collections.abc import Iterable, Iterator

from attrs import define, field, frozen

from ikegw.dataplane.xfrm import encoding
from ikegw.dataplane.xfrm.cutting import priority
from ikegw.dataplane.xfrm.encoding import Request
from ikegw.dataplane.xfrm.values import Direction, PacketSelector, Policy, Template
from ikegw.policy.carriage import Mark, Mode

_SA = 1


@frozen
class Way:
    """One kind of packets, outbound, as policies tell them apart."""

    packets: PacketSelector
    if_id: int = 0
    mark: Mark | None = None


@define(eq=False)
class Sender:
    """Who can carry packets: the SA's own template, which changes when it moves, and where it is asked for."""

    ways: tuple[Way, ...]
    template: Template
    inbound_reqid: int = 0


@define(eq=False)
class _Out:
    senders: list[Sender] = field(factory=list)
    traps: list[Template] = field(factory=list)
    laid: Policy | None = None


@define(eq=False)
class _In:
    template: Template
    holders: list[Sender] = field(factory=list)


@define(eq=False)
class PolicyBook:
    """What is laid. Each method gives the requests that make the kernel follow."""

    _exits: dict[Way, _Out] = field(factory=dict)
    _entrances: dict[Way, _In] = field(factory=dict)

    # ------------------------------------------------------------ inbound

    def reqid_for(self, ways: Iterable[Way]) -> int | None:
        """The inbound reqid of those SAs that already receive such packets, None if there are none."""
        return next((self._entrances[way].template.reqid for way in ways if way in self._entrances), None)

    def accept(self, sender: Sender) -> list[Request]:
        """Let in what comes through the SA."""
        requests: list[Request] = []
        for way in sender.ways:
            found = self._entrances.get(way)
            wanted = Template(sender.inbound_reqid, sender.template.mode)
            if found is None:
                self._entrances[way] = found = _In(wanted)
                requests += [encoding.set_policy(policy) for policy in _inbound(way, wanted)]
            elif found.template.mode is not wanted.mode:
                found.template = wanted
                requests += [encoding.set_policy(policy) for policy in _inbound(way, wanted)]
            found.holders.append(sender)
        return requests

    def refuse(self, sender: Sender) -> list[Request]:
        """Undo `accept`."""
        requests: list[Request] = []
        for way in sender.ways:
            found = self._entrances.get(way)
            if found is None or sender not in found.holders:
                continue
            found.holders.remove(sender)
            if not found.holders:
                del self._entrances[way]
                requests += [encoding.delete_policy(policy) for policy in _inbound(way, found.template)]
        return requests

    # ------------------------------------------------------------ outbound

    def lead(self, sender: Sender) -> list[Request]:
        """From now on this one sends."""
        for way in sender.ways:
            senders = self._exits.setdefault(way, _Out()).senders
            if sender in senders:
                senders.remove(sender)
            senders.append(sender)
        return self._followed(sender.ways)

    def withdraw(self, sender: Sender) -> list[Request]:
        """It sends no more; the newest of the others does."""
        for way in sender.ways:
            found = self._exits.get(way)
            if found is not None and sender in found.senders:
                found.senders.remove(sender)
        return self._followed(sender.ways)

    def moved(self, sender: Sender) -> list[Request]:
        """Its template is another now."""
        return self._followed(sender.ways)

    def lay(self, ways: Iterable[Way], trap: Template) -> list[Request]:
        """Ask for an SA where none sends."""
        ways = tuple(ways)
        for way in ways:
            self._exits.setdefault(way, _Out()).traps.append(trap)
        return self._followed(ways)

    def lift(self, ways: Iterable[Way], trap: Template) -> list[Request]:
        """Undo `lay`."""
        ways = tuple(ways)
        for way in ways:
            found = self._exits.get(way)
            if found is not None and trap in found.traps:
                found.traps.remove(trap)
        return self._followed(ways)

    def everything(self) -> list[Request]:
        """Forget all, and remove it."""
        requests = [encoding.delete_policy(out.laid) for out in self._exits.values() if out.laid is not None]
        for way, found in self._entrances.items():
            requests += [encoding.delete_policy(policy) for policy in _inbound(way, found.template)]
        self._exits.clear()
        self._entrances.clear()
        return requests

    def _followed(self, ways: Iterable[Way]) -> list[Request]:
        requests: list[Request] = []
        for way in ways:
            found = self._exits.get(way)
            if found is None:
                continue
            wanted = _outbound(way, found)
            if wanted == found.laid:
                pass
            elif wanted is not None:
                requests.append(encoding.set_policy(wanted))
            elif found.laid is not None:
                requests.append(encoding.delete_policy(found.laid))
            found.laid = wanted
            if wanted is None:
                del self._exits[way]
        return requests


def _outbound(way: Way, found: _Out) -> Policy | None:
    if found.senders:
        template, rank = found.senders[-1].template, priority(way.packets, _SA)
    elif found.traps:
        template, rank = found.traps[-1], priority(way.packets, _SA, trap=True)
    else:
        return None
    return Policy(Direction.OUT, way.packets, rank, template, if_id=way.if_id, mark=way.mark)


def _inbound(way: Way, template: Template) -> Iterator[Policy]:
    """Nobody's packets are forwarded out of what two hosts say to each other."""
    packets, rank = way.packets.reversed(), priority(way.packets, _SA)
    directions = (Direction.IN, Direction.FORWARD) if template.mode is Mode.TUNNEL else (Direction.IN,)
    for direction in directions:
        yield Policy(direction, packets, rank, template, if_id=way.if_id, mark=way.mark)
