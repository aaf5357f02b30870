"""What the contract's tests need of a kind of data plane: two of it, joined, and a packet sent from one to the other."""

import itertools
import os
import socket
from functools import partial, wraps
from ipaddress import IPv4Address, IPv6Address

from pytest_twisted import inlineCallbacks
from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater

from ikegw.dataplane.matching import InnerPacket
from ikegw.dataplane.memory import MemoryPlane
from ikegw.testing.plane_pair import (
    LEFT_INNER,
    RIGHT_INNER,
    Namespace,
    RunningKernel,
    RunningPlane,
    Side,
    mirrored,
    sides,
)

NUMBERS = itertools.count(1)


def between(test):
    """Give the test, a function or a method, two planes that run; stop them whatever happens."""

    @inlineCallbacks
    def started(pair, call):
        try:
            yield pair.start()
            yield call()
        finally:
            yield pair.stop()

    @wraps(test)
    def around(*self, pair, **more):
        return started(pair, partial(test, *self, pair=pair, **more))

    return around


@inlineCallbacks
def installed(pair, one, other=None):
    """An SA on the left, and on the right the other end of it."""
    yield pair.planes[0].install(one)
    yield pair.planes[1].install(other or mirrored(one))


class MemoryHarness:
    """Models, and a clock that tests move."""

    MAPPING_QUIET = 0.0
    COUNTS_REFUSED = 0

    def __init__(self):
        self.sides = tuple(
            Side(Namespace(name), (IPv4Address(f"192.0.2.{n}"), IPv6Address(f"2001:db8::{n}")), inner)
            for n, name, inner in ((1, "left", LEFT_INNER), (2, "right", RIGHT_INNER))
        )
        self.clock = Clock()
        self.planes = [MemoryPlane(self.clock, os.urandom) for _ in range(2)]
        self.told = [[], []]
        self.clear = False

    def open_the_clear(self):
        """Let the left side's packets reach the right side's inner address without a tunnel, too."""
        self.clear = True

    @inlineCallbacks
    def start(self):
        for plane, told in zip(self.planes, self.told, strict=True):
            yield plane.start(told.append)

    @inlineCallbacks
    def stop(self):
        for plane in self.planes:
            yield plane.stop()
        assert not self.clock.getDelayedCalls()

    @inlineCallbacks
    def carries(self, sender=0, to=None, octets=100, arrives=True):
        """Whether a UDP packet of so many octets reached the other end."""
        yield None
        packet = InnerPacket(
            self.sides[sender].inner[0],
            IPv4Address(to) if to else self.sides[1 - sender].inner[0],
            ports=(7777, 7777),
            octets=octets,
        )
        if self.planes[sender].passes(packet):
            return self.clear
        return self.planes[1 - sender].receive(self.planes[sender].send(packet)) is not None

    @inlineCallbacks
    def pass_time(self, seconds):
        yield None
        self.clock.advance(seconds)

    @inlineCallbacks
    def heard(self, side, count):
        """The events so far, once there are so many."""
        yield None
        return self.told[side][:]


class UserspaceHarness:
    """Processes in namespaces."""

    MAPPING_QUIET = 0.0
    """How long it takes until an endpoint that a peer had before is told again."""

    COUNTS_REFUSED = 0
    """How many packets it counts of one that it deciphered and whose addresses the selectors refuse."""

    def __init__(self):
        self._network = sides(f"p{os.getpid() % 10000}x{next(NUMBERS) % 10}")
        self.sides = self._network.__enter__()
        self.lost = []
        self.running = [self._made(side) for side in self.sides]
        self.planes = [one.plane for one in self.running]
        self.told = [one.told for one in self.running]
        self._opened = []
        self.sockets = [self.open(number, str(side.inner[0]), 7777) for number, side in enumerate(self.sides)]

    def open_the_clear(self):
        left, right = self.sides
        left.namespace.run("ip", "route", "add", "10.0.0.0/8", "via", f"{right.outer[0]}")

    def _made(self, side):
        return RunningPlane.make(reactor, side, ports=(4500, 4501), lost=self.lost.append)

    def open(self, side, address="0.0.0.0", port=0, *options):
        """A UDP socket of a program on that side, closed with the planes; options are (level, name, value)."""
        with self.sides[side].namespace.inside():
            udp = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
            self._opened.append(udp)
            udp.setblocking(False)
            for option in options:
                udp.setsockopt(*option)
            udp.bind((address, port))
        return udp

    @inlineCallbacks
    def start(self):
        for one in self.running:
            yield one.start()

    @inlineCallbacks
    def stop(self):
        for plane in self.planes:
            yield plane.stop()
        for one in self.running:
            one.close()
        for udp in self._opened:
            udp.close()
        try:
            for side in self.sides:
                there = side.namespace.ip("rule", "link") + side.namespace.run("ip", "-6", "rule")
                assert there.count("lookup ") == 3 + 2, "a rule is left"
                assert "ikegw0" not in there, "the device is left"
                left = self.left(side.namespace)
                assert not left, left
        finally:
            self._network.__exit__(None, None, None)

    def left(self, namespace):
        return ""

    @inlineCallbacks
    def settled(self):
        """Everything that was on its way has been seen: both processes went through their loops twice."""
        for plane in self.planes:
            for _ in range(2):
                yield plane.remove(b"\xff\xff\xff\xff")

    def carries(self, sender=0, to=None, octets=100, arrives=True):
        receiver = 1 - sender
        name = (to or str(self.sides[receiver].inner[0]), 7777)
        return self.passes(self.sockets[sender], self.sockets[receiver], name, octets, arrives)

    @inlineCallbacks
    def passes(self, sender, receiver, to, octets=100, arrives=True):
        """Whether a UDP packet of so many octets that one socket sends comes out of the other."""
        payload = next(NUMBERS).to_bytes(4, "big").ljust(octets - 28, b".")
        try:
            sender.sendto(payload, to)
        except OSError:
            assert not arrives
            return False
        if not arrives:
            yield self.settled()
        return (yield self.received(receiver, payload, 1000 if arrives else 3))

    @inlineCallbacks
    def received(self, udp, payload, tries=1000):
        """Whether this comes out of the socket."""
        for _ in range(tries):
            try:
                while True:
                    if udp.recv(65535) == payload:
                        return True
            except BlockingIOError:
                yield deferLater(reactor, 0.005)
        return False

    @inlineCallbacks
    def pass_time(self, seconds):
        yield deferLater(reactor, seconds)

    @inlineCallbacks
    def heard(self, side, count):
        for _ in range(1000):
            if len(self.told[side]) >= count:
                break
            yield deferLater(reactor, 0.005)
        return self.told[side][:]


class KernelHarness(UserspaceHarness):
    """The kernel's own IPsec, in two namespaces: only under a kernel that has ESP (`kernel_contract.py`)."""

    MAPPING_QUIET = 2.1
    COUNTS_REFUSED = 1

    def _made(self, side):
        return RunningKernel.make(reactor, side, ports=(4500, 4501))

    @inlineCallbacks
    def settled(self):
        """The kernel has done by the time that a packet is sent; its events are read."""
        yield deferLater(reactor, 0.01)

    def left(self, namespace):
        """What is still there that should not be."""
        return namespace.ip("xfrm state", "xfrm policy")
