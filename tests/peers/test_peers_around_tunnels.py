"""What a host does around its tunnels, with everything real: scripts, shunts, and name servers that were lent."""

import os
import signal
from pathlib import Path

import pytest
from attrs import evolve
from laboratory import roadwarrior, underlays
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.traffic import ping

pytestmark = pytest.mark.peers


def program(file: Path, *lines: str) -> str:
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(("#!/bin/sh", *lines, "")))
    file.chmod(0o755)
    return str(file)


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def test_a_script_may_use_the_tunnel_and_is_told_of_its_end(laboratory: Laboratory, tmp_path: Path) -> None:
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.strongswan("client", underlay.client)
    told = tmp_path / "told"
    script = program(
        tmp_path / "bin/updown",
        f'echo "$IKEGW_VERB $IKEGW_REMOTE_ID $IKEGW_REMOTE_TS $IKEGW_DEVICE" >> {told}',
        'case "$IKEGW_VERB" in up-*) ip route add 198.51.100.7/32 dev "$IKEGW_DEVICE" ;;',
        '*) ip route del 198.51.100.7/32 dev "$IKEGW_DEVICE" ;; esac',
    )
    child: Tree = {"net": {"updown": script, "updown_required": True}}
    settings = roadwarrior.gateway(underlay.gateway_address)
    gateway.load(merged(settings, {"connections": {"roadwarriors": {"children": child}}}))
    client.load(roadwarrior.client(underlay.client_address, underlay.gateway_address))

    client.connect("home")
    assert ping(underlay.client, "10.1.0.1").received == 3
    client.swanctl("--rekey", "--child", "home")
    gateway.daemon.wait_for("net rekeyed")
    networks = "10.3.0.1/32 fd00:3::1/128"
    assert lines_of(told) == [f"up-client {roadwarrior.CLIENT} {networks} ikegw0"]
    assert "dev ikegw0" in underlay.gateway.run("ip", "route", "get", "198.51.100.7")
    gateway.stop()
    assert lines_of(told)[1:] == [f"down-client {roadwarrior.CLIENT} {networks} ikegw0"]
    assert "updown (down)" not in gateway.daemon.text()


def test_name_servers_and_a_shunt_of_a_client_that_is_killed_and_starts_again(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.ikegw("client", underlay.client)
    told = tmp_path / "told"
    program(tmp_path / "bin/resolvconf", f'echo "$*" >> {told}', f"cat >> {told}")
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    client.daemon = evolve(client.daemon, environment={**client.daemon.environment, "PATH": path})
    gateway.load(roadwarrior.gateway(underlay.gateway_address))
    settings = roadwarrior.client(underlay.client_address, underlay.gateway_address, keyingtries=0)
    around: Tree = {
        "resolver": {"kind": "resolvconf"},
        "shunts": {"never": {"action": "drop", "remote_ts": ["10.1.66.0/24"]}},
    }
    client.load(merged(settings, around))
    client.connect("home")
    used = ["-d tun.ikegw", "-a tun.ikegw", "nameserver 10.1.0.53"]
    until(lambda: lines_of(told) == used, "the resolver was not told")
    assert ping(underlay.client, "10.1.0.1").received == 3
    dropped = underlay.client.run("sh", "-c", "ip route get 10.1.66.1 2>&1 || true")
    assert "Permission denied" in dropped

    client.daemon.signal(signal.SIGKILL)
    until(lambda: not client.daemon.running, "it lives")
    since = client.daemon.mark()
    client.start()
    client.daemon.wait_for(r"\] home up: ", since=since)
    until(
        lambda: lines_of(told) == [*used, *used], "what was left was not taken back, or nothing was told anew"
    )
    client.stop()
    assert lines_of(told) == [*used, *used, "-d tun.ikegw"]
    assert "prohibit" not in underlay.client.run("ip", "rule")
