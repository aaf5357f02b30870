"""strongSwan logs in by EAP through our gateway, which asks a FreeRADIUS: each method, and what goes wrong."""

import signal
import time

import pytest
from attrs import frozen
from laboratory import logins, underlays
from laboratory.freeradius import MACHINE, SERVER_NAME, FreeRadius, RadiusPki
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


@frozen
class Town:
    """All that a login needs."""

    underlay: Underlay
    gateway: Ikegw
    client: StrongSwan
    servers: tuple[FreeRadius, ...]

    def load_client(
        self,
        *,
        identity: str = CAROL,
        eap_id: str | None = None,
        password: str | None = None,
        certs: tuple[str, ...] = (),
        local: Tree | None = None,
    ) -> None:
        """Give the client its login."""
        settings = logins.client(
            self.underlay.client_address,
            self.underlay.gateway_address,
            identity=identity,
            eap_id=eap_id,
            password=password,
            certs=certs,
            local=local,
        )
        self.client.load(settings)

    def refused(self) -> str:
        """What the client says of a login that fails."""
        with pytest.raises(CommandFailed) as failed:
            self.client.connect("home")
        until(self.gateway.is_empty, "the gateway keeps something of a login that failed", timeout=35.0)
        return str(failed.value)

    def connects(self) -> None:
        """It logs in, its traffic flows, and it leaves without a trace."""
        self.client.connect("home")
        prove(self.underlay.client, self.underlay.gateway, "10.1.0.1", octets=500_000)
        self.client.disconnect("home")
        until(self.gateway.is_empty, "the gateway keeps an SA")


def town(
    laboratory: Laboratory, method: str = "mschapv2", *, servers: int = 1, remote: Tree | None = None
) -> Town:
    """A gateway with so many RADIUS servers that propose `method`, and a strongSwan as client."""
    pki, underlay = RadiusPki.make(), underlays.direct(laboratory.network)
    made = tuple(
        laboratory.freeradius(
            f"radius{number}",
            underlay.gateway,
            address=f"127.0.0.{number}",
            eap=method,
            users=logins.ACCOUNTS,
        )
        for number in range(1, servers + 1)
    )
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    gateway.install("gateway", logins.gateway_party(), pki.authority.certificate)
    realm = logins.radius(*made, retransmit_timeout="500ms", probe_interval="1s")
    gateway.load(merged(logins.gateway(underlay.gateway_address, remote=remote), realm))
    client = laboratory.strongswan("client", underlay.client, eap=True)
    client.install("machine", pki.machine, pki.authority.certificate)
    return Town(underlay, gateway, client, made)


@pytest.mark.parametrize("method", ["mschapv2", "md5", "ttls", "peap"])
def test_a_name_and_a_password(laboratory: Laboratory, method: str) -> None:
    """Carol's mail address is her EAP identity."""
    it = town(laboratory, method)
    it.load_client(password="carolpw", local={"aaa_id": SERVER_NAME})
    it.connects()
    it.gateway.daemon.wait_for(f"eap-{method}")


def test_a_certificate_in_EAP_TLS(laboratory: Laboratory) -> None:
    it = town(laboratory, "tls")
    it.load_client(identity=MACHINE, certs=("machine.pem",), local={"aaa_id": SERVER_NAME})
    it.connects()


def test_a_name_that_is_asked_for(laboratory: Laboratory) -> None:
    """As Windows: IDi is an address, the name comes after our EAP-Request/Identity; a NAK chooses another method."""
    it = town(laboratory, "gtc")
    it.load_client(identity="192.0.2.2", eap_id="alice", password="alicepw")
    it.connects()
    it.gateway.daemon.wait_for("of alice began")


def test_wrong_passwords_unknown_users_and_those_who_are_refused(laboratory: Laboratory) -> None:
    it = town(laboratory)
    for eap_id, password in ((CAROL, "wrong"), ("nobody@ikegw.example", "x"), ("mallory", "x")):
        it.load_client(identity="192.0.2.2", eap_id=eap_id, password=password)
        assert "failed" in it.refused()
        assert "rejected" in it.gateway.daemon.text()
    it.load_client(password="carolpw")
    it.connects()


def test_no_server_answers_and_then_it_does(laboratory: Laboratory) -> None:
    it = town(laboratory)
    it.load_client(password="carolpw")
    it.servers[0].daemon.signal(signal.SIGSTOP)
    assert "failed" in it.refused()
    it.servers[0].daemon.signal(signal.SIGCONT)
    began = time.monotonic()
    while True:
        try:
            it.client.connect("home")
        except CommandFailed:
            assert time.monotonic() < began + 30.0, "the server lives, and nobody asks it"
        else:
            break
    it.client.disconnect("home")
    until(it.gateway.is_empty, "the gateway keeps an SA")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_one_of_two_servers_is_lost_during_logins(laboratory: Laboratory, end: signal.Signals) -> None:
    """No login fails that a live server could have served."""
    it = town(laboratory, servers=2)
    it.load_client(password="carolpw")
    it.connects()
    it.servers[0].daemon.signal(end)
    for _ in range(3):
        it.connects()
    assert "Login OK" in it.servers[1].daemon.text()
