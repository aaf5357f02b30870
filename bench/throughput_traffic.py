"""iperf3 between two namespaces: what arrived, and what it cost the processes that carried it."""

import json
import subprocess
import time
from collections.abc import Sequence

from attrs import frozen
from machine import cpu_seconds


@frozen
class Traffic:
    """A kind of transfer. `unit` is what `Carried.amount` counts: Mbit/s, or kpps for tiny datagrams."""

    name: str
    arguments: tuple[str, ...] = ()
    unit: str = "Mbit/s"

    @property
    def is_udp(self) -> bool:
        """Whether what was sent and what arrived differ."""
        return "-u" in self.arguments


TCP = Traffic("TCP, 1 stream")
KINDS = (
    TCP,
    Traffic("TCP, reverse", ("-R",)),
    Traffic("TCP, 4 streams", ("-P", "4")),
    Traffic("UDP, 64 octets", ("-u", "-b", "0", "-l", "64"), "kpps"),
    Traffic("UDP, 1300 octets", ("-u", "-b", "0", "-l", "1300")),
)


@frozen
class Carried:
    """What arrived each second; retransmitted TCP segments; CPU microseconds of the carrying processes for each kB of it."""

    amount: float
    retransmits: int
    cpu_us_per_kb: float


def transfer(
    client: Sequence[str],
    server: Sequence[str],
    address: str,
    kind: Traffic,
    seconds: float,
    pids: Sequence[int],
) -> Carried:
    """Run one transfer. `client` and `server` are the words that put a command into their namespaces."""
    listening = subprocess.Popen(
        [*server, "iperf3", "-s", "-1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _until_listening(server)
        before = sum(map(cpu_seconds, pids))
        words = [*client, "iperf3", "-J", "-c", address, "-t", f"{seconds:g}", *kind.arguments]
        done = subprocess.run(words, check=False, text=True, capture_output=True, timeout=seconds + 60)
        used = sum(map(cpu_seconds, pids)) - before
        listening.wait(30)
    finally:
        listening.kill()
    result = json.loads(done.stdout)
    if "error" in result:
        raise RuntimeError(f"iperf3 to {address}: {result['error']}")
    return _carried(kind, result["end"], used)


def _carried(kind: Traffic, end: dict[str, dict[str, float]], used: float) -> Carried:
    if not kind.is_udp:
        received = end["sum_received"]
        return Carried(
            received["bits_per_second"] / 1e6,
            int(end["sum_sent"].get("retransmits", 0)),
            used * 1e9 / max(received["bytes"], 1),
        )
    total = end["sum"]
    arrived = total["packets"] - total["lost_packets"]
    size = int(kind.arguments[-1])
    rate = arrived / total["seconds"]
    amount = rate / 1e3 if kind.unit == "kpps" else rate * size * 8 / 1e6
    return Carried(amount, 0, used * 1e9 / max(arrived * size, 1))


def _until_listening(server: Sequence[str]) -> None:
    for _ in range(200):
        found = subprocess.run([*server, "ss", "-Hltn", "sport = :5201"], check=False, capture_output=True)
        if found.stdout.strip():
            return
        time.sleep(0.02)
    raise RuntimeError("iperf3 does not listen")
