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
    """What became of the tests that ran in the guest: the failures by test, how many ran, and all output."""

    failures: dict[str, str]
    ran: dict[str, int]
    output: str

    def judge(self, module: str) -> None:
        """Fail as the module's tests failed, or if none of it ran."""
        bad = {name: text for name, text in self.failures.items() if name.startswith(f"{module}:")}
        assert not bad, "\n\n".join(f"in the guest, {name}:\n{text}" for name, text in bad.items())
        assert self.ran.get(module), f"nothing of {module} ran in the guest:\n{self.output[-4000:]}"


def run_tests(files: Sequence[str], directory: Path, *, tap: str = "", seconds: int = 300) -> Report:
    """Boot, and run the tests of these files (by their paths from the top of the checkout)."""
    results = directory / "results.xml"
    python = str(Path(sys.executable))
    pytest = f"{python} -m pytest -q -p no:cacheprovider --color=no --junit-xml={results} {' '.join(files)}"
    script = f"modprobe -a {' '.join(MODULES)}; exec {pytest}"
    network = ["-n", tap] if tap else []
    done = subprocess.run(
        [
            str(TOP / "script/kernel-lab"),
            "-t",
            str(seconds),
            "-o",
            str(directory),
            *network,
            "--",
            "sh",
            "-c",
            script,
        ],
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
    ran: dict[str, int] = {}
    for case in ET.parse(results).iter("testcase"):  # noqa: S314 - our own pytest wrote it
        module = case.get("classname", "").split(".Test")[0].rpartition(".")[2]
        problem = case.find("failure") if case.find("failure") is not None else case.find("error")
        if problem is not None:
            failures[f"{module}:{case.get('name')}"] = (problem.text or "")[-5000:]
        elif case.find("skipped") is None:
            ran[module] = ran.get(module, 0) + 1
    return Report(failures, ran, output)
