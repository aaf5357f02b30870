"""A stream of numbered packets while the kernel's SAs go over to other addresses: run by name, under a kernel that has ESP."""

import socket
import threading
import time
from contextlib import suppress
from ipaddress import IPv4Address
from itertools import pairwise

from plane_harness import KernelHarness
from pytest_twisted import inlineCallbacks
from twisted.internet import reactor
from twisted.internet.task import deferLater

from ikegw.paths import Endpoint, Path
from ikegw.testing.plane_pair import suite_named, tunnel

MOVES = 20
OTHER = IPv4Address("192.0.2.3")


class Stream:
    """Packets from one side to the other, numbered, as fast as a thread may send them."""

    def __init__(self, sender, receiver, pause):
        self._pause, self.sent, self.got = pause, 0, set()
        with sender.namespace.inside():
            self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._out.bind((str(sender.inner[0]), 8888))
        with receiver.namespace.inside():
            self._in = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._in.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self._in.bind((str(receiver.inner[0]), 8888))
        self._in.settimeout(1.0)
        self._to, self._ending = (str(receiver.inner[0]), 8888), False
        self._threads = [threading.Thread(target=work) for work in (self._send, self._receive)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ending = True
        for thread in self._threads:
            thread.join()
        self._out.close()
        self._in.close()

    def _send(self):
        while not self._ending:
            self.sent += 1
            with suppress(OSError):  # there was no SA at this moment: it counts as lost
                self._out.sendto(self.sent.to_bytes(4, "big").ljust(100, b"."), self._to)
            time.sleep(self._pause)

    @property
    def longest_hole(self):
        numbers = sorted(self.got)
        return max(later - earlier - 1 for earlier, later in pairwise(numbers))

    def _receive(self):
        try:
            while True:
                self.got.add(int.from_bytes(self._in.recv(200)[:4], "big"))
        except TimeoutError:
            return


class TestMoving:
    @inlineCallbacks
    def test_a_stream_goes_on_while_the_sas_go_over_to_other_addresses(self):
        """Packets of that very moment are lost, a few for both ends together; none comes twice."""
        pair = KernelHarness()
        left, right = pair.sides
        try:
            yield pair.start()
            device = left.namespace.run("ip", "-o", "addr", "show", "to", str(left.outer[0])).split()[1]
            left.namespace.run("ip", "addr", "add", f"{OTHER}/24", "dev", device)
            one, other = tunnel(left, right, suite_named("aes128gcm16"), udp=False)
            yield pair.planes[0].install(one)
            yield pair.planes[1].install(other)
            ends = [Endpoint(left.outer[0], 4500), Endpoint(OTHER, 4500)]
            with Stream(left, right, 0.0005) as stream:
                for number in range(1, MOVES + 1):
                    path = Path(ends[number % 2], right.endpoint(4))
                    yield pair.planes[1].move(other.inbound_spi, Path(path.remote, path.local))
                    yield pair.planes[0].move(one.inbound_spi, path)
                    yield deferLater(reactor, 0.05)
            yield deferLater(reactor, 0.2)  # events that the stream held up are heard
            lost = stream.sent - len(stream.got)
            usage = yield pair.planes[1].usage(other.inbound_spi)
            assert stream.sent > 5 * MOVES, "too slow a stream says nothing"
            assert lost <= 4 * MOVES, f"{lost} of {stream.sent} packets lost in {MOVES} moves of both ends"
            assert stream.longest_hole <= 8, f"{stream.longest_hole} packets in a row were lost"
            assert (usage.replays, usage.forgeries) == (0, 0)
            assert 0 <= len(stream.got) - usage.inbound_packets <= MOVES, "what it counts goes with it"
        finally:
            yield pair.stop()
