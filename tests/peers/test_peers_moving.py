"""The ends move in the middle of a transfer: a NAT forgets its mappings, a client gets another address (MOBIKE, RFC 4555)."""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from laboratory import roadwarrior, underlays
from laboratory.namespaces import Namespace
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import merged
from laboratory.strongswan import StrongSwan
from laboratory.traffic import ping, prove, transfer

pytestmark = pytest.mark.peers

OCTETS = 60_000_000
MIDDLE = 10_000_000
_FORGET = "from pyroute2.netlink.nfnetlink.nfctsocket import NFCTSocket as S; s = S(); s.flush(); s.close()"


def received(place: Namespace, device: str) -> int:
    """Octets that came out of a tunnel's device."""
    (link,) = json.loads(place.run("ip", "-s", "-j", "link", "show", device))
    return int(link["stats64"]["tx"]["bytes"]) + int(link["stats64"]["rx"]["bytes"])


@contextmanager
def in_the_middle(client: Namespace, gateway: Namespace, device: str, *, upwards: bool) -> Iterator[None]:
    """The block runs when some of a transfer has passed the gateway's `device`; all of it has to arrive."""
    before = received(gateway, device)
    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(transfer, client, gateway, "10.1.0.1", octets=OCTETS, upwards=upwards)
        until(lambda: received(gateway, device) > before + MIDDLE or moving.done(), "no transfer")
        assert not moving.done(), f"too fast for us: {moving.result()}"
        yield
        assert moving.result(timeout=90).intact


@pytest.mark.parametrize("upwards", [True, False], ids=["up", "down"])
@pytest.mark.parametrize("mobike", [False, True], ids=["plain", "mobike"])
@pytest.mark.parametrize("what", ["ports", "address"])
def test_a_nat_forgets_its_mappings(laboratory: Laboratory, what: str, mobike: bool, upwards: bool) -> None:
    underlay = underlays.behind_nat(laboratory.network)
    router = Namespace(f"{laboratory.network.prefix}-router")
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.strongswan("client", underlay.client)
    gateway.load(roadwarrior.gateway(underlay.gateway_address))
    client.load(roadwarrior.client(underlay.client_address, underlay.gateway_address, mobike=mobike))
    client.connect("home")

    with in_the_middle(underlay.client, underlay.gateway, "ikegw0", upwards=upwards):
        if what == "address":
            router.ip("addr del 198.51.100.7/24 dev to-gateway", "addr add 198.51.100.8/24 dev to-gateway")
        else:
            rule = "rule ip nat post oifname to-gateway meta l4proto udp masquerade to :40000-50000"
            router.run("nft", f"flush chain ip nat post; add {rule}")
            router.run(sys.executable, "-c", _FORGET)
        ping(underlay.client, "10.1.0.1")  # whoever only receives is silent now: any packet of its will do
        there = r"198\.51\.100\.8:2" if what == "address" else r"198\.51\.100\.7:4"
        gateway.daemon.wait_for(
            rf"moved: the peer is at {there}\d+ now, no longer at .*; the peer is behind a NAT"
        )

    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=1_000_000)
    client.disconnect("home")
    until(gateway.is_empty, "the gateway keeps an SA or an address")


@pytest.mark.parametrize("upwards", [True, False], ids=["up", "down"])
def test_strongswan_moves_to_another_address(laboratory: Laboratory, upwards: bool) -> None:
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.strongswan("client", underlay.client)
    gateway.load(roadwarrior.gateway(underlay.gateway_address))
    client.load(roadwarrior.client("%any", underlay.gateway_address))
    client.connect("home")

    with in_the_middle(underlay.client, underlay.gateway, "ikegw0", upwards=upwards):
        underlay.client.ip("addr del 192.0.2.2/24 dev to-gateway", "addr add 192.0.2.77/24 dev to-gateway")
        gateway.daemon.wait_for(
            r"moved: the peer is at 192\.0\.2\.77:4500 now, no longer at 192\.0\.2\.2:4500"
        )

    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=1_000_000)
    assert client.sas().count("ESTABLISHED") == 1
    assert "192.0.2.77[4500]" in client.sas()
    client.disconnect("home")
    until(gateway.is_empty, "the gateway keeps an SA or an address")


@pytest.mark.parametrize("told", [True, False], ids=["told", "by-loss"])
def test_ikegw_moves_to_another_address(laboratory: Laboratory, told: bool) -> None:
    """It is told so by SIGHUP, or finds out when nothing comes back any more."""
    underlay = underlays.direct(laboratory.network)
    underlay.client.ip("addr add 192.0.2.77/23 dev to-gateway")
    gateway = laboratory.strongswan("gateway", underlay.gateway)
    client = laboratory.ikegw("client", underlay.client)
    gateway.load(roadwarrior.gateway(underlay.gateway_address))
    quick = {"dpd_delay": "2s", "retransmit_timeout": "0.3s"}
    settings = merged(
        roadwarrior.client(underlay.client_address, underlay.gateway_address),
        {"connections": {"home": {"local_addrs": ["192.0.2.2", "192.0.2.77"], **quick}}},
    )
    client.load(settings)
    client.connect("home")
    assert ping(underlay.client, "10.1.0.1").received == 3

    underlay.client.ip("addr del 192.0.2.2/24 dev to-gateway")
    if told:
        client.load(settings)

    client.daemon.wait_for(r"moved: we are at 192\.0\.2\.77:4500 now, no longer at 192\.0\.2\.2:4500")
    assert isinstance(gateway, StrongSwan)
    until(lambda: "192.0.2.77[4500]" in gateway.sas(), "strongSwan does not follow")
    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=1_000_000)
    assert gateway.sas().count("ESTABLISHED") == 1
    client.stop()
    until(gateway.is_empty, "the gateway keeps an SA")
