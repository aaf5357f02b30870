"""The packet loops with everything that can come from a wire and from a TUN: what is carried, what is dropped and counted."""

import random
import struct
from ipaddress import ip_address

import pytest
from inner_packets import ACK, SYN, checksum, checksums_right, cut, ip, tcp, udp
from packet_ends import PEER, SPI, End, suite_of

from ikegw.dataplane.userspace.sa import Thresholds

OUT4 = udp("10.1.0.1", "10.2.0.1", b"to the peer")
OUT6 = udp("fd00:1::1", "fd00:2::1", b"to the peer")
IN4 = udp("10.2.0.1", "10.1.0.1", b"from the peer")
IN6 = udp("fd00:2::1", "fd00:1::1", b"from the peer")
SUITES = [
    suite_of("aes256gcm16", esn=True),
    suite_of("chacha20poly1305"),
    suite_of("aes128ccm16"),
    suite_of("aes128", "sha256"),
    suite_of("aes256ctr", "sha512", esn=True),
]


@pytest.fixture
def end():
    made = End()
    yield made
    made.close()


@pytest.fixture(params=SUITES, ids=str)
def each(request):
    made = End(request.param)
    yield made
    made.close()


def test_what_leaves_comes_in_at_the_mirrored_end(each):
    packets = [
        tcp("10.1.0.1", "10.2.0.1", b"x" * 1348, sequence=1 + i * 1348, ident=1 + i) for i in range(30)
    ]
    packets += [OUT4, OUT6, tcp("fd00:1::1", "fd00:2::1", b"y" * 7)]
    sealed = each.leave(*packets)
    assert len(sealed) == len(packets)
    other = End(each.suite)
    other.sa.local, other.sa.remotes = each.sa.remotes, each.sa.local
    written = other.arrive(*sealed)
    found = [one for super_packet in written for one in cut(super_packet)]
    assert sorted(found) == sorted(packets)
    assert [one for one in found if one in packets[:30]] == packets[:30], "the order within a flow"
    assert len(written) == 4 + 3, "eight trains a turn are joined"
    assert other.sa.received_octets == sum(map(len, packets)) == each.sa.sent_octets
    assert other.sa.received_packets == len(packets)
    other.close()


def test_trains_are_of_one_size_and_a_shorter_packet_ends_one(end):
    big = [tcp("10.1.0.1", "10.2.0.1", b"x" * 1348, sequence=1 + i * 1348) for i in range(5)]
    end.leave(*big, OUT4, *big[:2], tcp("10.1.0.1", "10.2.0.1", b"z" * 1000), *big[:1])
    assert [[len(one) for one in train] for train, _, _ in end.wire.trains] == [
        [1436] * 5 + [76],
        [1436] * 2 + [1088],
        [1436],
    ]


def test_outer_ecn_is_the_inner_one(end):
    end.leave(
        OUT4, udp("10.1.0.1", "10.2.0.1", b"to the peer", tos=2), udp("fd00:1::1", "fd00:2::1", b"6", tos=1)
    )
    assert [ecn for _, _, ecn in end.wire.trains] == [0, 2, 1]


@pytest.mark.parametrize(("tos", "inner"), [(1, 3), (2, 3), (3, 3), (0xB8 | 2, 0xB8 | 3)])
@pytest.mark.parametrize("pair", [("10.2.0.1", "10.1.0.1"), ("fd00:2::1", "fd00:1::1")])
def test_congestion_marks_come_through(end, pair, tos, inner):
    (written,) = end.arrive(end.sealed(udp(*pair, b"x", tos=tos), 1), ecn=3)
    assert written[10:] == udp(*pair, b"x", tos=inner)


@pytest.mark.parametrize("packet", [IN4, IN6])
def test_congestion_of_what_cannot_tell_it_is_loss(end, packet):
    assert end.arrive(end.sealed(packet, 1), ecn=3) == []
    assert end.inbound.counts.not_ect == 1


def test_replays_are_dropped_and_counted(each):
    first = each.sealed(IN4, 5)
    assert len(each.arrive(first, first)) == 1
    assert (each.sa.replays, each.sa.received_packets) == (1, 1)
    each.arrive(each.sealed(IN4, 100))
    assert each.arrive(each.sealed(IN4, 100 - 64)) == []
    assert each.sa.replays + each.sa.forgeries == 2  # with ESN it is taken for one far ahead
    assert len(each.arrive(each.sealed(IN4, 100 - 63))) == 1


def test_a_forgery_does_not_move_the_window(end):
    forged = bytearray(end.sealed(IN4, 5000))
    forged[-1] ^= 1
    assert end.arrive(bytes(forged)) == []
    assert end.sa.window.top == 0
    assert len(end.arrive(end.sealed(IN4, 1))) == 1


def test_esn_rolls_over_in_the_loops():
    sender, receiver = End(SUITES[0]), End(SUITES[0])
    sender.sa.sequence = receiver.sa.window.top = (1 << 32) - 3
    receiver.sa.local, receiver.sa.remotes = receiver.sa.remotes, receiver.sa.local
    written = receiver.arrive(*sender.leave(*[OUT4] * 6))
    assert len(written) == 6
    assert receiver.sa.window.top == (1 << 32) + 3
    sender.close()
    receiver.close()


def test_without_esn_no_number_comes_twice(end):
    end.sa.sequence = (1 << 32) - 2
    end.sa.expired = False
    end.leave(OUT4)
    assert end.alarmed
    assert end.sa.passed() == (True, True)


@pytest.mark.parametrize(
    "trailer",
    [
        bytes((0, 0, 2, 4)),  # padding that is not 1, 2, 3…
        bytes((1, 3, 2, 4)),
        bytes((1, 2, 200, 4)),  # more padding than there is packet
        bytes((1, 2, 255, 4)),
        bytes((1, 2, 2, 6)),  # not a tunnel
        bytes((1, 2, 2, 41)),  # says IPv6
        bytes((1, 2, 2, 0)),
    ],
)
def test_bad_padding_and_bad_next_headers(end, trailer):
    inner = udp("10.2.0.1", "10.1.0.1", b"abcdefgh")
    assert end.arrive(end.sealed(inner, 1, trailer=trailer)) == []
    assert end.inbound.counts.malformed == 1
    assert end.sa.received_packets == 0


def test_dummy_packets_are_silently_dropped(end):
    assert end.arrive(end.sealed(b"\0" * 46, 1, next_header=59)) == []
    assert end.inbound.counts.malformed == 0


@pytest.mark.parametrize("packet", [IN4, IN6, tcp("10.2.0.1", "10.1.0.1", b"x" * 9)])
def test_traffic_flow_confidentiality_padding_is_cut_off(end, packet):
    for number in (1, 2):  # the second time the flow is known
        assert [one[10:] for one in end.arrive(end.sealed(packet + bytes(301), number))] == [packet]


def test_inner_packets_outside_the_selectors_are_dropped(end):
    lies = [
        udp("10.3.0.1", "10.1.0.1", b"x"),
        udp("10.2.0.1", "10.9.0.1", b"x"),
        udp("fd00:9::1", "fd00:1::1", b"x"),
        udp("10.1.0.1", "10.2.0.1", b"x"),
    ]
    for number, packet in enumerate(lies, 1):
        assert end.arrive(end.sealed(packet, number)) == []
    assert end.inbound.counts.outside == len(lies)
    assert end.sa.received_packets == 0


def test_every_prefix_and_every_length_of_inner_packets(end):
    """Short, of a wrong version, lying about lengths: counted or carried, never an exception, never longer than sent."""
    number = 0
    for packet in (
        IN4,
        IN6,
        tcp("10.2.0.1", "10.1.0.1", b"payload"),
        tcp("fd00:2::1", "fd00:1::1", b"payload"),
    ):
        for length in range(len(packet)):
            number += 1
            header = 40 if packet[0] >> 4 == 6 else 20
            written = end.arrive(end.sealed(packet[:length], number, next_header=41 if header == 40 else 4))
            assert written == [], length
        for octet in range(header):
            for value in (0, 1, 0x44, 0x4F, 0x60, 0x7F, 0xFF):
                number += 1
                lying = bytearray(packet)
                lying[octet] = value
                for written in end.arrive(end.sealed(bytes(lying), number)):
                    assert len(written) - 10 <= len(packet)
    assert end.inbound.counts.malformed > 100
    number += 1
    assert len(end.arrive(end.sealed(IN4, number))) == 1


def test_ipv6_extension_headers_that_lie(end):
    source, destination = ip_address("fd00:2::1").packed, ip_address("fd00:1::1").packed
    generator = random.Random(6)
    for number in range(1, 400):
        body = generator.randbytes(generator.randrange(0, 60))
        packet = struct.pack("!LHBB", 6 << 28, len(body), generator.choice([0, 43, 44, 51, 60]), 1)
        end.arrive(end.sealed(packet + source + destination + body, number))
    assert len(end.arrive(end.sealed(IN6, 1000))) == 1


def test_every_prefix_and_flipped_bit_of_an_esp_packet(each):
    whole = each.sealed(IN4, 1)
    for length in range(len(whole)):
        assert each.arrive(whole[:length]) == []
    for bit in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[bit >> 3] ^= 1 << (bit & 7)
        assert each.arrive(bytes(changed)) == []
    assert each.sa.received_packets == 0
    assert each.sa.window.top == 0
    assert each.inbound.counts.unknown == 32  # the flips of the SPI
    assert [one[10:] for one in each.arrive(whole)] == [IN4]


def test_a_flood_of_unknown_spis_changes_nothing(end):
    generator = random.Random(1)
    for _ in range(20_000):
        octets = (generator.randrange(SPI + 1, 1 << 32)).to_bytes(4, "big") + generator.randbytes(
            generator.randrange(4, 100)
        )
        end.wire.fed.append((octets, len(octets), PEER, 0))
    assert end.arrive() == []
    assert end.inbound.counts.unknown == 20_000
    assert (end.sa.forgeries, end.sa.replays, end.sa.window.top, end.ike) == (0, 0, 0, [])
    assert len(end.arrive(end.sealed(IN4, 1))) == 1


def test_random_datagrams_of_all_lengths_never_end_the_loop(end):
    generator = random.Random(2)
    for _ in range(20_000):
        octets = generator.choice((b"", SPI.to_bytes(4, "big"), bytes(4))) + generator.randbytes(
            generator.randrange(0, 90)
        )
        size = generator.choice((len(octets), generator.randrange(1, 90)))
        end.wire.fed.append((octets, size, PEER, generator.randrange(4)))
    end.arrive()
    assert len(end.arrive(end.sealed(IN4, 1))) == 1


def test_ike_keepalives_and_esp_are_told_apart(end):
    assert end.arrive(b"\xff", b"\0\0\0\0ike message", b"\0\0\0\0four", end.sealed(IN4, 1)) != []
    assert end.ike == [(PEER, b"ike message"), (PEER, b"four")]
    assert end.inbound.counts.malformed == 0
    end.arrive(b"\0", b"", b"\0\0\0\0")
    assert end.inbound.counts.malformed == 2  # the empty datagram is none at all


def test_a_mixed_train_is_taken_apart(end):
    esp = end.sealed(IN4, 1)
    marker = (bytes(4) + b"ike").ljust(len(esp), b"!")
    end.wire.fed.append((esp + marker + end.sealed(IN4, 2) + b"\xff", len(esp), PEER, 0))
    assert len(end.arrive()) == 2
    assert len(end.ike) == 1


def test_a_moved_peer_is_noticed_only_if_authentic(end):
    elsewhere = ("198.51.100.7", 61000)
    good = end.sealed(IN4, 1)
    forged = bytearray(end.sealed(IN4, 2))
    forged[-1] ^= 1
    end.arrive(bytes(forged), source=elsewhere)
    assert end.moves == []
    end.arrive(good, source=elsewhere)
    assert end.moves == [elsewhere]


def test_count_limits_sound_at_the_packet_that_reaches_them():
    one = End(packets=Thresholds(3, 5), octets=Thresholds(10_000, 20_000))
    for number in range(1, 3):
        one.arrive(one.sealed(IN4, number))
    assert one.alarmed == []
    one.arrive(one.sealed(IN4, 3))
    assert len(one.alarmed) == 1
    assert one.sa.passed() == (True, False)
    one.close()


def test_an_expired_sa_carries_nothing(end):
    assert len(end.leave(OUT4)) == 1
    end.sa.expired = True
    end.outbound.forget_flows()
    assert len(end.leave(OUT4)) == 1
    assert end.arrive(end.sealed(IN4, 1)) == []
    assert end.outbound.counts.expired == 1


def test_what_no_policy_takes_is_dropped_never_sent_in_the_clear(end):
    end.leave(
        udp("10.1.0.1", "10.7.0.1", b"x"), udp("10.8.0.1", "10.2.0.1", b"x"), b"\x45", bytes(60), b"\x60" * 39
    )
    assert end.wire.trains == []
    assert end.outbound.counts.no_policy == 2
    assert end.outbound.counts.malformed == 3


def test_a_packet_too_long_for_the_path_is_answered(end):
    end.sa.mtu = 1300
    end.leave(udp("10.1.0.1", "10.2.0.1", b"x" * 1300), udp("fd00:1::1", "fd00:2::1", b"x" * 1300))
    four, six = (one[10:] for one in end.emerged())
    assert end.wire.trains == []
    assert (four[12:16], four[16:20]) == (bytes((10, 2, 0, 1)), bytes((10, 1, 0, 1)))
    assert (four[20], four[21], struct.unpack_from("!H", four, 26)[0]) == (3, 4, 1300)
    assert checksum(four[:20]) == 0 == checksum(four[20:])
    assert len(four) <= 576
    assert (six[40], struct.unpack_from("!L", six, 44)[0], len(six)) == (2, 1300, 1280)
    assert checksum(six[8:40] + struct.pack("!LL", len(six) - 40, 58) + six[40:]) == 0


def test_what_may_be_fragmented_goes_out_whole(end):
    end.sa.mtu = 1300
    packet = bytearray(udp("10.1.0.1", "10.2.0.1", b"x" * 1300))
    packet[6] = 0  # DF clear
    assert len(end.leave(bytes(packet))) == 1


def test_the_segment_size_of_a_syn_is_lowered(end):
    end.sa.mtu = 1300
    for options, at in ((b"\2\4\x05\xb4", 42), (b"\1\2\4\x05\xb4\1\1\0", 43)):
        packet = tcp("10.1.0.1", "10.2.0.1", b"", flags=SYN, options=options)
        (sealed,) = end.leave(packet)[-1:]
        other = End()
        other.sa.local, other.sa.remotes = other.sa.remotes, other.sa.local
        (written,) = other.arrive(sealed)
        assert struct.unpack_from("!H", written, 10 + at)[0] == 1260
        assert checksums_right(written[10:])
        other.close()
    same = tcp("10.1.0.1", "10.2.0.1", b"", flags=SYN | ACK, options=b"\2\4\x02\x18")
    end.leave(same)


def test_fragments_and_other_protocols_are_carried(end):
    first = bytearray(ip("10.2.0.1", "10.1.0.1", 17, b"\1\2\3\4" + b"x" * 60))
    later = bytearray(ip("10.2.0.1", "10.1.0.1", 17, b"rest"))
    first[6], later[6], later[7] = 0x20, 0, 8
    for packet in (first, later):
        packet[10:12] = b"\0\0"
        packet[10:12] = struct.pack("!H", checksum(bytes(packet[:20])))
    others = [
        bytes(first),
        bytes(later),
        ip("10.2.0.1", "10.1.0.1", 1, b"\x08\0ping"),
        ip("10.2.0.1", "10.1.0.1", 47, b""),
    ]
    written = end.arrive(*[end.sealed(packet, number) for number, packet in enumerate(others, 1)])
    assert [one[10:] for one in written] == others
