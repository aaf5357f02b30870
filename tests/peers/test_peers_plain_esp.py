"""ikegw with ikegw: ESP as IP protocol 50 where no NAT is between, ESP in UDP where one is, or where it is wished."""

import pytest
from laboratory import roadwarrior, underlays
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.traffic import prove

pytestmark = pytest.mark.peers


@pytest.mark.parametrize(
    ("network", "encap", "expected"),
    [
        ("direct", False, "ESP"),
        ("over_ipv6", False, "ESP"),
        ("direct", True, "ESP in UDP"),
        ("behind_nat", False, "ESP in UDP"),
    ],
)
def test_100_MB_arrive_intact(laboratory: Laboratory, network: str, encap: bool, expected: str) -> None:
    underlay = getattr(underlays, network)(laboratory.network)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.ikegw("client", underlay.client)
    gateway.load(roadwarrior.gateway(underlay.gateway_address, encap=encap))
    client.load(roadwarrior.client(underlay.client_address, underlay.gateway_address, encap=encap))

    client.connect("home")

    assert client.daemon.wait_for(r" home up: .*; (ESP|ESP in UDP) aes")[1] == expected
    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=100_000_000)
    prove(underlay.client, underlay.gateway, "fd00:1::1", octets=5_000_000)
    client.stop()
    until(gateway.is_empty, "the gateway keeps an SA")
