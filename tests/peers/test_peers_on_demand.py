"""Traffic brings the tunnel up, and up again after the peer closed it, or died: `start_action = "trap"`."""

import signal

import pytest
from laboratory import underlays
from laboratory.gateway import Ikegw
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.strongswan import StrongSwan
from laboratory.traffic import Echoes, ping
from laboratory.underlays import Underlay
from test_peers_site import sites

pytestmark = pytest.mark.peers

SOON: Tree = {"dpd_delay": "2s", "retransmit_timeout": "0.3s", "retransmit_tries": 2}


def on_demand(laboratory: Laboratory) -> tuple[Underlay, Ikegw, StrongSwan, Tree]:
    """A branch whose traffic calls the headquarters, a strongSwan that has these settings."""
    underlay = underlays.direct(laboratory.network)
    branch_settings, headquarters_settings = sites(underlay.client_address, underlay.gateway_address)
    trap: Tree = {"children": {"site": {"start_action": "trap"}}}
    headquarters = laboratory.strongswan("headquarters", underlay.gateway)
    headquarters.load(headquarters_settings)
    branch = laboratory.ikegw("branch", underlay.client)
    branch.load(merged(branch_settings, {"connections": {"site": merged(SOON, trap)}}))
    return underlay, branch, headquarters, headquarters_settings


def echoes(underlay: Underlay) -> Echoes:
    return ping(underlay.client, "10.1.7.1", source="10.2.5.1", count=10)


def test_a_ping_brings_the_tunnel_up_each_time_that_the_peer_closed_it(laboratory: Laboratory) -> None:
    underlay, branch, headquarters, _ = on_demand(laboratory)
    assert branch.is_empty()
    assert headquarters.is_empty()

    assert echoes(underlay).received > 5, "those that came while the tunnel was being made may be lost"
    assert echoes(underlay).received == 10

    for what, kind in (("roadwarriors", "--ike"), ("net", "--child")):
        since = branch.daemon.mark()
        headquarters.swanctl("--terminate", kind, what, "--timeout", "10")
        branch.daemon.wait_for(r"site down", since=since)
        assert echoes(underlay).received > 2
        until(lambda: echoes(underlay).received == 10, "the tunnel did not come back")
        branch.daemon.wait_for(r"site up: ", since=since)
    assert headquarters.sas().count("ESTABLISHED") == 1
    assert headquarters.sas().count("INSTALLED") == 1


def test_a_ping_brings_the_tunnel_up_again_after_the_peer_died(laboratory: Laboratory) -> None:
    underlay, branch, headquarters, settings = on_demand(laboratory)
    assert echoes(underlay).received > 5

    since = branch.daemon.mark()
    headquarters.daemon.signal(signal.SIGKILL)
    branch.daemon.wait_for(r"site\[1\] down", since=since, timeout=20.0)
    until(branch.is_empty, "the branch keeps an SA")
    headquarters.stop()
    headquarters.start()
    headquarters.load(settings)
    assert echoes(underlay).received > 2
    until(lambda: echoes(underlay).received == 10, "the tunnel did not come back")
