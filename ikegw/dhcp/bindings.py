"""All bindings of one `[dhcp.NAME]`: whose they are, who shares them, and what clients had before."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ikegw.config.dhcp import DhcpServers, LeasePer
from ikegw.dhcp.answers import Answer
from ikegw.dhcp.binding import Binding, Patience
from ikegw.dhcp.clients import Client
from ikegw.dhcp.relay import Relay
from ikegw.dhcp.wording import dialect_for, patience_with
from ikegw.events import Publish
from ikegw.paths import Address, Endpoint
from ikegw.ports import AddressRequest

REMEMBERED: Final = 65536
"""Former leases whose client asks for its address again."""

Key = tuple[int, bytes]
"""An IP version, and who the client is to its servers: nobody has two bindings there."""


@define(eq=False)
class Bindings:
    """`settings` are for new bindings, until `ask_by` gives others; those that stand go on with what they began with.

    `relay_of` gives our relay for the servers of an IP version, or raises NoAddress.
    """

    settings: DhcpServers
    relay_of: Callable[[DhcpServers, int], Relay] = field(repr=False)
    clock: IReactorTime = field(repr=False)
    publish: Publish = field(repr=False)
    _patience: dict[int, Patience] = field(init=False, repr=False)
    _held: dict[Key, Binding] = field(factory=dict, init=False, repr=False)
    _deaf: dict[Key, Binding] = field(factory=dict, init=False, repr=False)
    """Left by everybody, but a server may still answer (row H-18)."""
    _former: OrderedDict[Key, Address] = field(factory=OrderedDict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.ask_by(self.settings)

    def ask_by(self, settings: DhcpServers) -> None:
        """Make new bindings so, from now on."""
        self.settings = settings
        self._patience = {family: patience_with(settings, family) for family in settings.families}

    @property
    def count(self) -> int:
        """How many leases there are, or are being obtained or given back."""
        return len(self._held) + len(self._deaf)

    def states(self) -> Iterator[str]:
        """The state of each lease's machine."""
        return (binding.state for table in (self._held, self._deaf) for binding in table.values())

    @property
    def locals(self) -> set[Endpoint]:
        """Our addresses that they need."""
        return {binding.relay.local for table in (self._held, self._deaf) for binding in table.values()}

    def join(self, family: int, request: AddressRequest) -> tuple[Key, Binding, Deferred[Answer]]:
        """Hold the binding that the request may share, or a new one, and hear once there is an address. May raise NoAddress."""
        client = self._client(family, request)
        key = _key(family, client)
        standing = self._held.get(key)
        if standing is not None:
            return key, standing, standing.join()
        binding = self._made(key, client, request)
        if key in self._deaf:
            self._deaf[key].hurry()
        self._held[key] = binding
        joined = binding.join()
        binding.begin()
        return key, binding, joined

    def leave(self, key: Key, binding: Binding) -> None:
        """One holder less; nobody joins what its last holder has left."""
        if binding.holders == 1 and self._held.get(key) is binding:
            del self._held[key]
            self._deaf[key] = binding
        binding.leave()

    def _client(self, family: int, request: AddressRequest) -> Client:
        """The one whose lease it is to share, or one of its own: that with the least number which is free, the same next time."""
        first = Client.of(request, self.settings.naming)
        clients = (first.numbered(number) for number in count())
        return next(client for client in clients if self._may_be(family, client, request))

    def _may_be(self, family: int, client: Client, request: AddressRequest) -> bool:
        """Nobody is that client to the servers, or the same one who may share it, or who asks to keep the address."""
        binding = self._held.get(_key(family, client))
        if binding is None:
            return True
        if binding.dialect.client != client:  # spelled alike, but another
            return False
        keeps = binding.address is not None and binding.address in request.requested
        return keeps or self.settings.lease_per is LeasePer.IDENTITY

    def _made(self, key: Key, client: Client, request: AddressRequest) -> Binding:
        settings, family = self.settings, key[0]
        return Binding(
            dialect_for(family, client, settings, request, self._wish(key, request)),
            self.relay_of(settings, family),
            self._patience[family],
            self._over,
            self.clock,
            self.publish,
        )

    def _over(self, binding: Binding) -> None:
        key = _key(binding.dialect.family, binding.dialect.client)
        self._remember(key, binding.address)
        for table in (self._held, self._deaf):
            if table.get(key) is binding:
                del table[key]

    def _wish(self, key: Key, request: AddressRequest) -> Address | None:
        """The address that the client asks for, else the one that it last had: some servers forget what is released."""
        asked = (address for address in request.requested if address.version == key[0])
        return next(asked, self._former.get(key))

    def _remember(self, key: Key, address: Address | None) -> None:
        if address is not None:
            self._former[key] = address
            self._former.move_to_end(key)
            if len(self._former) > REMEMBERED:
                self._former.popitem(last=False)


def _key(family: int, client: Client) -> Key:
    return family, client.identifier if family == 4 else client.duid + client.iaid
