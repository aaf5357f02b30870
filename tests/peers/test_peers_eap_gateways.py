"""Our own EAP peer logs in at a strongSwan gateway, which checks the login itself."""

import pytest
from laboratory import logins, roadwarrior, underlays
from laboratory.freeradius import MACHINE, RadiusPki
from laboratory.gateway import Ikegw
from laboratory.logins import CAROL
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.strongswan import StrongSwan
from laboratory.traffic import prove
from laboratory.underlays import Underlay

pytestmark = pytest.mark.peers


def sides(
    laboratory: Laboratory, method: str, charon: Tree | None = None
) -> tuple[Underlay, StrongSwan, Ikegw]:
    """A strongSwan that asks for an EAP identity and proposes `method`, and an ikegw that has a certificate as well."""
    pki, underlay = RadiusPki.make(), underlays.direct(laboratory.network)
    gateway = laboratory.strongswan("gateway", underlay.gateway, charon, eap=True)
    gateway.install("gateway", logins.gateway_party(), pki.authority.certificate)
    plain = roadwarrior.gateway(underlay.gateway_address, certificate="gateway")
    remote: Tree = {"auth": f"eap-{method}", "eap_id": "%any", "cacerts": []}
    gateway.load(
        merged(
            plain,
            {
                "connections": {"roadwarriors": {"remote": remote}},
                "secrets": {"eap": {"carol": {"id": ["carol"], "secret": "carolpw"}}},
            },
        )
    )
    client = laboratory.ikegw("client", underlay.client)
    client.install("machine", pki.machine, pki.authority.certificate)
    return underlay, gateway, client


@pytest.mark.parametrize("method", ["mschapv2", "md5"])
def test_a_name_and_a_password(laboratory: Laboratory, method: str) -> None:
    underlay, gateway, client = sides(laboratory, method)
    local: Tree = {"eap_methods": [method]}
    client.load(
        logins.client(
            underlay.client_address,
            underlay.gateway_address,
            eap_id="carol",
            password="carolpw",
            local=local,
        )
    )
    client.connect("home")
    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=500_000)
    client.stop()
    until(gateway.is_empty, "the gateway keeps an SA")


def test_a_certificate_in_EAP_TLS(laboratory: Laboratory) -> None:
    underlay, gateway, client = sides(laboratory, "tls")
    client.load(
        logins.client(
            underlay.client_address,
            underlay.gateway_address,
            identity=MACHINE,
            certs=("machine.pem",),
            local={"eap_methods": ["tls"]},
        )
    )
    client.connect("home")
    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=500_000)
    client.stop()
    until(gateway.is_empty, "the gateway keeps an SA")


def test_IE_12_Success_without_the_word_that_TLS_1_3_ends_with(laboratory: Laboratory) -> None:
    """strongSwan 5.9.8 leaves out the protected success indication of RFC 9190 §2.5: its EAP Success could be anybody's."""
    underlay, _, client = sides(laboratory, "tls", {"tls": {"version_max": "1.3"}})
    client.load(
        logins.client(
            underlay.client_address,
            underlay.gateway_address,
            identity=MACHINE,
            certs=("machine.pem",),
            local={"eap_methods": ["tls"]},
        )
    )
    client.daemon.wait_for("EAP Success before our EAP method was complete")
    client.daemon.wait_for(r"SMI_EAP --eap_success_early--> SM_DEAD")


@pytest.mark.parametrize(("eap_id", "password"), [("carol", "wrong"), ("nobody", "carolpw")])
def test_IE_10_is_refused(laboratory: Laboratory, eap_id: str, password: str) -> None:
    underlay, gateway, client = sides(laboratory, "mschapv2")
    settings = logins.client(
        underlay.client_address, underlay.gateway_address, identity=CAROL, eap_id=eap_id, password=password
    )
    client.load(settings)
    client.daemon.wait_for(r"the peer refused our EAP login; ")
    client.daemon.wait_for(r"SMI_EAP --eap_failed--> SM_DEAD")
    until(gateway.is_empty, "the gateway keeps an SA")
