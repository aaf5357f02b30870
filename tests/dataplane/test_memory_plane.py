"""The model of the data plane: what two ends that agree carry, and what they do not."""

import itertools
from ipaddress import IPv4Address, ip_address

import pytest
from attrs import evolve
from twisted.internet.task import Clock

from ikegw.crypto.keymat import ChildKeys
from ikegw.crypto.suites import EspSuite
from ikegw.crypto.transforms import BY_NAME, Encryption
from ikegw.dataplane.matching import InnerPacket
from ikegw.dataplane.memory import MemoryPlane
from ikegw.paths import Endpoint, Path
from ikegw.ports import (
    DataPlaneError,
    DataPlaneEvent,
    HardExpired,
    Limits,
    MappingChanged,
    SoftExpired,
    TunnelSa,
    Usage,
)
from ikegw.wire.selectors import TrafficSelector

LEFT, RIGHT = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
PATH = Path(Endpoint(LEFT, 4500), Endpoint(RIGHT, 4500))


def octets_in_turn():
    counter = itertools.count(1)
    return lambda n: next(counter).to_bytes(n, "big")


def selector(start: str, end: str | None = None, *rest: int) -> TrafficSelector:
    return TrafficSelector(ip_address(start), ip_address(end or start), *rest)


def gcm() -> EspSuite:
    encryption = BY_NAME["aes128gcm16"]
    assert isinstance(encryption, Encryption)
    return EspSuite(encryption, None)


def sa(**changes: object) -> TunnelSa:
    left_sa = TunnelSa(
        name="net",
        path=PATH,
        udp_encapsulated=True,
        inbound_spi=b"\0\0\1\1",
        outbound_spi=b"\0\0\2\2",
        suite=gcm(),
        inbound_keys=ChildKeys(b"i" * 20, b""),
        outbound_keys=ChildKeys(b"o" * 20, b""),
        local_selectors=(selector("10.1.0.0", "10.1.0.255"),),
        remote_selectors=(selector("10.3.0.1"),),
    )
    return evolve(left_sa, **changes)


def mirrored(one: TunnelSa) -> TunnelSa:
    return evolve(
        one,
        path=Path(one.path.remote, one.path.local),
        inbound_spi=one.outbound_spi,
        outbound_spi=one.inbound_spi,
        inbound_keys=one.outbound_keys,
        outbound_keys=one.inbound_keys,
        local_selectors=one.remote_selectors,
        remote_selectors=one.local_selectors,
    )


TO_CLIENT = InnerPacket(IPv4Address("10.1.0.7"), IPv4Address("10.3.0.1"), 6, (80, 40000), octets=1000)


class Pair:
    def __init__(self, left_sa: TunnelSa | None = None) -> None:
        self.clock = Clock()
        self.told: list[DataPlaneEvent] = []
        self.left = MemoryPlane(self.clock, octets_in_turn())
        self.right = MemoryPlane(self.clock, octets_in_turn())
        self.left.start(self.told.append)
        self.right.start(self.told.append)
        self.sa = left_sa or sa()
        assert self.left.install(self.sa).result is None
        assert self.right.install(mirrored(self.sa)).result is None


def error_of(deferred) -> str:
    caught: list[str] = []
    deferred.addErrback(lambda failure: caught.append(str(failure.trap(DataPlaneError) and failure.value)))
    return caught[0]


def test_a_packet_arrives_once_and_is_counted():
    pair = Pair()
    datagram = pair.left.send(TO_CLIENT)
    assert pair.right.receive(datagram) == TO_CLIENT
    assert pair.right.receive(datagram) is None
    pair.clock.advance(3)
    assert pair.left.usage(b"\0\0\1\1").result == Usage(outbound_octets=1000, outbound_packets=1)
    assert pair.right.usage(b"\0\0\2\2").result == Usage(1000, 1, last_inbound=3.0, replays=1)


def test_other_keys_are_forgeries():
    pair = Pair()
    datagram = pair.left.send(TO_CLIENT)
    assert datagram is not None
    assert pair.right.receive(evolve(datagram, keys=ChildKeys(b"x" * 20, b""))) is None
    assert pair.right.usage(b"\0\0\2\2").result.forgeries == 1
    assert "o" * 20 not in repr(datagram)


def test_what_no_selector_covers_is_not_sent():
    assert Pair().left.send(evolve(TO_CLIENT, destination=IPv4Address("10.3.0.2"))) is None


def test_inbound_packets_outside_the_selectors_are_dropped():
    pair = Pair()
    datagram = pair.left.send(TO_CLIENT)
    assert datagram is not None
    lying = evolve(datagram, packet=evolve(TO_CLIENT, source=IPv4Address("10.9.9.9")))
    assert pair.right.receive(lying) is None


def test_the_newest_sa_sends_and_the_older_one_still_receives():
    pair = Pair()
    old = pair.left.send(TO_CLIENT)
    newer = evolve(pair.sa, inbound_spi=b"\0\0\3\3", outbound_spi=b"\0\0\4\4")
    pair.left.install(newer)
    pair.right.install(mirrored(newer))
    new = pair.left.send(TO_CLIENT)
    assert (old.spi, new.spi) == (b"\0\0\2\2", b"\0\0\4\4")
    assert pair.right.receive(new) == TO_CLIENT
    assert pair.right.receive(old) == TO_CLIENT
    pair.left.remove(b"\0\0\3\3")
    assert pair.left.send(TO_CLIENT).spi == b"\0\0\2\2"


def test_the_narrower_remote_selector_wins_over_a_newer_sa():
    pair = Pair()
    wide = evolve(
        pair.sa,
        inbound_spi=b"\0\0\3\3",
        outbound_spi=b"\0\0\4\4",
        remote_selectors=(selector("0.0.0.0", "255.255.255.255"),),
    )
    pair.left.install(wide)
    assert pair.left.send(TO_CLIENT).spi == b"\0\0\2\2"
    assert pair.left.send(evolve(TO_CLIENT, destination=IPv4Address("8.8.8.8"))).spi == b"\0\0\4\4"


@pytest.mark.parametrize(
    ("limits", "packets"),
    [(Limits(soft_packets=2, hard_packets=3), 3), (Limits(soft_octets=1500, hard_octets=2500), 3)],
)
def test_limits_are_told_once_and_the_hard_one_ends_it(limits, packets):
    pair = Pair(sa(limits=limits))
    sent = [pair.left.send(TO_CLIENT) for _ in range(packets + 2)]
    assert [datagram is not None for datagram in sent] == [True] * packets + [False] * 2
    assert pair.told == [SoftExpired(b"\0\0\1\1"), HardExpired(b"\0\0\1\1")]


def test_time_limits():
    pair = Pair(sa(limits=Limits(soft_seconds=10, hard_seconds=20)))
    pair.right.remove(b"\0\0\2\2")
    pair.clock.advance(10)
    assert pair.told == [SoftExpired(b"\0\0\1\1")]
    pair.clock.advance(10)
    assert pair.told[1:] == [HardExpired(b"\0\0\1\1")]
    assert pair.left.send(TO_CLIENT) is None


def test_removal_tells_the_counts_stops_the_clock_and_frees_the_spi():
    pair = Pair(sa(limits=Limits(hard_seconds=20)))
    pair.left.send(TO_CLIENT)
    assert pair.left.remove(b"\0\0\1\1").result.outbound_packets == 1
    assert pair.left.remove(b"\0\0\1\1").result == Usage()
    pair.right.stop()
    assert not pair.clock.getDelayedCalls()
    assert not pair.left.spis.taken
    assert not pair.left.installed


def test_a_moved_peer_is_told_once_and_followed_when_asked():
    pair = Pair()
    moved = Path(PATH.remote, Endpoint(LEFT, 61000))
    for _ in range(2):
        assert pair.right.receive(pair.left.send(TO_CLIENT), moved) == TO_CLIENT
    assert pair.told == [MappingChanged(b"\0\0\2\2", moved)]
    pair.right.move(b"\0\0\2\2", moved)
    back = pair.right.send(InnerPacket(TO_CLIENT.destination, TO_CLIENT.source))
    assert back.path == moved
    assert "to move" in error_of(pair.right.move(b"\0\0\7\7", moved))


def test_install_is_whole_or_not_at_all():
    plane = MemoryPlane(Clock(), octets_in_turn())
    assert "start it first" in error_of(plane.install(sa()))
    plane.start(lambda event: None)
    assert "20 and 0 octets, got 3 and 0" in error_of(plane.install(sa(inbound_keys=ChildKeys(b"abc", b""))))
    assert "selectors" in error_of(plane.install(sa(remote_selectors=())))
    assert "SPI" in error_of(plane.install(sa(outbound_spi=b"")))
    plane.refusing = "no room"
    assert error_of(plane.install(sa())) == "no room"
    plane.refusing = None
    assert not plane.installed
    assert plane.install(sa()).result is None
    assert "installed already" in error_of(plane.install(sa()))


def test_spis_carry_the_worker_and_pass_over_what_is_reserved_or_taken():
    plane = MemoryPlane(Clock(), octets_in_turn(), worker=0)
    plane.start(lambda event: None)
    plane.spis.random = _replay([b"\0\0\7", b"\0\1\0", b"\0\1\0", b"\0\1\1"])
    assert plane.allocate_spi(PATH).result == b"\0\0\1\0"
    assert plane.allocate_spi(PATH).result == b"\0\0\1\1"
    plane.release_spi(b"\0\0\1\0")
    assert plane.spis.taken == {b"\0\0\1\1"}
    assert MemoryPlane(Clock(), octets_in_turn(), worker=9).spis.reserve()[0] == 9


def _replay(answers: list[bytes]):
    turn = iter(answers)
    return lambda n: next(turn)
