"""One end of the packet loops without a kernel: a TUN and a wire that are socket pairs, one SA."""

import os
import socket

from test_esp_ciphers import keys_for

from ikegw.crypto.suites import EspSuite
from ikegw.crypto.transforms import BY_NAME
from ikegw.dataplane.prefixes import Selector
from ikegw.dataplane.userspace.ciphers import HEADROOM, TAILROOM, opener, sealer, shape_of
from ikegw.dataplane.userspace.inbound import Inbound
from ikegw.dataplane.userspace.outbound import Outbound
from ikegw.dataplane.userspace.policy import OutboundPolicy
from ikegw.dataplane.userspace.replay import ReplayWindow
from ikegw.dataplane.userspace.sa import Sa, Thresholds

PEER = ("192.0.2.2", 4500)
SPI = 0x00010002


def suite_of(*names, esn=False):
    encryption, *integrity = (BY_NAME[name] for name in names)
    return EspSuite(encryption, integrity[0] if integrity else None, None, esn)


def selectors(*texts):
    return tuple(Selector.of(*text.split("-"), 0, 0, 65535) for text in texts)


LOCAL = selectors("10.1.0.0-10.1.0.255", "fd00:1::-fd00:1::ffff")
REMOTE = selectors("10.2.0.0-10.2.0.255", "fd00:2::-fd00:2::ffff")


class Wire:
    """A carrier that keeps the trains it is given, and gives those it is fed."""

    overhead, dropped = 28, 0

    def __init__(self):
        self.trains, self.fed = [], []

    def send(self, train, size, to, ecn):
        octets = bytes(train)
        self.trains.append(([octets[at : at + size] for at in range(0, len(octets), size)], to, ecn))

    def receive(self, into):
        if not self.fed:
            raise BlockingIOError
        octets, size, source, ecn = self.fed.pop(0)
        into[: len(octets)] = octets
        return len(octets), size, source, ecn

    def packets(self):
        return [one for train, _, _ in self.trains for one in train]


class End:
    def __init__(self, suite=None, mtu=1400, window=64, **limits):
        self.suite = suite or suite_of("aes128gcm16")
        self.wire, self.alarmed, self.ike, self.moves = Wire(), [], [], []
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for one in (self.ours, self.theirs):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            one.setblocking(False)
        keys = keys_for(self.suite, lambda n: bytes(range(n)))
        self.sa = Sa(
            "net",
            SPI,
            self.wire,
            PEER,
            shape_of(self.suite),
            self.suite.esn,
            sealer(self.suite, keys, SPI, os.urandom),
            opener(self.suite, keys),
            ReplayWindow(window),
            LOCAL,
            REMOTE,
            limits.get("octets", Thresholds()),
            limits.get("packets", Thresholds()),
            mtu=mtu,
        )
        self.seal = sealer(self.suite, keys, SPI, os.urandom)
        policies = {4: OutboundPolicy(32), 6: OutboundPolicy(128)}
        for remote in REMOTE:
            for local in LOCAL:
                if local.version == remote.version:
                    policies[local.version].add(remote, local, self.sa)
        descriptor = self.ours.fileno()
        self.outbound = Outbound(descriptor, policies, self.alarmed.append)
        self.inbound = Inbound(
            descriptor,
            {SPI: self.sa},
            lambda carrier, source, octets: self.ike.append((source, octets)),
            self.alarmed.append,
            lambda sa, carrier, source: self.moves.append(source),
            lambda: 7.0,
        )

    def leave(self, *packets):
        """Packets that a host sends into the TUN; the ESP packets that leave."""
        for packet in packets:
            self.theirs.send(bytes(10) + packet)
        self.outbound.pump()
        return self.wire.packets()

    def arrive(self, *datagrams, source=PEER, ecn=0):
        """Datagrams of the peer's, one train each; what the TUN gets, with virtio-net headers."""
        self.wire.fed.extend((octets, len(octets), source, ecn) for octets in datagrams)
        while self.wire.fed:
            self.inbound.pump(self.wire)
        return self.emerged()

    def emerged(self):
        found = []
        while True:
            try:
                found.append(self.theirs.recv(1 << 17))
            except BlockingIOError:
                return found

    def close(self):
        self.ours.close()
        self.theirs.close()

    def sealed(self, inner, sequence, next_header=None, trailer=None):
        """An ESP packet of the peer's; `trailer` replaces padding, its length, and the next header."""
        align = self.sa.mask + 1
        if next_header is None:
            next_header = 41 if inner[:1] and inner[0] >> 4 == 6 else 4
        if trailer is None:
            padding = -(len(inner) + 2) % align
            trailer = bytes(range(1, padding + 1)) + bytes((padding, next_header))
        plaintext = inner + trailer
        assert not len(plaintext) % align
        plain = memoryview(bytearray(HEADROOM) + plaintext + bytes(TAILROOM))
        out = memoryview(bytearray(len(plaintext) + self.sa.fixed + TAILROOM))
        self.seal(plain, HEADROOM, HEADROOM + len(plaintext), out, 0, sequence)
        return bytes(out[: len(plaintext) + self.sa.fixed])
