"""Network namespaces and the wires between them; what is made here is removed by `Network.close`."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field, frozen

_NAMESPACES = Path("/run/netns")


class CommandFailed(Exception):
    """A command that the laboratory needs ended badly; the text is the command and what it said."""


def run(command: Sequence[str], *, stdin: str | None = None, timeout: float = 30.0) -> str:
    """Run `command` to its end and give its output; CommandFailed with all of it otherwise."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout)
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        raise CommandFailed(f"{' '.join(command)} (status {done.returncode}): {said}")
    return done.stdout


@frozen
class Namespace:
    """One network namespace, by its name under /run/netns."""

    name: str

    def within(self, *command: str) -> list[str]:
        """The command that runs `command` in here. The process keeps its pid; /sys stays the host's."""
        return ["nsenter", f"--net={_NAMESPACES / self.name}", "--", *command]

    def run(self, *command: str, timeout: float = 30.0) -> str:
        """Run a command in here to its end."""
        return run(self.within(*command), timeout=timeout)

    def ip(self, *lines: str) -> None:
        """Give several `ip` commands at once."""
        run(["ip", "-n", self.name, "-batch", "-"], stdin="\n".join(lines))


@define
class Network:
    """The namespaces of one test. Their names begin with our process id, so that simultaneous runs never meet."""

    prefix: str = field(factory=lambda: f"ikegw-{os.getpid()}")
    _made: list[Namespace] = field(factory=list, init=False)

    def namespace(self, name: str, *addresses: str) -> Namespace:
        """Make a namespace; `addresses` (with prefix lengths) are put on its loopback device."""
        place = Namespace(f"{self.prefix}-{name}")
        run(["ip", "netns", "add", place.name])
        self._made.append(place)
        place.ip("link set lo up", *(f"addr add {address} dev lo nodad" for address in addresses))
        return place

    def wire(self, left: Namespace, left_address: str, right: Namespace, right_address: str) -> None:
        """A veth pair; each end is named after the other end's namespace.

        No link-local addresses: they come up late, and a daemon would take that for a move.
        """
        ends = ((left, right, left_address), (right, left, right_address))
        names = [f"to-{other.name.removeprefix(self.prefix)[1:]}"[:15] for _, other, _ in ends]
        one = ["ip", "link", "add", names[0], "netns", left.name, "type", "veth"]
        run([*one, "peer", "name", names[1], "netns", right.name])
        for name, (place, _, address) in zip(names, ends, strict=True):
            nodad = "nodad" if ":" in address else ""
            place.ip(f"addr add {address} dev {name} {nodad}", f"link set {name} addrgenmode none up")

    def close(self) -> None:
        """Remove every namespace, and with it its wires."""
        while self._made:
            run(["ip", "netns", "del", self._made.pop().name])


def sweep() -> None:
    """Remove what runs of ours left behind that were killed: namespaces that name a process which is gone."""
    for path in _NAMESPACES.glob("ikegw-*-*"):
        pid = path.name.split("-")[1]
        if pid.isdigit() and not Path("/proc", pid).exists():
            run(["ip", "netns", "del", path.name])
