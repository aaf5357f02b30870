"""A guest with Debian's kernel, booted by `script/kernel-lab`: it sees our files, runs a command, and hands back what it said."""

import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field, frozen

from laboratory.namespaces import Namespace
from laboratory.processes import Daemon, until
from laboratory.settings import Tree
from laboratory.strongswan import StrongSwan

TOP = Path(__file__).parents[3]
LAB = str(TOP / "script/kernel-lab")
MODULES = ("esp4", "esp6", "xfrm_user", "xfrm_interface", "veth", "tun", "dummy")


@frozen
class Report:
    """What became of the tests that ran in the guest: the failures by test, how many passed, and all output."""

    failures: dict[str, str]
    passed: int
    output: str

    def judge(self) -> None:
        """Fail as the tests failed, or if none ran."""
        told = "\n\n".join(f"in the guest, {name}:\n{text}" for name, text in self.failures.items())
        assert not self.failures, told
        assert self.passed, f"nothing ran in the guest:\n{self.output[-4000:]}"


def run_tests(files: Sequence[str], directory: Path, *, seconds: int = 600) -> Report:
    """Boot, and run the tests of these files (by their paths from the top of the checkout).

    One processor: two cost QEMU half as much again for all that the guest does, in what keeps them in step.
    """
    results = directory / "results.xml"
    pytest = f"{sys.executable} -m pytest -q -p no:cacheprovider --color=no --junit-xml={results}"
    script = f"modprobe -a {' '.join(MODULES)}; exec {pytest} {' '.join(files)}"
    lab = [LAB, "-c", "1", "-t", str(seconds), "-o", str(directory)]
    done = subprocess.run(
        [*lab, "--", "sh", "-c", script],
        cwd=TOP,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if not results.exists():
        raise AssertionError(
            f"the guest ended with {done.returncode}, without results:\n{done.stdout[-6000:]}"
        )
    return _read(results, done.stdout)


def _read(results: Path, output: str) -> Report:
    failures: dict[str, str] = {}
    passed = 0
    for case in ET.parse(results).iter("testcase"):  # noqa: S314 - our own pytest wrote it
        problem = case.find("failure") if case.find("failure") is not None else case.find("error")
        if problem is not None:
            failures[str(case.get("name"))] = (problem.text or "")[-5000:]
        elif case.find("skipped") is None:
            passed += 1
    return Report(failures, passed, output)


@define
class GuestPeer:
    """strongSwan in a guest, with the kernel's ESP, and echoes of datagrams; the guest's network card is `tap` in `place`."""

    place: Namespace
    tap: str
    directory: Path
    daemon: Daemon = field(init=False)

    @daemon.default
    def _daemon(self) -> Daemon:
        script = str(Path(__file__).with_name("guest_peer.sh"))
        lab = [
            LAB,
            "-c",
            "1",
            "-o",
            str(self._output),
            "-n",
            self.tap,
            "--",
            script,
            str(self.directory / "peer"),
        ]
        return Daemon("guest", self.place.within(*lab), self.directory / "guest.log", os.environ)

    @property
    def _output(self) -> Path:
        return self.directory / "output"

    def start(self, settings: Tree, *network: str) -> None:
        """Boot, give `ip` these commands, and wait until strongSwan has its settings."""
        peer = StrongSwan("peer", self.place, self.directory / "peer", by_kernel=True)
        peer.prepare()
        peer.write(settings)
        (peer.directory / "network").write_text("\n".join(network) + "\n")
        self._output.mkdir()
        self.daemon.start()
        self.daemon.wait_for("^serving", timeout=60.0)

    def finish(self) -> str:
        """End the guest; the SAs that its kernel had."""
        since = self.daemon.mark()
        (self._output / "done").touch()
        until(lambda: not self.daemon.running, "the guest goes on", 30.0)
        return self.daemon.text(since)

    def stop(self) -> None:
        """End it, whatever it does."""
        if self.daemon.running:
            os.killpg(self.daemon.pid, signal.SIGTERM)
            self.daemon.stop()
