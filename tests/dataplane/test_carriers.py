"""ESP in UDP over loopback: trains, what the kernel refuses, ECN, full buffers."""

import errno
import select
import socket
from ipaddress import ip_address

import pytest

from ikegw.dataplane.userspace.carriers import UdpCarrier, name_of, path_mtu
from ikegw.paths import Endpoint

LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def udp_on(version):
    udp = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    udp.bind((LOOPBACK[version], 0))
    udp.settimeout(5)
    return udp


@pytest.fixture(params=[4, 6])
def ends(request):
    """A carrier, and a plain socket with its name."""
    version = request.param
    ours, peer = udp_on(version), udp_on(version)
    endpoint = Endpoint(ip_address(LOOPBACK[version]), ours.getsockname()[1])
    carrier = UdpCarrier(ours, endpoint, 0)
    yield carrier, peer, name_of(Endpoint(endpoint.address, peer.getsockname()[1])), ours
    carrier.close()
    peer.close()


def received(peer, count):
    return [peer.recv(65535) for _ in range(count)]


def pieces(train, size):
    return [train[at : at + size] for at in range(0, len(train), size)]


@pytest.mark.parametrize("length", [1000, 5000, 5300, 44 * 1436])
def test_a_train_arrives_as_datagrams_of_one_size_but_the_last(ends, length):
    carrier, peer, to, _ = ends
    train = bytes(range(256)) * (length // 256 + 1)
    train = train[:length]
    size = 1436 if length > 10000 else 1000
    carrier.send(memoryview(train), size, to, 0)
    assert received(peer, -(-length // size)) == pieces(train, size)
    assert carrier.dropped == 0


def test_what_comes_as_a_train_is_received_as_one(ends):
    carrier, peer, _, ours = ends
    other = UdpCarrier(peer, Endpoint(carrier.endpoint.address, peer.getsockname()[1]), 0)
    other.send(memoryview(bytes(4500)), 1000, ours.getsockname(), 2)
    buffer, octets = memoryview(bytearray(65536)), 0
    while octets < 4500:
        select.select([carrier], [], [], 5)
        got, size, source, ecn = carrier.receive(buffer)
        assert (min(size, 1000), source, ecn) == (size, peer.getsockname(), 2)
        octets += got
    with pytest.raises(BlockingIOError):
        carrier.receive(buffer)


class Refusing:
    """A socket on which trains fail as they do on narrow paths and poor devices."""

    family = socket.AF_INET

    def __init__(self, number):
        self.number, self.trains, self.single = number, 0, []

    def __getattr__(self, name):
        return lambda *arguments: None

    def fileno(self):
        return -1

    def sendmsg(self, buffers, control, flags, to):
        if any(kind == 103 for _, kind, _ in control):
            self.trains += 1
            raise OSError(self.number, "no")
        self.single.append(bytes(buffers[0]))


@pytest.mark.parametrize("number", [errno.EMSGSIZE, errno.EINVAL, errno.EIO])
def test_a_train_that_the_kernel_refuses_goes_out_singly_and_is_not_tried_each_time(number):
    udp = Refusing(number)
    carrier = UdpCarrier(udp, Endpoint(ip_address("192.0.2.1"), 4500), 0)
    train = bytes(range(250)) * 10
    for _ in range(3):
        carrier.send(memoryview(train), 1000, ("192.0.2.2", 4500), 0)
    assert udp.single == pieces(train, 1000) * 3
    assert udp.trains == 1
    assert carrier.dropped == 0


def test_what_cannot_be_sent_is_counted_never_raised():
    carrier = UdpCarrier(udp_on(4), Endpoint(ip_address("127.0.0.1"), 1), 0)
    carrier.send(memoryview(bytes(3000)), 1000, ("255.255.255.255", 9), 0)
    assert carrier.dropped == 3
    carrier.close()


def test_names_and_path_mtu():
    assert name_of(Endpoint(ip_address("192.0.2.1"), 5)) == ("192.0.2.1", 5)
    assert name_of(Endpoint(ip_address("2001:db8::1"), 5)) == ("2001:db8::1", 5, 0, 0)
    with pytest.raises(ValueError, match="no link nothere"):
        name_of(Endpoint(ip_address("fe80::1%nothere"), 5))
    assert path_mtu(("127.0.0.1", 4500)) >= 1500
