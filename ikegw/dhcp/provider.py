"""`ports.Addresses` out of the site's DHCP servers: one provider for each `[dhcp.NAME]`.

Nothing is kept on disk. A gateway that dies leaves its leases to end by their own time at the server, and since to the server a
client is the same at every login, it gets its address again meanwhile. Sessions of one identity share its lease: a client that
re-authenticates, or comes back before its old session ended, keeps its address.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv4Interface, IPv6Interface
from itertools import chain
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ikegw.config.dhcp import DhcpServers
from ikegw.dhcp.answers import Answer, Parameters
from ikegw.dhcp.binding import Binding
from ikegw.dhcp.bindings import Bindings, Key
from ikegw.dhcp.relay import Relay
from ikegw.events import Publish
from ikegw.paths import Endpoint
from ikegw.ports import AddressRequest, Lease, NoAddress


@define(eq=False)
class Stay:
    """A session's part in its bindings, the `token` of its lease; left once."""

    table: Bindings
    bindings: dict[Key, Binding]

    def leave(self) -> None:
        """Hold them no more."""
        bindings, self.bindings = self.bindings, {}
        for key, binding in bindings.items():
            self.table.leave(key, binding)


class DhcpProvider:
    """For the families that there are servers for."""

    def __init__(
        self,
        settings: DhcpServers,
        relay_of: Callable[[DhcpServers, int], Relay],
        clock: IReactorTime,
        publish: Publish,
    ) -> None:
        self._bindings = Bindings(settings, relay_of, clock, publish)

    @property
    def settings(self) -> DhcpServers:
        """How its servers are asked for new leases."""
        return self._bindings.settings

    @settings.setter
    def settings(self, settings: DhcpServers) -> None:
        self._bindings.ask_by(settings)

    @property
    def families(self) -> tuple[int, ...]:
        """The IP versions that it serves."""
        return self.settings.families

    @property
    def bound(self) -> int:
        """How many leases there are, or are being obtained or given back."""
        return self._bindings.count

    def states(self) -> Iterator[str]:
        """The state of each lease's machine."""
        return self._bindings.states()

    @property
    def locals(self) -> set[Endpoint]:
        """Our addresses that these leases need."""
        return self._bindings.locals

    def lease(self, request: AddressRequest) -> Deferred[Lease]:
        """Obtain an address of each family wanted, as far as there are servers for it; NoAddress if that is none at all."""
        wanted = [
            family
            for family, asked in ((4, request.wants_ip4), (6, request.wants_ip6))
            if asked and family in self.families
        ]
        if not wanted:
            return fail(NoAddress(f"dhcp:{self.settings.name} has no server for what is asked"))
        stay = Stay(self._bindings, {})
        result: Deferred[Lease] = Deferred(lambda _: stay.leave())
        joined = [self._join(family, request, stay) for family in wanted]
        _all_or_some(joined).addBoth(self._settled, stay, result, partly=True)
        return result

    def renew(self, lease: Lease) -> Deferred[Lease]:
        """Prolong every part of it; NoAddress, and nothing is leased any more, if one part is lost."""
        stay = lease.token
        if not isinstance(stay, Stay) or not stay.bindings:
            return fail(NoAddress("the lease was given back"))
        result: Deferred[Lease] = Deferred(lambda _: None)  # what comes of it all the same is no loss
        renewed = [binding.renew() for binding in stay.bindings.values()]
        _all_or_some(renewed).addBoth(self._settled, stay, result, partly=False)
        return result

    def release(self, lease: Lease) -> Deferred[None]:
        """Give it back; the last of those who share it gives it back to the server."""
        if isinstance(lease.token, Stay):
            lease.token.leave()
        return succeed(None)

    def _join(self, family: int, request: AddressRequest, stay: Stay) -> Deferred[Answer]:
        try:
            key, binding, joined = self._bindings.join(family, request)
        except NoAddress:
            return fail()
        stay.bindings[key] = binding
        return joined

    def _settled(self, outcome: Any, stay: Stay, result: Deferred[Lease], partly: bool) -> None:
        if result.called:  # cancelled meanwhile
            return
        answers, failures = outcome
        if failures and not (partly and answers):
            stay.leave()
            result.errback(NoAddress("; ".join(str(failure.value) for failure in failures)))
            return
        for key, binding in tuple(stay.bindings.items()):
            if binding.why:
                del stay.bindings[key]
        result.callback(_lease(stay, answers))


def _all_or_some(parts: Sequence[Deferred[Answer]]) -> Deferred[tuple[list[Answer], list[Failure]]]:
    """What all of them came to, once they have. Mostly there is but one."""
    if len(parts) == 1:
        return parts[0].addCallbacks(lambda answer: ([answer], []), lambda failure: ([], [failure]))
    every: Deferred[list[tuple[bool, Any]]] = DeferredList(parts, consumeErrors=True)
    return every.addCallback(
        lambda results: (
            [each for good, each in results if good],
            [each for good, each in results if not good],
        )
    )


def _lease(stay: Stay, answers: Iterable[Answer]) -> Lease:
    told = [answer.parameters for answer in answers]
    addresses = [answer.address for answer in answers]
    due = [seconds for each in stay.bindings.values() if (seconds := each.renewal_seconds) is not None]
    return Lease(
        next((each for each in addresses if isinstance(each, IPv4Interface)), None),
        next((each for each in addresses if isinstance(each, IPv6Interface)), None),
        _every(told, "dns"),
        stay,
        _every(told, "subnets"),
        _every(told, "nbns"),
        _every(told, "domains"),
        min(due, default=None),
        tuple(binding.server for binding in stay.bindings.values() if binding.server is not None),
    )


def _every(told: Sequence[Parameters], name: str) -> tuple[Any, ...]:
    if len(told) == 1:
        one: tuple[Any, ...] = getattr(told[0], name)
        return one
    return tuple(dict.fromkeys(chain.from_iterable(getattr(each, name) for each in told)))
