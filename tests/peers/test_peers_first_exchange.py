"""IKE_SA_INIT by detours: a cookie is asked for, or another Diffie-Hellman group, or both (RFC 7296 §2.6.1)."""

import sys
from pathlib import Path

import pytest
from laboratory import roadwarrior, underlays
from laboratory.gateway import Ikegw
from laboratory.room import Laboratory
from laboratory.strongswan import StrongSwan
from laboratory.traffic import prove

pytestmark = pytest.mark.peers

STRANGER = str(Path(__file__).with_name("laboratory") / "stranger.py")
IKEGW_ASKS = {"limits": {"cookie_threshold": 0}}
STRONGSWAN_ASKS = {"cookie_threshold": 1, "block_threshold": 0}


@pytest.mark.parametrize("detour", ["cookie", "group", "cookie and group"])
@pytest.mark.parametrize(
    ("client_kind", "gateway_kind"),
    [("strongswan", "ikegw"), ("ikegw", "strongswan")],
)
def test_client_follows_the_detour(
    laboratory: Laboratory, client_kind: str, gateway_kind: str, detour: str
) -> None:
    underlay = underlays.direct(laboratory.network)
    settings = roadwarrior.gateway(underlay.gateway_address, proposals=["aes256gcm16-prfsha256-x25519"])
    if gateway_kind == "ikegw":
        gateway: Ikegw | StrongSwan = laboratory.ikegw("gateway", underlay.gateway)
        gateway.load({**settings, **(IKEGW_ASKS if "cookie" in detour else {})})
    else:
        gateway = laboratory.strongswan(
            "gateway", underlay.gateway, STRONGSWAN_ASKS if "cookie" in detour else {}
        )
        gateway.load(settings)
        if "cookie" in detour:
            said = underlay.client.run(sys.executable, STRANGER, underlay.gateway_address, "1")
            assert "KeyExchange" in said, "the gateway keeps one half-open IKE SA now"
    client = laboratory.peer(client_kind, "client", underlay.client)
    wanted = "aes256gcm16-prfsha256-" + ("ecp256-x25519" if "group" in detour else "x25519")
    client.load(roadwarrior.client(underlay.client_address, underlay.gateway_address, proposals=[wanted]))

    client.connect("home")

    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=5_000_000)
    said = client.daemon.text()
    assert ("COOKIE" in said) == ("cookie" in detour)
    assert ("INVAL" in said) == ("group" in detour)
