"""A session begins once, goes through every rekeying, is told and changed while it is up, and ends once, for a stated cause."""

from ipaddress import ip_address

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, fail

from ikegw.events import (
    AuthFailed,
    AuthFailure,
    ChildDown,
    ChildRekeyed,
    IkeRekeyed,
    SessionBegan,
    SessionChanged,
    SessionEnded,
)
from ikegw.ike.sa import IkeSa
from ikegw.policy.connections import Unique
from ikegw.policy.identities import parse_identity
from ikegw.ports import DataPlaneError, NoAddress, Usage
from ikegw.session import NOTHING_GRANTED, EndCause, Grant, Termination
from ikegw.testing.pair import CLIENT, GATEWAY, POOL, Pair, make_pair, shared_key
from ikegw.testing.puppet import Puppet
from ikegw.testing.traffic import Flow
from ikegw.testing.world import Host
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType

QUIET = {"rekey_seconds": 0.0, "dpd_seconds": 0.0}
PATIENT = evolve(
    GATEWAY, **QUIET, children=(evolve(GATEWAY.children[0], rekey_seconds=0.0, life_seconds=0.0),)
)
CALLER = evolve(CLIENT, **QUIET, children=(evolve(CLIENT.children[0], rekey_seconds=0.0, life_seconds=0.0),))


def connected(gateway=PATIENT, client=CALLER, grant: Grant = NOTHING_GRANTED, user: str = "alice") -> Pair:
    """A client that is up; an AAA server has said `grant` of it."""
    pair = make_pair(gateway, client)
    log_in(pair, pair.client, grant, user)
    assert pair.client.plane.installed
    return pair


def log_in(pair: Pair, client: Host, grant: Grant = NOTHING_GRANTED, user: str = "alice") -> None:
    known = set(pair.gateway.gateway._by_spi)
    client.gateway.initiate(client.gateway.connections[0].name).addErrback(lambda _: None)
    pair.world.run(0.01)
    (spi,) = set(pair.gateway.gateway._by_spi) - known
    sa = pair.gateway.gateway._by_spi[spi]
    sa.grant, sa.user = grant, user
    pair.world.run(0.1)


def another(pair: Pair, address: str = "192.0.2.3", name: str = "carol@test", **settings) -> Host:
    """One more client, by default of the same identity."""
    connection = evolve(CALLER, local=evolve(CALLER.local, identity=parse_identity(name)), **settings)
    return pair.world.host(address, (connection,), shared_key("%any"))


def sa_of(host: Host) -> IkeSa:
    (sa,) = [one for one in host.gateway._by_spi.values() if one.successor is None]
    return sa


def the_end(pair: Pair, host: Host | None = None) -> SessionEnded:
    """How the session ended; there is one beginning, and one end."""
    host = host or pair.gateway
    (began,) = host.heard(SessionBegan)
    (ended,) = host.heard(SessionEnded)
    assert began.session.id == ended.session.id
    assert host.gateway.sessions() == ()
    return ended


def told(waited: Deferred[Usage]) -> Usage:
    results: list[Usage] = []
    waited.addCallback(results.append)
    (usage,) = results
    return usage


def lose_everything(pair: Pair) -> None:
    pair.world.wire.tap = lambda datagram: []


# ---------------------------------------------------------------- while it is up


def test_a_session_begins_when_its_tunnel_is_up():
    pair = connected(gateway=evolve(PATIENT, accounting="isp"))
    (session,) = pair.gateway.gateway.sessions()
    (began,) = pair.gateway.heard(SessionBegan)
    assert began.session == session
    assert (session.user, session.aaa, session.method) == ("alice", "isp", "psk")
    assert session.remote == parse_identity("carol@test")
    assert session.addresses == (ip_address("10.3.0.1"), ip_address("fd00:3::1"))
    kinds = [type(event).__name__ for event in pair.gateway.events]
    assert kinds.index("ChildUp") < kinds.index("SessionBegan")


def test_who_is_unknown_to_AAA_is_called_by_its_identity_and_a_client_reports_to_nobody():
    pair = connected(
        gateway=evolve(PATIENT, accounting="isp"), client=evolve(CALLER, accounting="isp"), user=""
    )
    assert pair.gateway.gateway.sessions()[0].user == "carol@test"
    (own,) = pair.client.gateway.sessions()
    assert (own.aaa, own.user) == ("", "gw.test")


def test_no_session_for_whom_proved_nothing():
    pair = make_pair(client_credentials=shared_key("%any", secret=b"another secret"))
    pair.client.gateway.initiate("home").addErrback(lambda _: None)
    pair.world.run(1.0)
    for host in (pair.gateway, pair.client):
        assert not host.heard(SessionBegan)
        assert not host.heard(SessionEnded)


def test_ids_are_never_used_twice_not_even_by_another_life():
    ids = set()
    for seed in (1, 100):  # two gateways that began at the same time
        pair = make_pair()
        pair.world.seed = seed
        second = pair.world.host("192.0.2.9", (PATIENT,), shared_key("%any"), (POOL,))
        ids.add(second.gateway._surroundings.boot)
    assert len(ids) == 2
    pair = connected()
    pair.client.gateway.terminate(1)
    pair.world.run(1.0)
    log_in(pair, pair.client)
    first, again = (event.session.id for event in pair.gateway.heard(SessionBegan))
    assert first != again


@pytest.mark.parametrize("side", ["client", "gateway"])
def test_a_session_is_the_same_through_every_rekeying(side):
    pair = connected(grant=Grant(user_name="alice", idle_seconds=0, classes=(b"gold",)))
    (before,) = pair.gateway.gateway.sessions()
    host = getattr(pair, side)
    for _ in range(3):
        host.gateway.rekey(sa_of(host).number)
        pair.world.run(40.0, 0.05)
    assert len(pair.gateway.heard(IkeRekeyed)) == 3
    (after,) = pair.gateway.gateway.sessions()
    assert after == before
    assert not pair.gateway.heard(SessionEnded)
    pair.client.gateway.terminate(1)
    pair.world.run(1.0)
    assert the_end(pair).session == before
    the_end(pair, pair.client)


def test_both_ends_rekeying_at_once_leave_one_session():
    pair = connected()
    for host in (pair.client, pair.gateway):
        host.gateway.rekey(1)
    pair.world.run(200.0, 0.05)
    assert len(pair.gateway.gateway.sessions()) == 1
    assert not pair.gateway.heard(SessionEnded)
    pair.client.gateway.terminate(1)
    pair.world.run(1.0)
    assert the_end(pair).cause is EndCause.USER_REQUEST


def test_what_all_child_SAs_carried_counts_those_that_are_gone_too():
    pair = connected()
    flow = Flow(pair)
    flow.run(1.0)
    child = next(iter(sa_of(pair.gateway).children.values()))
    child.soft_expired()  # off in its policy, so by hand
    child.machine.soft_expired()
    flow.run(1.0)
    pair.gateway.gateway.rekey(1)
    flow.run(2.0)
    assert len(pair.gateway.heard(ChildRekeyed)) == 1
    assert flow.lost == 0
    half = flow.sent // 2
    session = pair.gateway.gateway.sessions()[0].id
    now = told(pair.gateway.gateway.usage(session))
    assert (now.inbound_packets, now.outbound_packets) == (half, half)  # the replaced one lingers still
    pair.world.run(6.0)
    flow.run(1.0)
    half = flow.sent // 2
    later = told(pair.gateway.gateway.usage(session))
    assert (later.inbound_packets, later.outbound_packets) == (half, half)
    assert later.last_inbound is not None
    pair.client.gateway.terminate(1)
    pair.world.run(1.0)
    ended = the_end(pair)
    assert (ended.inbound_packets, ended.outbound_packets) == (half, half)
    down = pair.gateway.heard(ChildDown)
    assert ended.inbound_octets == sum(event.inbound_octets for event in down)
    assert ended.outbound_octets == sum(event.outbound_octets for event in down)
    assert 9.0 < ended.seconds < 12.5


def test_a_session_that_ends_while_a_replaced_child_lingers_waits_for_none_of_it():
    pair = connected()
    flow = Flow(pair)
    flow.run(0.5)
    next(iter(sa_of(pair.gateway).children.values())).machine.soft_expired()
    flow.run(0.5)
    pair.client.gateway.terminate(1)
    pair.world.run(0.2)
    assert the_end(pair).inbound_packets == flow.sent // 2
    assert pair.is_empty


def test_a_data_plane_that_tells_nothing_delays_no_end_for_ever():
    pair = connected()
    flow = Flow(pair)
    flow.run(0.5)
    session = pair.gateway.gateway.sessions()[0].id
    told(pair.gateway.gateway.usage(session))
    pair.gateway.gateway._surroundings.data_plane.remove = lambda *_: Deferred()
    pair.client.gateway.terminate(1)
    pair.world.run(5.0)
    assert not pair.gateway.heard(SessionEnded)
    pair.world.run(6.0)
    assert the_end(pair).inbound_packets == flow.sent // 2, "what is known, at least"


def test_a_data_plane_that_fails_has_told_enough_before():
    pair = connected()
    flow = Flow(pair)
    flow.run(0.5)
    session = pair.gateway.gateway.sessions()[0].id
    told(pair.gateway.gateway.usage(session))
    pair.gateway.gateway._surroundings.data_plane.usage = lambda spi: fail(DataPlaneError("gone"))
    assert told(pair.gateway.gateway.usage(session)).inbound_packets == flow.sent // 2


def test_nobody_knows_a_session_that_is_not_there():
    gateway = connected().gateway.gateway
    gateway.usage("5f-7").addErrback(lambda failure: failure.trap(KeyError))
    assert not gateway.end("5f-7", EndCause.ADMIN_RESET, "")
    assert not gateway.change("5f-7", Grant(idle_seconds=9))


def test_a_move_changes_the_session():
    pair = connected()
    client = pair.client.gateway
    client.transport.have([ip_address("192.0.2.77")], client.datagram_received)
    client.addresses_changed()
    pair.world.run(3.0)
    (changed,) = pair.gateway.heard(SessionChanged)
    assert changed.session.path.remote.address == ip_address("192.0.2.77")
    assert changed.session.id == pair.gateway.heard(SessionBegan)[0].session.id


# ---------------------------------------------------------------- every way in which it may end


def by_peer(pair: Pair) -> None:
    pair.client.gateway.terminate(1)


def by_operator(pair: Pair) -> None:
    pair.gateway.gateway.terminate(1)


def by_session_id(pair: Pair) -> None:
    (session,) = pair.gateway.gateway.sessions()
    assert pair.gateway.gateway.end(session.id, EndCause.ADMIN_RESET, "the RADIUS server ended it")


def by_shutdown(pair: Pair) -> None:
    pair.gateway.gateway.shutdown()


def by_reload(pair: Pair) -> None:
    pair.gateway.gateway.reload(())


def by_silence(pair: Pair) -> None:
    lose_everything(pair)
    pair.gateway.gateway._by_spi[sa_of(pair.gateway).own_spi].phase.lifetimes._doubtful_since = 1e9
    sa_of(pair.gateway).phase.machine.dpd()
    pair.world.run(200.0, 0.5)


def by_a_fault_of_ours(pair: Pair) -> None:
    waited: Deferred[None] = Deferred()
    sa_of(pair.gateway).wait_for(waited, lambda _: None, DataPlaneError, lambda _: None)
    waited.errback(RuntimeError("a fault"))


def by_another_login(pair: Pair) -> None:
    log_in(pair, another(pair))


def by_rejection(pair: Pair) -> None:
    Puppet(pair, pair.client).say(ExchangeType.INFORMATIONAL, Notify(NotifyType.AUTHENTICATION_FAILED))


ENDS = [
    (by_peer, EndCause.USER_REQUEST, "the peer deleted it"),
    (by_operator, EndCause.ADMIN_RESET, "the operator ended it"),
    (by_session_id, EndCause.ADMIN_RESET, "the RADIUS server ended it"),
    (by_shutdown, EndCause.ADMIN_REBOOT, "shutting down"),
    (by_reload, EndCause.ADMIN_RESET, "its connection was removed"),
    (by_silence, EndCause.LOST_CARRIER, "no answer"),
    (by_a_fault_of_ours, EndCause.NAS_ERROR, "internal error"),
    (by_rejection, EndCause.USER_ERROR, "does not believe who we are"),
]


@pytest.mark.parametrize(("way", "cause", "reason"), ENDS, ids=lambda value: getattr(value, "__name__", ""))
def test_every_way_to_end_has_its_cause(way, cause, reason, no_internal_error):
    pair = connected()
    flow = Flow(pair)
    flow.run(0.2)
    way(pair)
    pair.world.run(10.0)
    ended = the_end(pair)
    assert ended.cause is cause
    assert reason in ended.reason
    assert ended.inbound_packets == flow.sent // 2
    assert ended.session.addresses, "they are told, though they were given back"
    if way is by_a_fault_of_ours:
        no_internal_error.clear()


@pytest.mark.parametrize("unique", [Unique.REPLACE, Unique.KEEP])
def test_a_newer_login_of_the_same_peer_preempts(unique):
    pair = connected(gateway=evolve(PATIENT, unique=unique))
    by_another_login(pair)
    pair.world.run(10.0)
    first, second = (event.session.id for event in pair.gateway.heard(SessionBegan))
    (ended,) = pair.gateway.heard(SessionEnded)
    assert (ended.session.id, ended.cause) == (first, EndCause.PORT_PREEMPTED)
    assert [session.id for session in pair.gateway.gateway.sessions()] == [second]


def test_a_peer_that_authenticates_anew_has_another_session():
    client = evolve(CALLER, reauth_seconds=100.0, jitter_seconds=0.0)
    pair = connected(client=client)
    pair.world.run(110.0, 0.05)
    assert len(pair.gateway.heard(SessionBegan)) == 2
    assert len(pair.gateway.heard(SessionEnded)) == 1
    (ended,) = pair.client.heard(SessionEnded)
    assert ended.cause in (EndCause.NAS_REQUEST, EndCause.USER_REQUEST)


def test_what_could_not_be_rekeyed_is_over():
    pair = connected(gateway=evolve(PATIENT, rekey_seconds=100.0, jitter_seconds=0.0, over_seconds=10.0))
    refusal = (Notify(NotifyType.TEMPORARY_FAILURE),)
    Puppet(pair, pair.client, lambda m: refusal if m.header.exchange is ExchangeType.CREATE_CHILD_SA else ())
    pair.world.run(115.0, 0.1)
    assert the_end(pair).cause is EndCause.SESSION_TIMEOUT


def test_shutdown_waits_until_every_end_is_told():
    pair = connected()
    removing: list[Deferred[Usage]] = []

    def remove(*_) -> Deferred[Usage]:
        removing.append(Deferred())
        return removing[-1]

    pair.gateway.plane.remove = remove
    over = []
    pair.gateway.gateway.shutdown().addCallback(over.append)
    pair.world.run(2.0)
    assert not pair.gateway.gateway.listing()
    assert not over, "its last counts are not known yet"
    removing[0].callback(Usage(10, 1, 20, 2))
    assert over
    ended = the_end(pair)
    assert (ended.inbound_octets, ended.outbound_packets) == (10, 2)


# ---------------------------------------------------------------- times that were granted


def test_Session_Timeout_ends_it():
    pair = connected(grant=Grant(session_seconds=300))
    pair.world.run(299.0, 0.5)
    assert len(pair.gateway.gateway.sessions()) == 1
    pair.world.run(2.0)
    ended = the_end(pair)
    assert (ended.cause, round(ended.seconds)) == (EndCause.SESSION_TIMEOUT, 300)
    assert pair.is_empty


def test_Session_Timeout_counts_on_through_rekeying():
    pair = connected(grant=Grant(session_seconds=300))
    for _ in range(4):
        pair.world.run(60.0, 0.1)
        pair.gateway.gateway.rekey(1)
    pair.world.run(62.0, 0.1)
    assert round(the_end(pair).seconds) == 300


def heard_lifetimes(puppet: Puppet) -> list[int]:
    notifies = [message.notify(NotifyType.AUTH_LIFETIME) for message in puppet.heard]
    return [int.from_bytes(notify.data, "big") for notify in notifies if notify is not None]


def test_Q_19_with_Termination_Action_the_peer_is_asked_to_authenticate_anew_and_ends_if_it_does_not():
    pair = connected(grant=Grant(session_seconds=300, termination=Termination.REAUTHENTICATE))
    puppet = Puppet(pair, pair.client, lambda message: ())
    pair.world.run(265.0, 0.1)
    assert not heard_lifetimes(puppet)
    pair.world.run(10.0)
    assert heard_lifetimes(puppet) == [30]
    pair.world.run(20.0)
    assert len(pair.gateway.gateway.sessions()) == 1
    pair.world.run(10.0)
    ended = the_end(pair)
    assert ended.cause is EndCause.SESSION_TIMEOUT
    assert abs(ended.seconds - 300) < 2


def test_Q_19_a_client_of_ours_authenticates_anew_in_time():
    pair = connected(grant=Grant(session_seconds=300, termination=Termination.REAUTHENTICATE))
    pair.world.run(310.0, 0.1)
    assert len(pair.gateway.heard(SessionBegan)) == 2
    assert len(pair.gateway.gateway.sessions()) == 1
    pair.world.run(100.0, 0.1)  # the new one has no limit
    assert len(pair.gateway.heard(SessionEnded)) == 1


def test_Idle_Timeout_ends_what_carries_nothing():
    pair = connected(grant=Grant(idle_seconds=80))
    flow = Flow(pair)
    for _ in range(10):
        flow.run(1.0, 0.5)
        pair.world.run(60.0, 0.5)
    assert len(pair.gateway.gateway.sessions()) == 1, "a packet a minute is life"
    flow.run(1.0, 0.5)
    at = pair.world.clock.seconds()
    pair.world.run(78.0, 0.1)
    assert len(pair.gateway.gateway.sessions()) == 1
    pair.world.run(15.0, 0.1)
    assert the_end(pair).cause is EndCause.IDLE_TIMEOUT
    assert pair.world.clock.seconds() - at < 95
    assert pair.is_empty


# ---------------------------------------------------------------- changed while it is up (RFC 5176)


def change(pair: Pair, **grant) -> None:
    (session,) = pair.gateway.gateway.sessions()
    assert pair.gateway.gateway.change(session.id, Grant(**grant))


def test_a_change_leaves_what_it_does_not_name():
    granted = Grant("alice", session_seconds=1000, interim_seconds=60, filters=("guest",), classes=(b"gold",))
    pair = connected(grant=granted)
    pair.world.run(100.0, 0.5)
    change(pair, interim_seconds=30, filters=("staff",))
    (changed,) = pair.gateway.heard(SessionChanged)
    assert changed.session.grant == evolve(granted, interim_seconds=30, filters=("staff",))
    change(pair, session_seconds=50)
    assert pair.gateway.gateway.sessions()[0].grant.session_seconds == 150
    pair.world.run(51.0, 0.1)
    assert round(the_end(pair).seconds) == 150


def test_a_limit_may_be_lifted():
    pair = connected(grant=Grant(session_seconds=100, idle_seconds=50))
    change(pair, session_seconds=0, idle_seconds=0)
    pair.world.run(1000.0, 1.0)
    assert len(pair.gateway.gateway.sessions()) == 1


def test_a_new_Idle_Timeout_counts_from_now():
    pair = connected(grant=Grant(idle_seconds=0))
    pair.world.run(100.0, 0.5)
    change(pair, idle_seconds=30)
    pair.world.run(29.0, 0.1)
    assert len(pair.gateway.gateway.sessions()) == 1
    pair.world.run(6.0, 0.1)
    assert the_end(pair).cause is EndCause.IDLE_TIMEOUT


def test_Q_19_a_new_time_with_Termination_Action_is_told_at_once():
    pair = connected()
    puppet = Puppet(pair, pair.client, lambda message: ())
    change(pair, session_seconds=40, termination=Termination.REAUTHENTICATE)
    pair.world.run(1.0)
    assert heard_lifetimes(puppet) == [40]
    change(pair, session_seconds=100)
    pair.world.run(60.0, 0.1)
    assert len(pair.gateway.gateway.sessions()) == 1, "the later word holds"
    pair.world.run(42.0, 0.1)
    assert the_end(pair).cause is EndCause.SESSION_TIMEOUT


# ---------------------------------------------------------------- Port-Limit

SEVERAL = evolve(PATIENT, unique=Unique.NEVER)
"""A gateway whose users may have more sessions than one, as far as it is concerned."""


def test_no_more_sessions_of_a_user_than_Port_Limit_allows():
    limited = Grant(port_limit=2)
    pair = connected(SEVERAL, grant=limited)
    other, third = another(pair, "192.0.2.3", "dave@test"), another(pair, "192.0.2.4", "erin@test")
    log_in(pair, other, limited)
    log_in(pair, third, limited)
    (failed,) = pair.gateway.heard(AuthFailed)
    assert failed.reason is AuthFailure.TOO_MANY_SESSIONS
    assert "alice has 2 sessions already" in failed.detail
    assert not third.plane.installed
    log_in(pair, third, limited, user="bob")
    assert third.plane.installed, "another user has another limit"
    assert len(pair.gateway.gateway.sessions()) == 3
    other.gateway.terminate(1)
    pair.world.run(1.0)
    fourth = another(pair, "192.0.2.5", "fred@test")
    log_in(pair, fourth, limited)
    assert fourth.plane.installed, "there is room again"


def test_of_two_logins_at_once_no_more_come_in_than_may():
    limited = Grant(port_limit=1)
    pair = make_pair(SEVERAL, CALLER)
    other = another(pair, "192.0.2.3", "dave@test")
    for client in (pair.client, other):
        client.gateway.initiate("home").addErrback(lambda _: None)
    pair.world.run(0.01)
    for sa in pair.gateway.gateway._by_spi.values():
        sa.grant, sa.user = limited, "alice"
    pair.world.run(1.0)
    assert len(pair.gateway.gateway.sessions()) == 1
    assert len(pair.gateway.heard(AuthFailed)) == 1


def test_whom_a_login_replaces_does_not_stand_in_its_way():
    limited = Grant(port_limit=1)
    pair = connected(grant=limited)
    again = another(pair)
    log_in(pair, again, limited)
    pair.world.run(2.0)
    assert again.plane.installed
    assert len(pair.gateway.gateway.sessions()) == 1


def test_seats_are_given_back():
    pair = connected(grant=Grant(port_limit=1))
    pair.gateway.gateway.rekey(1)
    pair.world.run(40.0, 0.05)
    pair.client.gateway.terminate(1)
    pair.world.run(1.0)
    assert not pair.gateway.gateway._table.running._seats
    assert not pair.gateway.gateway._table.running._ending


def test_what_loses_its_address_lost_its_service():
    pair = connected()
    session = pair.gateway.gateway.sessions()[0]
    pair.gateway.pool.renew = lambda lease: fail(NoAddress("it is another's"))
    sa_of(pair.gateway).phase.machine.lease_renew()
    pair.world.run(1.0)
    ended = the_end(pair)
    assert ended.cause is EndCause.LOST_SERVICE
    assert ended.session.addresses == session.addresses
