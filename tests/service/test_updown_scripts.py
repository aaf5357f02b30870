"""Scripts of the configuration in a gateway that runs: told of each tunnel, able to refuse one, and through when it ends."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest_twisted
from gateway_and_client import CLIENT, GATEWAY

Story = Generator[Any, Any, None]


def with_script(directory: Path, *lines: str) -> str:
    script = directory / "updown"
    write = f'echo "$IKEGW_VERB $IKEGW_CONNECTION $IKEGW_REMOTE_ID $IKEGW_REMOTE_TS" >> {directory}/told'
    script.write_text("\n".join(("#!/bin/sh", write, *lines, "")))
    script.chmod(0o755)
    return GATEWAY.replace("local_ts =", f'updown = "{script}"\nupdown_required = true\nlocal_ts =')


@pytest_twisted.inlineCallbacks
def test_a_script_is_told_of_a_tunnel_and_at_the_end_of_the_gateway_of_its_end(
    place: Callable[[str, str], Any], log: Any, tmp_path: Path
) -> Story:
    gateway, client = place("gateway", "127.0.0.1"), place("client", "127.0.0.2")
    gateway.write(with_script(tmp_path, "echo hello"))
    gateway.make().startService()
    ike, nat_t = gateway.ports
    client.write(CLIENT.format(ike=ike, nat_t=nat_t))
    up = log.line("road[1] net up: 10.1.0.0/16 === 10.9.0.1/32")
    client.make().startService()
    yield up
    told = tmp_path / "told"
    assert told.read_text() == "up-client road alice@example.org 10.9.0.1/32\n"
    yield gateway.service.stopService()
    assert told.read_text().splitlines()[1:] == ["down-client road alice@example.org 10.9.0.1/32"]


@pytest_twisted.inlineCallbacks
def test_a_required_script_that_fails_refuses_the_tunnel(
    place: Callable[[str, str], Any], log: Any, tmp_path: Path
) -> Story:
    gateway, client = place("gateway", "127.0.0.1"), place("client", "127.0.0.2")
    gateway.write(with_script(tmp_path, "exit 3"))
    gateway.make().startService()
    ike, nat_t = gateway.ports
    client.write(CLIENT.format(ike=ike, nat_t=nat_t))
    refused = log.line("its updown script is required to succeed: ")
    client.make().startService()
    line = yield refused
    assert line.startswith("road[1]")
    assert "it ended with status 3" in line
    assert gateway.plane.installed == ()
