"""Transport mode is agreed by N(USE_TRANSPORT_MODE) (RFC 7296 §1.3.1); who will not have it makes a tunnel."""

from ipaddress import IPv4Address

from attrs import evolve

from ikegw.policy.carriage import Carriage, Mode
from ikegw.policy.connections import Connection
from ikegw.policy.selectors import DYNAMIC, from_network
from ikegw.testing.nat import Nat
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair

TRANSPORT = Carriage(Mode.TRANSPORT)


def between_hosts(connection: Connection, carriage: Carriage = TRANSPORT, **child: object) -> Connection:
    both = {"local_selectors": (DYNAMIC,), "remote_selectors": (DYNAMIC,), "carriage": carriage, **child}
    return evolve(
        connection, virtual=(), pools=(), children=(evolve(connection.children[0], name="net", **both),)
    )


def connected(gateway: Connection, client: Connection, nat: bool = False) -> Pair:
    pair = make_pair(gateway, client)
    if nat:
        pair.world.wire.route = Nat(IPv4Address("192.0.2.2"), IPv4Address("198.51.100.7"))
    pair.client.gateway.initiate("home")
    pair.world.run(1.0)
    assert len(pair.client.plane.installed) == len(pair.gateway.plane.installed) == 1
    return pair


def modes(pair: Pair) -> list[Mode]:
    return [sa.carriage.mode for host in (pair.client, pair.gateway) for sa in host.plane.installed]


def test_it_is_asked_for_and_granted():
    pair = connected(between_hosts(GATEWAY), between_hosts(CLIENT))
    assert modes(pair) == [Mode.TRANSPORT] * 2


def test_a_peer_that_makes_tunnels_only_gets_a_tunnel():
    for gateway, client in ((TRANSPORT, Carriage()), (Carriage(), TRANSPORT)):
        pair = connected(between_hosts(GATEWAY, gateway), between_hosts(CLIENT, client))
        assert modes(pair) == [Mode.TUNNEL] * 2


def test_it_stays_when_either_end_rekeys():
    pair = connected(between_hosts(GATEWAY), between_hosts(CLIENT))
    for host in (pair.client, pair.gateway):
        before = host.plane.installed[0].inbound_spi
        host.gateway.rekey_child(1, "net")
        pair.world.run(10.0, 0.05)
        assert modes(pair) == [Mode.TRANSPORT] * 2
        assert host.plane.installed[0].inbound_spi != before


def test_through_a_NAT_there_is_a_tunnel():
    inside = (from_network(IPv4Address("192.0.2.2")),)
    pair = connected(between_hosts(GATEWAY, remote_selectors=inside), between_hosts(CLIENT), nat=True)
    assert modes(pair) == [Mode.TUNNEL] * 2


def test_for_more_than_the_two_hosts_there_is_a_tunnel():
    net = (from_network(IPv4Address("10.1.0.1")),)
    pair = connected(between_hosts(GATEWAY, local_selectors=net), between_hosts(CLIENT, remote_selectors=net))
    assert modes(pair) == [Mode.TUNNEL] * 2


def test_how_a_child_is_carried_is_each_ends_own():
    marked = Carriage(if_id=42, tfc_padding=1400)
    pair = connected(between_hosts(GATEWAY, marked), between_hosts(CLIENT, Carriage()))
    assert [sa.carriage for sa in pair.gateway.plane.installed] == [marked]
    assert [sa.carriage for sa in pair.client.plane.installed] == [Carriage()]
