"""The laboratory itself: what it shows between two strongSwans is theirs, and not a fault of ikegw."""

import pytest
from laboratory import roadwarrior, underlays
from laboratory.namespaces import run
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.traffic import prove

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("network", ["direct", "behind_nat", "over_ipv6"])
def test_strongswan_meets_strongswan(laboratory: Laboratory, network: str) -> None:
    underlay = getattr(underlays, network)(laboratory.network)
    gateway = laboratory.strongswan("gateway", underlay.gateway)
    client = laboratory.strongswan("client", underlay.client)
    gateway.load(roadwarrior.gateway(underlay.gateway_address))
    client.load(roadwarrior.client(underlay.client_address, underlay.gateway_address))

    client.connect("home")

    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=5_000_000)
    prove(underlay.client, underlay.gateway, "fd00:1::1", octets=5_000_000)
    client.disconnect("home")
    until(gateway.is_empty, "the gateway keeps an SA")


def test_nothing_is_left_of_a_closed_laboratory(laboratory: Laboratory) -> None:
    underlay = underlays.behind_nat(laboratory.network)
    charon = laboratory.strongswan("gateway", underlay.gateway)
    assert laboratory.network.prefix in run(["ip", "netns", "list"])

    laboratory.close()

    assert not charon.daemon.running
    assert laboratory.network.prefix not in run(["ip", "netns", "list"])
