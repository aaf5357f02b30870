"""What proves a tunnel: echoes that come back, and a stream that arrives intact."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from laboratory.namespaces import CommandFailed, Namespace

_STREAM = str(Path(__file__).with_name("stream.py"))


@frozen
class Echoes:
    """What `ping` saw: how many of `sent` came back, and the round-trip time in milliseconds (None without echoes)."""

    sent: int
    received: int
    least: float | None
    average: float | None
    most: float | None


@frozen
class Transfer:
    """A stream that arrived: its octets, its seconds, and whether both ends saw the same SHA-256."""

    octets: int
    seconds: float
    intact: bool

    @property
    def megabits_per_second(self) -> float:
        """The rate, in 10^6 bit/s."""
        return self.octets * 8 / self.seconds / 1e6


def ping(
    place: Namespace,
    address: str,
    *,
    source: str | None = None,
    count: int = 3,
    size: int = 56,
    interval: float = 0.2,
) -> Echoes:
    """Send `count` echo requests of `size` octets, one each `interval` seconds.

    That is also how long the last echo is waited for, once another has come: with less, a busy machine loses some.
    """
    command = ["ping", "-n", "-q", "-c", str(count), "-i", str(interval), "-W", "1", "-s", str(size)]
    command += ["-I", source] if source else []
    done = subprocess.run(place.within(*command, address), capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    counts = re.search(r"(\d+) packets transmitted, (\d+) received", said)
    if counts is None:
        raise CommandFailed(f"ping {address}: {said}")
    times = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)/", said)
    least, average, most = (float(time) for time in times.groups()) if times else (None, None, None)
    return Echoes(int(counts[1]), int(counts[2]), least, average, most)


@contextmanager
def stream_server(place: Namespace, address: str) -> Iterator[int]:
    """Serve streams on `address` in `place` while the block runs; the port."""
    command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, _STREAM, "serve", address]
    server = subprocess.Popen(
        place.within(*command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        port = server.stdout.readline() if server.stdout else ""
        if not port:
            raise CommandFailed(f"no stream server on {address}: {server.communicate()[1]}")
        yield int(port)
    finally:
        server.kill()
        server.communicate()


def transfer(
    client: Namespace,
    server: Namespace,
    address: str,
    *,
    octets: int,
    upwards: bool = True,
    timeout: float = 90.0,
) -> Transfer:
    """Move `octets` by TCP from `client` to `address` in `server` (`upwards`) or the other way."""
    with stream_server(server, address) as port:
        verb = "put" if upwards else "get"
        said = client.run(sys.executable, _STREAM, verb, address, str(port), str(octets), timeout=timeout)
    return Transfer(**json.loads(said))


def prove(client: Namespace, server: Namespace, address: str, *, octets: int) -> tuple[Transfer, Transfer]:
    """Ping `address` in `server` with small and large packets, and move half of `octets` each way.

    AssertionError tells what was lost.
    """
    for size in (56, 1300, 4000):
        echoes = ping(client, address, size=size, count=2)
        assert echoes.received == echoes.sent, f"{size} octets to {address}: {echoes}"
    ways = []
    for upwards in (True, False):
        moved = transfer(client, server, address, octets=octets // 2, upwards=upwards)
        assert moved.intact, f"{'to' if upwards else 'from'} {address}: {moved}"
        ways.append(moved)
    return ways[0], ways[1]
