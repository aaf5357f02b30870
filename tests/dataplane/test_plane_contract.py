"""The contract of `ports.DataPlane`: one class of tests for every kind, the model and the process in real namespaces."""

from ipaddress import ip_network

import pytest
from attrs import evolve
from plane_harness import MemoryHarness, UserspaceHarness, between
from pytest_twisted import inlineCallbacks

from ikegw.crypto.keymat import ChildKeys
from ikegw.paths import Endpoint, Path
from ikegw.policy.selectors import from_network, parse_selector
from ikegw.policy.shunts import Fate, Shunt
from ikegw.ports import Acquired, DataPlaneError, HardExpired, Limits, MappingChanged, SoftExpired, Usage
from ikegw.testing.plane_pair import mirrored, suite_named, tunnel


def shunt(name, fate, far, near="10.1.0.0/16"):
    return Shunt(name, fate, (parse_selector(near),), (parse_selector(far),))


class Contract:
    """Each test gets two planes that run; the left side's SA and its mirror."""

    make = None

    @pytest.fixture
    def pair(self):
        """A test starts and stops it: fixtures know no Deferreds."""
        return self.make()

    @inlineCallbacks
    def installed(self, pair, number=1, **changes):
        one, _ = tunnel(*pair.sides, suite_named("aes128gcm16"), number)
        one = evolve(one, **changes)
        yield pair.planes[0].install(one)
        yield pair.planes[1].install(evolve(mirrored(one), limits=Limits()))
        return one

    @between
    @inlineCallbacks
    def test_packets_are_carried_both_ways_and_counted(self, pair):
        one = yield self.installed(pair)
        assert (yield pair.carries(octets=500))
        assert (yield pair.carries(octets=600))
        assert (yield pair.carries(sender=1, octets=300))
        left = yield pair.planes[0].usage(one.inbound_spi)
        assert (left.outbound_octets, left.outbound_packets) == (1100, 2)
        assert (left.inbound_octets, left.inbound_packets) == (300, 1)
        assert left.last_inbound is not None
        assert left.last_inbound < 5
        right = yield pair.planes[1].usage(one.outbound_spi)
        assert (right.inbound_octets, right.replays, right.forgeries) == (1100, 0, 0)

    @between
    @inlineCallbacks
    def test_what_came_to_nothing_is_told_by_its_reason(self, pair):
        yield self.installed(pair)
        assert (yield pair.carries(octets=500))
        counts = yield pair.planes[0].counts()
        assert all(isinstance(word, str) and count >= 0 for word, count in counts.items())

    @between
    @inlineCallbacks
    def test_other_keys_are_forgeries(self, pair):
        one, other = tunnel(*pair.sides, suite_named("aes128gcm16"))
        yield pair.planes[0].install(one)
        yield pair.planes[1].install(evolve(other, inbound_keys=ChildKeys(bytes(20), b"")))
        assert not (yield pair.carries(arrives=False))
        usage = yield pair.planes[1].usage(other.inbound_spi)
        assert (usage.forgeries, usage.inbound_packets, usage.last_inbound) == (1, 0, None)

    @between
    @inlineCallbacks
    def test_the_newest_sa_sends_and_the_older_goes_on_receiving(self, pair):
        old = yield self.installed(pair, 1)
        new, new_mirrored = tunnel(*pair.sides, suite_named("aes256gcm16"), 2)
        yield pair.planes[0].install(new)
        yield pair.planes[1].install(evolve(new_mirrored, standby=True))
        assert (yield pair.carries())
        assert (yield pair.planes[0].usage(new.inbound_spi)).outbound_packets == 1
        assert (yield pair.carries(sender=1))
        assert (yield pair.planes[0].usage(old.inbound_spi)).inbound_packets == 1
        yield pair.planes[0].remove(new.inbound_spi)
        assert (yield pair.carries())
        assert (yield pair.planes[0].usage(old.inbound_spi)).outbound_packets == 1

    @between
    @inlineCallbacks
    def test_an_sa_on_standby_receives_and_sends_once_activated(self, pair):
        old = yield self.installed(pair, 1)
        new = yield self.installed(pair, 2, standby=True)
        yield pair.planes[1].activate(new.outbound_spi)
        yield pair.planes[1].activate(b"\0\0\7\7")
        assert (yield pair.carries(sender=1))
        assert (yield pair.planes[0].usage(new.inbound_spi)).inbound_packets == 1
        assert (yield pair.carries())
        assert (yield pair.planes[0].usage(old.inbound_spi)).outbound_packets == 1
        yield pair.planes[0].activate(new.inbound_spi)
        assert (yield pair.carries())
        assert (yield pair.planes[0].usage(new.inbound_spi)).outbound_packets == 1

    @between
    @inlineCallbacks
    def test_an_sa_that_lingers_receives_but_sends_no_more(self, pair):
        one = yield self.installed(pair)
        gone = pair.planes[0].remove(one.inbound_spi, 1.5)
        yield pair.planes[0].usage(one.inbound_spi)
        assert not (yield pair.carries(arrives=False))
        assert (yield pair.carries(sender=1))
        assert not gone.called
        yield pair.pass_time(1.6)
        usage = yield gone
        assert (usage.inbound_packets, usage.outbound_packets) == (1, 0)
        assert not (yield pair.carries(sender=1, arrives=False))

    @between
    @inlineCallbacks
    def test_the_longest_remote_prefix_wins(self, pair):
        one = yield self.installed(pair)
        wide = yield self.installed(
            pair, 2, remote_selectors=tuple(from_network(ip_network(n)) for n in ("0.0.0.0/0", "::/0"))
        )
        assert (yield pair.carries())
        assert (yield pair.planes[0].usage(one.inbound_spi)).outbound_packets == 1
        yield pair.carries(to="10.9.9.9", arrives=False)
        assert (yield pair.planes[0].usage(wide.inbound_spi)).outbound_packets == 1

    @between
    @inlineCallbacks
    def test_what_lies_outside_the_receivers_selectors_is_dropped(self, pair):
        one, other = tunnel(*pair.sides, suite_named("aes128gcm16"))
        yield pair.planes[0].install(one)
        elsewhere = (from_network(ip_network("10.8.0.0/24")),)
        yield pair.planes[1].install(evolve(other, remote_selectors=elsewhere))
        assert not (yield pair.carries(arrives=False))
        assert (yield pair.planes[1].usage(other.inbound_spi)).inbound_packets == pair.COUNTS_REFUSED

    @between
    @inlineCallbacks
    def test_packet_limits_are_told_once_and_the_hard_one_ends_it(self, pair):
        one = yield self.installed(pair, limits=Limits(soft_packets=2, hard_packets=3))
        found = []
        for number in range(5):
            found.append((yield pair.carries(arrives=number < 3)))  # noqa: PERF401
        assert found == [True] * 3 + [False] * 2
        told = yield pair.heard(0, 2)
        assert told == [SoftExpired(one.inbound_spi), HardExpired(one.inbound_spi)]
        assert not (yield pair.carries(sender=1, arrives=False))

    @between
    @inlineCallbacks
    def test_octet_limits_count_what_comes_in_too(self, pair):
        one = yield self.installed(pair, limits=Limits(soft_octets=1000, hard_octets=2000))
        for _ in range(3):  # a kernel looks at the limits when the next one comes
            assert (yield pair.carries(sender=1, octets=600))
        assert (yield pair.heard(0, 1)) == [SoftExpired(one.inbound_spi)]

    @between
    @inlineCallbacks
    def test_time_limits(self, pair):
        one = yield self.installed(pair, limits=Limits(soft_seconds=0.1, hard_seconds=0.2))
        yield pair.pass_time(0.25)
        told = yield pair.heard(0, 2)
        assert told == [SoftExpired(one.inbound_spi), HardExpired(one.inbound_spi)]
        assert not (yield pair.carries(arrives=False))

    @between
    @inlineCallbacks
    def test_a_moved_peer_is_told_and_followed_when_asked(self, pair):
        one = yield self.installed(pair)
        left, right = one.path.local, one.path.remote
        moved = Endpoint(right.address, 4501)
        yield pair.planes[1].move(one.outbound_spi, Path(moved, left))
        assert (yield pair.carries(sender=1))
        assert (yield pair.carries(sender=1))
        assert (yield pair.heard(0, 1)) == [MappingChanged(one.inbound_spi, Path(left, moved))]
        yield pair.pass_time(pair.MAPPING_QUIET)
        for place in (right, moved):
            yield pair.planes[1].move(one.outbound_spi, Path(place, left))
            assert (yield pair.carries(sender=1))
        assert len((yield pair.heard(0, 2))) == 2, "it was back in between"
        yield pair.planes[0].move(one.inbound_spi, Path(left, moved))
        assert (yield pair.carries())
        assert (yield pair.heard(1, 0)) == [], "it came from where it was sent to"
        with pytest.raises(DataPlaneError, match="no SA"):
            yield pair.planes[0].move(b"\0\0\7\7", Path(left, moved))

    @between
    @inlineCallbacks
    def test_a_moved_peer_is_told_only_where_replays_are_detected(self, pair):
        one = yield self.installed(pair, replay_window=0)
        moved = Endpoint(one.path.remote.address, 4501)
        yield pair.planes[1].move(one.outbound_spi, Path(moved, one.path.local))
        assert (yield pair.carries(sender=1))
        assert (yield pair.heard(0, 0)) == []

    @between
    @inlineCallbacks
    def test_a_path_with_a_NAT_gives_way_to_one_without_and_comes_back(self, pair):
        one = yield self.installed(pair)
        there, here = one.path, Path(one.path.remote, one.path.local)
        for udp in (False, True):
            yield pair.planes[0].move(one.inbound_spi, there, udp)
            yield pair.planes[1].move(one.outbound_spi, here, udp)
            assert (yield pair.carries())
            assert (yield pair.carries(sender=1))
        moved = Path(there.local, Endpoint(there.remote.address, 4501))
        yield pair.planes[1].move(one.outbound_spi, Path(moved.remote, there.local))
        assert (yield pair.carries(sender=1))
        told = yield pair.heard(0, 1)
        assert MappingChanged(one.inbound_spi, moved) in told, "in UDP again, as before"

    @between
    @inlineCallbacks
    def test_removal_tells_the_counts(self, pair):
        one = yield self.installed(pair)
        assert (yield pair.carries(octets=200))
        assert (yield pair.planes[0].remove(one.inbound_spi)) == Usage(
            outbound_octets=200, outbound_packets=1
        )
        assert (yield pair.planes[0].remove(one.inbound_spi)) == Usage()
        assert not (yield pair.carries(arrives=False))
        assert not (yield pair.carries(sender=1, arrives=False))
        with pytest.raises(DataPlaneError, match="no SA"):
            yield pair.planes[0].usage(one.inbound_spi)

    @between
    @inlineCallbacks
    def test_install_refuses_what_cannot_be(self, pair):
        one = yield self.installed(pair)
        plane = pair.planes[0]
        with pytest.raises(DataPlaneError, match="installed already"):
            yield plane.install(one)
        other = evolve(one, inbound_spi=b"\0\0\6\6", outbound_spi=b"\0\0\6\7")
        with pytest.raises(DataPlaneError, match="20 and 0 octets, got 3 and 0"):
            yield plane.install(evolve(other, outbound_keys=ChildKeys(b"abc", b"")))
        with pytest.raises(DataPlaneError, match="selectors"):
            yield plane.install(evolve(other, local_selectors=()))
        assert (yield pair.carries())
        yield plane.install(other)

    NET = (from_network(ip_network("10.1.0.0/24")),)
    REMOTE = (from_network(ip_network("10.2.0.0/24")),)

    @between
    @inlineCallbacks
    def test_a_trap_tells_of_what_no_sa_takes_once_in_some_seconds(self, pair):
        plane, (source, _), (destination, _) = pair.planes[0], *(side.inner for side in pair.sides)
        yield plane.trap("site.net", self.NET, self.REMOTE)
        for _ in range(3):
            assert not (yield pair.carries(arrives=False))
        (told,) = yield pair.heard(0, 1)
        assert isinstance(told, Acquired)
        assert told.name == "site.net"
        for end, address in ((told.local_selector, source), (told.remote_selector, destination)):
            assert (end.start, end.end, end.protocol) == (address, address, 17)
            assert end.start_port == end.end_port
        yield pair.pass_time(2.1)
        assert not (yield pair.carries(arrives=False))
        assert len((yield pair.heard(0, 2))) == 2

    @between
    @inlineCallbacks
    def test_an_sa_goes_before_a_trap_which_stands_when_the_sa_is_gone(self, pair):
        plane = pair.planes[0]
        yield plane.trap("site.net", self.NET, (from_network(pair.sides[1].inner[0]),))
        one = yield self.installed(pair)
        assert (yield pair.carries())
        assert (yield pair.heard(0, 0)) == []
        yield plane.remove(one.inbound_spi)
        assert not (yield pair.carries(arrives=False))
        assert [told.name for told in (yield pair.heard(0, 1))] == ["site.net"]
        yield self.installed(pair, 2)
        assert (yield pair.carries())
        assert (yield pair.carries(sender=1))

    @between
    @inlineCallbacks
    def test_of_two_traps_the_most_specific_is_met_and_none_that_is_away(self, pair):
        plane = pair.planes[0]
        yield plane.trap("wide", self.NET, (from_network(ip_network("10.0.0.0/8")),))
        yield plane.trap("narrow", self.NET, self.REMOTE)
        yield pair.carries(arrives=False)
        yield plane.untrap("narrow")
        yield plane.untrap("narrow")
        yield pair.carries(arrives=False)
        yield plane.trap("wide", self.NET, (from_network(ip_network("10.77.0.0/16")),))
        yield pair.carries(arrives=False)
        assert [told.name for told in (yield pair.heard(0, 2))] == ["narrow", "wide"]
        with pytest.raises(DataPlaneError, match="selectors"):
            yield plane.trap("none", self.NET, ())

    HOST, SITE, WORLD = ("10.2.0.1/32", "10.2.0.0/24", "10.0.0.0/8")

    @between
    @inlineCallbacks
    def test_what_passes_goes_past_a_wider_tunnel_until_that_is_taken_back(self, pair):
        plane, one = pair.planes[0], (yield self.installed(pair))
        pair.open_the_clear()
        yield plane.shunt(shunt("lan", Fate.PASS, self.HOST))
        assert (yield pair.carries())
        assert (yield plane.usage(one.inbound_spi)).outbound_packets == 0
        yield plane.shunt(shunt("lan", Fate.PASS, "10.9.0.0/16"))
        assert (yield pair.carries())
        assert (yield plane.usage(one.inbound_spi)).outbound_packets == 1
        yield plane.unshunt("lan")
        yield plane.unshunt("lan")

    @between
    @inlineCallbacks
    def test_what_is_dropped_goes_neither_in_the_clear_nor_by_a_wider_tunnel(self, pair):
        plane = pair.planes[0]
        pair.open_the_clear()
        yield plane.shunt(shunt("never", Fate.DROP, self.HOST))
        assert not (yield pair.carries(arrives=False))
        one = yield self.installed(pair)
        assert not (yield pair.carries(arrives=False))
        assert (yield plane.usage(one.inbound_spi)).outbound_packets == 0
        yield plane.unshunt("never")
        yield plane.remove(one.inbound_spi)
        yield pair.planes[1].remove(one.outbound_spi)
        yield self.installed(pair, 2)
        assert (yield pair.carries(to=str(pair.sides[1].inner[0])))

    @between
    @inlineCallbacks
    def test_of_what_overlaps_the_longest_remote_prefix_decides_then_pass_tunnel_and_drop(self, pair):
        plane = pair.planes[0]
        pair.open_the_clear()
        one = yield self.installed(pair)
        sent = 0
        for shunts, by_tunnel, arrives in (
            ([("a", Fate.DROP, self.WORLD)], True, True),
            ([("a", Fate.DROP, self.SITE)], True, True),
            ([("a", Fate.PASS, self.SITE)], False, True),
            ([("a", Fate.PASS, self.WORLD)], True, True),
            ([("a", Fate.PASS, self.HOST), ("b", Fate.DROP, self.HOST)], False, True),
            ([("a", Fate.PASS, self.SITE), ("b", Fate.DROP, self.HOST)], False, False),
            ([("a", Fate.PASS, self.HOST), ("b", Fate.DROP, self.SITE)], False, True),
        ):
            for each in shunts:
                yield plane.shunt(shunt(*each))
            assert (yield pair.carries(arrives=arrives)) is arrives, shunts
            sent += by_tunnel
            assert (yield plane.usage(one.inbound_spi)).outbound_packets == sent, shunts
            for name, *_ in shunts:
                yield plane.unshunt(name)

    @between
    @inlineCallbacks
    def test_shunts_heed_addresses_protocols_and_ports(self, pair):
        plane = pair.planes[0]
        pair.open_the_clear()
        for near, far, arrives in (
            ("10.1.0.0/24", "10.2.0.0/24[udp/7777]", False),
            ("10.1.0.0/24", "10.2.0.0/24[udp/7000-8000]", False),
            ("10.1.0.0/24[udp/7777]", "10.2.0.0/24", False),
            ("10.1.0.9/32", "10.2.0.0/24[udp/7777]", True),
            ("10.1.0.0/24", "10.2.0.0/24[tcp/7777]", True),
            ("10.1.0.0/24", "10.2.0.0/24[udp/7778]", True),
        ):
            yield plane.shunt(shunt("never", Fate.DROP, far, near))
            yield plane.shunt(shunt("clear", Fate.PASS, self.WORLD))
            assert (yield pair.carries(arrives=arrives)) is arrives, (near, far)

    @between
    @inlineCallbacks
    def test_a_shunt_that_rules_cannot_tell_changes_nothing(self, pair):
        plane = pair.planes[0]
        pair.open_the_clear()
        yield plane.shunt(shunt("one", Fate.DROP, self.HOST))
        for far, said in (
            ("10.2.0.0/24[icmp/8]", "ICMP"),
            ("10.2.0.0/24[tcp/1024-65535]", "1 to 65534"),
            ("fd00::/8", "no packet could match"),
        ):
            with pytest.raises(DataPlaneError, match=said):
                yield plane.shunt(shunt("one", Fate.PASS, far))
            assert not (yield pair.carries(arrives=False))
        wide = tuple(from_network(ip_network(f"10.{n}.0.0/16")) for n in range(20))
        with pytest.raises(DataPlaneError, match="pairs of networks"):
            yield plane.shunt(Shunt("one", Fate.PASS, wide, wide))
        assert not (yield pair.carries(arrives=False))

    @between
    @inlineCallbacks
    def test_spis_are_the_workers_own(self, pair):
        path = Path(pair.sides[0].endpoint(4), pair.sides[1].endpoint(4))
        spis = []
        for _ in range(50):
            spis.append((yield pair.planes[0].allocate_spi(path)))  # noqa: PERF401
        assert len(set(spis)) == 50
        assert all(spi[0] == 0 and int.from_bytes(spi, "big") > 255 for spi in spis)
        for spi in spis:
            pair.planes[0].release_spi(spi)


class TestMemory(Contract):
    make = MemoryHarness


@pytest.mark.peers
class TestUserspace(Contract):
    make = UserspaceHarness
