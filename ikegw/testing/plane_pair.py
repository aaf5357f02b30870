"""Two data planes in network namespaces of their own, joined by a veth and keyed without IKE. Needs root."""

import ctypes
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path as FilePath

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred

from ikegw.crypto.keymat import ChildKeys
from ikegw.crypto.suites import EspSuite
from ikegw.crypto.transforms import BY_NAME, Encryption, Integrity
from ikegw.dataplane.userspace import client
from ikegw.dataplane.userspace.client import UserspacePlane
from ikegw.dataplane.xfrm import plane as xfrm
from ikegw.dataplane.xfrm.plane import XfrmPlane
from ikegw.paths import Endpoint, Path
from ikegw.policy.selectors import from_network
from ikegw.ports import DataPlaneEvent, TunnelSa


class PlaneReactor(client.PlaneReactor, xfrm.PlaneReactor):
    """What planes need of a reactor."""


_NEW_NETWORK = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@frozen
class Namespace:
    """A network namespace that exists."""

    name: str

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread is in it; sockets and processes that are made meanwhile stay there."""
        with open("/proc/self/ns/net") as here, open(f"/run/netns/{self.name}") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())

    def command(self, *words: str) -> list[str]:
        """What runs a command in it."""
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command in it; its output."""
        done = subprocess.run(self.command(*words), check=False, text=True, capture_output=True)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(words)} in {self.name}: {done.stdout}{done.stderr}")
        return done.stdout

    def ip(self, *lines: str) -> str:
        """Run several `ip` commands in it, by one process; their output."""
        return _ip(*lines, within=("-n", self.name))


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")


@frozen
class Side:
    """One end: its namespace, its outer addresses (IPv4, IPv6) and its inner ones, which are on its lo."""

    namespace: Namespace
    outer: tuple[IPv4Address, IPv6Address]
    inner: tuple[IPv4Address, IPv6Address]

    def endpoint(self, version: int) -> Endpoint:
        """Its NAT-T endpoint."""
        return Endpoint(self.outer[0] if version == 4 else self.outer[1], 4500)

    def open_sockets(self, ports: tuple[int, ...]) -> list[tuple[Endpoint, socket.socket]]:
        """UDP sockets on these ports of both outer addresses."""
        opened: list[tuple[Endpoint, socket.socket]] = []
        with self.namespace.inside():
            for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
                for port in ports:
                    udp = socket.socket(family, socket.SOCK_DGRAM)
                    endpoint = evolve(self.endpoint(version), port=port)
                    udp.bind((str(endpoint.address), port))
                    opened.append((endpoint, udp))
        return opened


LEFT_INNER = (IPv4Address("10.1.0.1"), IPv6Address("fd00:1::1"))
RIGHT_INNER = (IPv4Address("10.2.0.1"), IPv6Address("fd00:2::1"))


@contextmanager
def sides(prefix: str) -> Iterator[tuple[Side, Side]]:
    """Two namespaces whose names begin with `prefix` (8 letters at most), a veth between them, inner addresses on lo."""
    left = Side(Namespace(f"{prefix}l"), (IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")), LEFT_INNER)
    right = Side(Namespace(f"{prefix}r"), (IPv4Address("192.0.2.2"), IPv6Address("2001:db8::2")), RIGHT_INNER)
    made = [side.namespace.name for side in (left, right)]
    devices = (f"{prefix}vl", f"{prefix}vr")
    wire = f"link add {devices[0]} netns {made[0]} type veth peer name {devices[1]} netns {made[1]}"
    try:
        _ip(*(f"netns add {name}" for name in made), wire)
        for side, device in zip((left, right), devices, strict=True):
            side.namespace.ip(
                "link set lo up",
                f"addr add {side.outer[0]}/24 dev {device}",
                f"addr add {side.outer[1]}/64 dev {device} nodad",
                f"link set {device} up",
                f"addr add {side.inner[0]}/32 dev lo",
                f"addr add {side.inner[1]}/128 dev lo",
            )
        yield left, right
    finally:
        _ip(*(f"netns del {name}" for name in made if FilePath("/run/netns", name).exists()))


def _ip(*lines: str, within: Sequence[str] = ()) -> str:
    """Several `ip` commands by one process: where processes are slow to start, it matters."""
    command, text = ["ip", *within, "-batch", "-"], "\n".join(lines)
    return subprocess.run(command, check=True, text=True, input=text, stdout=subprocess.PIPE).stdout


@define
class RunningPlane:
    """A plane in a side's namespace. `heard` gathers the IKE messages that it handed over."""

    side: Side
    plane: UserspacePlane
    heard: list[tuple[Path, bytes]] = field(factory=list)
    sockets: list[socket.socket] = field(factory=list)
    told: list[DataPlaneEvent] = field(factory=list)

    @classmethod
    def make(
        cls,
        reactor: PlaneReactor,
        side: Side,
        mtu: int = 1400,
        ports: tuple[int, ...] = (4500,),
        lost: Callable[[str], None] | None = None,
    ) -> "RunningPlane":
        """Sockets on these ports of both outer addresses, and a plane that reads them."""
        heard: list[tuple[Path, bytes]] = []
        opened = side.open_sockets(ports)
        plane = UserspacePlane(
            reactor, opened, lambda path, octets: heard.append((path, octets)), os.urandom, mtu=mtu, lost=lost
        )
        return cls(side, plane, heard, [udp for _, udp in opened])

    def close(self) -> None:
        """Close our own duplicates of the sockets."""
        for udp in self.sockets:
            udp.close()

    def start(self) -> Deferred[None]:
        """Start the plane inside the namespace; its events gather in `told`."""
        with self.side.namespace.inside():
            return self.plane.start(self.told.append)


@define
class RunningKernel:
    """The kernel's IPsec of a side's namespace, as a plane."""

    side: Side
    plane: XfrmPlane
    sockets: list[socket.socket] = field(factory=list)
    told: list[DataPlaneEvent] = field(factory=list)

    @classmethod
    def make(cls, reactor: PlaneReactor, side: Side, ports: tuple[int, ...] = (4500,)) -> "RunningKernel":
        """Sockets on these ports of both outer addresses, and a plane that takes their ESP."""
        opened = side.open_sockets(ports)
        plane = XfrmPlane(reactor, opened, opened, os.urandom)
        return cls(side, plane, [udp for _, udp in opened])

    def close(self) -> None:
        """Close the sockets."""
        for udp in self.sockets:
            udp.close()

    def start(self) -> Deferred[None]:
        """Start the plane inside the namespace; its events gather in `told`."""
        with self.side.namespace.inside():
            return self.plane.start(self.told.append)


def suite_named(text: str) -> EspSuite:
    """A suite by its proposal string, without a group: `aes128gcm16`, `aes128-sha256-esn`."""
    words = text.split("-")
    esn = "esn" in words
    chosen = [BY_NAME[word] for word in words if word != "esn"]
    encryption = next(one for one in chosen if isinstance(one, Encryption))
    integrity = next((one for one in chosen if isinstance(one, Integrity)), None)
    return EspSuite(encryption, integrity, None, esn)


def keys_for(suite: EspSuite) -> ChildKeys:
    """Fresh keys for one direction."""
    cipher = suite.encryption
    mac = suite.integrity.key_octets if suite.integrity else 0
    return ChildKeys(os.urandom(cipher.key_octets + cipher.salt_octets), os.urandom(mac))


def tunnel(
    left: Side, right: Side, suite: EspSuite, number: int = 1, outer: int = 4, udp: bool = True
) -> tuple[TunnelSa, TunnelSa]:
    """Both ends of an SA for everything between 10.1.0.0/24 (fd00:1::/64) and 10.2.0.0/24 (fd00:2::/64)."""
    inbound, outbound = (0x10000 + 2 * number).to_bytes(4, "big"), (0x10001 + 2 * number).to_bytes(4, "big")
    one = TunnelSa(
        name=f"net{number}",
        path=Path(left.endpoint(outer), right.endpoint(outer)),
        udp_encapsulated=udp,
        inbound_spi=inbound,
        outbound_spi=outbound,
        suite=suite,
        inbound_keys=keys_for(suite),
        outbound_keys=keys_for(suite),
        local_selectors=tuple(from_network(ip_network(n)) for n in ("10.1.0.0/24", "fd00:1::/64")),
        remote_selectors=tuple(from_network(ip_network(n)) for n in ("10.2.0.0/24", "fd00:2::/64")),
    )
    return one, mirrored(one)


def client_tunnel(
    left: Side, right: Side, suite: EspSuite, number: int, virtual: str
) -> tuple[TunnelSa, TunnelSa]:
    """Both ends of a road warrior's SA: the left is the gateway of 10.1.0.0/24, the right has a virtual address."""
    one, _ = tunnel(left, right, suite, number)
    address = ip_address(virtual)
    gateway = evolve(one, local_selectors=one.local_selectors[:1], remote_selectors=(from_network(address),))
    return gateway, evolve(mirrored(gateway), virtual=(address,))


def mirrored(one: TunnelSa) -> TunnelSa:
    """The same SA as the other end has it."""
    return evolve(
        one,
        path=Path(one.path.remote, one.path.local),
        inbound_spi=one.outbound_spi,
        outbound_spi=one.inbound_spi,
        inbound_keys=one.outbound_keys,
        outbound_keys=one.inbound_keys,
        local_selectors=one.remote_selectors,
        remote_selectors=one.local_selectors,
        virtual=(),
    )
