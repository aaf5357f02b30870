"""Large certificates travel in IKE fragments (RFC 7383), where nothing that IP itself cut comes through."""

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from attrs import evolve
from laboratory import roadwarrior, underlays
from laboratory.gateway import Ikegw
from laboratory.namespaces import CommandFailed
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree
from laboratory.strongswan import StrongSwan
from laboratory.traffic import ping
from laboratory.underlays import Underlay

from ikegw.testing.pki import CLIENT_USAGES, GATEWAY_USAGES, Authority, DemoPki, Period

pytestmark = pytest.mark.peers

PAIRS = [("strongswan", "ikegw"), ("ikegw", "strongswan")]
CHARON: Tree = {
    "filelog": {"stderr": {"default": 1, "enc": 1, "net": 1, "ike_name": True, "flush_line": True}}
}


@cache
def pki(kind: str) -> DemoPki:
    """Certificates of one kind of key under an RSA-4096 authority: none of their messages fits into one packet."""
    now = datetime.now(UTC)
    root = evolve(
        Authority.root("ikegw demo CA", "rsa4096", Period.around(now, 3650)), period=Period.around(now)
    )
    return DemoPki(
        root,
        (roadwarrior.GATEWAY, root.issue(roadwarrior.GATEWAY, kind, usages=GATEWAY_USAGES)),
        ((roadwarrior.CLIENT, root.issue(roadwarrior.CLIENT, kind, usages=CLIENT_USAGES)),),
    )


def without_ip_fragments(underlay: Underlay) -> None:
    """Both ends lose what IP cut, as many firewalls and NATs do."""
    for place in (underlay.client, underlay.gateway):
        place.run(
            "nft",
            "add table inet whole; add chain inet whole in { type filter hook prerouting priority -450; }",
        )
        place.run("nft", "add rule inet whole in ip frag-off & 0x3fff != 0 counter drop")
        place.run("nft", "add rule inet whole in exthdr frag exists counter drop")


def meet(
    laboratory: Laboratory,
    underlay: Underlay,
    kinds: tuple[str, str],
    key: str,
    charon: Tree | None = None,
    **more: Any,
) -> tuple[StrongSwan | Ikegw, StrongSwan | Ikegw]:
    """A client and a gateway of these kinds, connected with certificates."""
    settings = {**CHARON, **(charon or {})}
    gateway = laboratory.peer(kinds[1], "gateway", underlay.gateway, settings)
    client = laboratory.peer(kinds[0], "client", underlay.client, settings)
    made = pki(key)
    gateway.install("gateway", made.gateway[1], made.root.certificate)
    client.install("client", made.clients[0][1], made.root.certificate)
    gateway.load(roadwarrior.gateway(underlay.gateway_address, certificate="gateway", **more))
    client.load(
        roadwarrior.client(underlay.client_address, underlay.gateway_address, certificate="client", **more)
    )
    client.connect("home")
    return client, gateway


def part(client: StrongSwan | Ikegw, gateway: StrongSwan | Ikegw) -> None:
    """The client leaves, and the gateway keeps nothing."""
    if isinstance(client, Ikegw):
        client.stop()
    else:
        client.disconnect("home")
        assert client.is_empty()
    until(gateway.is_empty, "the gateway keeps an SA")


def strongswan_of(*daemons: StrongSwan | Ikegw) -> StrongSwan:
    (peer,) = (each for each in daemons if isinstance(each, StrongSwan))
    return peer


def used_fragments(peer: StrongSwan) -> None:
    """By strongSwan's own account it cut what it sent and joined what it received."""
    log = peer.daemon.text()
    assert "splitting IKE message" in log
    assert "EF(1/" in log
    assert "reassembled fragmented IKE message" in log


@pytest.mark.parametrize("key", ["rsa2048", "rsa4096"])
@pytest.mark.parametrize("network", ["direct", "over_ipv6"])
@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_certificates_cross_a_path_that_loses_ip_fragments(
    laboratory: Laboratory, kinds: tuple[str, str], network: str, key: str
) -> None:
    underlay = getattr(underlays, network)(laboratory.network)
    without_ip_fragments(underlay)
    client, gateway = meet(laboratory, underlay, kinds, key)
    used_fragments(strongswan_of(client, gateway))
    assert ping(underlay.client, "10.1.0.1").received
    part(client, gateway)


def test_that_path_lets_no_large_message_through_whole(laboratory: Laboratory) -> None:
    underlay = underlays.direct(laboratory.network)
    without_ip_fragments(underlay)
    with pytest.raises(CommandFailed):
        meet(
            laboratory,
            underlay,
            ("strongswan", "ikegw"),
            "rsa2048",
            {"retransmit_tries": 1},
            fragmentation=False,
        )


@pytest.mark.parametrize("octets", [320, 576, 1500])
def test_strongswan_cuts_to_other_sizes(laboratory: Laboratory, octets: int) -> None:
    """Windows cuts to 576 octets; 320 makes a dozen fragments of one message."""
    underlay = underlays.direct(laboratory.network)
    client, gateway = meet(
        laboratory, underlay, ("strongswan", "ikegw"), "rsa4096", {"fragment_size": octets}
    )
    used_fragments(strongswan_of(client, gateway))
    part(client, gateway)


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_a_path_narrower_than_a_packet_of_ours_is_found_out(
    laboratory: Laboratory, kinds: tuple[str, str]
) -> None:
    """Packets above 900 octets vanish: ours shrink after two repetitions, strongSwan's are small by its configuration."""
    underlay = underlays.direct(laboratory.network)
    for place in (underlay.client, underlay.gateway):
        place.run(
            "nft",
            "add table inet narrow; add chain inet narrow in { type filter hook prerouting priority -450; }",
        )
        place.run("nft", "add rule inet narrow in ip length > 900 counter drop")
    charon: Tree = {
        "fragment_size": 800,
        "retransmit_timeout": "2.0",
        "retransmit_base": "1.3",
        "retransmit_tries": 8,
    }
    client, gateway = meet(laboratory, underlay, kinds, "rsa2048", charon)
    used_fragments(strongswan_of(client, gateway))
    at = underlay.client if isinstance(client, StrongSwan) else underlay.gateway
    lost = re.search(r"packets (\d+)", at.run("nft", "list", "table", "inet", "narrow"))
    assert lost
    assert int(lost[1]) >= 3, "ikegw sent large fragments and repeated them"
    part(client, gateway)


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_strongswan_told_not_to_fragment_gets_whole_messages(
    laboratory: Laboratory, kinds: tuple[str, str]
) -> None:
    underlay = underlays.direct(laboratory.network)
    client, gateway = meet(laboratory, underlay, kinds, "rsa2048", fragmentation=False)
    log = strongswan_of(client, gateway).daemon.text()
    assert "EF(" not in log
    assert "N(FRAG_SUP)" not in log
    part(client, gateway)
