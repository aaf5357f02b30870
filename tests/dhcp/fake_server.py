"""A DHCPv4 server of the tests, on the same clock; and all that stands between it and a provider."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ikegw.config.dhcp import DhcpServers
from ikegw.dhcp.messages4 import read4
from ikegw.dhcp.packet4 import Packet4
from ikegw.dhcp.provider import DhcpProvider
from ikegw.dhcp.registry import Message4, Option4
from ikegw.dhcp.relay import Relay
from ikegw.dhcp.values4 import encode_seconds
from ikegw.events import Event
from ikegw.paths import Endpoint
from ikegw.policy.identities import parse_identity
from ikegw.ports import AddressRequest, Lease, NoAddress

GIADDR = IPv4Address("10.60.0.1")
SERVER = IPv4Address("10.50.0.2")
OTHER = IPv4Address("10.50.0.3")
NETWORK = IPv4Network("10.60.0.0/24")
SETTINGS = DhcpServers("office", (SERVER,), GIADDR)

Answering = Callable[["FakeServer", Packet4], Packet4 | None]


@define
class FakeServer:
    """Leases by client identifier. `deaf` hears nothing; `answering` answers in its place; `heard` is all that it was sent."""

    address: IPv4Address = SERVER
    network: IPv4Network = NETWORK
    lease_seconds: float = 60.0
    t1: float | None = None
    options: dict[int, bytes] = field(factory=dict)
    deaf: bool = False
    delay: float = 0.01
    answering: Answering | None = None
    leases: dict[bytes, IPv4Address] = field(factory=dict)
    offered: dict[bytes, IPv4Address] = field(factory=dict)
    known: dict[bytes, IPv4Address] = field(factory=dict)
    heard: list[Packet4] = field(factory=list)

    def kinds(self) -> list[str]:
        return [packet.kind.name for packet in self.heard]

    def take(self, octets: bytes) -> Packet4 | None:
        if self.deaf:
            return None
        packet = Packet4.decode(octets)
        self.heard.append(packet)
        return self.answering(self, packet) if self.answering is not None else self.answer(packet)

    def answer(self, packet: Packet4) -> Packet4 | None:
        client = packet.options[Option4.CLIENT_IDENTIFIER]
        named = packet.options.get(Option4.SERVER_IDENTIFIER)
        if packet.kind is Message4.RELEASE:
            self.leases.pop(client, None)
            self.offered.pop(client, None)
        elif packet.kind is Message4.DISCOVER:
            free = self._choose(client)
            if free is None:
                return None
            self.offered[client] = free
            return self.reply(packet, Message4.OFFER, free)
        elif named is not None and named == self.address.packed:
            self.leases[client] = self.known[client] = IPv4Address(packet.options[Option4.REQUESTED_ADDRESS])
            return self.reply(packet, Message4.ACK, self.leases[client])
        elif named is None:
            if self.leases.get(client) == packet.ciaddr:
                return self.reply(packet, Message4.ACK, packet.ciaddr)
            return self.nak(packet)
        return None

    def _choose(self, client: bytes) -> IPv4Address | None:
        taken = {
            address
            for table in (self.leases, self.offered)
            for holder, address in table.items()
            if holder != client
        }
        for address in (self.leases.get(client), self.known.get(client)):
            if address is not None and address not in taken:
                return address
        hosts = (host for host in self.network.hosts() if host != GIADDR)
        return next((host for host in hosts if host not in taken), None)

    def reply(self, packet: Packet4, kind: Message4, address: IPv4Address, **more: Any) -> Packet4:
        options = {
            Option4.SERVER_IDENTIFIER: self.address.packed,
            Option4.LEASE_TIME: encode_seconds(self.lease_seconds),
            Option4.SUBNET_MASK: self.network.netmask.packed,
            **self.options,
        }
        if self.t1 is not None:
            options[Option4.T1] = encode_seconds(self.t1)
        reply = evolve(packet, kind=kind, options=options, from_client=False, yiaddr=address)
        return evolve(reply, **more)

    def nak(self, packet: Packet4, text: bytes = b"no such lease") -> Packet4:
        return evolve(
            packet,
            kind=Message4.NAK,
            options={Option4.SERVER_IDENTIFIER: self.address.packed, Option4.MESSAGE: text},
            from_client=False,
            ciaddr=IPv4Address(0),
        )


class World:
    """A clock, servers, and a provider that asks them."""

    def __init__(self, settings: DhcpServers = SETTINGS, *servers: FakeServer) -> None:
        self.clock = Clock()
        self.servers = {server.address: server for server in servers or (FakeServer(),)}
        self.server = next(iter(self.servers.values()))
        self.sent: list[tuple[float, IPv4Address, Packet4]] = []
        self.relay = Relay(Endpoint(GIADDR, 67), read4, self._send, self.clock, self._random, 4)
        self.events: list[Event] = []
        self.provider = DhcpProvider(
            settings, lambda settings, family: self.relay, self.clock, self.events.append
        )
        self._numbers = 0

    def _random(self, octets: int) -> bytes:
        self._numbers += 1
        return self._numbers.to_bytes(octets, "big")

    def _send(self, octets: bytes, to: Endpoint) -> None:
        assert isinstance(to.address, IPv4Address)
        self.sent.append((self.clock.seconds(), to.address, Packet4.decode(octets)))
        server = self.servers.get(to.address)
        answer = server.take(octets) if server else None
        if server is not None and answer is not None:
            self.clock.callLater(server.delay, self.deliver, answer, server.address)

    def deliver(self, packet: Packet4 | bytes, source: IPv4Address = SERVER) -> None:
        octets = packet if isinstance(packet, bytes) else packet.encode()
        self.relay.datagram_received(octets, Endpoint(source, 67))

    def ask(self, request: AddressRequest | None = None) -> "Waiting":
        return Waiting(self.provider.lease(request or asking()))

    def lease(self, request: AddressRequest | None = None) -> Lease:
        waiting = self.ask(request)
        self.clock.pump([0.01, 0.01, 0.01])
        return waiting.lease

    def renew(self, lease: Lease) -> "Waiting":
        return Waiting(self.provider.renew(lease))

    def release(self, lease: Lease) -> None:
        done: list[None] = []
        self.provider.release(lease).addCallback(done.append)
        assert done == [None]

    def advance(self, *steps: float) -> None:
        self.clock.pump(steps)

    @property
    def is_empty(self) -> bool:
        """Nothing waits, nothing is open, no lease stands: neither here nor at any server."""
        nothing_here = not self.clock.getDelayedCalls() and not self.relay._open and not self.provider.bound
        return nothing_here and not any(server.leases for server in self.servers.values())


class Waiting:
    """A Deferred of a lease, and what it fired with."""

    def __init__(self, deferred: Deferred[Lease]) -> None:
        self.deferred = deferred
        self.results: list[Any] = []
        deferred.addBoth(self.results.append)

    @property
    def lease(self) -> Lease:
        (lease,) = self.results
        assert isinstance(lease, Lease), lease
        return lease

    @property
    def why_not(self) -> str:
        (failure,) = self.results
        assert failure.check(NoAddress), failure
        return str(failure.value)

    @property
    def waits(self) -> bool:
        return not self.results


def asking(
    name: str = "alice@ikegw.example",
    *,
    user: str = "",
    requested: tuple[str, ...] = (),
    session: str = "",
    connection: str = "roadwarriors",
) -> AddressRequest:
    addresses = tuple(ip_address(each) for each in requested)
    return AddressRequest(
        connection, parse_identity(name), ("dhcp",), True, False, addresses, user=user, session=session
    )
