"""A guest with Debian's kernel, booted by `script/kernel-lab`: it sees our files, runs a command, and hands back what it said."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

TOP = Path(__file__).parents[3]
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


def run_tests(files: Sequence[str], directory: Path, *, seconds: int = 300) -> Report:
    """Boot, and run the tests of these files (by their paths from the top of the checkout).

    One processor: two cost QEMU half as much again for all that the guest does, in what keeps them in step.
    """
    results = directory / "results.xml"
    pytest = f"{sys.executable} -m pytest -q -p no:cacheprovider --color=no --junit-xml={results}"
    script = f"modprobe -a {' '.join(MODULES)}; exec {pytest} {' '.join(files)}"
    lab = [str(TOP / "script/kernel-lab"), "-c", "1", "-t", str(seconds), "-o", str(directory)]
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
