"""`ikegwctl capture` while a strongSwan client logs in through a real data plane: tshark reads it all, on the usual ports."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from laboratory import roadwarrior, underlays
from laboratory.processes import until
from laboratory.room import Laboratory

pytestmark = pytest.mark.peers

MESSAGES = 6
"""Of a login and a logout: IKE_SA_INIT, IKE_AUTH, and the DELETE with its answer."""


def heed_interrupts() -> None:
    """Whoever is started in the background is made to ignore Ctrl-C, and hands that on."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def read_by_tshark(file: Path) -> list[list[str]]:
    """Port, exchange and payloads of each message, opened with the keys beside the file."""
    keys = {**os.environ, "HOME": str(file.parent), "WIRESHARK_CONFIG_DIR": f"{file}.keys"}
    fields = [
        word for name in ("udp.dstport", "isakmp.exchangetype", "isakmp.typepayload") for word in ("-e", name)
    ]
    read = ["tshark", "-r", str(file), "-T", "fields", *fields]
    rows = subprocess.run(read, env=keys, capture_output=True, text=True, timeout=60, check=True).stdout
    return [line.split("\t") for line in rows.splitlines()]


def test_a_login_of_strongswan_is_read_by_tshark(laboratory: Laboratory, tmp_path: Path) -> None:
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.strongswan("client", underlay.client)
    control = tmp_path / "control.sock"
    gateway.load(
        {
            **roadwarrior.gateway(underlay.gateway_address),
            "control": {"socket": str(control)},
            "capture": {"allowed": True},
        }
    )
    client.load(roadwarrior.client(underlay.client_address, underlay.gateway_address))

    file = tmp_path / "login.pcapng"
    ikegwctl = [sys.executable, "-m", "ikegw.control.command", "capture", str(file), underlay.client_address]
    with subprocess.Popen(
        [*ikegwctl, "--socket", str(control)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    ) as capture:
        assert capture.stdout is not None
        assert capture.stderr is not None
        assert f"capturing IKE of {underlay.client_address} into {file}" in capture.stderr.readline()
        client.connect("home")
        client.disconnect("home")
        until(lambda: len(read_by_tshark(file)) == MESSAGES, "not all of it has come to the file")
        capture.send_signal(signal.SIGINT)
        told = capture.stdout.read()
    assert capture.returncode == 0
    assert "the keys of 1 IKE SAs; interrupted" in told

    messages = read_by_tshark(file)
    init, auth, informational = ([row for row in messages if row[1] == kind] for kind in ("34", "35", "37"))
    assert [row[0] for row in init] == ["500", "500"]
    assert [row[0] for row in auth] == ["4500", "4500"]  # one of them was read by the data plane's process
    for _, _, payloads in auth:
        assert "39" in payloads.split(",")  # AUTH
    assert any("42" in payloads.split(",") for _, _, payloads in informational)  # D
