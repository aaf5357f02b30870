"""How a tunnel ends: by a DELETE of either side, or by SIGTERM; the other side then has nothing left."""

import signal

import pytest
from laboratory import roadwarrior, underlays
from laboratory.gateway import Ikegw
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.strongswan import StrongSwan
from laboratory.traffic import ping
from laboratory.underlays import Underlay

pytestmark = pytest.mark.peers


def tunnel(
    laboratory: Laboratory, client_kind: str, gateway_kind: str
) -> tuple[Underlay, StrongSwan | Ikegw, StrongSwan | Ikegw]:
    """A client that is connected to a gateway."""
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.peer(gateway_kind, "gateway", underlay.gateway)
    client = laboratory.peer(client_kind, "client", underlay.client)
    gateway.load(roadwarrior.gateway(underlay.gateway_address))
    client.load(roadwarrior.client(underlay.client_address, underlay.gateway_address))
    client.connect("home")
    assert ping(underlay.client, "10.1.0.1").received == 3
    return underlay, client, gateway


def test_client_deletes_its_SA_and_the_address_comes_back(laboratory: Laboratory) -> None:
    _, client, gateway = tunnel(laboratory, "strongswan", "ikegw")
    assert isinstance(client, StrongSwan)

    client.disconnect("home")

    until(gateway.is_empty, "the gateway keeps an SA")
    gateway.daemon.wait_for(r"gave back 10\.3\.0\.\d+")


def test_gateway_deletes_the_client_s_SA(laboratory: Laboratory) -> None:
    underlay, client, gateway = tunnel(laboratory, "ikegw", "strongswan")
    assert isinstance(gateway, StrongSwan)

    gateway.disconnect("roadwarriors")

    client.daemon.wait_for(r"home\[1\] down")
    until(client.is_empty, "the client keeps an SA")
    assert "10.3.0." not in underlay.client.run("ip", "-brief", "addr", "show")


@pytest.mark.parametrize(("client_kind", "gateway_kind"), [("strongswan", "ikegw"), ("ikegw", "strongswan")])
def test_ikegw_deletes_every_SA_when_it_is_stopped(
    laboratory: Laboratory, client_kind: str, gateway_kind: str
) -> None:
    underlay, client, gateway = tunnel(laboratory, client_kind, gateway_kind)
    ours, theirs = (client, gateway) if client_kind == "ikegw" else (gateway, client)

    assert ours.daemon.stop() == -signal.SIGTERM, (
        "twistd ends by the signal that it was sent, once all is done"
    )

    until(theirs.is_empty, "strongSwan keeps an SA")
    assert "received DELETE" in theirs.daemon.text()
    where = underlay.client if ours is client else underlay.gateway
    assert "ikegw" not in where.run("ip", "-brief", "link"), "the TUN device is gone"
    assert "10.3.0." not in where.run("ip", "-brief", "addr", "show")


def test_a_killed_ikegw_leaves_no_process_and_no_device(laboratory: Laboratory) -> None:
    underlay, _, gateway = tunnel(laboratory, "strongswan", "ikegw")
    assert "ikegw" in underlay.gateway.run("ip", "-brief", "link")

    gateway.daemon.signal(signal.SIGKILL)

    until(lambda: "ikegw" not in underlay.gateway.run("ip", "-brief", "link"), "the TUN device stays")
