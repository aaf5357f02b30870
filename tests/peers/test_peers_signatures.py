"""Peers that cannot tell which hashes they know, as Windows and Apple's clients, and those that can: each is served its way."""

from datetime import UTC, datetime

import pytest
from attrs import evolve
from laboratory import roadwarrior, underlays
from laboratory.gateway import Ikegw
from laboratory.namespaces import CommandFailed
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.strongswan import StrongSwan

from ikegw.auth.certificates import X509
from ikegw.testing.pki import GATEWAY_USAGES, Authority, Period, write_directory

pytestmark = pytest.mark.peers


def peers(laboratory: Laboratory, *, announces: bool, weak: list[str]) -> tuple[Ikegw, StrongSwan]:
    """A gateway with an RSA and an ECDSA certificate, and a client with RSA that has RFC 7427 or not."""
    now = datetime.now(UTC)
    root = evolve(Authority.root("ikegw CA", "ecdsa256", Period.around(now, 3650)), period=Period.around(now))
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    without: Tree = {} if announces else {"signature_authentication": False}
    client = laboratory.strongswan("client", underlay.client, without)
    for kind in ("rsa2048", "ecdsa256"):
        party = root.issue(roadwarrior.GATEWAY, kind, usages=GATEWAY_USAGES)
        gateway.install(kind, party, root.certificate)
    client.install("carol", root.issue(roadwarrior.CLIENT, "rsa2048"), root.certificate)
    both: Tree = {"local": {"certs": ["ecdsa256.pem", "rsa2048.pem"]}, "remote": {"weak": weak}}
    settings = roadwarrior.gateway(underlay.gateway_address, certificate="either")
    gateway.load(merged(settings, {"connections": {"roadwarriors": both}}))
    client.load(roadwarrior.client(underlay.client_address, underlay.gateway_address, certificate="carol"))
    return gateway, client


@pytest.mark.parametrize(
    ("announces", "weak", "scheme"), [(True, [], "ECDSA_WITH_SHA256"), (False, ["sha1"], "RSA signature")]
)
def test_RSA_for_who_announces_no_hashes_and_ECDSA_for_others(
    laboratory: Laboratory, announces: bool, weak: list[str], scheme: str
) -> None:
    _, client = peers(laboratory, announces=announces, weak=weak)
    client.connect("home")
    client.daemon.wait_for(rf"authentication of '{roadwarrior.GATEWAY}' with {scheme}\w* successful")


@pytest.mark.parametrize("sends", ["always", "never"])
def test_a_client_that_is_pinned_by_its_key(laboratory: Laboratory, sends: str) -> None:
    """Of an authority that the gateway does not know; what the client does not send must lie in certs/."""
    period = Period.around(datetime.now(UTC))
    ours, theirs = (Authority.root(name, "ecdsa256", period) for name in ("ours", "theirs"))
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.strongswan("client", underlay.client)
    party = ours.issue(roadwarrior.GATEWAY, "ecdsa256", usages=GATEWAY_USAGES)
    write_directory(gateway.directory, {"gateway": party}, {})
    carol = theirs.issue(roadwarrior.CLIENT, "ecdsa256")
    client.install("carol", carol, ours.certificate)
    if sends == "never":
        (gateway.directory / "certs" / "carol.pem").write_bytes(carol.chain_pem)
    _, key = X509.of(carol.certificate).pins
    remote: Tree = {"id": roadwarrior.CLIENT, "cacerts": [], "pinned": [str(key)]}
    pinned: Tree = {"connections": {"roadwarriors": {"remote": remote}}}
    gateway.load(merged(roadwarrior.gateway(underlay.gateway_address, certificate="gateway"), pinned))
    client.load(
        roadwarrior.client(
            underlay.client_address, underlay.gateway_address, certificate="carol", send_cert=sends
        )
    )
    client.connect("home")


def test_a_client_that_signs_with_SHA_1_is_refused_with_a_hint(laboratory: Laboratory) -> None:
    gateway, client = peers(laboratory, announces=False, weak=[])
    with pytest.raises(CommandFailed, match="AUTH"):
        client.connect("home")
    gateway.daemon.wait_for(r'rsa-sha1, where SHA-1 is not allowed; .*remote\.weak = \["sha1"\]')
