"""Every method that wpa_supplicant and FreeRADIUS have: our initiator and our gateway carry what these two say to each other."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from laboratory.eapol_logins import EapolSupplicants
from laboratory.freeradius import MACHINE, FreeRadius
from laboratory.radius_logins import REALM, RadiusGateway, settings_for
from laboratory.room import Laboratory
from twisted.internet import reactor

from ikegw.events import AuthFailed, IkeUp, SessionBegan
from ikegw.ike.gateway import NotBegun
from ikegw.policy.identities import ANY, parse_identity
from ikegw.testing.login import EAP_CLIENT, EAP_GATEWAY, client_credentials, gateway_credentials
from ikegw.testing.pair import POOL, Pair
from ikegw.testing.wire import Wire
from ikegw.testing.world import World

pytestmark = pytest.mark.peers

Start = Callable[..., Pair]
KEYLESS = ("MD5", "GTC")


@pytest.fixture
def start(laboratory: Laboratory, tmp_path: Path) -> Iterator[Start]:
    closing: list[Callable[[], None]] = []

    def start(server: FreeRadius, **settings: str) -> Pair:
        """A gateway that asks `server`, and a client that logs in with these settings of a wpa_supplicant network."""
        radius = RadiusGateway.of(settings_for((server,)))
        supplicants = EapolSupplicants(settings, tmp_path)
        closing.extend((radius.close, supplicants.stop))
        clock: Any = reactor
        world = World(clock=clock)
        world.wire = Wire(clock, latency=0.0)
        gateway = evolve(
            EAP_GATEWAY, remote=evolve(EAP_GATEWAY.remote, identity=ANY), aaa=REALM, dpd_seconds=0.0
        )
        local = evolve(EAP_CLIENT.local, identity=parse_identity("192.168.1.2"))
        pair = Pair(
            world,
            world.host("192.0.2.1", (gateway,), gateway_credentials(), (POOL,), aaa=radius.logins),
            world.host(
                "192.0.2.2",
                (evolve(EAP_CLIENT, local=local, dpd_seconds=0.0),),
                client_credentials(),
                supplicants=supplicants,
            ),
        )
        closing.append(lambda: end(pair))
        return pair

    yield start
    for close in closing:
        close()


def end(pair: Pair) -> None:
    """No timer of theirs outlives the test."""
    for host in (pair.client, pair.gateway):
        for sa in tuple(host.gateway._by_spi.values()):
            sa.end()


async def log_in(pair: Pair) -> None:
    await pair.client.gateway.initiate("home")


PASSWORDS = {"identity": "plain", "password": "plainpw"}
TUNNELLED = {**PASSWORDS, "anonymous_identity": "anonymous"}
METHODS = {
    "MSCHAPV2": {"eap": "MSCHAPV2", **PASSWORDS},
    "MD5": {"eap": "MD5", **PASSWORDS},
    "GTC": {"eap": "GTC", **PASSWORDS},
    "PEAP": {"eap": "PEAP", "phase2": "auth=MSCHAPV2", **TUNNELLED},
    "TTLS-PAP": {"eap": "TTLS", "phase2": "auth=PAP", **TUNNELLED},
    "TTLS-MSCHAPV2": {"eap": "TTLS", "phase2": "auth=MSCHAPV2", **TUNNELLED},
    "TTLS-MD5": {"eap": "TTLS", "phase2": "autheap=MD5", **TUNNELLED},
    "TTLS-PAP over TLS 1.3": {
        "eap": "TTLS", "phase1": "tls_disable_tlsv1_3=0", "phase2": "auth=PAP", **TUNNELLED,
    },
    "TLS 1.2": {"eap": "TLS", "identity": MACHINE, "phase1": "tls_disable_tlsv1_3=1"},
    "TLS 1.3": {"eap": "TLS", "identity": MACHINE, "phase1": "tls_disable_tlsv1_3=0"},
}  # fmt: skip


def files(server: FreeRadius) -> dict[str, str]:
    """Whom the client believes, and its own certificate."""
    at = server.certificates
    return {"ca_cert": f"{at}/ca.pem", "client_cert": f"{at}/machine.pem", "private_key": f"{at}/machine.key"}


@pytest.mark.parametrize("method", METHODS)
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_logs_in(laboratory: Laboratory, start: Start, method: str) -> None:
    """Both ends prove the key that wpa_supplicant and FreeRADIUS derived, each for itself."""
    server = laboratory.freeradius("radius")
    settings = METHODS[method] | ({} if method in ("MSCHAPV2", *KEYLESS) else files(server))
    pair = start(server, **settings)
    await log_in(pair)
    assert len(pair.client.heard(IkeUp)) == len(pair.gateway.heard(IkeUp)) == 1
    assert pair.client.plane.installed
    assert pair.gateway.plane.installed
    (began,) = pair.gateway.heard(SessionBegan)
    assert began.session.method.startswith(f"eap-{settings['eap'].lower()}".replace("md5", "md5-challenge"))


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"identity": "nobody"}, {"identity": "mallory"}])
@pytest.mark.parametrize("method", ["MD5", "PEAP"])
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_RE_06_IE_10_IE_11_is_refused(
    laboratory: Laboratory, start: Start, method: str, wrong: dict[str, str]
) -> None:
    server = laboratory.freeradius("radius")
    settings = METHODS[method] | ({} if method in KEYLESS else files(server))
    pair = start(server, **(settings | wrong))
    with pytest.raises(NotBegun):
        await log_in(pair)
    if method in KEYLESS:  # in the tunnel of others, wpa_supplicant hears of it first, and leaves
        assert [failed.sa.number for failed in pair.gateway.heard(AuthFailed)] == [1]
    assert not pair.gateway.heard(IkeUp)
    assert not pair.client.heard(IkeUp)
