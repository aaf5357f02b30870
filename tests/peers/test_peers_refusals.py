"""Who is turned away: the peer gets the right notify or silence, our log says why in words, and nothing is left over."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

import pytest
from attrs import evolve, frozen
from laboratory import roadwarrior, underlays
from laboratory.gateway import Ikegw
from laboratory.namespaces import CommandFailed
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.strongswan import StrongSwan
from laboratory.underlays import Underlay

from ikegw.testing.pki import CLIENT_USAGES, GATEWAY_USAGES, Authority, Party, Period

pytestmark = pytest.mark.peers

Sides = tuple[Tree, Tree]


@frozen
class Wrong:
    """What is wrong: made out of the addresses, the gateway's and the client's settings; what each side must log.

    `at_client` and `at_gateway` are patterns for (strongSwan, ikegw) in that place.
    """

    settings: Callable[[Underlay], Sides]
    at_client: tuple[str, str]
    at_gateway: tuple[str, str]
    client_party: str | None = None
    gateway_party: str | None = None


def _sides(underlay: Underlay, gateway: dict[str, object], client: dict[str, object]) -> Sides:
    return (
        roadwarrior.gateway(underlay.gateway_address, **gateway),  # type: ignore[arg-type]
        roadwarrior.client(underlay.client_address, underlay.gateway_address, **client),  # type: ignore[arg-type]
    )


def _wrong_key(underlay: Underlay) -> Sides:
    gateway, client = _sides(underlay, {}, {})
    other = roadwarrior.shared_key(roadwarrior.GATEWAY, roadwarrior.CLIENT, secret="something else")
    return gateway, merged(client, other)


def _unknown_identity(underlay: Underlay) -> Sides:
    gateway, client = _sides(underlay, {"peer": "*@staff.example"}, {"identity": "mallory@elsewhere.example"})
    return merged(gateway, roadwarrior.shared_key()), client


def _certificates(underlay: Underlay) -> Sides:
    return _sides(underlay, {"certificate": "own"}, {"certificate": "own"})


def _no_ike_proposal(underlay: Underlay) -> Sides:
    return _sides(underlay, {}, {"proposals": ["aes128-sha1-modp2048"]})


def _no_esp_proposal(underlay: Underlay) -> Sides:
    return _sides(underlay, {}, {"esp_proposals": ["aes128-sha1"]})


def _no_selectors(underlay: Underlay) -> Sides:
    return _sides(underlay, {}, {"remote_ts": ["172.16.0.0/16"]})


_TOLD = r"(received|parsed).*AUTH(ENTICATION)?_FAILED"
_OURS = r"authentication failed: "
CASES = {
    "wrong shared key": Wrong(
        _wrong_key,
        (_TOLD, r"refused by .*AUTHENTICATION_FAILED"),
        (r"MAC mismatched", _OURS + r"carol@ikegw\.example at .*did not prove"),
    ),
    "unknown identity": Wrong(
        _unknown_identity,
        (_TOLD, r"refused by .*AUTHENTICATION_FAILED"),
        (r"no matching peer config", _OURS + r"mallory@elsewhere\.example at .*no connection"),
    ),
    # An ikegw never shows a certificate of its own that has expired: it says so at home, and ends.
    "client's certificate expired": Wrong(
        _certificates,
        (_TOLD, _OURS + r".*our certificate .* expired"),
        (_TOLD, _OURS + r"carol@ikegw\.example at .*expired"),
        client_party="expired",
    ),
    "client's certificate foreign": Wrong(
        _certificates,
        (_TOLD, r"refused by .*AUTHENTICATION_FAILED"),
        (r"no issuer certificate found", _OURS + r"carol@ikegw\.example at .*not prove"),
        client_party="foreign",
    ),
    "gateway's certificate expired": Wrong(
        _certificates,
        (r"certificate invalid|" + _TOLD, _OURS + r"gw\.ikegw\.example at .*expired"),
        (_TOLD, _OURS + r".*our certificate .* expired"),
        gateway_party="expired",
    ),
    "gateway's certificate foreign": Wrong(
        _certificates,
        (r"no issuer certificate found", _OURS + r"gw\.ikegw\.example at .*not prove"),
        (_TOLD, r"refused by .*AUTHENTICATION_FAILED"),
        gateway_party="foreign",
    ),
    "no common IKE proposal": Wrong(
        _no_ike_proposal,
        (r"received NO_PROPOSAL_CHOSEN", r"refused by .*NO_PROPOSAL_CHOSEN"),
        (r"no proposal found|received proposals unacceptable", r"we refused .*NO_PROPOSAL_CHOSEN"),
    ),
    "no common ESP proposal": Wrong(
        _no_esp_proposal,
        (r"received NO_PROPOSAL_CHOSEN", r"refused by .*NO_PROPOSAL_CHOSEN"),
        (r"no acceptable proposal found", r"we refused .*NO_PROPOSAL_CHOSEN"),
    ),
    "no common selectors": Wrong(
        _no_selectors,
        (r"received TS_UNACCEPTABLE", r"refused by .*TS_UNACCEPTABLE"),
        (r"traffic selectors .* unacceptable", r"we refused .*TS_UNACCEPTABLE"),
    ),
}


@cache
def parties(gateway: bool) -> dict[str, tuple[Party, Authority]]:
    """Certificates of one side: a good one, one that has expired, and one of an authority that the other does not know."""
    name, usages = (roadwarrior.GATEWAY, GATEWAY_USAGES) if gateway else (roadwarrior.CLIENT, CLIENT_USAGES)
    known, unknown = authorities()
    return {
        "good": (known.issue(name, "ecdsa256", usages=usages), known),
        "expired": (known.issue(name, "ecdsa256", period=known.period.past(), usages=usages), known),
        "foreign": (unknown.issue(name, "ecdsa256", usages=usages), known),
    }


@cache
def authorities() -> tuple[Authority, Authority]:
    long = Period.around(datetime.now(UTC), 3650)
    short = Period.around(datetime.now(UTC), 30)
    old = Period(short.start - (long.end - long.start), long.end)
    known = evolve(Authority.root("known CA", "ecdsa256", old), period=short)
    return known, evolve(Authority.root("unknown CA", "ecdsa256", old), period=short)


def install(peer: StrongSwan | Ikegw, which: str | None, *, gateway: bool) -> None:
    party, authority = parties(gateway)[which or "good"]
    peer.install("own", party, authority.certificate)


@pytest.mark.parametrize("what", CASES, ids=lambda what: what.replace(" ", "_"))
@pytest.mark.parametrize(
    ("client_kind", "gateway_kind"),
    [("strongswan", "ikegw"), ("ikegw", "strongswan")],
)
def test_is_refused_and_nothing_is_left(
    laboratory: Laboratory, client_kind: str, gateway_kind: str, what: str
) -> None:
    wrong = CASES[what]
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.peer(gateway_kind, "gateway", underlay.gateway, {"half_open_timeout": 3})
    client = laboratory.peer(client_kind, "client", underlay.client)
    install(gateway, wrong.gateway_party, gateway=True)
    install(client, wrong.client_party, gateway=False)
    gateway_settings, client_settings = wrong.settings(underlay)
    gateway.load(gateway_settings)
    client.load(client_settings)

    if isinstance(client, StrongSwan):
        with pytest.raises(CommandFailed):
            client.connect("home")

    client.daemon.wait_for(wrong.at_client[isinstance(client, Ikegw)])
    gateway.daemon.wait_for(wrong.at_gateway[isinstance(gateway, Ikegw)])
    if isinstance(client, StrongSwan) and not client.is_empty():
        client.disconnect("home")  # it keeps an IKE SA whose child was refused
    until(client.is_empty, "the client keeps an SA")
    until(gateway.is_empty, "the gateway keeps an SA")
    assert underlay.client.run("ip", "-brief", "addr", "show").count("10.3.0.") == 0
