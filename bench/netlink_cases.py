"""The two cases of `bench/netlink`."""

import gc
import os
import struct
import time
from collections import deque
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path
from typing import Any

from machine import resident_octets
from twisted.internet import reactor

from ikegw.dataplane import netlink
from ikegw.dataplane.prefixes import Selector
from ikegw.dataplane.routing import Lead, Routing
from ikegw.dataplane.rtnetlink import Netlink
from ikegw.dataplane.xfrm.device import Device
from ikegw.dataplane.xfrm.plane import XfrmPlane
from ikegw.dataplane.xfrm.requests import Requests
from ikegw.paths import Endpoint
from ikegw.paths import Path as Way
from ikegw.policy.selectors import from_network
from ikegw.ports import Limits, TunnelSa
from ikegw.testing.heap_clock import HeapClock
from ikegw.testing.plane_pair import keys_for, suite_named

_SUITE = suite_named("aes256gcm16")
_YES = struct.Struct("=LHHLLi")


class Yes:
    """A kernel that says yes to everything, and counts the time that it takes for that itself."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._answers: deque[bytes] = deque()

    def fileno(self) -> int:
        return -1

    def setsockopt(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass

    def send(self, octets: bytes) -> None:
        began = time.process_time()
        at, said = 0, []
        while at < len(octets):
            length, _, _, sequence, _ = netlink.HEADER.unpack_from(octets, at)
            said.append(_YES.pack(20, netlink.ERROR, 0, sequence, 0, 0))
            at += (length + 3) & ~3
        self._answers.append(b"".join(said))
        self.seconds += time.process_time() - began

    def recvmsg(self, _: int) -> tuple[bytes, list[Any], int, tuple[int, int]]:
        if not self._answers:
            raise BlockingIOError
        return self._answers.popleft(), [], 0, (0, 0)


class Ground:
    """`Foundation` upon such a kernel; the routes are real ones, into lo."""

    def __init__(self, kernel: Yes) -> None:
        self.kernel, self.notes = kernel, []
        self.device = Device("lo", 1)
        self._routing = Routing(Netlink(), 1)

    def __call__(self, *_: object) -> "Ground":
        return self

    def open(self, *_: object) -> None:
        class NoReactor:
            def addReader(self, _: object) -> None:  # noqa: N802
                pass

            removeReader = addReader  # noqa: N815

        self.requests = Requests(NoReactor(), self.kernel)  # type: ignore[arg-type]

    def clean(self) -> Any:
        return self.requests.ask([])

    def lead(
        self, _: str, local: tuple[Selector, ...], remote: tuple[Selector, ...], virtual: Any = ()
    ) -> Lead:
        return self._routing.lead(local, remote, virtual)

    def unlead(self, lead: Lead) -> None:
        lead.undo()

    def close(self) -> None:
        self._routing.clear()


def tunnels(count: int) -> list[TunnelSa]:
    """Tunnels of clients, each with an address that was lent."""
    ours, local = Endpoint(ip_address("192.0.2.1"), 4500), (from_network(IPv4Network("10.0.0.0/16")),)
    return [
        TunnelSa(
            name=f"clients[{number}].net",
            path=Way(ours, Endpoint(IPv4Address((198 << 24) + (18 << 16) + number), 4500)),
            udp_encapsulated=True,
            inbound_spi=(0x10000 + number).to_bytes(4, "big"),
            outbound_spi=(0x20000000 + number).to_bytes(4, "big"),
            suite=_SUITE,
            inbound_keys=keys_for(_SUITE),
            outbound_keys=keys_for(_SUITE),
            local_selectors=local,
            remote_selectors=(from_network(IPv4Address((11 << 24) + number)),),
            limits=Limits(soft_seconds=3400, hard_seconds=3600, soft_octets=1 << 40),
        )
        for number in range(count)
    ]


def against_yes(count: int) -> dict[str, float]:
    """CPU of our process for each tunnel, routes included."""
    kernel = Yes()
    plane = XfrmPlane(HeapClock(), (), (), os.urandom, make_foundation=Ground(kernel))  # type: ignore[arg-type]
    plane.start(lambda _: None)
    wanted = tunnels(count)
    gc.collect()
    gc.freeze()
    figures = {}
    for name, work in (
        ("install", lambda sa: plane.install(sa)),
        ("remove", lambda sa: plane.remove(sa.inbound_spi)),
    ):
        kernel.seconds, began, user = 0.0, time.process_time(), os.times().user
        for sa in wanted:
            work(sa)
        spent, user = time.process_time() - began - kernel.seconds, os.times().user - user
        figures[f"{name}, µs of CPU for a tunnel"] = round(spent / count * 1e6, 1)
        figures[f"{name}, µs of it outside of the kernel"] = round((user - kernel.seconds) / count * 1e6, 1)
    return figures


def against_the_kernel(count: int) -> dict[str, float]:
    """All of them at once in a real kernel, twice; the second time nothing may have grown."""
    plane = XfrmPlane(reactor, (), (), os.urandom)  # type: ignore[arg-type]
    problems: list[Any] = []
    plane.start(lambda _: None).addErrback(problems.append)
    wanted = tunnels(count)
    figures: dict[str, float] = {}
    for cycle in (1, 2, 3):
        began, cpu = time.monotonic(), time.process_time()
        for sa in wanted:
            plane.install(sa).addErrback(problems.append)
        figures[f"cycle {cycle}: install, µs of CPU"] = (time.process_time() - cpu) / count * 1e6
        figures[f"cycle {cycle}: states in the kernel"] = float(_states())
        assert not problems, problems[0]
        for sa in wanted:
            plane.remove(sa.inbound_spi).addErrback(problems.append)
        assert not problems, problems[0]
        reactor.runUntilCurrent()  # type: ignore[attr-defined] # or it keeps the timers that were cancelled
        gc.collect()
        figures[f"cycle {cycle}: seconds"] = time.monotonic() - began
        figures[f"cycle {cycle}: states left"] = float(_states())
        figures[f"cycle {cycle}: our memory, MB"] = resident_octets(os.getpid()) / 1e6
        time.sleep(2.0)  # the kernel frees SAs in its own time
        figures[f"cycle {cycle}: the kernel's slabs, MB"] = _slabs()
    plane.stop()
    return figures


def _states() -> int:
    text = os.popen("ip xfrm state count").read()  # noqa: S605
    return int(text.split()[-1])


def _slabs() -> float:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["SUnreclaim"].split()[0]) / 1e3
