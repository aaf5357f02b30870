"""`ikegwctl why` names the true cause of each way in which a login fails, and says what to do."""

from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, ip_address

import pytest
from attrs import evolve
from telling_why import asked, attempt, stories_of, why

from ikegw.addresses.chain import Chain
from ikegw.addresses.pool import Pool
from ikegw.auth.certificates import X509
from ikegw.auth.credentials import Credentials
from ikegw.config.dhcp import DhcpServers
from ikegw.config.lending import DEFAULT_LENDING
from ikegw.control.stories import MOST_EVENTS, MOST_SOURCES, MOST_STORIES, Stories
from ikegw.control.tables import TABLES
from ikegw.control.why import FOR_FAILURES, told, told_of_knocking
from ikegw.dhcp.messages4 import read4
from ikegw.dhcp.provider import DhcpProvider
from ikegw.dhcp.relay import Relay
from ikegw.events import (
    AuthFailed,
    AuthFailure,
    Dropped,
    Event,
    IkeBegun,
    IkeDown,
    IkeUp,
    SessionBegan,
    StateEntered,
)
from ikegw.paths import NAT_T_PORT, Endpoint, Path
from ikegw.policy.authorities import RevocationPolicy
from ikegw.policy.connections import AuthKind, LocalAuth, RemoteAuth
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.policy.proposals import parse_offer
from ikegw.policy.selectors import from_network
from ikegw.ports import AddressRequest
from ikegw.service.lines import text_of
from ikegw.session import Grant, SaName, Session
from ikegw.testing.aaa import Account, FakeAaa
from ikegw.testing.fetcher import FakeFetcher
from ikegw.testing.login import PASSWORD, login_pair
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair, shared_key
from ikegw.testing.pki import GATEWAY_USAGES, Authority, Party, Period, crl_at
from ikegw.testing.world import NOW

PATH = Path(Endpoint(ip_address("192.0.2.1"), 500), Endpoint(ip_address("198.51.100.9"), 500))


def test_a_wrong_shared_key():
    pair = make_pair(client_credentials=shared_key("%any", secret=b"another secret"))
    attempt(pair)
    cause, advice = why(pair.gateway, "carol@test")
    assert "did not prove its identity" in cause
    assert "carol@test" in cause
    assert "secret" in advice
    assert "another secret" not in cause + advice


def test_no_proposal_in_common_with_both_lists():
    pair = make_pair(client=evolve(CLIENT, proposals=parse_offer("ike", "aes128-sha256-modp2048")))
    pair.gateway.gateway.reload(
        (evolve(GATEWAY, proposals=parse_offer("ike", "aes256gcm16-prfsha384-ecp384")),)
    )
    attempt(pair, 5.0)
    cause, advice = why(pair.gateway, "192.0.2.2")
    assert "aes256gcm16-prfsha384-ecp384" in cause
    assert "modp2048" in cause
    assert "both lists" in advice


def test_an_unknown_identity():
    client = evolve(CLIENT, local=evolve(CLIENT.local, identity=parse_identity("mallory@elsewhere")))
    pair = make_pair(client=client)
    attempt(pair)
    cause, advice = why(pair.gateway, "mallory@elsewhere")
    assert "no connection fits mallory@elsewhere" in cause
    assert "remote.id" in advice


def test_no_address_to_be_had():
    pair = make_pair()
    pair.gateway.pool.reload([Pool("other", (IPv4Network("10.9.0.0/24"),))])
    attempt(pair)
    cause, advice = of_address(pair)
    assert "INTERNAL_ADDRESS_FAILURE" in cause
    assert "pool road is not configured" in cause
    assert "ikegwctl pools" in advice


def of_address(pair) -> tuple[str, str]:
    """(cause, advice) of a login that came in and got no address."""
    outcome, cause, advice = asked(pair.gateway, "carol@test")
    assert outcome.startswith("up after")
    return cause, advice


def test_a_silent_DHCP_server():
    office = DhcpServers("office", (ip_address("10.50.0.2"),), IPv4Address("10.60.0.1"))

    def ask_a_silent_server(clock, pool):
        relay = Relay(Endpoint(IPv4Address("10.60.0.1"), 67), read4, lambda octets, to: None, clock, bytes, 4)
        provider = DhcpProvider(office, lambda settings, family: relay, clock, list[Event]().append)
        return Chain(clock, DEFAULT_LENDING.provider_seconds, [pool], {"dhcp:office": provider})

    pair = make_pair(evolve(GATEWAY, pools=("dhcp:office",)), addresses=ask_a_silent_server)
    attempt(pair, 17.0, 0.05)
    cause, advice = of_address(pair)
    assert cause == (
        "INTERNAL_ADDRESS_FAILURE: the IKE SA stands without a child: no address for carol@test on road: "
        "no DHCP server of 10.50.0.2 offered an IPv4 address within 15 s"
    )
    assert "giaddr" in advice
    assert "tcpdump port 67" in advice


def test_a_pool_that_is_empty():
    pair = make_pair()
    pair.gateway.pool.reload([Pool("road", (IPv4Network("10.3.0.9/32"),))])
    (name,) = pair.gateway.gateway.connections[0].pools
    owner = AddressRequest("gw", parse_identity("dave@test"), (name,), True, False)
    pair.gateway.pool.lease(owner)
    attempt(pair)
    cause, advice = of_address(pair)
    assert "pool road has lent all of its 1 IPv4 addresses" in cause
    assert "used up" in advice
    assert "ikegwctl pools" in advice


def test_selectors_that_do_not_meet():
    policy = evolve(GATEWAY.children[0], local_selectors=(from_network(IPv4Network("172.16.0.0/16")),))
    pair = make_pair(gateway=evolve(GATEWAY, children=(policy,)))
    attempt(pair)
    _, cause, advice = asked(pair.gateway, "carol@test")
    assert "TS_UNACCEPTABLE" in cause
    assert "local_ts" in advice


@pytest.mark.parametrize("side", ["gateway", "client"])
def test_a_nat_that_drops_port_4500(side):
    pair = make_pair()
    pair.world.wire.tap = lambda datagram: [] if datagram.path.remote.port == NAT_T_PORT else [datagram]
    attempt(pair, 200.0, 0.5)
    cause, advice = why(getattr(pair, side), "192.0.2.2" if side == "gateway" else "home")
    assert ("did not go on in time" if side == "gateway" else "no answer from 192.0.2.1:4500") in cause
    assert "4500" in advice


def test_nobody_there():
    pair = make_pair()
    pair.world.wire.leave(pair.gateway.address)
    attempt(pair, 200.0, 0.5)
    cause, advice = why(pair.client, "home")
    assert cause.startswith("no answer from 192.0.2.1:500")
    assert "Nothing at all came back" in advice


def test_a_peer_that_falls_silent():
    pair = make_pair(gateway=evolve(GATEWAY, dpd_seconds=10.0))
    attempt(pair)
    pair.world.wire.leave(pair.client.address)
    pair.world.run(200.0, 0.5)
    outcome, cause, advice = asked(pair.gateway, "carol@test")
    assert outcome.startswith("up after")
    assert "ended" in outcome
    assert "no answer" in cause
    assert "no longer answers" in advice


def test_more_sessions_than_the_AAA_server_allows():
    account = Account(PASSWORD, Grant(port_limit=0))
    pair = login_pair(aaa=lambda clock: FakeAaa(clock, {"carol@test": account}))
    attempt(pair)
    cause, advice = why(pair.gateway, "carol@test")
    assert "its AAA server allows 0 (Port-Limit)" in cause
    assert "Port-Limit at the RADIUS server" in advice


def test_there_is_advice_for_every_failure():
    assert set(FOR_FAILURES) == set(AuthFailure)


def test_each_step_is_told_in_the_words_of_the_machines():
    pair = make_pair()
    attempt(pair)
    story, *_ = stories_of(pair.gateway).about("road[1]")
    texts = [str(step["text"]) for step in told(story, text_of)["steps"]]  # type: ignore[index, union-attr]
    assert texts[0].startswith("begun by 192.0.2.2:500")
    assert any(text.startswith("SMR_INIT → SMR_AUTH: ") and "IKE_SA_INIT" in text for text in texts)
    assert any(text.startswith("lent 10.3.0.") for text in texts)
    assert any(text.startswith("session ") for text in texts)


def test_what_never_became_an_ike_sa():
    pair = make_pair()
    pair.gateway.gateway.reload(())
    attempt(pair, 5.0)
    stories = stories_of(pair.gateway)
    assert not stories.about("192.0.2.2")
    knocking = stories.knocking(ip_address("192.0.2.2"))
    assert knocking is not None
    (dropped,) = told_of_knocking(knocking)
    page = "\n".join(TABLES["why"]({"peer": "192.0.2.2", "stories": [], "dropped": [dropped]}))
    assert "no-connection" in page
    assert "remote_addrs" in page


def test_a_peer_that_nobody_knows():
    page = "\n".join(TABLES["why"]({"peer": "mallory", "stories": [], "dropped": []}))
    assert "nothing is known of it" in page


# ---------------------------------------------------------------- what is kept


def test_a_login_that_was_refused_is_told_before_its_peer_has_gone():
    stories = Stories(lambda: 1.0)
    stories.publish(IkeBegun(name(1), PATH, False))
    stories.publish(IkeBegun(name(2), PATH, False))
    stories.publish(AuthFailed(name(2), PATH, parse_identity("carol@test"), AuthFailure.AAA_REJECTED, "no"))
    (story,) = stories.failed()
    assert told(story, text_of)["outcome"] == "refused; the peer is being told"
    stories.publish(IkeDown(name(2), PATH, parse_identity("carol@test"), "no", False))
    assert list(stories.failed()) == [story]
    assert told(story, text_of)["outcome"] == "failed after 0.0 s"


def name(number: int) -> SaName:
    return SaName("road", number)


def test_failures_are_kept_though_many_logins_work():
    stories = Stories(lambda: 1.0)
    stories.publish(IkeBegun(name(1), PATH, False))
    stories.publish(IkeDown(name(1), PATH, parse_identity("carol@test"), "no answer", False))
    for number in range(2, 2 * MOST_STORIES):
        stories.publish(IkeBegun(name(number), PATH, False))
        stories.publish(
            IkeUp(
                name(number),
                PATH,
                False,
                parse_identity("gw"),
                parse_identity("dave@test"),
                "",
                b"",
                b"",
                "psk",
            )
        )
    assert [str(story.name) for story in stories.about("carol@test")] == ["road[1]"]
    assert len(stories.about("dave@test", most=10**6)) == MOST_STORIES


def test_what_strangers_send_costs_no_more_than_so_much():
    stories = Stories(lambda: 1.0)
    for number in range(5 * MOST_STORIES):
        remote = Endpoint(ip_address(number), 500)
        stories.publish(IkeBegun(name(number), Path(PATH.local, remote), False))
        stories.publish(Dropped(Path(PATH.local, remote), "forged"))
        stories.publish(IkeDown(name(number), Path(PATH.local, remote), None, "did not go on in time", False))
    assert len(list(stories.failed())) == MOST_STORIES
    assert len(stories._knocking) == MOST_SOURCES


def test_a_long_story_keeps_its_beginning_and_its_latest():
    stories = Stories(lambda: 1.0)
    stories.publish(IkeBegun(name(1), PATH, False))
    for number in range(10_000):
        stories.publish(StateEntered(name(1), "mature", "SM_MATURE", "dpd", str(number)))
    (story,) = stories.about("1")
    assert len(story.events) == MOST_EVENTS
    assert isinstance(story.events[0][1], IkeBegun)
    assert story.events[-1][1].state == "9999"  # type: ignore[union-attr]
    assert story.left_out == 10_001 - MOST_EVENTS


def test_a_user_is_found_by_the_name_that_logged_in():
    stories = Stories(lambda: 1.0)
    stories.publish(IkeBegun(name(1), PATH, False))
    session = Session(
        "s-1", name(1), PATH, parse_identity("gw"), parse_identity("10.0.0.7"), "alice", "eap", 0.0
    )
    stories.publish(SessionBegan(session))
    assert stories.about("ALICE")
    assert stories.concerns(SessionBegan(session), "alice")
    assert not stories.concerns(SessionBegan(session), "bob")


def test_an_event_of_no_story_is_nobodys():
    stories = Stories(lambda: 1.0)
    stories.publish(StateEntered(name(1), "mature", "SM_MATURE", "dpd", "SM_DPD"))
    assert not stories.about("1")


# ---------------------------------------------------------------- certificates

NEXT_YEAR = Period(NOW + timedelta(days=300), NOW + timedelta(days=600))
ROOT = Authority.root("Root", "ecdsa256", Period.around(NOW, 3650))
CRL = "http://pki.test/root.crl"


def by_certificate(client: Party, fetcher: FakeFetcher | None = None) -> Pair:
    """A gateway that demands to know whether a client was revoked."""
    gateway = ROOT.issue("gw.test", "ecdsa256", usages=GATEWAY_USAGES)
    strict = RemoteAuth(AuthKind.PUBKEY, IdentityPattern.parse("*@test"), revocation=RevocationPolicy.STRICT)
    trusting = RemoteAuth(AuthKind.PUBKEY, IdentityPattern.parse("gw.test"), revocation=RevocationPolicy.OFF)

    def credentials(party: Party) -> Credentials:
        own = X509.of(party.certificate)
        authorities = {"root.pem": (X509.of(ROOT.certificate),)}
        return Credentials((), {"own.pem": (own,)}, authorities, {own.key_hash: party.key})

    pair = make_pair(
        evolve(GATEWAY, local=LocalAuth(AuthKind.PUBKEY, parse_identity("gw.test")), remote=strict),
        evolve(
            CLIENT,
            local=LocalAuth(AuthKind.PUBKEY, parse_identity("carol@test")),
            remote=trusting,
        ),
        credentials(gateway),
        credentials(client),
        fetcher=fetcher or FakeFetcher(),
    )
    # The client believes that its own certificate is good: only the gateway's clock may say otherwise.
    pair.client.gateway.authenticator._now = lambda: (
        client.certificate.not_valid_before_utc + timedelta(hours=1)
    )
    return pair


def listed(**more: object) -> Party:
    return ROOT.issue("carol@test", "ecdsa256", extensions=(crl_at(CRL),), **more)  # type: ignore[arg-type]


def test_a_crl_that_policy_demands_is_missing():
    pair = by_certificate(listed())
    attempt(pair)
    cause, advice = why(pair.gateway, "carol@test")
    assert f"{CRL}: nothing is there" in cause
    assert "put a current CRL of C=CH, O=ikegw, CN=Root into crl/" in cause
    assert "downloads.networks" in advice
    assert "remote.revocation" in advice


def test_a_crl_that_is_over_is_told_with_our_clock():
    old = ROOT.crl(period=Period(NOW - timedelta(days=9), NOW - timedelta(days=2)))
    pair = by_certificate(listed(), FakeFetcher({CRL: old}))
    attempt(pair)
    cause, _ = why(pair.gateway, "carol@test")
    assert "the CRL does not count now (2026-06-01 00:00 UTC by this host's clock)" in cause
    assert "from 2026-05-23 00:00 to 2026-05-30 00:00 UTC" in cause


def test_a_certificate_that_was_revoked():
    carol = listed()
    pair = by_certificate(carol, FakeFetcher({CRL: ROOT.crl([carol], period=Period.around(NOW))}))
    attempt(pair)
    cause, advice = why(pair.gateway, "carol@test")
    assert "certificate C=CH, O=ikegw, CN=carol@test was revoked since" in cause
    assert "have a new certificate issued" in advice


def test_a_certificate_that_expired():
    pair = by_certificate(listed(period=Period(NOW - timedelta(days=90), NOW - timedelta(days=17))))
    attempt(pair)
    cause, advice = why(pair.gateway, "carol@test")
    assert "certificate C=CH, O=ikegw, CN=carol@test expired 2026-05-15 00:00 UTC (17 days ago)" in cause
    assert "this host's clock says 2026-06-01 00:00 UTC" in cause
    assert "issued anew" in advice


def test_a_clock_that_is_wrong():
    """Ours is a year behind: to us, the peer's certificate is not valid yet."""
    pair = by_certificate(listed(period=NEXT_YEAR))
    attempt(pair)
    cause, advice = why(pair.gateway, "carol@test")
    assert "is not valid before 2027-03-28 00:00 UTC (in 299 days)" in cause
    assert "this host's clock says 2026-06-01 00:00 UTC: is that right?" in cause
    assert advice.startswith("See whether this host's clock is right")
