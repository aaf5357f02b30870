"""Between the peers lies a wire that loses every twentieth packet and lets others overtake: rekeying goes on, both ends agree."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from laboratory import bad_wire, roadwarrior, tunnels, underlays
from laboratory.agreement import rekeyed, until_agreed
from laboratory.namespaces import Network
from laboratory.processes import Daemon, until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.traffic import ping
from laboratory.underlays import Underlay

pytestmark = pytest.mark.peers

LOST, LATE, MOST_SECONDS = 0.05, 0.1, 0.05
CONNECTIONS, CHILDREN = 4, 2
IMPATIENT: Tree = {
    "dpd_delay": "1s",
    "retransmit_timeout": "400ms",
    "retransmit_base": 1,
    "retransmit_tries": 8,
}
"""A dead peer is noticed after some 4 seconds, a lost packet is not taken for one."""
PERSISTENT: Tree = {"retransmit_timeout": "500ms", "retransmit_base": 1, "retransmit_tries": 20}
CHARON: Tree = {"retransmit_timeout": "0.5", "retransmit_base": "1.3", "retransmit_tries": 10}


@contextmanager
def over_a_bad_wire(network: Network, directory: Path) -> Iterator[tuple[Underlay, Daemon]]:
    """A client and a gateway in one network, all of whose packets pass the bad wire."""
    client = network.namespace("client", *underlays.CLIENT_INNER)
    middle = network.namespace("middle")
    gateway = network.namespace("gateway", *underlays.GATEWAY_INNER)
    network.wire(client, "192.0.2.2/24", middle, "203.0.113.1/32")
    network.wire(middle, "203.0.113.2/32", gateway, "192.0.2.1/24")
    parts = map(str, (LOST, LATE, MOST_SECONDS))
    command = (sys.executable, str(bad_wire.__file__), "to-client", "to-gateway", *parts)
    wire = Daemon("the wire", middle.within(*command), directory / "wire.log")
    wire.start()
    try:
        wire.wait_for("ready")
        yield Underlay(client, "192.0.2.2", gateway, "192.0.2.1"), wire
    finally:
        wire.stop()


@pytest.mark.parametrize("role", ["gateway", "client"])
def test_rekeying_goes_on_over_a_wire_that_loses_and_reorders(
    laboratory: Laboratory, tmp_path: Path, role: str
) -> None:
    with over_a_bad_wire(laboratory.network, tmp_path) as (underlay, wire):
        addresses = underlay.client_address, underlay.gateway_address
        places = underlay.client, underlay.gateway
        is_client = role == "client"
        ours = laboratory.ikegw("ours", places[not is_client])
        theirs = laboratory.strongswan("theirs", places[is_client], CHARON)
        client, gateway = (ours, theirs) if is_client else (theirs, ours)
        for daemon, (own, peer) in ((gateway, addresses[::-1]), (client, addresses)):
            settings = tunnels.settings(
                own,
                peer,
                is_client=daemon is client,
                connections=CONNECTIONS,
                children=CHILDREN,
                renew=tunnels.renewed(ike=4, child=2),
                esp_proposals=(["aes256gcm16-x25519"], ["aes256gcm16"]),
            )
            if daemon is ours:
                names = [name for name, _ in tunnels.names(CONNECTIONS, CHILDREN)]
                settings = merged(settings, {"connections": dict.fromkeys(names, PERSISTENT)})
            daemon.load(settings)
        for _, children in tunnels.names(CONNECTIONS, CHILDREN):
            for child in children:
                client.connect(child)

        until(lambda: rekeyed(ours, "ike") >= 6, "IKE SAs are not rekeyed", 60)
        until(lambda: rekeyed(ours, "child") >= 24, "CHILD SAs are not rekeyed", 60)
        wire.signal(signal.SIGUSR1)
        until_agreed(ours, theirs, CONNECTIONS * CHILDREN, 45)

        for mine, peers in tunnels.pairs(CONNECTIONS, CHILDREN):
            echoes = ping(underlay.client, peers, source=mine, count=1)
            assert echoes.received == 1, f"{mine} to {peers}"


def answered(underlay: Underlay) -> bool:
    """One of a few packets comes back from behind the gateway."""
    return ping(underlay.client, "10.1.0.1").received > 0


def test_a_gateway_that_was_killed_is_called_again_over_a_bad_wire(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    with over_a_bad_wire(laboratory.network, tmp_path) as (underlay, _):
        gateway = laboratory.strongswan("gateway", underlay.gateway, CHARON)
        client = laboratory.ikegw("client", underlay.client)
        its_settings = roadwarrior.gateway(underlay.gateway_address)
        restart: Tree = {
            "connections": {"home": {**IMPATIENT, "children": {"home": {"dpd_action": "restart"}}}}
        }
        gateway.load(its_settings)
        client.load(merged(roadwarrior.client(underlay.client_address, underlay.gateway_address), restart))
        client.connect("home")
        until(lambda: answered(underlay), "no way through")

        gateway.kill()
        client.daemon.wait_for(r"home\[1\] down: .*no answer")
        gateway.start()
        gateway.load(its_settings)

        client.daemon.wait_for(r"home\[\d+\] home up: (.|\n)*home\[\d+\] home up: ")
        until(lambda: answered(underlay), "no way through to the gateway that came back")
        assert gateway.sas().count("ESTABLISHED") == 1


def test_strongswan_moves_over_a_bad_wire(laboratory: Laboratory, tmp_path: Path) -> None:
    with over_a_bad_wire(laboratory.network, tmp_path) as (underlay, _):
        gateway = laboratory.ikegw("gateway", underlay.gateway)
        client = laboratory.strongswan("client", underlay.client, CHARON)
        gateway.load(roadwarrior.gateway(underlay.gateway_address))
        client.load(roadwarrior.client("%any", underlay.gateway_address))
        client.connect("home")
        until(lambda: answered(underlay), "no way through")

        underlay.client.ip("addr del 192.0.2.2/24 dev to-middle", "addr add 192.0.2.77/24 dev to-middle")
        gateway.daemon.wait_for(r"moved: the peer is at 192\.0\.2\.77:4500 now")

        until(lambda: answered(underlay), "no way through from the new address")
        assert client.sas().count("ESTABLISHED") == 1
        client.disconnect("home")
        until(gateway.is_empty, "the gateway keeps an SA or an address")
