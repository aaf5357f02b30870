"""A road warrior authenticates, gets addresses of both families, and its traffic flows; each daemon in each place."""

from datetime import UTC, datetime
from functools import cache

import pytest
from laboratory import roadwarrior, underlays
from laboratory.gateway import Ikegw
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.traffic import prove

from ikegw.testing.pki import DemoPki

pytestmark = pytest.mark.peers

PAIRS = [("strongswan", "ikegw"), ("ikegw", "strongswan")]
MEGABYTE = 1_000_000


@cache
def pki(kind: str) -> DemoPki:
    return DemoPki.make(roadwarrior.GATEWAY, [roadwarrior.CLIENT], kind, datetime.now(UTC))


@pytest.mark.parametrize("proof", ["psk", "rsa2048", "ecdsa256", "ed25519"])
@pytest.mark.parametrize(("client_kind", "gateway_kind"), PAIRS)
def test_road_warrior_authenticates_and_100_MB_arrive_intact(
    laboratory: Laboratory, client_kind: str, gateway_kind: str, proof: str
) -> None:
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.peer(gateway_kind, "gateway", underlay.gateway)
    client = laboratory.peer(client_kind, "client", underlay.client)
    certificates = (
        {"gateway": None, "client": None} if proof == "psk" else {"gateway": "gateway", "client": "client"}
    )
    if proof != "psk":
        made = pki(proof)
        gateway.install("gateway", made.gateway[1], made.root.certificate)
        client.install("client", made.clients[0][1], made.root.certificate)
    gateway.load(roadwarrior.gateway(underlay.gateway_address, certificate=certificates["gateway"]))
    client.load(
        roadwarrior.client(
            underlay.client_address, underlay.gateway_address, certificate=certificates["client"]
        )
    )

    client.connect("home")

    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=100 * MEGABYTE)
    prove(underlay.client, underlay.gateway, "fd00:1::1", octets=5 * MEGABYTE)
    if isinstance(client, Ikegw):
        client.stop()
    else:
        client.disconnect("home")
        assert client.is_empty()
    until(gateway.is_empty, "the gateway keeps an SA")
