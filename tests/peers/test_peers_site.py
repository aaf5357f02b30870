"""Two sites with fixed networks, joined by a tunnel: no address is lent, and either side opens it."""

import pytest
from laboratory import roadwarrior, underlays
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.traffic import ping, prove

pytestmark = pytest.mark.peers

BRANCH = "branch.ikegw.example"
HEADQUARTERS_NETWORKS = ["10.1.0.0/16", "fd00:1::/64"]
BRANCH_NETWORKS = ["10.2.0.0/16", "fd00:2::/64"]


def sites(branch_address: str, headquarters_address: str) -> tuple[Tree, Tree]:
    """The settings of the branch, which opens the tunnel, and of the headquarters."""
    opening: Tree = {"children": {"site": {"local_ts": BRANCH_NETWORKS}}}
    branch = roadwarrior.client(
        branch_address,
        headquarters_address,
        name="site",
        identity=BRANCH,
        remote_ts=HEADQUARTERS_NETWORKS,
        vips=(),
    )
    answering: Tree = {"children": {"net": {"remote_ts": BRANCH_NETWORKS}}}
    headquarters = roadwarrior.gateway(headquarters_address, peer=BRANCH, pools={})
    return merged(branch, {"connections": {"site": opening}}), merged(
        headquarters,
        {"connections": {"roadwarriors": answering}},
        roadwarrior.shared_key(roadwarrior.GATEWAY, BRANCH),
    )


@pytest.mark.parametrize(
    ("branch_kind", "headquarters_kind"),
    [("strongswan", "ikegw"), ("ikegw", "strongswan"), ("ikegw", "ikegw")],
)
def test_two_sites_reach_each_other(laboratory: Laboratory, branch_kind: str, headquarters_kind: str) -> None:
    underlay = underlays.direct(laboratory.network)
    headquarters = laboratory.peer(headquarters_kind, "headquarters", underlay.gateway)
    branch = laboratory.peer(branch_kind, "branch", underlay.client)
    branch_settings, headquarters_settings = sites(underlay.client_address, underlay.gateway_address)
    headquarters.load(headquarters_settings)
    branch.load(branch_settings)

    branch.connect("site")

    prove(underlay.client, underlay.gateway, "10.1.7.1", octets=20_000_000)
    prove(underlay.gateway, underlay.client, "10.2.7.1", octets=20_000_000)
    prove(underlay.client, underlay.gateway, "fd00:1::1", octets=5_000_000)
    assert ping(underlay.client, "10.1.3.1", source="10.2.5.1").received == 3
    branch.stop()
    until(headquarters.is_empty, "the headquarters keep an SA")
