"""Traps: policies whose SA can never be, so that the kernel tells of the packets that would need it."""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Final

from attrs import define, field

from ikegw.dataplane.admission import check_trap
from ikegw.dataplane.prefixes import Selector
from ikegw.dataplane.routing import Lead
from ikegw.dataplane.xfrm.acquires import told_of
from ikegw.dataplane.xfrm.cutting import cut
from ikegw.dataplane.xfrm.encoding import Request
from ikegw.dataplane.xfrm.foundation import Foundation
from ikegw.dataplane.xfrm.larvae import Larvae
from ikegw.dataplane.xfrm.ours import IF_ID, Reqids
from ikegw.dataplane.xfrm.policies import PolicyBook, Way
from ikegw.dataplane.xfrm.values import Acquire, Template
from ikegw.policy.carriage import Mode
from ikegw.ports import Acquired, Selectors

_NOWHERE: Final = IPv4Address("127.0.0.1")
"""Both ends of what a trap asks for."""


@define(eq=False)
class _Trap:
    name: str
    ways: tuple[Way, ...]
    template: Template
    local: tuple[Selector, ...]
    remote: tuple[Selector, ...]
    lead: Lead


@define(eq=False)
class Traps:
    """Those of a plane that runs. Each is asked for by a reqid of its own, by which it is found again."""

    foundation: Foundation
    book: PolicyBook
    reqids: Reqids
    larvae: Larvae
    tell: Callable[[Acquired], None]
    _by_name: dict[str, _Trap] = field(factory=dict)
    _by_reqid: dict[int, _Trap] = field(factory=dict)

    def lay(self, name: str, local_selectors: Selectors, remote_selectors: Selectors) -> list[Request]:
        """Lay a trap, in the place of one of that name; DataPlaneError, and then nothing has changed."""
        check_trap(name, local_selectors, remote_selectors)
        ways = tuple(Way(packets, IF_ID) for packets in cut(name, local_selectors, remote_selectors))
        local = tuple(Selector.like(one) for one in local_selectors)
        remote = tuple(Selector.like(one) for one in remote_selectors)
        lead = self.foundation.lead(name, local, remote)
        reqid = self.reqids.take()
        trap = _Trap(name, ways, Template(reqid, Mode.TUNNEL, _NOWHERE, _NOWHERE), local, remote, lead)
        requests = self.book.lay(trap.ways, trap.template) + self.lift(name)
        self._by_name[name] = self._by_reqid[reqid] = trap
        return requests

    def lift(self, name: str) -> list[Request]:
        """Take a trap away, if there is one of that name."""
        trap = self._by_name.pop(name, None)
        if trap is None:
            return []
        reqid = trap.template.reqid
        del self._by_reqid[reqid]
        self.reqids.give_back(reqid)
        self.larvae.give_up(reqid)
        self.foundation.unlead(trap.lead)
        return self.book.lift(trap.ways, trap.template)

    def clear(self) -> None:
        """Forget all; their policies and routes go by themselves."""
        for reqid in self._by_reqid:
            self.reqids.give_back(reqid)
        self._by_name.clear()
        self._by_reqid.clear()

    def met(self, told: Acquire) -> None:
        """A packet met one, perhaps."""
        trap = self._by_reqid.get(told.reqid)
        if trap is not None:
            self.tell(Acquired(trap.name, *told_of(told.selector)))

    def addresses_changed(self) -> None:
        """Packets of this host's own may have to come from another address now."""
        for trap in self._by_name.values():
            trap.lead = self.foundation.lead_anew(trap.lead, trap.local, trap.remote)
