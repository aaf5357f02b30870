"""What only the kernel carries, on a real one: all suites, the operator's interfaces, marks, padding; its refusals, in words.

Run by name, under a kernel that has ESP (`test_peers_kernel.py` boots one).
"""

import re
import socket
from ipaddress import ip_address

import pytest
from attrs import evolve
from plane_harness import KernelHarness, between
from pytest_twisted import inlineCallbacks

from ikegw.crypto.suites import EspSuite
from ikegw.crypto.transforms import ENCRYPTIONS, INTEGRITIES
from ikegw.dataplane.marks import SO_MARK
from ikegw.dataplane.xfrm import foundation
from ikegw.dataplane.xfrm.hearing import Hearing
from ikegw.dataplane.xfrm.probing import probe
from ikegw.paths import Endpoint, Path
from ikegw.policy.carriage import PLAIN, Carriage, Mark, Offload
from ikegw.policy.selectors import from_network
from ikegw.ports import DataPlaneError, Limits, SoftExpired
from ikegw.testing.plane_pair import keys_for, mirrored, suite_named, tunnel

PAIRS = [
    (cipher, integrity) for cipher in ENCRYPTIONS for integrity in ((None,) if cipher.aead else INTEGRITIES)
]
SUITES = [EspSuite(*each, None, number % 2 == 0) for number, each in enumerate(PAIRS)]
"""All of the registry, every second one with ESN; `test_peers_planes.py` has the others with it."""

GCM = suite_named("aes128gcm16")
PORT = 7779


@pytest.fixture
def pair():
    return KernelHarness()


def to_device(name):
    return socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode()


@inlineCallbacks
def installed(pair, one, other=None):
    yield pair.planes[0].install(one)
    yield pair.planes[1].install(other or mirrored(one))


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


def test_what_this_kernel_lacks_is_found_by_trying():
    unknown = evolve(GCM, encryption=evolve(GCM.encryption, kernel_name="rfc4106(gcm(unheard-of))"))
    found = probe([*SUITES, unknown], (4, 6))
    assert (found.why_not, found.lacking) == ("", (str(unknown),))


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


# ------------------------------------------------------------ refusals


@between
@inlineCallbacks
def test_a_card_that_cannot_encipher_leaves_it_to_the_kernel_or_is_told(pair):
    """Ours has no offload: the kernel enciphers what is plain ESP, and refuses what no card ever does."""
    one, _ = tunnel(*pair.sides, GCM, udp=False)
    crypto = Carriage(offload=Offload.CRYPTO)
    yield installed(pair, evolve(one, carriage=crypto), mirrored(one))
    assert (yield pair.carries())
    assert (yield pair.carries(sender=1))
    told = r'net2: the kernel\'s SA: E\w+, .*offload.*: write hw_offload = "no"'
    for udp, carriage in ((True, crypto), (False, Carriage(offload=Offload.PACKET))):
        other, _ = tunnel(*pair.sides, GCM, 2, udp=udp)
        with pytest.raises(DataPlaneError, match=told):
            yield pair.planes[0].install(evolve(other, carriage=carriage))
    assert pair.sides[0].namespace.ip("xfrm state").count("proto esp") == 2
    assert (yield pair.carries())


@between
@inlineCallbacks
def test_a_refused_SA_leaves_nothing_of_its_own_and_all_of_others(pair):
    plane, left = pair.planes[0], pair.sides[0].namespace
    before = left.ip("xfrm state", "xfrm policy", "rule")
    one, _ = tunnel(*pair.sides, GCM)
    unknown = evolve(GCM, encryption=evolve(GCM.encryption, kernel_name="rfc4106(gcm(unheard-of))"))
    with pytest.raises(
        DataPlaneError, match=r"net1: the kernel's SA: ENOSYS.*lacks rfc4106\(gcm\(unheard-of\)\)"
    ):
        yield plane.install(evolve(one, suite=unknown, inbound_keys=keys_for(GCM)))
    assert left.ip("xfrm state", "xfrm policy", "rule") == before
    foreign = f"src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x{one.outbound_spi.hex()}"
    left.ip(
        f"xfrm state add {foreign} reqid 7 mode tunnel aead rfc4106(gcm(aes)) 0x{bytes(range(20)).hex()} 128"
    )
    before = left.ip("xfrm state", "xfrm policy", "rule")
    with pytest.raises(DataPlaneError, match=r"EEXIST.*another program has an SA of this SPI"):
        yield plane.install(one)
    assert left.ip("xfrm state", "xfrm policy", "rule") == before
    left.ip(f"xfrm state delete {foreign}")
    yield installed(pair, one)
    assert (yield pair.carries())


@between
@inlineCallbacks
def test_SAs_that_somebody_flushed_are_told_of_and_can_be_removed(pair):
    one, _ = tunnel(*pair.sides, GCM)
    yield installed(pair, one)
    pair.sides[0].namespace.ip("xfrm state flush")
    assert not (yield pair.carries(arrives=False)), "nor in the clear"
    elsewhere = Path(one.path.local, Endpoint(ip_address("192.0.2.9"), 4500))
    with pytest.raises(DataPlaneError, match="net1: the kernel has no SA any more that could be moved"):
        yield pair.planes[0].move(one.inbound_spi, elsewhere)
    other_port = Path(one.path.local, Endpoint(one.path.remote.address, 4501))
    with pytest.raises(DataPlaneError, match=r"net1: move: ESRCH"):
        yield pair.planes[0].move(one.inbound_spi, other_port)
    assert (yield pair.planes[0].remove(one.inbound_spi)).outbound_packets == 0
    yield installed(pair, tunnel(*pair.sides, GCM, 2)[0])
    assert (yield pair.carries())
