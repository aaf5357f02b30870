"""strongSwan is killed, and nobody is told: ikegw notices by itself, and whoever comes back is as welcome as before."""

import re
from typing import Final

import pytest
from laboratory import roadwarrior, underlays
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.traffic import ping

pytestmark = pytest.mark.peers

IMPATIENT: Final[Tree] = {
    "dpd_delay": "1s",
    "retransmit_timeout": "500ms",
    "retransmit_base": 1,
    "retransmit_tries": 6,
}
"""A dead peer is noticed after some 4 seconds."""


def test_a_gateway_that_was_killed_is_called_again(laboratory: Laboratory) -> None:
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.strongswan("gateway", underlay.gateway)
    client = laboratory.ikegw("client", underlay.client)
    its_settings = roadwarrior.gateway(underlay.gateway_address)
    restart: Tree = {"connections": {"home": {**IMPATIENT, "children": {"home": {"dpd_action": "restart"}}}}}
    gateway.load(its_settings)
    client.load(merged(roadwarrior.client(underlay.client_address, underlay.gateway_address), restart))
    client.connect("home")
    assert ping(underlay.client, "10.1.0.1").received == 3

    gateway.kill()
    client.daemon.wait_for(r"home\[1\] down: .*no answer")
    gateway.start()
    gateway.load(its_settings)

    client.daemon.wait_for(r"home\[2\] home up: ")
    assert ping(underlay.client, "10.1.0.1").received == 3
    assert gateway.sas().count("ESTABLISHED") == 1


def test_a_client_that_was_killed_gets_its_address_again_and_leaves_nothing_when_it_stays_away(
    laboratory: Laboratory,
) -> None:
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.strongswan("client", underlay.client)
    its_settings = roadwarrior.client(underlay.client_address, underlay.gateway_address)
    gateway.load(
        merged(roadwarrior.gateway(underlay.gateway_address), {"connections": {"roadwarriors": IMPATIENT}})
    )
    client.load(its_settings)
    client.connect("home")
    assert ping(underlay.client, "10.1.0.1").received == 3

    client.kill()
    client.start()
    client.load(its_settings)
    client.connect("home")

    gateway.daemon.wait_for(r"roadwarriors\[1\] down: .*INITIAL_CONTACT")
    lent = re.findall(r"lent (10\.3\.0\.\d+)", gateway.daemon.text())
    assert len(lent) == 2
    assert len(set(lent)) == 1
    assert ping(underlay.client, "10.1.0.1").received == 3

    client.kill()
    gateway.daemon.wait_for(r"roadwarriors\[2\] down: .*no answer")
    until(gateway.is_empty, "the gateway keeps an SA or an address")
