"""Joining TCP segments: a kernel that cuts the super-packet must get back exactly what came."""

import os
import random
import socket
import struct

import pytest
from inner_packets import ACK, FIN, PSH, checksums_right, cut, ends, tcp

from ikegw.dataplane.userspace.coalesce import Coalescer, folded

FOUR, SIX = ("10.1.0.1", "10.2.0.1"), ("fd00:1::1", "fd00:2::1")


class Tun:
    """Keeps the boundaries of what is written, as a TUN does."""

    def __init__(self, local: bool) -> None:
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for one in (self.ours, self.theirs):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            one.setblocking(False)
        self.buffer = memoryview(bytearray(1 << 18))
        self.coalescer = Coalescer(self.ours.fileno(), self.buffer)
        if local:
            self.coalescer.local = frozenset(
                (socket.inet_aton("10.2.0.1"), socket.inet_pton(socket.AF_INET6, SIX[1]))
            )

    def carry(self, packets: list[bytes], trailer: bytes = b"\1\2\2\4") -> list[bytes]:
        """Each as the loop does it: first the short way, then the long one."""
        at = 16
        for packet in packets:
            end = at + len(packet) + len(trailer)
            self.buffer[at:end] = packet + trailer
            if not self.coalescer.joins(at, end):
                self.coalescer.take(at, at + len(packet), ends(packet)[2], end)
            at = end + 16
        self.coalescer.flush()
        written = []
        while True:
            try:
                written.append(self.theirs.recv(1 << 17))
            except BlockingIOError:
                break
        self.ours.close()
        self.theirs.close()
        return written


def segments(pair, count, size, last=None, **fields):
    data = random.Random(count * size).randbytes(count * size)
    return [
        tcp(
            *pair,
            data[i * size : i * size + (last if last is not None and i == count - 1 else size)],
            sequence=fields.get("sequence", 1000) + i * size,
            ident=1 + i,
            flags=ACK | (PSH if i == count - 1 and fields.get("push", True) else 0),
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("pair", [FOUR, SIX])
@pytest.mark.parametrize(
    ("count", "size", "last"),
    [(2, 1348, None), (44, 1348, None), (44, 1348, 1), (30, 1347, 699), (10, 536, 77), (3, 1, 1)],
)
def test_a_joined_run_cuts_back_into_its_segments(pair, count, size, last, local):
    packets = segments(pair, count, size, last)
    written = Tun(local).carry(packets)
    assert len(written) == 1
    assert cut(written[0]) == packets


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("pair", [FOUR, SIX])
def test_sequence_numbers_wrap(pair, local):
    packets = segments(pair, 8, 1000, sequence=(1 << 32) - 2500)
    written = Tun(local).carry(packets)
    assert [one for super_packet in written for one in cut(super_packet)] == packets
    assert len(written) == 1


def test_a_super_packet_fits_an_ip_length():
    packets = segments(FOUR, 60, 1348, push=False)
    written = Tun(False).carry(packets)
    assert len(written) == 2
    assert all(len(one) <= 65535 + 10 for one in written)
    assert [one for super_packet in written for one in cut(super_packet)] == packets


@pytest.mark.parametrize("pair", [FOUR, SIX])
@pytest.mark.parametrize("victim", [0, 3, 7])
def test_a_wrong_checksum_never_becomes_right(pair, victim):
    packets = segments(pair, 8, 1348)
    broken = bytearray(packets[victim])
    broken[-5] ^= 0x40
    packets[victim] = bytes(broken)
    written = Tun(False).carry(packets)
    assert [one[10:] for one in written] == packets
    local = Tun(True).carry(packets)
    assert len(local) == 1
    assert not checksums_right(local[0][10:])


def test_what_differs_is_not_joined():
    base = {"sequence": 1000, "ident": 1}
    first = tcp(*FOUR, b"a" * 100, **base)
    for other in (
        {"sequence": 1101},
        {"sequence": 1100, "ack": 78},
        {"sequence": 1100, "window": 501},
        {"sequence": 1100, "ports": (40001, 5201)},
        {"sequence": 1100, "tos": 3},
        {"sequence": 1100, "flags": ACK | FIN},
        {"sequence": 1100, "options": struct.pack("!BBBBLL", 1, 1, 8, 10, 8, 9)},
        {"sequence": 1100, "options": b""},
    ):
        second = tcp(*FOUR, b"b" * 100, **other)
        assert [one[10:] for one in Tun(False).carry([first, second])] == [first, second], other
    longer = tcp(*FOUR, b"b" * 101, sequence=1100)
    assert len(Tun(False).carry([first, longer])) == 2


def test_a_push_ends_a_run_and_order_is_kept():
    packets = segments(FOUR, 3, 500)
    more = segments(FOUR, 2, 500, sequence=2500)
    ack = tcp(*FOUR, b"", sequence=3500)
    written = Tun(False).carry([*packets, *more, ack])
    assert [len(cut(one)) for one in written] == [3, 2, 1]


def test_short_and_lying_tcp_headers_pass_as_they_are():
    packet = tcp(*FOUR, b"x" * 50)
    for length in (20, 24, 33, 39, 40):
        assert Tun(False).carry([packet[:length]])[0][10:] == packet[:length]
    lying = bytearray(packet)
    lying[32] = 0xF0
    for octet in (0x00, 0x40, 0xF0):
        lying[32] = octet
        assert Tun(False).carry([bytes(lying)] * 2) == [bytes(10) + bytes(lying)] * 2


def test_folding_keeps_the_remainder():
    for size in (0, 1, 63, 64, 65, 1348, 5000):
        number = int.from_bytes(os.urandom(size), "big")
        assert folded(number) % 65535 == number % 65535
