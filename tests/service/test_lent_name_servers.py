"""DNS servers that a gateway lends to a client that runs: its host's resolver is told, and told again when it is over."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from gateway_and_client import CLIENT, GATEWAY

Story = Generator[Any, Any, None]


@pytest_twisted.inlineCallbacks
def test_a_client_hands_them_over_and_takes_them_back_and_what_a_killed_one_left(
    place: Callable[[str, str], Any], log: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Story:
    resolvconf = tmp_path / "resolvconf"
    resolvconf.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/told\ncat >> {tmp_path}/told\n')
    resolvconf.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    gateway, client = place("gateway", "127.0.0.1"), place("client", "127.0.0.2")
    gateway.write(GATEWAY.replace("addrs =", 'dns = ["10.1.0.53"]\naddrs ='))
    gateway.make().startService()
    ike, nat_t = gateway.ports
    client.write('[resolver]\nkind = "resolvconf"\n' + CLIENT.format(ike=ike, nat_t=nat_t))
    up = log.line("home[1] net up")
    client.make().startService()
    yield up
    yield client.service.stopService()
    assert (tmp_path / "told").read_text().splitlines() == [
        "-d tun.ikegw",
        "-a tun.ikegw",
        "nameserver 10.1.0.53",
        "-d tun.ikegw",
    ]
