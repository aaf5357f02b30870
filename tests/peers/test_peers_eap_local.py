"""A small site: clients log in by EAP at the gateway itself (`aaa = "local"`), with no server beside it."""

import signal

import pytest
from laboratory import logins, underlays
from laboratory.freeradius import MACHINE, RadiusPki
from laboratory.gateway import Ikegw
from laboratory.logins import CAROL
from laboratory.namespaces import CommandFailed
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.traffic import prove
from laboratory.underlays import Underlay

from ikegw.testing.pki import Party

pytestmark = pytest.mark.peers


def gateway(laboratory: Laboratory, underlay: Underlay, *methods: str) -> Ikegw:
    """An ikegw whose one user is Carol; or, by certificate, whoever the authority vouches for."""
    made = laboratory.ikegw("gateway", underlay.gateway)
    made.install("gateway", logins.gateway_party(), RadiusPki.make().authority.certificate)
    own: Tree = {
        "eap": {"methods": list(methods), "certs": ["gateway.pem"], "cacerts": ["ca.pem"]},
        "secrets": {"eap": {"carol": {"id": [CAROL], "secret": "carol's secret"}}},
    }
    made.load(merged(logins.gateway(underlay.gateway_address, "local"), own))
    return made


def client(underlay: Underlay, identity: str = CAROL, **more: object) -> Tree:
    """A client's settings."""
    given: dict[str, object] = {"password": "carol's secret", **more}
    return logins.client(underlay.client_address, underlay.gateway_address, identity=identity, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["mschapv2", "md5", "gtc"])
def test_strongSwan_logs_in_with_a_password(laboratory: Laboratory, method: str) -> None:
    underlay = underlays.direct(laboratory.network)
    at_home = gateway(laboratory, underlay, method)
    carol = laboratory.strongswan("client", underlay.client, eap=True)
    carol.install("machine", RadiusPki.make().machine, RadiusPki.make().authority.certificate)
    carol.load(client(underlay))
    carol.connect("home")
    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=500_000)
    carol.disconnect("home")
    carol.load(client(underlay, password="guessed"))
    with pytest.raises(CommandFailed):
        carol.connect("home")
    at_home.daemon.wait_for(f"wrong password for '{CAROL}'")
    until(at_home.is_empty, "the gateway keeps something", timeout=35.0)


def test_strongSwan_logs_in_with_a_certificate(laboratory: Laboratory) -> None:
    underlay, pki = underlays.direct(laboratory.network), RadiusPki.make()
    at_home = gateway(laboratory, underlay, "mschapv2", "tls")
    machine = laboratory.strongswan("client", underlay.client, eap=True)
    machine.install("machine", pki.machine, pki.authority.certificate)
    machine.load(client(underlay, MACHINE, password=None, certs=("machine.pem",), local={"auth": "eap-tls"}))
    machine.connect("home")
    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=500_000)
    machine.disconnect("home")
    until(at_home.is_empty, "the gateway keeps an SA")

    machine.connect("home")
    (at_home.directory / "crl").mkdir(exist_ok=True)
    (at_home.directory / "crl" / "ca.crl").write_bytes(pki.authority.crl([pki.machine]))
    at_home.daemon.signal(signal.SIGHUP)
    at_home.daemon.wait_for(f"down: .*CN={MACHINE} was revoked")
    until(machine.is_empty, "the client was not told")
    with pytest.raises(CommandFailed):
        machine.connect("home")
    at_home.daemon.wait_for(f"EAP-tls: .*CN={MACHINE} was revoked")


def carols_own(pki: RadiusPki) -> Party:
    return pki.authority.issue(CAROL, "ecdsa256")


@pytest.mark.parametrize("method", ["mschapv2", "tls"])
def test_ikegw_logs_in(laboratory: Laboratory, method: str) -> None:
    underlay, pki = underlays.direct(laboratory.network), RadiusPki.make()
    at_home = gateway(laboratory, underlay, "mschapv2", "tls")
    carol = laboratory.ikegw("client", underlay.client)
    carol.install("carol", carols_own(pki), pki.authority.certificate)
    certs = ("carol.pem",) if method == "tls" else ()
    carol.load(client(underlay, certs=certs, local={"eap_methods": [method]}))
    carol.connect("home")
    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=500_000)
    carol.stop()
    until(at_home.is_empty, "the gateway keeps an SA")
