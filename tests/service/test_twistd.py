"""`twistd ikegw` as an operator meets it, in a process of its own: help, and the reasons not to start, as sentences."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ADDRESS = f"127.{os.getpid() >> 16 & 63}.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
"""Loopback addresses are many: this one is of this run alone."""

GOOD = f"""
[listen]
addresses = ["{ADDRESS}"]
port = 15500
nat_t_port = 15501
[connections.road.local]
auth = "psk"
id = "gw.example.org"
[connections.road.remote]
auth = "psk"
[connections.road.children.net]
local_ts = ["10.1.0.0/16"]
"""
RUN = "import sys; sys.argv[0] = 'twistd'; from twisted.scripts.twistd import run; run()"
SECRET = '[secrets.ike.key]\nsecret = "a shared key of some length"\n'


def twistd(
    directory: Path, *arguments: str, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-c", RUN, "-n", "ikegw", *arguments]
    return subprocess.run(
        command,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "ikegw.toml").write_text(GOOD)
    (tmp_path / "secrets.d").mkdir()
    (tmp_path / "secrets.d" / "key.toml").write_text(SECRET)
    (tmp_path / "secrets.d" / "key.toml").chmod(0o600)
    return tmp_path


def test_help_says_what_it_is_and_what_signals_do(directory: Path) -> None:
    shown = twistd(directory, "--help")
    assert shown.returncode == 0
    for text in (
        "An IKEv2 VPN gateway.",
        "--config",
        "/etc/ikegw/ikegw.toml",
        "SIGHUP ",
        "SIGUSR1 ",
        "SIGTERM",
    ):
        assert text in shown.stdout


def test_every_problem_of_a_configuration_is_told_without_a_traceback(directory: Path) -> None:
    text = GOOD.replace("psk", "pks").replace("local_ts", "lokal_ts")
    (directory / "ikegw.toml").write_text(text + '[data_plane]\nkind = "kernel"\n')
    refused = twistd(directory, "--config", "ikegw.toml")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    lines = refused.stderr.splitlines()
    assert lines[-1] == "ikegw does not start."
    assert sum("ikegw.toml:" in line for line in lines) >= 3


def test_a_kernel_that_cannot_carry_is_refused_with_what_to_write(directory: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-U", "true"], capture_output=True).returncode:
        pytest.skip("needs a kernel that lets us make user namespaces")
    (directory / "ikegw.toml").write_text(GOOD + '[data_plane]\nkind = "kernel"\n')
    # Root of a user namespace alone has no right over the network that it finds.
    refused = twistd(directory, "--config", "ikegw.toml", before=(unshare, "-U", "-r"))
    assert refused.returncode == 1
    assert 'data_plane.kind: "kernel" is not possible: ' in refused.stderr
    assert 'write "userspace" or "auto"' in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_taken_port_names_who_has_it(directory: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((ADDRESS, 15501))
        refused = twistd(directory, "--config", "ikegw.toml")
    assert refused.returncode == 1
    assert f"cannot listen on {ADDRESS}:15501: address in use by " in refused.stderr
    assert f"(pid {os.getpid()})" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_data_plane_that_may_not_make_its_device_ends_with_status_1(directory: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-U", "true"], capture_output=True).returncode:
        pytest.skip("needs a kernel that lets us make user namespaces")
    # Root of a user namespace alone has no right over the network that it finds.
    failed = twistd(directory, "--config", "ikegw.toml", before=(unshare, "-U", "-r"))
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert f"listening on {ADDRESS}:15500, {ADDRESS}:15501" in failed.stdout
    assert "[ikegw#critical] cannot start: " in failed.stdout
    assert "Traceback" not in failed.stdout + failed.stderr
    assert not (directory / "twistd.pid").exists()
