"""Groups of users: who comes in, what each gets, and what becomes of a session that is put into another one."""

from ipaddress import IPv4Network, ip_address

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from ikegw.addresses.pool import Pool
from ikegw.events import AuthFailed, AuthFailure, ChildDown, IkeUp, Refused, SessionChanged, SessionEnded
from ikegw.ike.being_configured import request_for
from ikegw.ike.configuration import addresses_of
from ikegw.ike.sa import IkeSa
from ikegw.policy.connections import ChildPolicy
from ikegw.policy.groups import Group
from ikegw.policy.selectors import DYNAMIC, from_network
from ikegw.session import EndCause, Grant
from ikegw.testing.aaa import Account, FakeAaa
from ikegw.testing.login import EAP_CLIENT, EAP_GATEWAY, PASSWORD, login_pair
from ikegw.testing.pair import POOL, Pair
from ikegw.testing.puppet import Puppet
from ikegw.testing.wire import Datagram, pass_on
from ikegw.wire.configuration import Configuration
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ConfigAttributeType, ExchangeType, NotifyType

LAN, LAB, SHOP = (IPv4Network(text) for text in ("10.1.0.0/24", "10.1.0.0/28", "10.1.0.64/28"))
LABS = Pool("labs", (IPv4Network("10.4.0.0/24"),), (ip_address("10.4.0.53"),))
ENGINEERS = Group(
    "engineers",
    ("group=eng",),
    ("eng-*",),
    pools=("labs",),
    dns=(ip_address("10.1.0.54"),),
    domains=("eng.test",),
    reach=(from_network(LAB),),
    session_seconds=600,
    idle_seconds=100,
    port_limit=1,
)
SHOPKEEPERS = Group("shopkeepers", filters=("shop",), reach=(from_network(SHOP), from_network(LAB)))
BOSSES = Group("bosses", filters=("boss",))
QUIET = {"rekey_seconds": 0.0, "dpd_seconds": 0.0}
STILL = {"rekey_seconds": 0.0, "life_seconds": 0.0}
GATEWAY = evolve(
    EAP_GATEWAY, **QUIET, groups=(ENGINEERS, SHOPKEEPERS, BOSSES),
    children=(ChildPolicy("net", (from_network(LAN),), (DYNAMIC,), **STILL),),
)  # fmt: skip
CLIENT = evolve(
    EAP_CLIENT, **QUIET, children=(evolve(EAP_CLIENT.children[0], **STILL),), virtual=EAP_CLIENT.virtual[:1]
)


def connected(grant: Grant, gateway=GATEWAY, client=CLIENT) -> Pair:
    """Carol logs in, of whom her AAA server says `grant`."""
    pair = login_pair(gateway, client, lambda clock: FakeAaa(clock, {"carol@test": Account(PASSWORD, grant)}))
    pair.gateway.pool.reload([POOL, LABS])
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run()
    return pair


def sa_of(pair: Pair) -> IkeSa:
    (sa,) = (one for one in pair.gateway.gateway._by_spi.values() if one.successor is None)
    return sa


def reached(pair: Pair) -> list[str]:
    """What the client's tunnels lead to."""
    tunnels = [child.tunnel for child in sa_of(pair).children.values()]
    return [f"{one.start}-{one.end}" for tunnel in tunnels for one in tunnel.local_selectors]


def put_into(pair: Pair, *filters: str, **more: int) -> str:
    """As a CoA request does it; what was objected."""
    sessions = pair.gateway.gateway
    (session,) = sessions.sessions()
    grant = Grant(filters=filters, **more)
    why = sessions.objection(session.id, grant)
    if not why:
        assert sessions.change(session.id, grant)
    pair.world.run(0.5)
    return why


# ------------------------------------------------------------ at the login


@pytest.mark.parametrize("grant", [Grant(classes=(b"x", b"group=eng")), Grant(filters=("eng-north",))])
def test_a_member_gets_what_its_group_says(grant):
    pair = connected(grant)
    sa = sa_of(pair)
    assert reached(pair) == ["10.1.0.0-10.1.0.15"]
    assert addresses_of(sa.lease) == (ip_address("10.4.0.1"),)
    (session,) = pair.gateway.gateway.sessions()
    assert (session.group, session.grant.session_seconds) == ("engineers", 600)
    (theirs,) = pair.client.gateway._by_spi.values()
    assert sa.tenancy.request.grant.dns == (
        ip_address("10.1.0.54"),
    )  # whom providers heed, as if the server had said it
    assert sa.tenancy.request.group == "engineers"
    assert theirs.lease.domains == ("eng.test",)
    assert theirs.lease.subnets == (LAB,)


def test_an_operator_sees_users_and_groups():
    pair = connected(Grant(filters=("eng-1",), user_name="Carol"))
    ((ours,), (theirs,)) = pair.gateway.gateway.listing(), pair.client.gateway.listing()
    assert (ours.user, ours.group) == ("Carol", "engineers")
    assert (theirs.user, theirs.group) == ("", "")


def test_what_a_group_leaves_open_is_as_the_connection_has_it():
    pair = connected(Grant(filters=("boss",)))
    assert reached(pair) == ["10.1.0.0-10.1.0.255"]
    assert addresses_of(sa_of(pair).lease) == (ip_address("10.3.0.1"),)
    assert pair.gateway.gateway.sessions()[0].group == "bosses"


def test_RE_05_one_who_is_in_no_group_does_not_come_in():
    pair = connected(Grant(classes=(b"else",)))
    (failed,) = pair.gateway.heard(AuthFailed)
    assert failed.reason is AuthFailure.NOT_IN_GROUP
    assert "carol@test is in no group of its connection (engineers, shopkeepers, bosses)" in failed.detail
    assert "Class 'else'" in failed.detail
    assert not pair.gateway.heard(IkeUp)
    assert pair.gateway.states("responder")[-2:] == ["SMR_AUTH_FINALIZE", "SM_DEAD"]
    assert pair.gateway.is_empty


def test_a_group_that_takes_everybody():
    gateway = evolve(GATEWAY, groups=(ENGINEERS, Group("rest", reach=(from_network(SHOP),))))
    pair = connected(Grant(), gateway)
    assert reached(pair) == ["10.1.0.64-10.1.0.79"]


def test_a_group_that_reaches_nothing_of_the_connection():
    """R-18: it is a user, and the child is what it may not have."""
    nowhere = evolve(ENGINEERS, reach=(from_network(IPv4Network("172.16.0.0/12")),))
    pair = connected(Grant(classes=(b"group=eng",)), evolve(GATEWAY, groups=(nowhere,)))
    (refused,) = pair.gateway.heard(Refused)
    assert refused.notify == "TS_UNACCEPTABLE"
    assert (
        "allows to group engineers; compare local_ts and remote_ts, and local_ts of groups.engineers"
        in refused.detail
    )
    assert not pair.gateway.plane.installed


def test_the_times_of_a_group_end_a_session():
    pair = connected(Grant(filters=("eng-1",)))
    pair.world.run(102.0, 0.5)
    (ended,) = pair.gateway.heard(SessionEnded)
    assert ended.cause is EndCause.IDLE_TIMEOUT
    pair = connected(Grant(filters=("eng-1",), idle_seconds=0))
    pair.world.run(598.0, 0.5)
    assert not pair.gateway.heard(SessionEnded)
    pair.world.run(3.0, 0.5)
    (ended,) = pair.gateway.heard(SessionEnded)
    assert ended.cause is EndCause.SESSION_TIMEOUT


def test_the_port_limit_of_a_group():
    unlimited = evolve(GATEWAY, unique=GATEWAY.unique.NEVER)
    pair = connected(Grant(filters=("eng-1",)), unlimited)
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run()
    (failed,) = pair.gateway.heard(AuthFailed)
    assert failed.reason is AuthFailure.TOO_MANY_SESSIONS
    assert "its group engineers allows 1" in failed.detail


def test_another_child_is_as_narrow_and_so_is_all_after_rekeying():
    pair = connected(Grant(filters=("eng-1",)))
    pair.client.gateway.rekey(1)
    pair.world.run()
    assert sa_of(pair).group is ENGINEERS
    pair.client.gateway.create_child(1, "net").addErrback(lambda failure: None)
    pair.world.run()
    assert reached(pair) == ["10.1.0.0-10.1.0.15"] * 2
    for number in (1, 1):
        pair.gateway.gateway.rekey_child(number, "net")
        pair.world.run()
    assert set(reached(pair)) == {"10.1.0.0-10.1.0.15"}


def test_P_09_the_domains_are_told_again():
    pair = connected(Grant(filters=("eng-1",)))
    answers = [
        attribute.domain
        for message in _informational(pair)
        for attribute in message.attributes
        if attribute.type is ConfigAttributeType.INTERNAL_DNS_DOMAIN
    ]
    assert answers == ["eng.test"]


def _informational(pair: Pair) -> list[Configuration]:
    puppet = Puppet(pair, pair.client)
    answer = puppet.ask(ExchangeType.INFORMATIONAL, request_for(CLIENT.virtual))
    return [answer.need(Configuration)]


# ------------------------------------------------------------ live (RFC 5176: Filter-Id)


def test_a_narrower_group_ends_what_leads_further():
    pair = connected(Grant(filters=("boss",)))
    assert put_into(pair, "eng-2") == ""
    assert reached(pair) == []
    (down,) = pair.gateway.heard(ChildDown)
    assert down.reason == "the session's group is engineers now, which does not reach all of it"
    assert pair.gateway.heard(SessionChanged)[-1].session.group == "engineers"
    assert pair.gateway.gateway.sessions()
    pair.client.gateway.create_child(1, "net")
    pair.world.run()
    assert reached(pair) == ["10.1.0.0-10.1.0.15"]


def test_a_wider_group_ends_nothing_and_holds_for_what_comes():
    pair = connected(Grant(filters=("eng-1",)))
    assert put_into(pair, "shop") == ""
    assert reached(pair) == ["10.1.0.0-10.1.0.15"]
    pair.client.gateway.create_child(1, "net")
    pair.world.run()
    assert reached(pair) == ["10.1.0.0-10.1.0.15", "10.1.0.64-10.1.0.79", "10.1.0.0-10.1.0.15"]


def test_nobody_is_put_into_no_group():
    pair = connected(Grant(filters=("eng-1",)))
    why = put_into(pair, "nothing")
    assert why == "Filter-Id 'nothing' is in no group of connection road (engineers, shopkeepers, bosses)"
    (session,) = pair.gateway.gateway.sessions()
    assert (session.group, session.grant.filters) == ("engineers", ("eng-1",))


def test_a_class_still_counts_beside_another_filter():
    pair = connected(Grant(classes=(b"group=eng",), filters=("boss",)))
    assert put_into(pair, "nothing") == ""
    assert pair.gateway.gateway.sessions()[0].group == "engineers"
    assert reached(pair) == ["10.1.0.0-10.1.0.15"]


def test_the_times_of_the_new_group_hold_from_the_login_on():
    pair = connected(Grant(filters=("boss",)))
    pair.world.run(400.0, 0.5)
    assert put_into(pair, "eng-1", idle_seconds=0) == ""
    pair.world.run(195.0, 0.5)
    assert not pair.gateway.heard(SessionEnded)
    pair.world.run(5.0, 0.5)
    (ended,) = pair.gateway.heard(SessionEnded)
    assert ended.cause is EndCause.SESSION_TIMEOUT


def test_a_session_that_is_older_than_its_new_group_allows_ends():
    pair = connected(Grant(filters=("boss",)))
    pair.world.run(700.0, 0.5)
    assert put_into(pair, "eng-1") == ""
    pair.world.run(3.0)
    (ended,) = pair.gateway.heard(SessionEnded)
    assert ended.cause is EndCause.SESSION_TIMEOUT


def test_times_that_only_the_old_group_had_are_over():
    pair = connected(Grant(filters=("eng-1",)))
    assert put_into(pair, "boss") == ""
    pair.world.run(700.0, 0.5)
    assert not pair.gateway.heard(SessionEnded)


def test_times_that_the_server_gave_stay_with_another_group():
    pair = connected(Grant(filters=("boss",), session_seconds=50))
    assert put_into(pair, "eng-1") == ""
    pair.world.run(51.0, 0.5)
    (ended,) = pair.gateway.heard(SessionEnded)
    assert ended.cause is EndCause.SESSION_TIMEOUT


# ------------------------------------------------------------ while something is under way


def held_back(pair: Pair) -> list[Datagram]:
    """From now on what the client says waits here."""
    held: list[Datagram] = []

    def hold(datagram: Datagram) -> list[Datagram]:
        if datagram.path.local.address == pair.client.address:
            held.append(datagram)
            return []
        return [datagram]

    pair.world.wire.tap = hold
    return held


def let_go(pair: Pair, held: list[Datagram]) -> None:
    pair.world.wire.tap = pass_on
    for datagram in held:
        pair.world.wire.deliver(datagram)
    pair.world.run(2.0)


def test_what_we_were_renewing_is_as_narrow_as_the_new_group():
    pair = connected(Grant(filters=("boss",)))
    held = held_back(pair)
    pair.gateway.gateway.rekey_child(1, "net")
    pair.world.run(0.1)
    assert put_into(pair, "eng-1") == ""
    assert reached(pair) == ["10.1.0.0-10.1.0.255"]
    let_go(pair, held)
    assert reached(pair) == []
    assert pair.gateway.gateway.sessions()


def test_what_we_were_renewing_in_vain_does_not_stay():
    """C-27: the peer refuses to renew it."""
    pair = connected(Grant(filters=("boss",)))
    puppet = Puppet(pair, pair.client)
    pair.gateway.gateway.rekey_child(1, "net")
    pair.world.run(0.1)
    assert put_into(pair, "eng-1") == ""
    request = puppet.heard[-1]
    puppet.answer = lambda message: ()
    puppet._say(
        ExchangeType.CREATE_CHILD_SA,
        (Notify(NotifyType.NO_PROPOSAL_CHOSEN),),
        request.header.message_id,
        response=True,
    )
    pair.world.run(1.0)
    assert reached(pair) == []


def test_what_the_peer_was_making_is_as_narrow_as_the_new_group():
    pair = connected(Grant(filters=("boss",)))
    plane, slow = pair.gateway.plane, Deferred[None]()
    install = plane.install

    def later(sa):
        return slow.addCallback(lambda _: install(sa))

    plane.install = later
    pair.client.gateway.create_child(1, "net").addErrback(lambda failure: None)
    pair.world.run(0.1)
    plane.install = install
    assert put_into(pair, "eng-1") == ""
    slow.callback(None)
    pair.world.run(1.0)
    assert reached(pair) == []
