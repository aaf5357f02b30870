"""Keys are renewed while traffic flows: CHILD SAs and IKE SAs, begun by either side (RFC 7296 §2.8)."""

import pytest
from laboratory import roadwarrior, underlays
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.strongswan import StrongSwan
from laboratory.traffic import prove

pytestmark = pytest.mark.peers

WITH_GROUP = ["aes256gcm16-x25519"]


@pytest.mark.parametrize(
    ("what", "esp_proposals"), [("child", ["aes256gcm16"]), ("child", WITH_GROUP), ("ike", WITH_GROUP)]
)
def test_strongswan_renews_the_keys(laboratory: Laboratory, what: str, esp_proposals: list[str]) -> None:
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.strongswan("client", underlay.client)
    gateway.load(roadwarrior.gateway(underlay.gateway_address, esp_proposals=esp_proposals))
    client.load(
        roadwarrior.client(underlay.client_address, underlay.gateway_address, esp_proposals=esp_proposals)
    )
    client.connect("home")
    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=2_000_000)

    for _ in range(2):
        since = gateway.daemon.mark()
        client.swanctl("--rekey", f"--{what}", "home")
        gateway.daemon.wait_for(r"superseded|rekeyed", since=since)
        prove(underlay.client, underlay.gateway, "10.1.0.1", octets=2_000_000)

    client.disconnect("home")
    until(gateway.is_empty, "the gateway keeps an SA or an address")


@pytest.mark.parametrize("what", ["child", "ike"])
def test_ikegw_renews_the_keys(laboratory: Laboratory, what: str) -> None:
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.strongswan("gateway", underlay.gateway)
    client = laboratory.ikegw("client", underlay.client)
    gateway.load(roadwarrior.gateway(underlay.gateway_address, esp_proposals=WITH_GROUP))
    soon: Tree = {"rekey_time": "2s", "rand_time": "0"}
    settings: Tree = {"children": {"home": soon}} if what == "child" else soon
    client.load(
        merged(
            roadwarrior.client(underlay.client_address, underlay.gateway_address, esp_proposals=WITH_GROUP),
            {"connections": {"home": settings}},
        )
    )
    client.connect("home")

    for _ in range(2):
        client.daemon.wait_for(r"rekeyed", since=client.daemon.mark())
        prove(underlay.client, underlay.gateway, "10.1.0.1", octets=2_000_000)

    assert isinstance(gateway, StrongSwan)
    assert gateway.sas().count("ESTABLISHED") == 1
    client.stop()
    until(gateway.is_empty, "the gateway keeps an SA")
