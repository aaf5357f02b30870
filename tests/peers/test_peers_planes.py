"""Our ESP in user space, here, against the kernel's in a guest: a tap device joins them, and IKE agrees on every suite."""

import json
import sys
from pathlib import Path

import pytest
from laboratory import echo, roadwarrior
from laboratory.guest import GuestPeer
from laboratory.room import Laboratory
from laboratory.settings import Tree

from ikegw.crypto.transforms import ENCRYPTIONS, INTEGRITIES

pytestmark = pytest.mark.peers

HERE, THERE = "192.0.2.1", "192.0.2.2"
HERE6, THERE6 = "2001:db8::1", "2001:db8::2"
SUITES = [
    cipher.name if integrity is None else f"{cipher.name}-{integrity.name}"
    for cipher in ENCRYPTIONS
    for integrity in ((None,) if cipher.aead else INTEGRITIES)
]
PLAIN = {str(number): suite + "-esn" * (number % 2) for number, suite in enumerate(SUITES)}
"""Children by their names, which are the third octets of their networks."""
WAYS = (
    ("plain", HERE, THERE, PLAIN),
    ("udp", HERE, THERE, {"100": "aes256gcm16"}),
    ("six", HERE6, THERE6, {"101": "aes128-sha256-esn"}),
)
"""Connections: the name, both addresses, children."""


def settings(ours: bool) -> Tree:
    connections: dict[str, Tree] = {}
    for name, *addresses, children in WAYS:
        ends = list(zip(addresses, (roadwarrior.GATEWAY, f"{name}@x"), ("10.1", "10.2"), strict=True))
        (local, us, near), (remote, them, far) = ends if ours else ends[::-1]
        tunnels: Tree = {
            f"{name}-{net}": {
                "local_ts": [f"{near}.{net}.0/24"],
                "remote_ts": [f"{far}.{net}.0/24"],
                "esp_proposals": [esp],
            }
            for net, esp in children.items()
        }
        connections[name] = {
            "local_addrs": [local],
            "remote_addrs": [remote],
            "proposals": ["aes256gcm16-prfsha256-x25519"],
            **({"encap": True} if name == "udp" else {}),
            "local": {"auth": "psk", "id": us},
            "remote": {"auth": "psk", "id": them},
            "children": tunnels,
        }
    keys = roadwarrior.shared_key(roadwarrior.GATEWAY, *(f"{name}@x" for name, *_ in WAYS))
    return {"connections": connections, **keys}


def test_every_suite_between_user_space_here_and_the_kernel_there(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    nets = [net for *_, children in WAYS for net in children]
    here = laboratory.network.namespace("gateway", *(f"10.1.{net}.1/32" for net in nets))
    here.ip(
        "tuntap add mode tap name guest",
        "link set guest addrgenmode none up",
        f"addr add {HERE}/24 dev guest",
        f"addr add {HERE6}/64 dev guest nodad",
    )
    peer = GuestPeer(here, "guest", tmp_path)
    laboratory.daemons.append(peer)
    peer.start(
        settings(ours=False),
        "link set eth0 addrgenmode none up",
        f"addr add {THERE}/24 dev eth0",
        f"addr add {THERE6}/64 dev eth0 nodad",
        *(f"addr add 10.2.{net}.1/32 dev lo" for net in nets),
    )
    gateway = laboratory.ikegw("gateway", here)
    gateway.load(settings(ours=True))
    for name, *_, children in WAYS:
        for net in children:
            gateway.connect(f"{name}-{net}", timeout=60.0)
    pairs = [f"10.1.{net}.1=10.2.{net}.1" for net in nets]
    came = json.loads(here.run(sys.executable, "-I", str(Path(echo.__file__)), "ask", *pairs, timeout=120.0))
    wanted = len(echo.SIZES) * echo.ROUNDS
    assert {pair: number for pair, number in came.items() if number != wanted} == {}
    said = peer.finish()
    assert said.count("proto esp") == 2 * len(nets), "each by the kernel there"
    assert said.count("encap type espinudp") == 2
    assert said.count("src 2001:db8::") == 2
