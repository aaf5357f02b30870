"""Leases with an end (rows Q-20, Q-22, Q-23), and whose a lease is while sessions come, go and are rekeyed."""

from ipaddress import IPv4Interface

import pytest
from attrs import evolve

from ikegw.events import AddressLeased, AddressReleased, ChildDown, ChildRekeyed, IkeDown, IkeRekeyed
from ikegw.ike.beginning import Beginning
from ikegw.ike.renewal import RENEWAL_SECONDS
from ikegw.ike.slot import Intent
from ikegw.policy.connections import Unique
from ikegw.ports import NoAddress
from ikegw.testing.lease_server import LeaseServer, Leasing
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.testing.puppet import Puppet
from ikegw.wire.delete import Delete
from ikegw.wire.registry import ExchangeType, ProtocolId

LEASE_SECONDS = 100.0
QUIET = evolve(GATEWAY, dpd_seconds=0.0, rekey_seconds=0.0)


def make(delay=0.0, seconds=LEASE_SECONDS, gateway=QUIET, client=CLIENT) -> tuple[Pair, LeaseServer, Leasing]:
    made: list[Leasing] = []

    def addresses(clock, pool):
        made.append(Leasing(clock, LeaseServer(clock, pool, seconds), delay))
        return made[0]

    pair = make_pair(gateway, client, addresses=addresses)
    return pair, made[0].server, made[0]


def connect(pair: Pair, seconds: float = 1.0) -> None:
    pair.client.gateway.initiate("home").addErrback(lambda _: None)
    pair.world.run(seconds)


def releases(pair: Pair) -> int:
    assert len(pair.gateway.heard(AddressReleased)) <= len(pair.gateway.heard(AddressLeased))
    return len(pair.gateway.heard(AddressReleased))


# ------------------------------------------------------------ renewal


@pytest.mark.parametrize("delay", [0.0, 0.2], ids=["at-once", "later"])
def test_Q_20_Q_22_a_lease_is_renewed_again_and_again_while_its_session_stands(delay):
    pair, server, leasing = make(delay)
    connect(pair)
    pair.world.run(3 * LEASE_SECONDS, 0.05)
    assert pair.gateway.states("mature")[:4] == ["SM_LEASE_RENEW", "SM_MATURE"] * 2
    assert leasing.asked[0] == "lease"
    assert 5 <= leasing.asked.count("renew") <= 6
    assert server.standing == 1
    assert not releases(pair)
    pair.client.gateway.terminate(1)
    pair.world.run()
    assert releases(pair) == 1
    assert leasing.asked.count("release") == 1
    assert not server.standing
    assert pair.is_empty


def test_a_lease_without_an_end_is_never_renewed():
    pair = make_pair()
    connect(pair)
    pair.world.run(1000.0, 1.0)
    assert "SM_LEASE_RENEW" not in pair.gateway.states("mature")


def test_Q_23_a_lease_that_is_not_renewed_ends_the_session_and_traffic_at_once():
    pair, server, leasing = make()
    connect(pair)
    pair.world.wire.tap = lambda datagram: []  # the client does not hear our DELETE
    server.fails = lambda: True
    pair.world.run(LEASE_SECONDS / 2 + 1, 0.05)
    assert pair.gateway.states("mature")[-3:] == ["SM_LEASE_RENEW", "SM_TERMINATE", "SM_DYING"]
    assert not pair.gateway.plane.installed, "the address may be another client's by now"
    assert "its address could not be renewed: the server refuses" in pair.gateway.heard(ChildDown)[0].reason
    assert releases(pair) == 1
    pair.world.run(100.0, 0.1)
    assert "the server refuses" in pair.gateway.heard(IkeDown)[0].reason
    assert releases(pair) == 1
    assert "release" not in leasing.asked, "what is lent no more is not given back"
    assert pair.gateway.is_empty


def test_Q_23_a_lease_is_lost_at_the_moment_when_a_rekeyed_child_lets_go_of_the_slot():
    """The old child was gone by then, and its machine met an input that its table does not name."""
    pair, server, _ = make()
    connect(pair)
    server.fails = lambda: True
    (sa,) = pair.gateway.gateway._by_spi.values()
    (child,) = sa.children.values()
    child.soft_expired()
    sa.phase.slot.post(Intent.LEASE_RENEW)
    assert child.state == "SA_REKEY_WAIT"
    pair.world.run(60.0, 0.05)
    assert "the server refuses" in pair.gateway.heard(IkeDown)[0].reason
    assert pair.is_empty


def test_Q_23_the_client_is_told():
    pair, server, _ = make()
    connect(pair)
    server.fails = lambda: True
    pair.world.run(LEASE_SECONDS / 2 + 1, 0.05)
    assert pair.is_empty


def test_Q_23_another_address_is_given_back_and_ends_the_session(monkeypatch):
    pair, server, leasing = make()
    connect(pair)
    renew = server.renew
    monkeypatch.setattr(
        server, "renew", lambda lease: evolve(renew(lease), ip4=IPv4Interface("10.3.0.77/24"))
    )
    pair.world.run(LEASE_SECONDS / 2 + 1, 0.05)
    assert "another address" in pair.gateway.heard(IkeDown)[0].reason
    assert leasing.asked[-1] == "release"
    assert releases(pair) == 1
    assert not server.standing
    assert pair.is_empty


def test_Q_23_a_provider_that_never_answers_is_not_waited_for_without_end():
    pair, _, leasing = make()
    connect(pair)
    leasing.delay = 1e9
    pair.world.run(LEASE_SECONDS / 2 + RENEWAL_SECONDS + 1, 0.05)
    assert "no answer within 60 s" in pair.gateway.heard(IkeDown)[0].reason
    assert not pair.gateway.plane.installed


# ------------------------------------------------------------ nothing else is disturbed


def test_Q_20_children_get_new_keys_while_the_provider_takes_its_time():
    children = (evolve(GATEWAY.children[0], rekey_seconds=60.0, jitter_seconds=0.0),)
    pair, _, leasing = make(gateway=evolve(QUIET, children=children))
    connect(pair)
    leasing.delay = 40.0
    pair.world.run(70.0, 0.02)
    assert pair.gateway.states("mature")[-1] == "SM_LEASE_RENEW"
    assert pair.gateway.heard(ChildRekeyed)
    pair.world.run(60.0, 0.02)
    assert pair.gateway.states("mature")[-1] == "SM_MATURE"
    assert len(pair.gateway.plane.installed) == 1


def test_P_07_Q_20_the_lease_goes_with_an_ike_sa_that_the_peer_rekeys_during_its_renewal():
    pair, server, leasing = make()
    connect(pair)
    leasing.delay = 5.0
    pair.world.run(LEASE_SECONDS / 2, 0.02)
    assert pair.gateway.states("mature")[-1] == "SM_LEASE_RENEW"
    pair.client.gateway.rekey(1)
    pair.world.run(20.0, 0.02)
    assert pair.gateway.heard(IkeRekeyed)
    assert leasing.asked == ["lease", "renew", "renew"], "the new IKE SA asks anew"
    assert pair.gateway.states("mature")[-1] == "SM_MATURE"
    pair.world.run(3 * LEASE_SECONDS, 0.05)
    assert server.standing == 1
    assert not releases(pair)


def test_Q_03_our_rekeying_takes_the_lease_and_its_time_along():
    pair, server, leasing = make()
    connect(pair)
    pair.world.run(LEASE_SECONDS / 2 - 5, 0.05)
    pair.gateway.gateway.rekey(1)
    pair.world.run(1.0)
    assert pair.gateway.heard(IkeRekeyed)
    assert leasing.asked == ["lease"]
    pair.world.run(5.0)
    assert leasing.asked == ["lease", "renew"]
    assert server.standing == 1


@pytest.mark.parametrize("ending", ["terminate", "peer"])
def test_Q_24_a_session_that_ends_during_the_renewal_gives_its_lease_back_once(ending):
    pair, server, leasing = make()
    connect(pair)
    leasing.delay = 5.0
    pair.world.run(LEASE_SECONDS / 2, 0.02)
    assert pair.gateway.states("mature")[-1] == "SM_LEASE_RENEW"
    if ending == "terminate":
        pair.gateway.gateway.terminate(1)
    else:
        Puppet(pair, pair.client).say(ExchangeType.INFORMATIONAL, Delete(ProtocolId.IKE, ()))
    pair.world.run(30.0, 0.02)
    assert releases(pair) == 1
    assert leasing.asked.count("release") == 1
    assert not server.standing
    assert pair.gateway.is_empty


def test_Q_24_a_lease_lost_while_the_session_ends_already_stops_its_traffic():
    pair, server, leasing = make()
    connect(pair)
    leasing.delay = 5.0
    pair.world.run(LEASE_SECONDS / 2, 0.02)
    pair.world.wire.tap = lambda datagram: []
    server.fails = lambda: True
    pair.gateway.gateway.terminate(1).addErrback(lambda _: None)
    pair.world.run(6.0, 0.02)
    assert pair.gateway.states("mature")[-1] == "SM_DYING"
    assert not pair.gateway.plane.installed
    pair.world.run(100.0, 0.1)
    assert releases(pair) == 1


# ------------------------------------------------------------ logins that come to nothing


@pytest.mark.parametrize("gives_up_after", [0.5, 1.5], ids=["before-the-server-heard", "after"])
def test_R_15_a_login_that_is_given_up_releases_what_still_arrives(gives_up_after):
    pair, server, leasing = make(delay=2.0)
    connect(pair, gives_up_after)
    assert pair.gateway.states("responder")[-1] == "SMR_CFG_WAIT"
    pair.gateway.gateway.terminate(1).addErrback(lambda _: None)
    pair.world.run(100.0, 0.05)
    assert leasing.asked == ["lease"]
    assert not server.standing
    assert not pair.gateway.heard(AddressLeased)
    assert pair.gateway.is_empty


def test_RE_12_what_comes_after_the_wait_is_over_is_given_back():
    pair, server, _ = make(delay=30.0, client=evolve(CLIENT, keep_ike=True))
    connect(pair, 31.0)
    assert not server.standing
    assert "no address provider answered within 20 s" in str(pair.gateway.events)


def test_R_15_a_lease_that_a_provider_gives_when_it_is_cancelled_is_given_back(monkeypatch):
    """A provider may have it in its hand at that moment: whoever cancels gets it, and has no use for it."""
    pair, server, leasing = make(delay=2.0)
    ask = leasing._ask

    def at_the_last_moment(what, action, unwanted):
        waited = ask(what, action, unwanted)
        waited._canceller = lambda cancelled: cancelled.callback(action())
        return waited

    monkeypatch.setattr(leasing, "_ask", at_the_last_moment)
    connect(pair, 0.5)
    pair.gateway.gateway.terminate(1).addErrback(lambda _: None)
    pair.world.run(5.0)
    assert leasing.asked == ["lease", "release"]
    assert not server.standing


# ------------------------------------------------------------ a second login of the same identity


def second_login(pair: Pair, monkeypatch, *, initial_contact: bool):
    monkeypatch.setattr(Beginning, "_first_contact", lambda self, connection: initial_contact)
    other = pair.world.host(
        "192.0.2.3", pair.client.gateway.connections, pair.client.gateway.authenticator.credentials
    )
    other.gateway.initiate("home").addErrback(lambda _: None)
    pair.world.run(1.0)
    return other


@pytest.mark.parametrize("initial_contact", [False, True], ids=["quietly", "INITIAL_CONTACT"])
def test_a_client_that_logs_in_anew_keeps_its_address_though_its_old_session_ends_only_later(
    monkeypatch, initial_contact
):
    pair, server, leasing = make()
    connect(pair)
    before = pair.client.plane.installed[0].virtual
    pair.world.wire.tap = lambda datagram: (
        [] if datagram.path.remote.address == pair.client.address else [datagram]
    )
    other = second_login(pair, monkeypatch, initial_contact=initial_contact)
    assert other.plane.installed[0].virtual == before
    assert leasing.asked == ["lease"], "it is the same lease"
    assert len(pair.gateway.heard(AddressLeased)) == 2
    pair.world.run(100.0, 0.1)
    assert releases(pair) == 1
    assert server.standing == 1, "the old session has ended and gave nothing back"
    assert len(pair.gateway.gateway.listing()) == 1
    pair.gateway.gateway.terminate(2)
    pair.world.run(1.0)
    assert releases(pair) == 2
    assert not server.standing
    assert pair.gateway.is_empty


def test_a_client_whose_other_session_stays_gets_another_address(monkeypatch):
    pair, server, _ = make(gateway=evolve(QUIET, unique=Unique.KEEP))
    connect(pair)
    other = second_login(pair, monkeypatch, initial_contact=False)
    assert other.plane.installed[0].virtual != pair.client.plane.installed[0].virtual
    assert server.standing == 2


def test_a_second_login_that_is_refused_leaves_the_first_and_its_lease_as_they_are(monkeypatch):
    pair, server, leasing = make(gateway=evolve(QUIET, unique=Unique.REFUSE))
    connect(pair)
    before = pair.client.plane.installed[0].virtual
    other = second_login(pair, monkeypatch, initial_contact=False)
    assert not other.plane.installed
    assert leasing.asked == ["lease"], "nobody was asked for an address for it"
    assert (server.standing, releases(pair)) == (1, 0)
    pair.world.run(LEASE_SECONDS, 0.05)
    assert pair.client.plane.installed[0].virtual == before
    assert server.standing == 1, "and it is renewed"


def test_of_two_sessions_that_stay_each_gives_its_own_lease_back(monkeypatch):
    pair, server, _ = make(gateway=evolve(QUIET, unique=Unique.KEEP))
    connect(pair)
    other = second_login(pair, monkeypatch, initial_contact=False)
    left = other.plane.installed[0].virtual
    pair.gateway.gateway.terminate(1)
    pair.world.run(1.0)
    assert (server.standing, releases(pair)) == (1, 1)
    pair.world.run(LEASE_SECONDS, 0.05)
    assert other.plane.installed[0].virtual == left
    pair.gateway.gateway.terminate(2)
    pair.world.run(1.0)
    assert (server.standing, releases(pair)) == (0, 2)


def test_a_client_that_asks_for_other_families_gets_another_lease(monkeypatch):
    pair, server, _ = make(client=evolve(CLIENT, virtual=CLIENT.virtual[:1]))
    connect(pair)
    object.__setattr__(pair.client.gateway, "connections", (CLIENT,))
    other = second_login(pair, monkeypatch, initial_contact=False)
    assert len(other.plane.installed[0].virtual) == 2
    assert server.standing == 1
    assert releases(pair) == 1


def test_a_failure_while_releasing_is_logged_and_disturbs_nobody(monkeypatch, no_internal_error):
    pair, server, _ = make()
    connect(pair)

    def gone(lease):
        raise NoAddress("the server is gone")

    monkeypatch.setattr(server, "release", gone)
    pair.client.gateway.terminate(1)
    pair.world.run(1.0)
    assert not pair.gateway.gateway.listing()
    assert "the server is gone" in str(no_internal_error.pop())


@pytest.mark.parametrize("asker", [0, 1], ids=["old-asks", "new-asks"])
def test_Q_23_a_lease_that_two_sessions_of_a_client_share_is_lost_to_both(asker):
    """The client logged in anew, and its DELETE of the old session is under way when the server takes the address back."""
    pair, server, _ = make()
    connect(pair)
    pair.world.run(5.0, 0.05)
    pair.client.gateway.authenticate_anew(1)
    while len(pair.gateway.heard(AddressLeased)) < 2:
        pair.world.run(0.005)
    old, new = pair.gateway.gateway._by_spi.values()
    assert old.tenancy is new.tenancy
    pair.world.wire.tap = lambda datagram: []
    server.fails = lambda: True
    (old, new)[asker].phase.slot.post(Intent.LEASE_RENEW)
    pair.world.run(0.1)
    assert not pair.gateway.plane.installed, "the address may be another client's by now"
    assert releases(pair) == 2
    assert not server.standing
    pair.world.run(250.0, 0.5)
    assert not pair.gateway.gateway._by_spi
    assert all("could not be renewed" in down.reason for down in pair.gateway.heard(IkeDown))
