"""What only the process has: outer families, plain ESP, routes and rules, IKE on its sockets, deaths."""

import os
import signal
import socket
from ipaddress import ip_address, ip_network

import pytest
from attrs import evolve
from plane_harness import UserspaceHarness, between, installed
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.internet.task import deferLater

from ikegw.paths import Endpoint, Path
from ikegw.policy.selectors import from_network
from ikegw.ports import DataPlaneError, Usage
from ikegw.testing.plane_pair import RunningPlane, client_tunnel, suite_named, tunnel

pytestmark = pytest.mark.peers


@pytest.fixture
def pair():
    return UserspaceHarness()


@inlineCallbacks
def until(condition):
    for _ in range(1000):
        if condition():
            return
        yield deferLater(reactor, 0.005)
    raise AssertionError("it never came")


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("udp", [True, False])
@pytest.mark.parametrize("suite", ["aes256gcm16-esn", "aes128-sha256"])
@between
@inlineCallbacks
def test_each_outer_family_with_and_without_udp(pair, outer, udp, suite):
    one, _ = tunnel(*pair.sides, suite_named(suite), outer=outer, udp=udp)
    yield installed(pair, one)
    for octets in (100, 1400):
        assert (yield pair.carries(octets=octets))
        assert (yield pair.carries(sender=1, octets=octets))


@between
@inlineCallbacks
def test_long_packets_arrive_whole_and_pmtu_is_answered(pair):
    """The outer path is narrower than the tunnel's packets: the kernel fragments ESP; with DF the sender is told."""
    for side, device in zip(pair.sides, ("vl", "vr"), strict=True):
        name = side.namespace.name[:-1] + device
        side.namespace.run("ip", "link", "set", name, "mtu", "1380")
    one, _ = tunnel(*pair.sides, suite_named("aes128gcm16"))
    yield installed(pair, one)
    assert (yield pair.carries(octets=3000)), "a packet in inner fragments"
    ping = pair.sides[0].namespace.run(
        "ping", "-c", "2", "-i", "0.1", "-W", "1", "-M", "do", "-s", "1372", "10.2.0.1", check=False
    )
    assert "mtu" in ping.lower(), ping
    found = pair.sides[0].namespace.run("ip", "route", "get", "10.2.0.1")
    assert "mtu 13" in found, found


@between
@inlineCallbacks
def test_a_client_gets_its_address_its_route_and_gives_both_back(pair):
    gateway, client = client_tunnel(*pair.sides, suite_named("aes128gcm16"), 1, "10.3.0.7")
    yield pair.planes[0].install(gateway)
    yield pair.planes[1].install(client)
    inside = pair.sides[1].namespace
    assert "10.3.0.7" in inside.run("ip", "-br", "addr", "show", "ikegw0")
    assert "src 10.3.0.7" in inside.run("ip", "route", "get", "10.1.0.1")
    yield pair.planes[1].remove(client.inbound_spi)
    assert "10.3.0.7" not in inside.run("ip", "-br", "addr", "show", "ikegw0")
    assert "lookup 450" not in inside.run("ip", "rule")


@between
@inlineCallbacks
def test_a_full_tunnel_leaves_itself_and_connected_networks_alone(pair):
    inside = pair.sides[1].namespace
    inside.run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    inside.run("ip", "link", "set", "lan1", "up")
    inside.run("ip", "addr", "add", "10.50.0.1/24", "dev", "lan0")
    inside.run("ip", "link", "set", "lan0", "up")
    inside.run("ip", "route", "add", "default", "via", "192.0.2.1")
    inside.run("ip", "route", "add", "172.16.0.0/12", "via", "10.50.0.9")
    one, other = client_tunnel(*pair.sides, suite_named("aes128gcm16"), 1, "10.3.0.7")
    everything = (from_network(ip_network("0.0.0.0/0")),)
    yield pair.planes[0].install(evolve(one, local_selectors=everything))
    yield pair.planes[1].install(evolve(other, remote_selectors=everything))

    def device(*destination):
        words = inside.run("ip", "route", "get", *destination).split()
        return words[words.index("dev") + 1]

    assert device("8.8.8.8") == "ikegw0"
    assert device("10.50.0.77") == "lan0"
    assert device("172.16.5.5") == "lan0"
    assert device("192.0.2.1") != "ikegw0"
    assert device("8.8.8.8", "mark", "0x494b") != "ikegw0"
    net, net_mirrored = tunnel(*pair.sides, suite_named("aes128gcm16"), 2)
    wider = (from_network(ip_network("172.16.0.0/12")),)
    yield pair.planes[1].install(evolve(net_mirrored, remote_selectors=wider))
    assert device("172.16.5.5") == "ikegw0", "as long a prefix: the tunnel wins"
    assert net.inbound_spi


@between
@inlineCallbacks
def test_ike_on_the_nat_t_sockets_is_handed_over_with_its_path(pair):
    left, right = pair.sides
    for outer, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
        pair.running[0].heard.clear()
        with right.namespace.inside():
            udp = socket.socket(family, socket.SOCK_DGRAM)
            udp.bind((str(right.endpoint(outer).address), 40000 + outer))
        to = (str(left.endpoint(outer).address), 4501)
        for octets in (b"\xff", bytes(4) + b"ike" * 1000, bytes(4), b"\1\2", bytes(4) + b"last"):
            udp.sendto(octets, to)
        udp.close()
        yield until(lambda: len(pair.running[0].heard) >= 2)
        came_to = evolve(left.endpoint(outer), port=4501)
        path = Path(came_to, Endpoint(right.endpoint(outer).address, 40000 + outer))
        heard = [one for one in pair.running[0].heard if one[1]]
        assert heard == [(path, b"ike" * 1000), (path, b"last")]


@between
@inlineCallbacks
def test_a_cancelled_install_leaves_nothing(pair):
    one, _ = tunnel(*pair.sides, suite_named("aes128gcm16"))
    asked = pair.planes[0].install(one)
    failed = asked.addErrback(lambda failure: failure.trap(CancelledError))
    asked.cancel()
    yield failed
    for _ in range(2):
        assert (yield pair.planes[0].remove(b"\0\0\7\7")) == Usage()
    assert "lookup 450" not in pair.sides[0].namespace.run("ip", "rule")
    yield pair.planes[0].install(one)


@between
@inlineCallbacks
def test_an_sa_on_a_socket_that_is_not_there_is_refused_with_what_is(pair):
    one, _ = tunnel(*pair.sides, suite_named("aes128gcm16"))
    elsewhere = Path(Endpoint(ip_address("192.0.2.99"), 4500), one.path.remote)
    with pytest.raises(
        DataPlaneError, match=r"no NAT-T socket on 192\.0\.2\.99:4500; there are 192\.0\.2\.1:4500"
    ):
        yield pair.planes[0].install(evolve(one, path=elsewhere))
    assert "lookup 450" not in pair.sides[0].namespace.run("ip", "rule")


@between
@inlineCallbacks
def test_the_death_of_the_process_is_told_and_hangs_nobody(pair):
    one, _ = tunnel(*pair.sides, suite_named("aes128gcm16"))
    yield installed(pair, one)
    plane = pair.planes[0]
    os.kill(plane.process_id, signal.SIGSTOP)
    waiting = plane.usage(one.inbound_spi)
    os.kill(plane.process_id, signal.SIGKILL)
    with pytest.raises(DataPlaneError, match="process ended"):
        yield waiting
    assert len(pair.lost) == 1
    with pytest.raises(DataPlaneError, match="not running"):
        yield plane.usage(one.inbound_spi)
    pair.running[0].sockets[0].getsockname()
    yield pair.running[0].start()
    yield plane.install(one)
    yield plane.remove(one.inbound_spi)
    assert "lookup 450" not in pair.sides[0].namespace.run("ip", "rule"), (
        "what the dead one left is cleared away"
    )


@between
@inlineCallbacks
def test_the_process_ends_when_the_gateway_is_gone(pair):
    one, _ = tunnel(*pair.sides, suite_named("aes128gcm16"))
    yield pair.planes[0].install(one)
    plane = pair.planes[0]
    pid = plane.process_id
    plane._link.transport.closeChildFD(0)  # as the kernel does for a gateway that died
    yield until(lambda: plane.process_id == 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert "lookup 450" not in pair.sides[0].namespace.run("ip", "rule")


@inlineCallbacks
def test_a_tun_device_that_is_taken_is_an_error_of_start(pair):
    try:
        yield pair.start()
        second = RunningPlane.make(reactor, pair.sides[0], ports=(4777,))
        with pytest.raises(DataPlaneError, match="busy"):
            yield second.start()
        yield second.plane.stop()
        second.close()
    finally:
        yield pair.stop()


@between
@inlineCallbacks
def test_thousands_of_sas_are_installed_quickly_and_removed(pair):
    suite, plane = suite_named("aes128gcm16"), pair.planes[0]
    made = [client_tunnel(*pair.sides, suite, n, f"10.4.{n >> 8}.{n & 255}")[0] for n in range(1, 1001)]
    waiting: list[Deferred[None]] = [plane.install(one) for one in made]
    for each in waiting:
        yield each
    assert len(pair.sides[0].namespace.run("ip", "route", "show", "table", "45032").splitlines()) == 1000
    for each in [plane.remove(one.inbound_spi) for one in made]:
        yield each
    assert "10.4." not in pair.sides[0].namespace.run("ip", "route", "show", "table", "all")


@between
@inlineCallbacks
def test_a_device_that_is_taken_away_ends_the_process_and_is_told(pair):
    pair.sides[0].namespace.run("ip", "link", "del", "ikegw0")
    yield until(lambda: pair.lost)
    with pytest.raises(DataPlaneError, match="not running"):
        yield pair.planes[0].usage(b"\0\0\7\7")


@between
@inlineCallbacks
def test_what_was_dropped_is_counted_by_reason(pair):
    one, _ = tunnel(*pair.sides, suite_named("aes128gcm16"))
    yield pair.planes[0].install(evolve(one, local_selectors=(from_network(ip_network("10.77.0.0/24")),)))
    assert not (yield pair.carries(arrives=False))
    with pair.sides[1].namespace.inside():
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for octets in (b"\7" * 50, b"\7" * 60, b"\7\7"):
        udp.sendto(octets, (str(pair.sides[0].outer[0]), 4500))
    udp.close()
    yield pair.settled()
    found = yield pair.planes[0].counts()
    assert {reason: count for reason, count in found.items() if count} == {
        "in_unknown": 2,
        "in_malformed": 1,
        "out_no_policy": 1,
    }


@between
@inlineCallbacks
def test_the_packet_that_met_a_trap_is_carried_once_there_is_an_sa(pair):
    one, _ = tunnel(*pair.sides, suite_named("aes128gcm16"))
    plane = pair.planes[0]
    yield plane.trap("site.net", one.local_selectors, one.remote_selectors)
    socket_, payload = pair.sockets[0], b"the first of all"
    socket_.sendto(payload, (str(pair.sides[1].inner[0]), 7777))
    yield pair.heard(0, 1)
    yield installed(pair, evolve(one, standby=True))
    yield plane.activate(one.inbound_spi)
    assert (yield pair.received(pair.sockets[1], payload))
    counts = yield plane.counts()
    assert (counts["out_trapped"], counts["out_no_policy"]) == (1, 0)
    assert (yield plane.usage(one.inbound_spi)).outbound_octets == 28 + len(payload)


@between
@inlineCallbacks
def test_a_clients_trap_leads_what_its_address_then_comes_from(pair):
    _, client = client_tunnel(*pair.sides, suite_named("aes128gcm16"), 1, "10.3.0.7")
    plane, inside = pair.planes[1], pair.sides[1].namespace
    everywhere = (from_network(ip_network("0.0.0.0/0")),)
    yield plane.trap("home.net", everywhere, client.remote_selectors)
    found = inside.run("ip", "route", "get", "10.1.0.1")
    assert "dev ikegw0" in found, found
    assert "src 10.2.0.1" in found, found
    for _ in range(2):
        yield plane.install(client)
        assert "src 10.3.0.7" in inside.run("ip", "route", "get", "10.1.0.1")
        yield plane.remove(client.inbound_spi)
        assert "src 10.2.0.1" in inside.run("ip", "route", "get", "10.1.0.1")
    yield plane.untrap("home.net")
    assert "lookup 450" not in inside.run("ip", "rule")


@between
@inlineCallbacks
def test_a_trap_learns_of_addresses_that_come_and_go(pair):
    one, _ = tunnel(*pair.sides, suite_named("aes128gcm16"))
    inside = pair.sides[0].namespace
    local = (from_network(ip_network("10.1.5.0/24")),)
    yield pair.planes[0].trap("site.net", local, one.remote_selectors)
    for verb, source in (("add", "10.1.5.1"), ("del", "10.1.0.1"), ("add", "10.1.5.1")):
        inside.run("ip", "addr", verb, "10.1.5.1/32", "dev", "lo")
        yield until(lambda wanted=source: f"src {wanted} " in inside.run("ip", "route", "get", "10.2.0.1"))
