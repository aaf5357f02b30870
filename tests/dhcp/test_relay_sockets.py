"""Real sockets on the loopback device, and providers that live through reloads."""

import os
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from attrs import evolve
from fake_server import FakeServer, asking
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ikegw.config.dhcp import DhcpServers
from ikegw.dhcp.providers import DhcpProviders
from ikegw.dhcp.sockets import CannotBind, DatagramReader, RelaySockets, bound_socket
from ikegw.events import Event
from ikegw.paths import Endpoint
from ikegw.ports import Lease, NoAddress

LOOPBACK = IPv4Address("127.0.0.1")


class Reactor(Clock):
    """A clock with readers, which `read_all` asks for what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[DatagramReader] = []

    def addReader(self, reader: DatagramReader) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: DatagramReader) -> None:
        self.readers.remove(reader)

    def read_all(self) -> None:
        for reader in self.readers:
            reader.doRead()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(5)
        yield udp


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port: int = udp.getsockname()[1]
        return port


def settings_for(server: socket.socket) -> DhcpServers:
    return DhcpServers("office", (LOOPBACK,), LOOPBACK, port=free_port(), server_port=server.getsockname()[1])


def answer_all(server: socket.socket, fake: FakeServer, reactor: Reactor, times: int) -> None:
    for _ in range(times):
        octets, client = server.recvfrom(2048)
        answer = fake.take(octets)
        if answer is not None:
            server.sendto(answer.encode(), client)
        reactor.read_all()


def result(deferred: Deferred[Lease]) -> list[object]:
    found: list[object] = []
    deferred.addBoth(found.append)
    return found


def test_a_lease_over_real_sockets(server: socket.socket) -> None:
    reactor, fake = Reactor(), FakeServer(LOOPBACK)
    providers = DhcpProviders(reactor, os.urandom, list[Event]().append)
    assert providers.reload([settings_for(server)]) == ()
    provider = providers.provider("office")
    assert provider is not None
    leased = result(provider.lease(asking()))
    answer_all(server, fake, reactor, 2)
    (lease,) = leased
    assert isinstance(lease, Lease)
    assert lease.ip4 is not None
    assert provider.bound == 1
    provider.release(lease)
    answer_all(server, fake, reactor, 1)
    assert fake.kinds() == ["DISCOVER", "REQUEST", "RELEASE"]
    providers.stop()
    assert reactor.readers == []


def test_a_reload_leaves_leases_and_their_sockets_as_they_are(server: socket.socket) -> None:
    reactor, fake = Reactor(), FakeServer(LOOPBACK)
    providers = DhcpProviders(reactor, os.urandom, list[Event]().append)
    settings = settings_for(server)
    providers.reload([settings])
    provider = providers.provider("office")
    assert provider is not None
    leased = result(provider.lease(asking()))
    answer_all(server, fake, reactor, 2)
    providers.reload([evolve(settings, port=free_port())])
    assert providers.provider("office") is provider
    assert len(reactor.readers) == 2, "the old address is still answered to"
    again = result(provider.lease(asking()))
    assert again[0].ip4 == leased[0].ip4, "the lease is shared"  # type: ignore[attr-defined]
    providers.reload([])
    assert providers.provider("office") is None
    assert len(providers.all) == 1
    for lease in (leased[0], again[0]):
        assert isinstance(lease, Lease)
        provider.release(lease)
    answer_all(server, fake, reactor, 1)
    assert fake.kinds()[-1] == "RELEASE"
    providers.reload([])
    assert providers.all == ()
    assert reactor.readers == []


def test_an_address_that_is_not_ours_is_told_and_tried_again() -> None:
    reactor = Reactor()
    providers = DhcpProviders(reactor, os.urandom, list[Event]().append)
    foreign = DhcpServers("office", (LOOPBACK,), IPv4Address("192.0.2.77"), port=10067)
    expected = "cannot hear DHCP servers at 192.0.2.77:10067: it is not an address of this host; see giaddr and source6"
    assert providers.reload([foreign]) == (expected,)
    provider = providers.provider("office")
    assert provider is not None
    (failure,) = result(provider.lease(asking()))
    assert failure.check(NoAddress)  # type: ignore[attr-defined]
    assert str(failure.value) == expected  # type: ignore[attr-defined]
    assert provider.bound == 0


def test_a_port_that_somebody_has(server: socket.socket) -> None:
    local = Endpoint(LOOPBACK, server.getsockname()[1])
    with pytest.raises(CannotBind, match="another program is there; stop that DHCP server or relay"):
        bound_socket(local)


def test_a_broken_datagram_closes_nothing() -> None:
    reactor = Reactor()
    sockets = RelaySockets(reactor, os.urandom)
    local = Endpoint(LOOPBACK, free_port())
    relay = sockets.relay(local)
    assert sockets.relay(local) is relay
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for octets in (b"", b"\xff" * 300, os.urandom(1500)):
            stranger.sendto(octets, ("127.0.0.1", local.port))
    reactor.read_all()
    assert relay.counts == {"received": 3, "malformed": 3}
    sockets.close()


def test_what_cannot_be_sent_is_counted() -> None:
    sockets = RelaySockets(Reactor(), os.urandom)
    relay = sockets.relay(Endpoint(LOOPBACK, free_port()))
    relay.send(bytes(100_000), Endpoint(LOOPBACK, 9))
    assert relay.counts == {"unsent-EMSGSIZE": 1}
    sockets.close()


def test_H_02_an_answer_that_came_while_we_were_busy_is_read_before_anything_is_sent_again(
    server: socket.socket,
) -> None:
    reactor, fake = Reactor(), FakeServer(LOOPBACK)
    providers = DhcpProviders(reactor, os.urandom, list[Event]().append)
    settings = settings_for(server)
    providers.reload([settings])
    provider = providers.provider("office")
    assert provider is not None
    leased = result(provider.lease(asking()))
    octets, client = server.recvfrom(2048)
    answer = fake.take(octets)
    assert answer is not None
    server.sendto(answer.encode(), client)
    reactor.callLater(
        settings.timeout_seconds, reactor.read_all
    )  # the first turn after a long one: timers, then sockets
    reactor.advance(settings.timeout_seconds + 0.2)
    answer_all(server, fake, reactor, 1)
    assert isinstance(leased[0], Lease)
    assert fake.kinds() == ["DISCOVER", "REQUEST"]
    providers.stop()


def test_IPv6_has_a_socket_of_its_own() -> None:
    reactor = Reactor()
    sockets = RelaySockets(reactor, os.urandom)
    relay = sockets.relay(Endpoint(IPv6Address("::1"), free_port()))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"\x0d", ("::1", relay.local.port))
    reactor.read_all()
    assert relay.counts == {"received": 1, "malformed": 1}
    assert sockets.relays == (relay,)
    assert ip_address("::1") == relay.local.address
    sockets.close()
