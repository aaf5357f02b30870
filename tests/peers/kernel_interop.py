"""ikegw and strongSwan, both with the kernel's IPsec: run by name in a guest that has it (`test_peers_kernel.py` boots one).

One pair of daemons for all tests, since each takes long to start there; each test has connections and networks of its own.
"""

import re
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest
from attrs import frozen
from laboratory import roadwarrior
from laboratory.counting import counting
from laboratory.gateway import Ikegw
from laboratory.namespaces import CommandFailed, Namespace
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree
from laboratory.strongswan import StrongSwan
from laboratory.traffic import ping
from laboratory.underlays import CLIENT_INNER, GATEWAY_INNER

OURS, THEIRS = "192.0.2.1", "192.0.2.2"
OURS6, THEIRS6 = "2001:db8::1", "2001:db8::2"
GATEWAY = roadwarrior.GATEWAY
IKE = ["aes256gcm16-prfsha256-x25519"]


def connection(local: tuple[str, str], remote: tuple[str, str], children: Tree, **more: object) -> Tree:
    """One end's settings of a connection; `local` and `remote` are (address, identity)."""
    tree: Tree = {
        "local_addrs": [local[0]],
        "remote_addrs": [remote[0]],
        "proposals": IKE,
        **more,  # type: ignore[dict-item]
        "local": {"auth": "psk", "id": local[1]},
        "remote": {"auth": "psk", "id": remote[1]},
        "children": children,
    }
    return tree


def child(local: int, remote: int, number: int, esp: str = "aes256gcm16", **more: object) -> Tree:
    tree: Tree = {
        "local_ts": [f"10.{local}.{number}.0/24"],
        "remote_ts": [f"10.{remote}.{number}.0/24"],
        "esp_proposals": [esp],
        **more,  # type: ignore[dict-item]
    }
    return tree


SECRET = roadwarrior.shared_key(GATEWAY, "site@x", "encap@x", "six@x")
DEMAND: Tree = {"start_action": "trap", "rekey_packets": 150, "life_packets": 100_000}
HOST: Tree = {"mode": "transport", "esp_proposals": ["aes128-sha256"]}


def ours() -> Tree:
    gateway, gateway6 = (OURS, GATEWAY), (OURS6, GATEWAY)
    passive: Tree = {"start_action": "none"}
    site: Tree = {
        "net": {**child(1, 2, 0, "aes256gcm16-esn"), **passive},
        "host": {**HOST, **passive},
        "route": {**child(1, 2, 2), **passive, "if_id": 42},
        "squeezed": {**child(1, 2, 3), **passive},
    }
    return {
        "data_plane": {"kind": "kernel"},
        "connections": {
            "site": connection(gateway, (THEIRS, "site@x"), site),
            "encap": connection(gateway, (THEIRS, "encap@x"), {"enc": {**child(1, 2, 1), **passive}}),
            "six": connection(gateway6, (THEIRS6, "six@x"), {"six": {**child(1, 2, 6), **DEMAND}}),
        },
        **SECRET,
    }


def theirs() -> Tree:
    gateway, gateway6 = (OURS, GATEWAY), (OURS6, GATEWAY)
    site: Tree = {
        "net": child(2, 1, 0, "aes256gcm16-esn"),
        "host": HOST,
        "route": child(2, 1, 2),
        "squeezed": child(2, 1, 3, ipcomp=True),
    }
    return {
        "connections": {
            "site": connection((THEIRS, "site@x"), gateway, site),
            "encap": connection((THEIRS, "encap@x"), gateway, {"enc": child(2, 1, 1)}, encap=True),
            "six": connection((THEIRS6, "six@x"), gateway6, {"six": child(2, 1, 6)}),
        },
        **SECRET,
    }


@frozen
class Pair:
    """Both daemons, up."""

    laboratory: Laboratory
    here: Namespace
    there: Namespace
    gateway: Ikegw
    peer: StrongSwan


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    laboratory = Laboratory(tmp_path_factory.mktemp("kernel"))
    try:
        network = laboratory.network
        here, there = network.namespace("gateway", *GATEWAY_INNER), network.namespace("client", *CLIENT_INNER)
        network.wire(there, f"{THEIRS}/24", here, f"{OURS}/24")
        here.ip(f"addr add {OURS6}/64 dev to-client nodad")
        there.ip(f"addr add {THEIRS6}/64 dev to-gateway nodad")
        peer = laboratory.strongswan("peer", there, by_kernel=True)
        gateway = laboratory.ikegw("gateway", here)
        gateway.load(ours())
        peer.load(theirs())
        yield Pair(laboratory, here, there, gateway, peer)
    finally:
        laboratory.close()


def reach(pair: Pair, number: int) -> None:
    for place, source, address in (
        (pair.there, f"10.2.{number}.1", f"10.1.{number}.1"),
        (pair.here, f"10.1.{number}.1", f"10.2.{number}.1"),
    ):
        assert ping(place, address, source=source).received == 3


def states(place: Namespace) -> str:
    return place.run("ip", "-s", "xfrm", "state")


def test_the_kernel_was_chosen_and_said_in_one_line(pair: Pair) -> None:
    text = pair.gateway.daemon.text()
    assert "data plane: kernel (as configured)" in text
    assert "ready: kernel: ESP by Linux, led into by the device ikegw0\n" in text


def test_a_tunnel_with_extended_sequence_numbers_that_strongswan_opens(pair: Pair) -> None:
    pair.peer.connect("net")
    reach(pair, 0)
    assert states(pair.here).count("flag af-unspec esn") + states(pair.here).count("flag esn") == 2
    since = pair.gateway.daemon.mark()
    pair.peer.swanctl("--rekey", "--child", "net")
    pair.gateway.daemon.wait_for(r"net rekeyed", since=since)
    reach(pair, 0)
    used = pair.gateway.status()
    assert re.search(r"net SA_MATURE: .*received [1-9]", used), used


def test_transport_mode_between_the_two_hosts(pair: Pair) -> None:
    pair.peer.connect("host")
    assert ping(pair.there, OURS).received == 3
    assert ping(pair.here, THEIRS).received == 3
    counted = re.findall(r"mode transport.*?(\d+)\(bytes\), (\d+)\(packets\)", states(pair.here), re.DOTALL)
    assert [int(packets) >= 6 for _, packets in counted] == [True, True], states(pair.here)
    pair.peer.swanctl("--terminate", "--child", "host", "--timeout", "30")


def test_udp_encapsulation(pair: Pair) -> None:
    pair.peer.connect("enc")
    reach(pair, 1)
    assert states(pair.here).count("encap type espinudp sport 4500 dport 4500") >= 2


def test_a_peer_that_would_compress_is_answered_without(pair: Pair) -> None:
    since = pair.peer.daemon.mark()
    pair.peer.connect("squeezed")
    assert "IPCOMP_SUP" in pair.peer.daemon.text(since), "it offered"
    reach(pair, 3)
    assert "proto comp" not in states(pair.here)


def test_a_route_based_tunnel_through_the_operators_own_interface(pair: Pair) -> None:
    pair.here.ip(
        "link add site0 type xfrm if_id 42",
        "link set site0 up",
        "route add 10.2.2.0/24 dev site0 src 10.1.2.1",
    )
    pair.peer.connect("route")
    reach(pair, 2)
    assert "10.2.2.0/24" not in pair.here.run("ip", "route", "show", "table", "45024"), (
        "its routes are not ours"
    )
    assert states(pair.here).count("if_id 0x2a") == 2


def test_a_packet_opens_a_tunnel_over_ipv6_and_limits_renew_it_without_a_loss(pair: Pair) -> None:
    assert ping(pair.here, "10.2.6.1", source="10.1.6.1", count=10).received > 3
    pair.gateway.daemon.wait_for(r"six up: ")
    since = pair.gateway.daemon.mark()
    with counting(pair.here, pair.there, [("10.1.6.1", "10.2.6.1")], 30) as stream:
        for _ in range(2):
            pair.gateway.daemon.wait_for(r"six rekeyed", since=since, timeout=20.0)
            since = pair.gateway.daemon.mark()
        tally = stream.stop()
    assert tally.sent > 200
    assert (tally.lost, tally.twice) == (0, 0), tally.holes


def test_a_killed_gateway_starts_clean_and_touches_nothing_of_others(pair: Pair) -> None:
    pair.here.ip(
        "xfrm state add src 192.0.2.77 dst 192.0.2.78 proto esp spi 0x77 reqid 7 mode tunnel"
        " aead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 128",
        "xfrm policy add src 10.77.0.0/24 dst 10.78.0.0/24 dir out"
        " tmpl src 192.0.2.77 dst 192.0.2.78 proto esp reqid 7 mode tunnel",
    )
    pair.gateway.daemon.signal(signal.SIGKILL)
    until(lambda: not pair.gateway.daemon.running, "it lives")
    assert "reqid 12" in states(pair.here), "the kernel keeps what a killed gateway had (0x49000001 and on)"
    since = pair.gateway.daemon.mark()
    pair.gateway.start()
    pair.gateway.daemon.wait_for(
        r"ready: kernel: .*SAs that a killed gateway had left are removed", since=since
    )
    left = states(pair.here)
    assert "reqid 12" not in left, "none of ours"
    assert "spi 0x00000077" in left
    policies = pair.here.run("ip", "xfrm", "policy")
    assert "10.78.0.0/24" in policies
    assert "10.2.0.0/24" not in policies
    with suppress(CommandFailed):  # nobody answers about the old one
        pair.peer.swanctl("--terminate", "--ike", "site", "--force", "--timeout", "1")
    pair.peer.connect("net")
    reach(pair, 0)


def test_it_ends_and_leaves_nothing(pair: Pair) -> None:
    pair.gateway.stop()
    assert "reqid 12" not in states(pair.here)
    assert "ikegw0" not in pair.here.run("ip", "link")
    assert "lookup 450" not in pair.here.run("ip", "rule")
