"""The same tunnel over other networks: a NAT that changes addresses and ports in between, and IPv6."""

import pytest
from laboratory import roadwarrior, underlays
from laboratory.room import Laboratory
from laboratory.traffic import prove

pytestmark = pytest.mark.peers

PAIRS = [("strongswan", "ikegw"), ("ikegw", "strongswan")]


@pytest.mark.parametrize("network", ["behind_nat", "over_ipv6"])
@pytest.mark.parametrize(("client_kind", "gateway_kind"), PAIRS)
def test_100_MB_arrive_intact_over(
    laboratory: Laboratory, client_kind: str, gateway_kind: str, network: str
) -> None:
    underlay = getattr(underlays, network)(laboratory.network)
    gateway = laboratory.peer(gateway_kind, "gateway", underlay.gateway)
    client = laboratory.peer(client_kind, "client", underlay.client)
    gateway.load(roadwarrior.gateway(underlay.gateway_address))
    client.load(roadwarrior.client(underlay.client_address, underlay.gateway_address))

    client.connect("home")

    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=100_000_000)
    prove(underlay.client, underlay.gateway, "fd00:1::1", octets=5_000_000)
