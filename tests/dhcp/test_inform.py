"""DHCPINFORM of clients inside their tunnels: who is told what."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest
from attrs import evolve
from fake_server import asking
from twisted.internet.defer import Deferred, fail, succeed

from ikegw.dhcp.inform import Informant
from ikegw.dhcp.packet4 import Packet4
from ikegw.dhcp.registry import Message4, Option4
from ikegw.dhcp.told import Told, ToldAddresses
from ikegw.dhcp.values4 import encode_routes
from ikegw.paths import Endpoint
from ikegw.ports import AddressRequest, Lease, NoAddress

OURS = IPv4Address("10.1.0.1")
CLIENT = IPv4Address("10.3.0.7")
ON_LINK = IPv4Address(0)
LEASE = Lease(
    IPv4Interface("10.3.0.7/24"),
    None,
    (IPv4Address("10.1.0.53"), IPv6Address("fd00:1::53")),
    subnets=(IPv4Network("10.1.0.0/16"), IPv6Network("fd00:1::/64"), IPv4Network("255.255.255.255/32")),
    nbns=(IPv4Address("10.1.0.54"),),
    domains=("ikegw.example", "lab.ikegw.example"),
)
INFORM = Packet4(Message4.INFORM, 4711, b"\2\0\0\0\0\1", ciaddr=CLIENT, broadcast=True)


def informant(lease: Lease = LEASE) -> Informant:
    def told(address: IPv4Address) -> Told | None:
        return Told("roadwarriors", lease) if address == CLIENT else None

    def networks(connection: str) -> Iterator[IPv4Network | IPv6Network]:
        assert connection == "roadwarriors"
        yield from (IPv4Network("10.8.0.0/16"), IPv6Network("fd00:8::/64"), IPv4Network("255.255.255.255/32"))

    return Informant(OURS, told, networks)


def options(answer: bytes | None) -> dict[int, bytes]:
    assert answer is not None
    packet = Packet4.decode(answer)
    assert (packet.kind, packet.transaction, packet.from_client) == (Message4.ACK, 4711, False)
    assert (packet.ciaddr, packet.yiaddr, packet.hardware) == (CLIENT, ON_LINK, INFORM.hardware)
    assert packet.options[Option4.SERVER_IDENTIFIER] == OURS.packed
    assert Option4.LEASE_TIME not in packet.options, "it was asked for no lease (RFC 2131 §4.3.5)"
    return dict(packet.options)


def ask(one: Informant, packet: Packet4 = INFORM, source: IPv4Address = CLIENT) -> bytes | None:
    return one.answer(packet.encode(), Endpoint(source, 68))


def test_all_that_is_known() -> None:
    routes = encode_routes([(IPv4Network("10.1.0.0/16"), ON_LINK)])
    assert options(ask(informant())) == {
        Option4.SERVER_IDENTIFIER: OURS.packed,
        Option4.DNS_SERVERS: IPv4Address("10.1.0.53").packed,
        Option4.DOMAIN_NAME: b"ikegw.example",
        Option4.NBNS_SERVERS: IPv4Address("10.1.0.54").packed,
        Option4.DOMAIN_SEARCH: b"\5ikegw\7example\0\3lab\5ikegw\7example\0",
        Option4.CLASSLESS_ROUTES: routes,
        Option4.MICROSOFT_ROUTES: routes,
    }


def test_only_what_is_asked_for() -> None:
    wish = evolve(INFORM, options={Option4.PARAMETER_LIST: bytes([Option4.MICROSOFT_ROUTES, 43, 6])})
    found = options(ask(informant(), wish))
    assert set(found) == {Option4.SERVER_IDENTIFIER, Option4.MICROSOFT_ROUTES, Option4.DNS_SERVERS}


def test_routes_of_the_tunnel_where_the_lease_names_none() -> None:
    found = options(ask(informant(evolve(LEASE, subnets=(), dns=(), domains=(), nbns=()))))
    assert found == {
        Option4.SERVER_IDENTIFIER: OURS.packed,
        Option4.CLASSLESS_ROUTES: b"\x10\x0a\x08\0\0\0\0",
        Option4.MICROSOFT_ROUTES: b"\x10\x0a\x08\0\0\0\0",
    }


def test_no_routes_where_everything_goes_through_the_tunnel() -> None:
    everything = evolve(LEASE, subnets=(IPv4Network("10.1.0.0/16"), IPv4Network("0.0.0.0/0")))
    assert Option4.MICROSOFT_ROUTES not in options(ask(informant(everything)))


@pytest.mark.parametrize(
    ("packet", "source", "counted"),
    [
        (INFORM, IPv4Address("10.3.0.8"), "other"),
        (evolve(INFORM, ciaddr=IPv4Address("10.3.0.8")), IPv4Address("10.3.0.8"), "stranger"),
        (evolve(INFORM, kind=Message4.DISCOVER), CLIENT, "other"),
        (evolve(INFORM, from_client=False), CLIENT, "other"),
    ],
)
def test_nobody_else_is_answered(packet: Packet4, source: IPv4Address, counted: str) -> None:
    one = informant()
    assert ask(one, packet, source) is None
    assert one.counts == {counted: 1}


def test_what_is_no_message_is_counted() -> None:
    one = informant()
    assert one.answer(b"rubbish", Endpoint(CLIENT, 68)) is None
    assert one.counts == {"malformed": 1}


class Lender:
    """Lends what it is told to."""

    def __init__(self) -> None:
        self.next: Lease | NoAddress = LEASE
        self.released: list[Lease] = []

    def lease(self, request: AddressRequest) -> Deferred[Lease]:
        return fail(self.next) if isinstance(self.next, NoAddress) else succeed(self.next)

    def renew(self, lease: Lease) -> Deferred[Lease]:
        return self.lease(asking())

    def release(self, lease: Lease) -> Deferred[None]:
        self.released.append(lease)
        return succeed(None)


def result(deferred: Deferred[Any]) -> Any:
    found: list[Any] = []
    deferred.addBoth(found.append)
    return found[0]


def test_what_stands_is_remembered_as_long_as_it_stands() -> None:
    lender = Lender()
    addresses = ToldAddresses(lender)
    first = result(addresses.lease(asking()))
    lender.next = evolve(LEASE, dns=())
    second = result(addresses.lease(asking(connection="others")))
    assert addresses.told(CLIENT) == Told("others", second)
    result(addresses.release(second))
    assert addresses.told(CLIENT) == Told("roadwarriors", first)
    lender.next = evolve(LEASE, domains=())
    renewed = result(addresses.renew(first))
    assert addresses.told(CLIENT) == Told("roadwarriors", renewed)
    result(addresses.release(first))
    assert addresses.told(CLIENT) is not None, "that one was renewed and stands no more"
    lender.next = NoAddress("gone")
    assert result(addresses.renew(renewed)).check(NoAddress)
    assert addresses.told(CLIENT) is None
    assert lender.released == [second, first]
    assert result(addresses.lease(asking())).check(NoAddress)


def test_clients_are_told_where_they_may_ask_by_DHCP() -> None:
    lender = Lender()
    addresses = ToldAddresses(lender)
    addresses.inform = OURS
    lender.next = evolve(LEASE, dhcp=(IPv4Address("10.1.0.67"),))
    lease = result(addresses.lease(asking()))
    assert lease.dhcp == (OURS, IPv4Address("10.1.0.67"))
    assert addresses.told(CLIENT) == Told("roadwarriors", lease)
    lender.next = LEASE
    renewed = result(addresses.renew(lease))
    assert renewed.dhcp == (OURS,)
    result(addresses.release(renewed))
    assert addresses.told(CLIENT) is None
    lender.next = evolve(LEASE, ip4=None)
    assert result(addresses.lease(asking())).dhcp == (), "DHCPINFORM is IPv4's"
