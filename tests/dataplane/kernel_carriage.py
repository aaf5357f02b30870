"""What the kernel carries, on a real one: all suites, IP in IP, the operator's interfaces, marks, padding, events in plenty.

Run by name, under a kernel that has ESP (`test_peers_kernel.py` boots one).
"""

import re
import socket
from contextlib import suppress
from ipaddress import ip_address

import pytest
from attrs import evolve
from plane_harness import KernelHarness, between, installed
from pytest_twisted import inlineCallbacks

from ikegw.crypto.suites import EspSuite
from ikegw.crypto.transforms import ENCRYPTIONS, INTEGRITIES
from ikegw.dataplane.marks import SO_MARK
from ikegw.dataplane.xfrm import foundation
from ikegw.dataplane.xfrm.hearing import Hearing
from ikegw.paths import Endpoint, Path
from ikegw.policy.carriage import PLAIN, Carriage, Mark
from ikegw.policy.selectors import from_network
from ikegw.ports import Limits, SoftExpired
from ikegw.testing.plane_pair import mirrored, suite_named, tunnel

PAIRS = [
    (cipher, integrity) for cipher in ENCRYPTIONS for integrity in ((None,) if cipher.aead else INTEGRITIES)
]
SUITES = [EspSuite(*each, None, number % 2 == 0) for number, each in enumerate(PAIRS)]
"""All of the registry, every second one with ESN; `test_peers_planes.py` has the others with it."""

GCM = suite_named("aes128gcm16")
PORT = 7779
ETH_P_ALL = 3
DONT_FRAGMENT = (socket.IPPROTO_IP, 10, 2)
"""IP_MTU_DISCOVER, IP_PMTUDISC_DO (linux/in.h)."""


@pytest.fixture
def pair():
    return KernelHarness()


def to_device(name):
    return socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode()


# ------------------------------------------------------------ suites


@between
@inlineCallbacks
def test_every_suite_of_the_registry_carries_packets_both_ways(pair):
    for number, suite in enumerate(SUITES, 1):
        one, _ = tunnel(*pair.sides, suite, number)
        yield installed(pair, one)
        assert (yield pair.carries()), suite
        assert (yield pair.carries(sender=1)), suite
        usage = yield pair.planes[0].remove(one.inbound_spi)
        assert (usage.inbound_packets, usage.outbound_packets, usage.forgeries) == (1, 1, 0), suite
        yield pair.planes[1].remove(one.outbound_spi)


# ------------------------------------------------------------ packets


@pytest.mark.parametrize("udp", [True, False])
@pytest.mark.parametrize("outer", [4, 6])
@between
@inlineCallbacks
def test_either_version_is_carried_in_either(pair, outer, udp):
    one, _ = tunnel(*pair.sides, GCM, outer=outer, udp=udp)
    yield installed(pair, one)
    for here, there in zip(pair.sides[0].inner, pair.sides[1].inner, strict=True):
        ends = pair.open(0, str(here), PORT), pair.open(1, str(there), PORT)
        assert (yield pair.passes(*ends, (str(there), PORT)))
        assert (yield pair.passes(*reversed(ends), (str(here), PORT)))


@between
@inlineCallbacks
def test_a_packet_that_comes_twice_is_dropped_and_counted(pair):
    one, _ = tunnel(*pair.sides, GCM)
    yield installed(pair, one)
    left = pair.sides[0].namespace
    with left.inside():
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    with wire:
        wire.bind((f"{left.name[:-1]}vl", ETH_P_ALL))
        wire.settimeout(5.0)
        assert (yield pair.carries())
        frame = next(octets for octets in iter(lambda: wire.recv(2048), b"") if one.outbound_spi in octets)
        for _ in range(3):
            wire.send(frame)
    assert (yield pair.carries())
    usage = yield pair.planes[1].usage(one.outbound_spi)
    assert (usage.inbound_packets, usage.replays, usage.forgeries) == (2, 3, 0)


@between
@inlineCallbacks
def test_what_is_too_long_for_the_path_arrives_in_fragments_or_is_told(pair):
    """The path is narrower than the tunnel's packets."""
    for side, device in zip(pair.sides, ("vl", "vr"), strict=True):
        side.namespace.ip(f"link set {side.namespace.name[:-1]}{device} mtu 1380")
    one, _ = tunnel(*pair.sides, GCM)
    yield installed(pair, one)
    assert (yield pair.carries(octets=3000))
    udp = pair.open(0, "10.1.0.1", PORT, DONT_FRAGMENT)
    with suppress(OSError):  # the first one tells the kernel of the path
        udp.sendto(bytes(1372), ("10.2.0.1", 7777))
    with pytest.raises(OSError, match="Message too long"):
        udp.sendto(bytes(1372), ("10.2.0.1", 7777))
    assert (yield pair.passes(udp, pair.sockets[1], ("10.2.0.1", 7777), octets=1250))


# ------------------------------------------------------------ the operator's own ways


@between
@inlineCallbacks
def test_two_sites_with_the_same_network_are_told_apart_by_their_interfaces(pair):
    """Both sites have 10.2.0.0/24, behind one NAT; whatever uses an interface reaches the site that it is for."""
    sites = []
    for number, (device, port) in enumerate((("site1", 4500), ("site2", 4501)), 1):
        for side, address in zip(pair.sides, ("10.1.0.9", "10.2.0.9"), strict=True):
            side.namespace.ip(
                f"link add {device} type xfrm if_id {40 + number}",
                f"link set {device} up",
                f"route add {'10.2.0.0/24' if side is pair.sides[0] else '10.1.0.0/24'} dev {device} metric {number}",
                *([f"addr add {address}/32 dev lo"] if number == 1 else []),
            )
        one, _ = tunnel(*pair.sides, GCM, number)
        path = Path(one.path.local, Endpoint(one.path.remote.address, port))
        one = evolve(one, path=path, carriage=Carriage(if_id=40 + number))
        yield installed(pair, one)
        ends = [
            pair.open(side, address, PORT, to_device(device))
            for side, address in enumerate(("10.1.0.9", "10.2.0.9"))
        ]
        sites.append((one, *ends))
    for one, here, there in sites:
        assert (yield pair.passes(here, there, ("10.2.0.9", PORT)))
        assert (yield pair.passes(there, here, ("10.1.0.9", PORT)))
        usage = yield pair.planes[0].usage(one.inbound_spi)
        assert (usage.inbound_packets, usage.outbound_packets) == (1, 1)
    yield pair.planes[0].remove(sites[0][0].inbound_spi)
    assert not (yield pair.passes(sites[0][1], sites[0][2], ("10.2.0.9", PORT), arrives=False))
    assert (yield pair.passes(sites[1][1], sites[1][2], ("10.2.0.9", PORT)))


@between
@inlineCallbacks
def test_a_mark_chooses_among_tunnels_for_the_same_packets_in_both_directions(pair):
    """What comes in is marked by the operator's firewall, as it is with any daemon."""
    left = pair.sides[0].namespace
    left.run("nft", "add table ip t; add chain ip t in { type filter hook prerouting priority -300; }")
    tunnels = []
    for number, mark in enumerate((5, 6), 1):
        one, other = tunnel(*pair.sides, GCM, number)
        path = Path(one.path.local, Endpoint(one.path.remote.address, 4499 + number))
        one = evolve(one, path=path, carriage=Carriage(mark=Mark(mark)))
        other = evolve(other, path=Path(path.remote, path.local), carriage=PLAIN)
        yield installed(pair, one, other)
        tunnels.append((one, pair.open(0, "10.1.0.1", PORT + number, (socket.SOL_SOCKET, SO_MARK, mark))))
    for one, marked in tunnels:
        assert (yield pair.passes(marked, pair.sockets[1], ("10.2.0.1", 7777)))
        assert (yield pair.planes[0].usage(one.inbound_spi)).outbound_packets == 1
    assert not (yield pair.carries(arrives=False)), "without a mark"
    assert not (yield pair.carries(sender=1, arrives=False)), "the second one sends, and nobody marks"
    left.run("nft", "add rule ip t in udp sport 4501 meta mark set 6")
    assert (yield pair.carries(sender=1))


@between
@inlineCallbacks
def test_ESP_packets_have_the_mark_that_was_asked_for_or_our_own(pair):
    left = pair.sides[0].namespace
    left.run("nft", "add table ip t; add chain ip t out { type filter hook output priority 0; }")
    for mark in ("0x77", "0x494b"):
        left.run("nft", f"add rule ip t out udp dport 4500 meta mark {mark} counter")
    for number, output_mark in enumerate((None, Mark(0x77)), 1):
        one, _ = tunnel(*pair.sides, GCM, number)
        one = evolve(one, carriage=Carriage(output_mark=output_mark))
        yield installed(pair, one, evolve(mirrored(one), carriage=PLAIN))
        for _ in range(number):
            assert (yield pair.carries())
    counted = re.findall(r"mark 0x0*(\w+) counter packets (\d+)", left.run("nft", "list ruleset"))
    assert sorted(counted) == [("494b", "1"), ("77", "2")]


@between
@inlineCallbacks
def test_padding_hides_how_long_packets_are(pair):
    right = pair.sides[1].namespace
    right.run("nft", "add table ip t; add chain ip t in { type filter hook prerouting priority -300; }")
    right.run("nft", "add rule ip t in udp dport 4500 counter")
    one, _ = tunnel(*pair.sides, GCM)
    one = evolve(one, carriage=Carriage(tfc_padding=1200))
    yield installed(pair, one, evolve(mirrored(one), carriage=PLAIN))
    sizes = []
    for octets in (60, 700, 1100):
        assert (yield pair.carries(octets=octets))
        seen = re.search(r"packets (\d+) bytes (\d+)", right.run("nft", "list ruleset"))
        sizes.append(int(seen[2]) - sum(sizes))
    assert len(set(sizes)) == 1
    assert sizes[0] > 1200
    usage = yield pair.planes[0].usage(one.inbound_spi)
    assert usage.outbound_octets == 1860, "counted without it"


# ------------------------------------------------------------ many


@between
@inlineCallbacks
def test_policies_are_hashed_by_their_remote_end_unless_the_operator_has_chosen(pair):
    left = pair.sides[0].namespace

    def lengths():
        told = left.run("ip", "-s", "-s", "xfrm", "policy", "count")
        return re.findall(r"IPv\d thresholds: local (\d+) remote (\d+)", told)

    before = [("32", "32"), ("128", "128")]
    assert lengths() == [("0", "32"), ("0", "128")]
    yield installed(pair, tunnel(*pair.sides, GCM)[0])
    assert (yield pair.carries())
    yield pair.planes[0].stop()
    assert lengths() == before
    left.ip("xfrm policy set hthresh4 0 24")
    yield pair.running[0].start()
    yield pair.planes[0].stop()
    assert lengths() == [("0", "24"), ("128", "128")]


@between
@inlineCallbacks
def test_events_that_the_socket_had_no_room_for_are_told_all_the_same(narrow, pair):
    sas = []
    for number in range(1, 13):
        pair.sides[1].namespace.ip(f"addr add 10.2.0.{100 + number}/32 dev lo")
        host = (from_network(ip_address(f"10.2.0.{100 + number}")),)
        one, _ = tunnel(*pair.sides, GCM, number)
        one = evolve(one, remote_selectors=host, limits=Limits(soft_packets=1))
        yield installed(pair, one, evolve(mirrored(one), limits=Limits()))
        sas.append(one)
    for number in range(1, 13):
        for _ in range(3):
            pair.sockets[0].sendto(b"one after the other", (f"10.2.0.{100 + number}", 7777))
    told = yield pair.heard(0, len(sas))
    assert sorted(told, key=lambda event: event.inbound_spi) == [SoftExpired(one.inbound_spi) for one in sas]
    assert narrow[0].counts["overrun"]


@pytest.fixture
def narrow(monkeypatch):
    """Ears of the planes to come, with room for a few events only."""
    made = []

    class Narrow(Hearing):
        def __init__(self, reactor, sock, *heard):
            super().__init__(reactor, sock, *heard)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the kernel makes it the least it can
            made.append(self)

    monkeypatch.setattr(foundation, "Hearing", Narrow)
    return made
