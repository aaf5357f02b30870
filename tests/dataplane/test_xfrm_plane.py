"""The kernel's data plane against a kernel that refuses: wholly or not at all, told in words; and events that were lost."""

import errno
import os
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from attrs import evolve
from fake_kernel import FakeFoundation, FakeKernel
from twisted.internet.task import Clock

from ikegw.dataplane.xfrm import encoding
from ikegw.dataplane.xfrm.moving import counters_after, taking_over
from ikegw.dataplane.xfrm.plane import XfrmPlane
from ikegw.dataplane.xfrm.values import Acquire, PacketSelector, Replay
from ikegw.paths import Endpoint, Path
from ikegw.policy.carriage import Carriage, Mode, Offload
from ikegw.policy.selectors import from_network
from ikegw.ports import Acquired, DataPlaneError, HardExpired, Limits, SoftExpired
from ikegw.testing.plane_pair import LEFT_INNER, RIGHT_INNER, Namespace, Side, suite_named, tunnel

LEFT, RIGHT = (
    Side(Namespace(name), (ip_address(f"192.0.2.{n}"), ip_address(f"2001:db8::{n}")), inner)
    for n, name, inner in ((1, "left", LEFT_INNER), (2, "right", RIGHT_INNER))
)
REQUESTS = 2 + 2 * 2 + 2
"""What the SA of these tests takes: two SAs, and policies in, forward and out for each IP version."""


class Bench:
    def __init__(self):
        self.clock, self.kernel, self.told = Clock(), FakeKernel(), []
        self.ground = FakeFoundation(self.kernel)
        self.plane = XfrmPlane(self.clock, (), (), os.urandom, make_foundation=self.ground)
        self.now(self.plane.start(self.told.append))

    def now(self, deferred):
        """The result of a Deferred that has fired."""
        results = []
        deferred.addBoth(results.append)
        assert results, "it waits"
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]


@pytest.fixture
def bench():
    return Bench()


def sa(number=1, **changes):
    one, _ = tunnel(LEFT, RIGHT, suite_named("aes128gcm16"), number)
    return evolve(one, **changes)


def test_an_sa_takes_two_sas_and_policies_in_one_send(bench):
    before = bench.kernel.sends
    bench.now(bench.plane.install(sa()))
    assert bench.kernel.sends == before + 1
    assert (len(bench.kernel.states), len(bench.kernel.policies)) == (2, 6)
    bench.now(bench.plane.remove(sa().inbound_spi))
    assert bench.kernel.is_empty
    assert not bench.ground.led


@pytest.mark.parametrize("number", range(1, REQUESTS + 1))
def test_whatever_is_refused_nothing_stays(bench, number):
    bench.kernel.refusing(number, errno.ENOMEM)
    with pytest.raises(DataPlaneError, match=r"net1: .*ENOMEM.*short of memory"):
        bench.now(bench.plane.install(sa()))
    assert bench.kernel.is_empty
    assert not bench.ground.led
    bench.now(bench.plane.install(sa()))


@pytest.mark.parametrize("number", range(1, REQUESTS + 1))
def test_what_is_refused_leaves_the_older_sa_as_it_was(bench, number):
    bench.now(bench.plane.install(sa()))
    before = dict(bench.kernel.policies), dict(bench.kernel.states)
    bench.kernel.refusing(number, errno.EINVAL)
    try:
        bench.now(bench.plane.install(sa(2)))
    except DataPlaneError:
        assert (bench.kernel.policies, bench.kernel.states) == before
        return
    assert number > 4, (
        "the policies in and forward are there already: two SAs and two policies are all it takes"
    )


def test_a_cipher_that_the_kernel_lacks_is_told_by_its_name(bench):
    bench.kernel.refusing(1, errno.ENOSYS)
    with pytest.raises(
        DataPlaneError, match=r"lacks rfc4106\(gcm\(aes\)\): load its module, or .* esp_proposals"
    ):
        bench.now(bench.plane.install(sa()))


def test_the_spi_of_another_program_is_told_and_left_alone(bench):
    strange = sa(3, inbound_spi=b"\0\0\7\7")
    bench.now(bench.plane.install(strange))
    theirs = dict(bench.kernel.states)
    bench.plane._entries.clear()
    with pytest.raises(DataPlaneError, match=r"EEXIST.*another program has an SA of this SPI"):
        bench.now(bench.plane.install(strange))
    assert bench.kernel.states == theirs


def test_routes_that_cannot_be_had_are_told_before_the_kernel_is_asked(bench):
    bench.ground.refuse_lead = DataPlaneError("net1: its routes: no")
    with pytest.raises(DataPlaneError, match="its routes"):
        bench.now(bench.plane.install(sa()))
    assert bench.kernel.is_empty
    bench.ground.refuse_lead = None
    bench.now(bench.plane.install(sa()))


def test_the_newest_sends_and_when_it_is_gone_the_older(bench):
    def sending():
        out = [body for (direction, _, _), body in bench.kernel.policies.items() if direction == 1]
        return {body[168 + 4 : 168 + 68] for body in out}

    bench.now(bench.plane.install(sa(1)))
    first = sending()
    bench.now(bench.plane.install(sa(2, standby=True)))
    assert sending() == first
    bench.now(bench.plane.activate(sa(2).inbound_spi))
    second = sending()
    assert second.isdisjoint(first)
    bench.now(bench.plane.remove(sa(2).inbound_spi))
    assert sending() == first
    lingering = bench.plane.remove(sa(1).inbound_spi, 5.0)
    assert not sending()
    assert len(bench.kernel.states) == 2
    bench.clock.advance(5.0)
    assert bench.now(lingering) is not None
    assert bench.kernel.is_empty


def test_stop_leaves_nothing_and_ends_what_lingers(bench):
    bench.now(bench.plane.install(sa(1)))
    bench.now(bench.plane.install(sa(2)))
    bench.now(bench.plane.trap("wide", sa().local_selectors, (from_network(ip_network("10.0.0.0/8")),)))
    lingering = bench.plane.remove(sa(1).inbound_spi, 5.0)
    bench.now(bench.plane.stop())
    bench.now(lingering)
    assert bench.kernel.is_empty
    assert not bench.clock.getDelayedCalls()
    with pytest.raises(DataPlaneError, match="not running"):
        bench.now(bench.plane.install(sa(3)))


def test_a_path_that_only_changes_ports_is_an_update_another_address_another_sa(bench):
    bench.now(bench.plane.install(sa()))
    path, spi = sa().path, sa().inbound_spi
    ports = {body[224:] for body in bench.kernel.states.values()}
    bench.now(bench.plane.move(spi, Path(path.local, Endpoint(path.remote.address, 4501))))
    assert {body[224:] for body in bench.kernel.states.values()} != ports
    bench.now(bench.plane.move(spi, Path(path.local, Endpoint(IPv4Address("192.0.2.9"), 4501))))
    addresses = {key[0][:4] for key in bench.kernel.states}
    assert addresses == {path.local.address.packed, bytes((192, 0, 2, 9))}
    bench.now(bench.plane.remove(spi))
    assert bench.kernel.is_empty


def test_an_sa_to_another_destination_is_there_before_the_old_one_goes(bench):
    bench.now(bench.plane.install(sa()))
    entry = bench.plane._entries.get(sa().inbound_spi)
    old, path = (entry.inbound, entry.outbound), entry.sa.path
    policy = (encoding.NEWPOLICY, 0, b"")
    for local, remote, wanted in (
        (path.local, Endpoint(IPv4Address("192.0.2.9"), 4500), "?in ?out -in +in +out policy -out"),
        (Endpoint(IPv4Address("192.0.2.9"), 4500), path.remote, "?in ?out +in -out +out policy -in"),
    ):
        entry.sa = evolve(sa(), path=Path(local, remote))
        new = entry.states(0.0)
        names = {
            encoding.delete_state(old[0]): "-in",
            encoding.delete_state(old[1]): "-out",
            policy: "policy",
        }
        names |= {encoding.get_state(old[0]): "?in", encoding.get_state(old[1]): "?out"}
        names |= {encoding.add_state(new[0]): "+in", encoding.add_state(new[1]): "+out"}
        assert " ".join(names[each] for each in taking_over(old, new, [policy])) == wanted


def test_a_fast_sender_leaves_out_more_numbers_so_that_none_is_sent_twice():
    _, slow = counters_after(Replay(), Replay(sent=1000), 1000)
    received, fast = counters_after(Replay(received=7), Replay(sent=9000), 1000)
    assert (slow.sent, fast.sent, received.received) == (1064, 9000 + 64 + 4 * 8000, 7)


def test_a_move_that_the_kernel_refuses_is_told(bench):
    bench.now(bench.plane.install(sa()))
    bench.kernel.refusing(8, errno.ENOBUFS)
    there = Path(sa().path.local, Endpoint(IPv4Address("192.0.2.9"), 4500))
    with pytest.raises(DataPlaneError, match="net1: move: ENOBUFS"):
        bench.now(bench.plane.move(sa().inbound_spi, there))


def test_limits_in_time_are_told_once_and_the_hard_one_takes_both_sas(bench):
    bench.now(bench.plane.install(sa(limits=Limits(soft_seconds=0.5, hard_seconds=0.7))))
    bench.clock.pump([0.6, 0.2, 5.0])
    spi = sa().inbound_spi
    assert bench.told == [SoftExpired(spi), HardExpired(spi)]
    assert not bench.kernel.states
    bench.now(bench.plane.remove(spi))
    assert bench.kernel.is_empty


def test_lost_events_are_told_after_all(bench):
    bench.now(bench.plane.install(sa(1)))
    bench.now(bench.plane.install(sa(2, limits=Limits(soft_packets=5))))
    gone = next(key for key in bench.kernel.states if key[1] == sa(1).outbound_spi)
    del bench.kernel.states[gone]
    busy = next(key for key in bench.kernel.states if key[1] == sa(2).inbound_spi)
    body = bytearray(bench.kernel.states[busy])
    body[168:176] = (6).to_bytes(8, "little")  # packets
    bench.kernel.states[busy] = bytes(body)
    bench.ground.overrun()
    assert sorted(map(str, bench.told)) == sorted(
        map(str, [HardExpired(sa(1).inbound_spi), SoftExpired(sa(2).inbound_spi)])
    )


def test_what_meets_a_trap_is_told_with_its_own_ends(bench):
    bench.now(bench.plane.trap("site.net", sa().local_selectors, sa().remote_selectors))
    (reqid,) = bench.plane._run.events.traps._by_reqid
    for protocol, ports, wanted in (
        (17, (5000, 53), ((5000, 5000), (53, 53))),
        (1, (8, 0), ((0x800, 0x800), (0x800, 0x800))),
        (50, (0, 0), ((0, 65535), (0, 65535))),
    ):
        near, far = ((port, 0xFFFF) for port in ports)
        packet = PacketSelector(4, b"\n\1\0\1", 32, b"\n\2\0\1", 32, protocol, near, far)
        bench.ground.heard(Acquire(reqid, packet, 1, LEFT.outer[0], RIGHT.outer[0]))
        told = bench.told.pop()
        assert isinstance(told, Acquired)
        assert (told.local_selector.start_port, told.local_selector.end_port) == wanted[0]
        assert (told.remote_selector.start_port, told.remote_selector.end_port) == wanted[1]
    bench.ground.heard(Acquire(7, packet, 1, LEFT.outer[0], RIGHT.outer[0]))
    assert not bench.told, "another daemon's"


def test_transport_mode_and_the_operators_own_interface_have_no_routes_of_ours(bench):
    for number, carriage in enumerate((Carriage(Mode.TRANSPORT), Carriage(if_id=42)), 1):
        bench.now(bench.plane.install(sa(number, carriage=carriage)))
        assert not bench.ground.led
    directions = [direction for direction, _, _ in bench.kernel.policies]
    assert directions.count(2) == 2, "only the tunnel's packets are forwarded"
    bench.now(bench.plane.install(sa(3, carriage=Carriage(offload=Offload.CRYPTO, tfc_padding=1400))))
    assert bench.ground.led == ["net3"]
