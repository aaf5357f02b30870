"""What the contract's tests need of a kind of data plane: two of it, joined, and a packet sent from one to the other."""

import itertools
import os
import socket
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
    sides,
)

NUMBERS = itertools.count(1)


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
        self._sockets = []
        for side in self.sides:
            with side.namespace.inside():
                udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                udp.setblocking(False)
                udp.bind((str(side.inner[0]), 7777))
                self._sockets.append(udp)

    def open_the_clear(self):
        left, right = self.sides
        left.namespace.run("ip", "route", "add", "10.0.0.0/8", "via", f"{right.outer[0]}")

    def _made(self, side):
        return RunningPlane.make(reactor, side, ports=(4500, 4501), lost=self.lost.append)

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
        for udp in self._sockets:
            udp.close()
        for side in self.sides:
            for version, usual in (("-4", 3), ("-6", 2)):
                rules = side.namespace.run("ip", version, "rule").splitlines()
                assert len(rules) == usual, "a rule is left"
            assert "ikegw0" not in side.namespace.run("ip", "link"), "the device is left"
            assert not self.left(side.namespace)
        self._network.__exit__(None, None, None)

    def left(self, namespace):
        return ""

    @inlineCallbacks
    def settled(self):
        """Everything that was on its way has been seen: both processes went through their loops twice."""
        for plane in self.planes:
            for _ in range(2):
                yield plane.remove(b"\xff\xff\xff\xff")

    @inlineCallbacks
    def carries(self, sender=0, to=None, octets=100, arrives=True):
        payload = next(NUMBERS).to_bytes(4, "big").ljust(octets - 28, b".")
        name = (to or str(self.sides[1 - sender].inner[0]), 7777)
        try:
            self._sockets[sender].sendto(payload, name)
        except OSError:
            assert not arrives
            return False
        if not arrives:
            yield self.settled()
        return (yield self._received(1 - sender, payload, 1000 if arrives else 3))

    @inlineCallbacks
    def _received(self, side, payload, tries):
        for _ in range(tries):
            try:
                while True:
                    if self._sockets[side].recv(65535) == payload:
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
        return namespace.run("ip", "xfrm", "state") + namespace.run("ip", "xfrm", "policy")
