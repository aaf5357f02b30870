"""What an EAP login means afterwards: whose session it is, what was granted to it, and who may have only one."""

from ipaddress import IPv4Network

import pytest
from attrs import define, evolve
from login_puppet import FIRST, logging_in
from twisted.internet.defer import fail, succeed

from ikegw.auth.errors import AuthenticationError
from ikegw.events import AuthFailed, AuthFailure, IkeDown, IkeUp, SessionBegan
from ikegw.policy.connections import Connection, Unique
from ikegw.policy.identities import ANY, parse_identity
from ikegw.policy.selectors import from_network
from ikegw.ports import Accept, Challenge, NoAddress
from ikegw.session import Grant, Termination
from ikegw.testing.aaa import Account, FakeAaa
from ikegw.testing.eap_method import msk, success
from ikegw.testing.login import (
    EAP_CLIENT,
    EAP_GATEWAY,
    PASSWORD,
    asking,
    client_credentials,
    login_pair,
    password,
)
from ikegw.testing.pair import Pair
from ikegw.testing.world import Host
from ikegw.wire.delete import Delete

WINDOWS_GATEWAY = evolve(EAP_GATEWAY, remote=evolve(EAP_GATEWAY.remote, identity=ANY), dpd_seconds=0.0)


def user(name: str, address: str, **settings) -> Connection:
    """A client like Windows': its IDi is its address, which others may have as well; `name` logs in."""
    local = evolve(EAP_CLIENT.local, identity=parse_identity(address), eap_identity=name)
    return evolve(EAP_CLIENT, local=local, dpd_seconds=0.0, **settings)


def town(unique: Unique, **grants: Grant) -> Pair:
    """A gateway, and its first client, which is up: alice, whose address at home is 192.168.1.2."""

    def aaa(clock):
        names = ("alice", "bob")
        return FakeAaa(clock, {name: Account(PASSWORD, grants.get(name, Grant())) for name in names})

    pair = login_pair(evolve(WINDOWS_GATEWAY, unique=unique), user("alice", "192.168.1.2"), aaa)
    assert connects(pair, pair.client)
    return pair


def another(pair: Pair, name: str, address: str, at: str = "192.0.2.3") -> Host:
    connection = user(name, address)
    return pair.world.host(at, (connection,), client_credentials(), supplicants=password(pair.world.clock))


def connects(pair: Pair, client: Host) -> bool:
    """Does it get in? Told in the first second."""
    before = len(client.heard(IkeUp))
    client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(1.0)
    return len(client.heard(IkeUp)) > before


def users(pair: Pair) -> list[str]:
    return [session.user for session in pair.gateway.gateway.sessions()]


# ------------------------------------------------------------ one session for each (unique)


@pytest.mark.parametrize("unique", [Unique.REPLACE, Unique.REFUSE, Unique.KEEP])
def test_two_users_with_the_same_identity_do_not_disturb_each_other(unique):
    """Windows at two homes: both are 192.168.1.2."""
    pair = town(unique)
    assert connects(pair, another(pair, "bob", "192.168.1.2"))
    assert sorted(users(pair)) == ["alice", "bob"]


def test_one_user_from_elsewhere_replaces_itself():
    pair = town(Unique.REPLACE)
    assert connects(pair, another(pair, "alice", "10.9.8.7"))
    assert users(pair) == ["alice"]
    assert "began anew as" in pair.gateway.heard(IkeDown)[0].reason


def test_an_identity_that_nobody_checked_ends_no_other_session():
    """bob says that he is 192.168.1.2 and that this is his first contact: alice's tunnel is none of his business."""
    pair = town(Unique.KEEP)
    bob = another(pair, "bob", "192.168.1.2")
    assert connects(pair, bob)
    assert not pair.gateway.heard(IkeDown)


def test_refuse_refuses_though_the_newcomer_says_that_it_is_the_first():
    pair = town(Unique.REFUSE)
    second = another(pair, "alice", "10.9.8.7")
    assert not connects(pair, second)
    (failed,) = pair.gateway.heard(AuthFailed)
    assert failed.reason is AuthFailure.TOO_MANY_SESSIONS
    assert "alice has a session already" in failed.detail
    assert users(pair) == ["alice"]
    assert second.is_empty
    pair.client.gateway.terminate(1)
    pair.world.run(1.0)
    assert connects(pair, second)


def test_refuse_lets_in_whoever_authenticates_anew():
    pair = town(Unique.REFUSE)
    assert connects(pair, pair.client)
    pair.world.run(60.0, 0.1)
    assert users(pair) == ["alice"]
    assert not pair.gateway.heard(AuthFailed)


def test_refuse_finds_out_that_the_old_one_is_dead():
    pair = town(Unique.REFUSE)
    pair.world.wire.leave(pair.client.address)
    pair.world.run(20.0, 0.1)
    second = another(pair, "alice", "10.9.8.7")
    assert not connects(pair, second)
    pair.world.run(90.0, 0.1)
    assert users(pair) == []
    assert connects(pair, second)


@pytest.mark.parametrize("unique", [Unique.REFUSE, Unique.REPLACE])
def test_two_logins_of_one_user_at_the_same_time(unique):
    pair = town(unique)
    pair.client.gateway.terminate(1)
    pair.world.run(1.0)
    others = [another(pair, "alice", "10.9.8.7", f"192.0.2.{host}") for host in (3, 4, 5)]
    for one in others:
        one.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(90.0, 0.1)
    assert users(pair) == ["alice"]


def test_a_refused_login_leaves_its_seat():
    pair = town(Unique.REFUSE)
    assert not connects(pair, another(pair, "alice", "10.9.8.7"))
    pair.client.gateway.terminate(1)
    pair.world.run(1.0)
    assert not pair.gateway.gateway._table.running._seats


# ------------------------------------------------------------ what the Accept says


class Recording:
    """An address provider that tells what it was asked."""

    def __init__(self):
        self.asked = []

    def lease(self, request):
        self.asked.append(request)
        return fail(NoAddress("none here"))


def test_the_address_provider_hears_who_it_is_and_what_was_granted():
    grant = Grant(user_name="Alice Liddell", pools4=("staff",))
    pair = login_pair(
        WINDOWS_GATEWAY,
        user("alice", "192.168.1.2"),
        lambda clock: FakeAaa(clock, {"alice": Account(PASSWORD, grant)}),
    )
    provider = Recording()
    object.__setattr__(pair.gateway.gateway._surroundings, "addresses", provider)
    connects(pair, pair.client)
    (request,) = provider.asked
    assert (request.user, request.grant, request.connection) == ("Alice Liddell", grant, "road")
    assert request.path.remote.address == pair.client.address
    assert request.session == pair.gateway.heard(SessionBegan)[0].session.id


def test_the_session_has_the_name_and_the_grant_of_the_accept():
    grant = Grant(user_name="Alice Liddell", classes=(b"staff",))
    pair = town(Unique.REPLACE, alice=grant)
    (began,) = pair.gateway.heard(SessionBegan)
    assert (began.session.user, began.session.grant, began.session.method, began.session.login) == (
        "Alice Liddell",
        grant,
        "eap-experimental",
        "staff",
    )
    pair.gateway.gateway.rekey(1)
    pair.world.run(5.0)
    assert [session.grant for session in pair.gateway.gateway.sessions()] == [grant]


@define
class Revoked:
    """What becomes of a certificate that the AAA server let in: it is asked about after each of `times`, and at last revoked."""

    times: list[float]

    def renew(self):
        self.times.pop(0)
        if self.times:
            return succeed(())
        return fail(AuthenticationError(AuthFailure.NOT_AUTHENTIC, "carol's certificate was revoked"))

    def due(self):
        return self.times[0]


def test_Q_13_a_certificate_that_only_the_AAA_server_saw_is_asked_about_in_a_live_session():
    standing = Revoked([5.0, 10.0])
    puppet = logging_in(Challenge(FIRST), Accept(success(7), msk(PASSWORD), standing=standing))
    puppet.start()
    puppet.respond(b"")
    puppet.prove(msk(PASSWORD))
    pair = puppet.pair
    assert pair.gateway.heard(SessionBegan)
    pair.world.run(6.0, 0.1)
    assert standing.times == [10.0]
    assert len(pair.gateway.gateway.sessions()) == 1
    pair.world.run(10.0, 0.1)
    assert pair.gateway.heard(AuthFailed)[0].detail == "carol's certificate was revoked"
    assert puppet.heard[-1].every(Delete)


def test_the_client_heard_in_IKE_AUTH_when_to_log_in_again():
    """AUTH_LIFETIME (RFC 4478), of which a tenth is left then; the gateway would remind it only after that."""
    pair = town(Unique.REPLACE, alice=Grant(session_seconds=300, termination=Termination.REAUTHENTICATE))
    pair.world.run(267.0, 0.5)
    assert len(pair.gateway.heard(SessionBegan)) == 1
    pair.world.run(5.0)
    assert len(pair.gateway.heard(SessionBegan)) == 2
    pair.world.run(5.0)
    assert len(pair.gateway.gateway.sessions()) == 1


SITE = IPv4Network("10.77.0.0/24")


@pytest.mark.parametrize("granted", [True, False])
def test_framed_routes_are_behind_the_client(granted):
    """A branch office that logs in by EAP: TSi has its network, which only the AAA server's word lets through."""
    grant = Grant(routes=(SITE,)) if granted else Grant()
    branch = user("alice", "192.168.1.2")
    (child,) = branch.children
    child = evolve(child, local_selectors=(from_network(SITE),))
    pair = login_pair(
        WINDOWS_GATEWAY,
        evolve(branch, children=(child,), virtual=()),
        lambda clock: FakeAaa(clock, {"alice": Account(PASSWORD, grant)}),
    )
    assert connects(pair, pair.client) is granted
    remote = [each.remote_selectors for each in pair.gateway.plane.installed]
    assert remote == ([(from_network(SITE),)] if granted else [])


def test_a_child_made_later_knows_the_routes_too():
    grant = Grant(routes=(SITE,))
    branch = user("alice", "192.168.1.2")
    (child,) = branch.children
    more = evolve(child, name="site", local_selectors=(from_network(SITE),))
    pair = login_pair(
        WINDOWS_GATEWAY,
        evolve(branch, children=(child, more)),
        lambda clock: FakeAaa(clock, {"alice": Account(PASSWORD, grant)}),
    )
    assert connects(pair, pair.client)
    pair.client.gateway.create_child(1, "site")
    pair.world.run(1.0)
    assert (from_network(SITE),) in [each.remote_selectors for each in pair.gateway.plane.installed]


def test_asked_again_for_its_name_a_client_may_have_another_one():
    pair = login_pair(
        asking(),
        evolve(EAP_CLIENT, local=evolve(EAP_CLIENT.local, eap_identity="ACME\\carol")),
    )
    assert connects(pair, pair.client)
    assert users(pair) == ["ACME\\carol"]
