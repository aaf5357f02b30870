"""`ports.Addresses` out of the site's DHCP servers: one provider for each `[dhcp.NAME]`.

Nothing is kept on disk. A gateway that dies leaves its leases to end by their own time at the server, and since to the server a
client is the same at every login, it gets its address again meanwhile. Sessions of one identity share its lease: a client that
re-authenticates, or comes back before its old session ended, keeps its address.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from itertools import chain, count
from typing import Any, Final

from attrs import define
from twisted.internet.defer import Deferred, DeferredList, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ikegw.config.dhcp import DhcpServers, LeasePer
from ikegw.dhcp.answers import Answer, Parameters
from ikegw.dhcp.binding import Binding, Patience
from ikegw.dhcp.clients import Client, name_of
from ikegw.dhcp.dialect import Dialect
from ikegw.dhcp.messages4 import Dialect4
from ikegw.dhcp.messages6 import Dialect6
from ikegw.dhcp.registry import AgentOption
from ikegw.dhcp.relay import Relay
from ikegw.paths import Address, Endpoint
from ikegw.ports import AddressRequest, Lease, NoAddress

REMEMBERED: Final = 65536
"""Former leases whose client asks for its address again."""
_LONGEST_ID: Final = 255
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
    """New `settings` are for new leases; those that stand go on with what they began with.

    `relay_of` gives our relay for the servers of an IP version, or raises NoAddress.
    """

    def __init__(
        self, settings: DhcpServers, relay_of: Callable[[DhcpServers, int], Relay], clock: IReactorTime
    ) -> None:
        self.settings = settings
        self._relay_of = relay_of
        self._clock = clock
        self._bindings: dict[Key, Binding] = {}
        self._deaf: dict[Key, Binding] = {}
        self._former: OrderedDict[Key, Address] = OrderedDict()

    @property
    def families(self) -> tuple[int, ...]:
        """The IP versions that it serves."""
        return self.settings.families

    @property
    def bound(self) -> int:
        """How many leases there are, or are being obtained or given back."""
        return len(self._bindings) + len(self._deaf)

    @property
    def locals(self) -> set[Endpoint]:
        """Our addresses that these leases need."""
        return {binding.relay.local for table in (self._bindings, self._deaf) for binding in table.values()}

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
        joined = [maybeDeferred(self._join, family, request, stay) for family in wanted]
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
            binding = self._binding(key, request)
            if key in self._deaf:
                self._deaf[key].hurry()
            self._bindings[key] = binding
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
        family, _ = key
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
        dialect = self._dialect(key, request)

        def over(binding: Binding) -> None:
            self._remember(key, binding.address)
            for table in (self._bindings, self._deaf):
                if table.get(key) is binding:
                    del table[key]

        return Binding(dialect, self._relay_of(settings, family), patience, over, self._clock)

    def _remember(self, key: Key, address: Address | None) -> None:
        """Some servers forget who had an address as soon as it is released: so that we ask for it again."""
        if address is not None:
            self._former[key] = address
            self._former.move_to_end(key)
            if len(self._former) > REMEMBERED:
                self._former.popitem(last=False)

    def _wish(self, key: Key, request: AddressRequest) -> Address | None:
        """The address that the client asks for, else the one that it last had."""
        asked = (address for address in request.requested if address.version == key[0])
        return next(asked, self._former.get(key))

    def _dialect(self, key: Key, request: AddressRequest) -> Dialect:
        settings, (family, client) = self.settings, key
        wish = self._wish(key, request)
        circuit, remote = (
            filled(template, client, request).encode()[:_LONGEST_ID]
            for template in (settings.circuit_id, settings.remote_id)
        )
        if family == 6:
            return Dialect6(
                client,
                settings.link_address or IPv6Address(0),
                circuit,
                remote,
                wish if isinstance(wish, IPv6Address) else None,
                settings.lease_seconds,
            )
        link = settings.link_selection
        information = {
            AgentOption.CIRCUIT_ID: circuit,
            AgentOption.REMOTE_ID: remote,
            AgentOption.LINK_SELECTION: b"" if link is None else link.packed,
        }
        return Dialect4(
            client,
            settings.giaddr or IPv4Address(0),
            {option: data for option, data in information.items() if data},
            settings.subnet_selection,
            wish if isinstance(wish, IPv4Address) else None,
            settings.lease_seconds,
        )

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
