"""`ports.Addresses` out of the site's DHCP servers: one provider for each `[dhcp.NAME]`.

Nothing is kept on disk. A gateway that dies leaves its leases to end by their own time at the server, and since to the server a
client is the same at every login, it gets its address again meanwhile. Sessions of one identity share its lease: a client that
re-authenticates, or comes back before its old session ended, keeps its address.
"""

from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from itertools import chain, count
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ikegw.config.dhcp import DhcpServers, LeasePer
from ikegw.dhcp.answers import Answer, Parameters
from ikegw.dhcp.binding import Binding, Patience
from ikegw.dhcp.clients import Client, name_of
from ikegw.dhcp.dialect import Dialect
from ikegw.dhcp.messages4 import Dialect4
from ikegw.dhcp.registry import AgentOption
from ikegw.dhcp.relay import Relay
from ikegw.paths import Endpoint
from ikegw.ports import AddressRequest, Lease, NoAddress

_LONGEST_ID = 255
Key = tuple[int, Client]


@define(eq=False)
class Stay:
    """A session's part in its bindings, the `token` of its lease; left once."""

    provider: "DhcpProvider"
    bindings: dict[Key, Binding]

    def leave(self) -> None:
        """Hold them no more."""
        bindings, self.bindings = self.bindings, {}
        for key, binding in bindings.items():
            self.provider.left(key, binding)


class DhcpProvider:
    """`relays` are our sockets by IP version. What has no relay is not served."""

    def __init__(self, settings: DhcpServers, relays: dict[int, Relay], clock: IReactorTime) -> None:
        self.settings = settings
        self.relays = relays
        self._clock = clock
        self._bindings: dict[Key, Binding] = {}
        self._deaf: dict[Key, Binding] = {}

    @property
    def families(self) -> tuple[int, ...]:
        """The IP versions that it serves."""
        return tuple(family for family in self.settings.families if family in self.relays)

    @property
    def bound(self) -> int:
        """How many leases there are, or are being obtained."""
        return len(self._bindings)

    def lease(self, request: AddressRequest) -> Deferred[Lease]:
        """Obtain an address of each family wanted, as far as there are servers for it; NoAddress if that is none at all."""
        wanted = [
            family
            for family, asked in ((4, request.wants_ip4), (6, request.wants_ip6))
            if asked and family in self.families
        ]
        if not wanted:
            return fail(NoAddress(f"dhcp:{self.settings.name} has no server for what is asked"))
        stay = Stay(self, {})
        result: Deferred[Lease] = Deferred(lambda _: stay.leave())
        joined = [self._join(family, request, stay) for family in wanted]
        DeferredList(joined, consumeErrors=True).addCallback(_all_or_some).addBoth(
            self._settled, stay, result, partly=True
        )
        return result

    def renew(self, lease: Lease) -> Deferred[Lease]:
        """Prolong every part of it; NoAddress, and nothing is leased any more, if one part is lost."""
        stay = lease.token
        if not isinstance(stay, Stay) or not stay.bindings:
            return fail(NoAddress("the lease was given back"))
        result: Deferred[Lease] = Deferred(lambda _: None)  # what comes of it all the same is no loss
        renewed = [binding.renew() for binding in stay.bindings.values()]
        DeferredList(renewed, consumeErrors=True).addCallback(_all_or_some).addBoth(
            self._settled, stay, result, partly=False
        )
        return result

    def release(self, lease: Lease) -> Deferred[None]:
        """Give it back; the last of those who share it gives it back to the server."""
        if isinstance(lease.token, Stay):
            lease.token.leave()
        return succeed(None)

    def left(self, key: Key, binding: Binding) -> None:
        """One holder less of a binding."""
        if binding.holders == 1 and self._bindings.get(key) is binding:
            del self._bindings[key]
            self._deaf[key] = binding
        binding.leave()

    # ------------------------------------------------------------ bindings

    def _join(self, family: int, request: AddressRequest, stay: Stay) -> Deferred[Answer]:
        client = self._client(family, request)
        key = family, client
        binding = self._bindings.get(key)
        known = binding is not None
        if binding is None:
            if key in self._deaf:
                self._deaf[key].hurry()
            binding = self._bindings[key] = self._binding(key, request)
        stay.bindings[key] = binding
        joined = binding.join()
        if not known:
            binding.begin()
        return joined

    def _client(self, family: int, request: AddressRequest) -> Client:
        """The one whose lease it is to share; or one of its own, with the least number that is free: the same one next time."""
        name, naming = name_of(request), self.settings.naming
        if self.settings.lease_per is LeasePer.IDENTITY:
            return Client(name, 0, naming)
        clients = (Client(name, number, naming) for number in count())
        return next(client for client in clients if self._may_be((family, client), request))

    def _may_be(self, key: Key, request: AddressRequest) -> bool:
        """Nobody is that client now, or the one who is has the address that this one asks to keep."""
        binding = self._bindings.get(key)
        return binding is None or (binding.address is not None and binding.address in request.requested)

    def _binding(self, key: Key, request: AddressRequest) -> Binding:
        family, client = key
        settings = self.settings
        patience = Patience(
            tuple(
                Endpoint(server, settings.server_port if family == 4 else settings.server_port6)
                for server in settings.servers
                if server.version == family
            ),
            settings.strategy,
            settings.timeout_seconds,
            settings.tries,
            settings.renewal_tries,
        )
        dialect = self._dialect(family, client, request)

        def over(binding: Binding) -> None:
            for table in (self._bindings, self._deaf):
                if table.get(key) is binding:
                    del table[key]

        return Binding(dialect, self.relays[family], patience, over, self._clock)

    def _dialect(self, family: int, client: Client, request: AddressRequest) -> Dialect:
        settings = self.settings
        wish = next((each for each in request.requested if isinstance(each, IPv4Address)), None)
        return Dialect4(
            client,
            settings.giaddr or IPv4Address(0),
            self._information(client, request),
            settings.subnet_selection,
            wish,
            settings.lease_seconds,
        )

    def _information(self, client: Client, request: AddressRequest) -> dict[AgentOption, bytes]:
        """Option 82: who the client is, and the subnet that it is to be from."""
        found = {}
        for option, template in (
            (AgentOption.CIRCUIT_ID, self.settings.circuit_id),
            (AgentOption.REMOTE_ID, self.settings.remote_id),
        ):
            text = filled(template, client, request).encode()[:_LONGEST_ID]
            if text:
                found[option] = text
        if self.settings.link_selection is not None:
            found[AgentOption.LINK_SELECTION] = self.settings.link_selection.packed
        return found

    # ------------------------------------------------------------ results

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


def filled(template: str, client: Client, request: AddressRequest) -> str:
    """A text of the configuration with what it names put in."""
    remote = "" if request.path is None else str(request.path.remote.address)
    return template.format(connection=request.connection, identity=client.name, address=remote)


def _all_or_some(results: list[tuple[bool, Any]]) -> tuple[list[Answer], list[Failure]]:
    return [each for good, each in results if good], [each for good, each in results if not good]


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
    )


def _every(told: Iterable[Parameters], name: str) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(getattr(each, name) for each in told)))


def counts_of(relays: Iterable[Relay]) -> Counter[str]:
    """What became of all datagrams."""
    return sum((relay.counts for relay in relays), Counter())
