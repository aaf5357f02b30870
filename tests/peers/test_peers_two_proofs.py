"""Certificate or key, then EAP (RFC 4739): strongSwan as client of our gateway with FreeRADIUS, and as gateway of our client."""

import pytest
from laboratory import logins, roadwarrior, underlays
from laboratory.freeradius import MACHINE, RadiusPki
from laboratory.gateway import Ikegw
from laboratory.logins import CAROL
from laboratory.namespaces import CommandFailed
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.strongswan import StrongSwan
from laboratory.traffic import prove
from laboratory.underlays import Underlay

pytestmark = pytest.mark.peers

LOGIN: Tree = {"auth": "eap", "id": CAROL}
SECRET: Tree = {"secrets": {"eap": {"login": {"id": [CAROL], "secret": "carolpw"}}}}


def by_key(plain: Tree, name: str) -> Tree:
    """The same with a shared key as the first proof, on both sides."""
    local: Tree = {"auth": "psk", "certs": []}
    remote: Tree = {"auth": "psk", "cacerts": []}
    keys = roadwarrior.shared_key(roadwarrior.GATEWAY, MACHINE)
    return merged(plain, {"connections": {name: {"local": local, "remote": remote}}}, keys)


RIGHT = "carolpw"


def client(underlay: Underlay, *, twice: bool = True, password: str = RIGHT) -> Tree:
    """A machine that proves itself by certificate, and then carol."""
    plain = roadwarrior.client(
        underlay.client_address, underlay.gateway_address, certificate="machine", identity=MACHINE
    )
    more: Tree = {"connections": {"home": {"local-2": LOGIN}}} if twice else {}
    secret: Tree = {"secrets": {"eap": {"login": {"id": [CAROL], "secret": password}}}}
    return merged(plain, more, secret)


# ------------------------------------------------------------ our gateway


def our_gateway(laboratory: Laboratory, method: str) -> tuple[Underlay, Ikegw, StrongSwan, Tree]:
    """A gateway whose RADIUS server proposes `method`, a client that has a certificate, and the gateway's settings."""
    pki, underlay = RadiusPki.make(), underlays.direct(laboratory.network)
    server = laboratory.freeradius("radius", underlay.gateway, eap=method, users=logins.ACCOUNTS)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    gateway.install("gateway", logins.gateway_party(), pki.authority.certificate)
    settings = merged(
        roadwarrior.gateway(underlay.gateway_address, certificate="gateway", peer=MACHINE, aaa="staff"),
        {"connections": {"roadwarriors": {"remote-2": {"auth": "eap", "id": "*@ikegw.example"}}}},
        logins.radius(server),
    )
    peer = laboratory.strongswan("client", underlay.client, eap=True)
    peer.install("machine", pki.machine, pki.authority.certificate)
    return underlay, gateway, peer, settings


@pytest.mark.parametrize("method", ["mschapv2", "md5"])
def test_strongSwan_proves_itself_twice(laboratory: Laboratory, method: str) -> None:
    underlay, gateway, peer, settings = our_gateway(laboratory, method)
    gateway.load(settings)
    peer.load(client(underlay))
    peer.connect("home")
    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=500_000)
    gateway.daemon.wait_for(rf"\+eap-{method}")
    gateway.daemon.wait_for(rf"of {CAROL} began")
    peer.disconnect("home")
    until(gateway.is_empty, "the gateway keeps an SA")


def test_strongSwan_proves_itself_by_key_and_password(laboratory: Laboratory) -> None:
    underlay, gateway, peer, settings = our_gateway(laboratory, "mschapv2")
    gateway.load(by_key(settings, "roadwarriors"))
    peer.load(by_key(client(underlay), "home"))
    peer.connect("home")
    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=500_000)
    gateway.daemon.wait_for(r"psk\+eap-mschapv2")


def test_strongSwan_is_not_let_in_by_half(laboratory: Laboratory) -> None:
    """Without its second proof, with a wrong one, or without announcing that it knows of two."""
    underlay, gateway, peer, settings = our_gateway(laboratory, "mschapv2")
    gateway.load(settings)
    for settings, said in (
        (client(underlay, twice=False), "ask for pubkey and then eap"),
        (client(underlay, password="wrong"), "rejected"),
    ):
        peer.load(settings)
        with pytest.raises(CommandFailed):
            peer.connect("home")
        gateway.daemon.wait_for(said)
        until(gateway.is_empty, "the gateway keeps something of a login that failed", timeout=35.0)
    peer.load(client(underlay))
    peer.connect("home")


# ------------------------------------------------------------ our client


def their_gateway(
    laboratory: Laboratory, charon: Tree | None = None
) -> tuple[Underlay, StrongSwan, Ikegw, Tree]:
    """A strongSwan that wants a certificate and then a password, a client of ours, and strongSwan's settings."""
    pki, underlay = RadiusPki.make(), underlays.direct(laboratory.network)
    gateway = laboratory.strongswan("gateway", underlay.gateway, charon, eap=True)
    gateway.install("gateway", logins.gateway_party(), pki.authority.certificate)
    plain = roadwarrior.gateway(underlay.gateway_address, certificate="gateway", peer=MACHINE)
    second: Tree = {"auth": "eap-mschapv2", "id": CAROL}
    settings = merged(plain, {"connections": {"roadwarriors": {"remote-2": second}}}, SECRET)
    ours = laboratory.ikegw("client", underlay.client)
    ours.install("machine", pki.machine, pki.authority.certificate)
    return underlay, gateway, ours, settings


@pytest.mark.parametrize("proof", ["certificate", "key"])
def test_we_prove_ourselves_twice(laboratory: Laboratory, proof: str) -> None:
    underlay, gateway, ours, settings = their_gateway(laboratory)
    gateway.load(settings if proof == "certificate" else by_key(settings, "roadwarriors"))
    ours.load(client(underlay) if proof == "certificate" else by_key(client(underlay), "home"))
    ours.connect("home")
    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=500_000)
    assert CAROL in gateway.sas()
    ours.stop()
    until(gateway.is_empty, "the gateway keeps an SA")


def test_we_prove_ourselves_twice_to_a_strongSwan_that_asks_FreeRADIUS(laboratory: Laboratory) -> None:
    pki, underlay = RadiusPki.make(), underlays.direct(laboratory.network)
    server = laboratory.freeradius("radius", underlay.gateway, users=logins.ACCOUNTS)
    gateway = laboratory.strongswan("gateway", underlay.gateway, eap=True, radius=server)
    gateway.install("gateway", logins.gateway_party(), pki.authority.certificate)
    plain = roadwarrior.gateway(underlay.gateway_address, certificate="gateway", peer=MACHINE)
    second: Tree = {"auth": "eap-radius", "id": CAROL}
    gateway.load(merged(plain, {"connections": {"roadwarriors": {"remote-2": second}}}))
    ours = laboratory.ikegw("client", underlay.client)
    ours.install("machine", pki.machine, pki.authority.certificate)
    ours.load(client(underlay))
    ours.connect("home")
    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=500_000)
    assert f"Login OK: [{CAROL}" in server.daemon.text()


def test_IE_22_a_strongSwan_that_takes_one_proof_only(laboratory: Laboratory) -> None:
    underlay, gateway, ours, settings = their_gateway(laboratory, {"multiple_authentication": False})
    gateway.load(settings)
    ours.load(client(underlay))
    ours.daemon.wait_for(r"takes more than one proof \(RFC 4739\)")
    ours.daemon.wait_for(r"SMI_AUTH --one_proof_only--> SM_TERMINATE")


def test_IE_10_our_second_proof_is_wrong(laboratory: Laboratory) -> None:
    underlay, gateway, ours, settings = their_gateway(laboratory)
    gateway.load(settings)
    ours.load(client(underlay, password="wrong"))
    ours.daemon.wait_for(r"the peer refused our EAP login; ")
    until(gateway.is_empty, "the gateway keeps an SA")
