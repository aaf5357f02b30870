"""Clients whose addresses come from a DHCP server, and what they ask it inside their tunnels."""

import json
import re
import sys
import time
from pathlib import Path

import pytest
from laboratory import roadwarrior, underlays
from laboratory.dhcp_servers import Kea, runs
from laboratory.gateway import Ikegw
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.traffic import ping, prove
from laboratory.underlays import Underlay

pytestmark = pytest.mark.peers

INFORM = str(Path(__file__).with_name("laboratory") / "inform_client.py")
IDENTITY = roadwarrior.CLIENT.encode()


def office(laboratory: Laboratory, underlay: Underlay) -> Kea:
    """A Kea behind the gateway, which leases 10.60.0.0/24 for 4 s at a time."""
    place = laboratory.network.namespace("kea")
    laboratory.network.wire(underlay.gateway, "10.50.1.1/24", place, "10.50.1.2/24")
    place.ip("route add 10.60.0.0/16 via 10.50.1.1")
    underlay.gateway.ip("addr add 10.60.0.1/32 dev lo")
    until(lambda: runs(place, "to-gateway"), "the wire to the server does not come up")
    kea = Kea(place, "to-gateway", laboratory.directory / "kea", "10.50.1.2")
    laboratory.daemons.append(kea)
    kea.start()
    return kea


def gateway_of(laboratory: Laboratory, underlay: Underlay, **more: Tree) -> Ikegw:
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    local_ts = ["10.1.0.0/16", "255.255.255.255/32"]
    connection: Tree = {"pools": ["dhcp"], "children": {"net": {"local_ts": local_ts}}}
    gateway.load(
        merged(
            roadwarrior.gateway(underlay.gateway_address, pools={}),
            {"connections": {"roadwarriors": connection}},
            {"dhcp": {"office": {"servers": ["10.50.1.2"], "giaddr": "10.60.0.1"}}},
            more,
        )
    )
    return gateway


def leased(gateway: Ikegw) -> str:
    return gateway.daemon.wait_for(r"lent (10\.60\.0\.\d+) to ")[1]


def test_strongswan_has_its_address_from_Kea_as_long_as_it_stays(laboratory: Laboratory) -> None:
    underlay = underlays.direct(laboratory.network)
    kea = office(laboratory, underlay)
    gateway = gateway_of(laboratory, underlay, log={"level": "debug"})
    client = laboratory.strongswan("client", underlay.client)
    client.load(
        roadwarrior.client(
            underlay.client_address, underlay.gateway_address, vips=["0.0.0.0"], remote_ts=["10.1.0.0/16"]
        )
    )
    client.connect("home")
    up_since = time.monotonic()
    address = leased(gateway)
    assert kea.leases() == {address: b"\0" + IDENTITY}
    gateway.daemon.wait_for(r"dhcp server office 10\.50\.1\.2 answered after [0-9.]+ ms")
    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=1_000_000)

    longer_than_the_lease = 5.0
    until(lambda: time.monotonic() - up_since > longer_than_the_lease, "the time does not pass")
    assert kea.leases() == {address: b"\0" + IDENTITY}
    echoes = ping(underlay.client, "10.1.0.1", source=address)
    assert echoes.received == echoes.sent

    client.disconnect("home")
    until(lambda: not kea.leases(), "the server does not see the release")
    client.connect("home")
    assert kea.leases() == {address: b"\0" + IDENTITY}, "the same client, the same address"
    assert "dhcp office: 1 leases" in gateway.status()


def test_lease_that_the_server_takes_away_ends_the_session(laboratory: Laboratory) -> None:
    underlay = underlays.direct(laboratory.network)
    kea = office(laboratory, underlay)
    gateway = gateway_of(laboratory, underlay)
    client = laboratory.ikegw("client", underlay.client)
    client.load(roadwarrior.client(underlay.client_address, underlay.gateway_address, vips=["0.0.0.0"]))
    client.connect("home")
    address = leased(gateway)
    kea.ask("lease4-del", **{"ip-address": address})
    other = {"hw-address": "02:00:00:00:00:09", "client-id": "00:7a", "subnet-id": 60, "valid-lft": 60}
    kea.ask("lease4-add", **{"ip-address": address}, **other)
    gateway.daemon.wait_for(re.escape(f"DHCP server 10.50.1.2 refused {address}"))
    until(lambda: "dhcp office: 0 leases" in gateway.status(), "the session goes on")


def test_windows_is_told_its_routes_inside_the_tunnel(laboratory: Laboratory) -> None:
    underlay = underlays.direct(laboratory.network)
    office(laboratory, underlay)
    gateway = gateway_of(laboratory, underlay, inform={"address": "10.1.0.1"})
    client = laboratory.ikegw("client", underlay.client)
    client.load(
        roadwarrior.client(
            underlay.client_address,
            underlay.gateway_address,
            vips=["0.0.0.0"],
            remote_ts=["0.0.0.0/0"],
        )
    )
    client.connect("home")
    device = re.search(r"the TUN device (\S+),", client.daemon.text())
    assert device is not None
    said = underlay.client.run(sys.executable, INFORM, device[1], leased(gateway))
    answer = json.loads(said)
    assert (answer["kind"], answer["source"], answer["port"]) == ("ACK", "10.1.0.1", 67)
    assert answer["options"] == {
        "54": "0a010001",
        "6": "0a010035",
        "15": b"ikegw.example".hex(),
        "249": "100a0100000000",  # 10.1.0.0/16, on link
    }
