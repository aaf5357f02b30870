"""What is to stand without anybody asking: start_action, close_action, dpd_action and keyingtries."""

import pytest
from attrs import evolve

from ikegw.events import IkeDown, IkeUp
from ikegw.ike.calling import LONGEST_PAUSE
from ikegw.policy.connections import Connection, DpdAction, Retransmit, StartAction
from ikegw.testing.pair import CLIENT, POOL, Pair, make_pair, shared_key
from ikegw.testing.world import Host

QUICK = Retransmit(tries=1)


def persistent(tries: int, **actions) -> Pair:
    child = evolve(CLIENT.children[0], **actions)
    return make_pair(client=evolve(CLIENT, tries=tries, retransmit=QUICK, children=(child,)))


def begun(host: Host) -> int:
    return host.states("initiator").count("SMI_AUTH")


def restart_gateway(pair: Pair) -> None:
    pair.world.host("192.0.2.1", pair.gateway.gateway.connections, shared_key("%any"), (POOL,))


@pytest.mark.parametrize("tries", [1, 3])
def test_it_is_begun_so_often_and_no_more(tries):
    pair = persistent(tries)
    pair.world.wire.leave(pair.gateway.address)
    pair.client.gateway._beginning.begin(pair.client.gateway.connections[0], CLIENT.children)
    pair.world.run(300.0, 0.5)
    assert begun(pair.client) == tries
    assert pair.client.is_empty


def test_for_ever_means_until_somebody_is_there():
    pair = persistent(0)
    pair.world.wire.leave(pair.gateway.address)
    pair.client.gateway._beginning.begin(pair.client.gateway.connections[0], CLIENT.children)
    pair.world.run(2000.0, 0.5)
    assert 8 <= begun(pair.client) <= 20
    restart_gateway(pair)
    pair.world.run(LONGEST_PAUSE + 1, 0.1)
    assert len(pair.client.heard(IkeUp)) == 1
    before = begun(pair.client)
    pair.world.run(2 * LONGEST_PAUSE, 0.5)
    assert begun(pair.client) == before


def test_a_connection_that_was_taken_out_is_not_called_again():
    pair = persistent(0)
    pair.world.wire.leave(pair.gateway.address)
    pair.client.gateway._beginning.begin(pair.client.gateway.connections[0], CLIENT.children)
    pair.world.run(20.0, 0.5)
    pair.client.gateway.reload(())
    before = begun(pair.client)
    pair.world.run(1000.0, 0.5)
    assert begun(pair.client) == before


def test_nothing_is_begun_again_by_a_gateway_that_stops():
    pair = persistent(0)
    pair.world.wire.leave(pair.gateway.address)
    pair.client.gateway._beginning.begin(pair.client.gateway.connections[0], CLIENT.children)
    pair.world.run(10.0, 0.5)
    pair.client.gateway.shutdown()
    before = begun(pair.client)
    pair.world.run(1000.0, 0.5)
    assert begun(pair.client) == before
    assert not pair.world.clock.getDelayedCalls()


@pytest.mark.parametrize("action", [StartAction.START, StartAction.NONE])
def test_close_action_when_the_peer_closes_the_ike_sa(action):
    pair = persistent(1, close=action)
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    pair.gateway.gateway.terminate(1)
    pair.world.run(1.0)
    assert pair.client.heard(IkeDown)[0].reason == "the peer deleted it"
    assert len(pair.client.heard(IkeUp)) == (2 if action is StartAction.START else 1)


@pytest.mark.parametrize("action", [StartAction.START, StartAction.NONE])
def test_close_action_when_the_peer_closes_the_child(action):
    pair = persistent(1, close=action)
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    (sa,) = pair.gateway.gateway._by_spi.values()
    (child,) = sa.children.values()
    child.remove("the operator removed it")
    pair.world.run(1.0)
    assert len(pair.client.plane.installed) == (1 if action is StartAction.START else 0)
    assert len(pair.gateway.plane.installed) == len(pair.client.plane.installed)


def test_a_child_that_both_close_stays_closed():
    pair = persistent(1, close=StartAction.START)
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    for host in (pair.client, pair.gateway):
        (sa,) = host.gateway._by_spi.values()
        (child,) = sa.children.values()
        child.remove("the operator removed it")
    pair.world.run(1.0)
    assert not pair.client.plane.installed


def test_a_child_that_the_peer_rekeyed_is_not_made_twice():
    pair = persistent(1, close=StartAction.START)
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    (sa,) = pair.gateway.gateway._by_spi.values()
    (child,) = sa.children.values()
    child.soft_expired()
    pair.world.run(10.0, 0.1)
    assert len(pair.client.plane.installed) == len(pair.gateway.plane.installed) == 1


def test_what_we_close_ourselves_stays_closed():
    pair = persistent(0, close=StartAction.START, dpd=DpdAction.RESTART)
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    pair.client.gateway.terminate(1)
    pair.world.run(100.0, 0.5)
    assert pair.is_empty
    assert begun(pair.client) == 1


def test_Q_25_a_peer_that_died_is_called_until_it_is_back():
    pair = persistent(0, dpd=DpdAction.RESTART)
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    pair.world.wire.leave(pair.gateway.address)
    pair.world.run(300.0, 0.5)
    assert pair.client.heard(IkeDown)[0].was_up
    assert begun(pair.client) >= 3
    restart_gateway(pair)
    pair.world.run(LONGEST_PAUSE + 1, 0.1)
    assert len(pair.client.heard(IkeUp)) == 2
    assert len(pair.client.plane.installed) == 1


def on_start(name: str = "home") -> Connection:
    return evolve(CLIENT, name=name, children=(evolve(CLIENT.children[0], start=StartAction.START),))


def test_a_reload_begins_what_is_new_and_is_to_start():
    pair = make_pair()
    pair.client.gateway.reload((CLIENT,))
    pair.world.run()
    assert not begun(pair.client)
    pair.client.gateway.reload((CLIENT, on_start("another")))
    pair.world.run()
    assert [up.sa.connection for up in pair.client.heard(IkeUp)] == ["another"]
    pair.client.gateway.reload((CLIENT, on_start("another"), evolve(CLIENT, name="third")))
    pair.world.run()
    assert begun(pair.client) == 1


def test_a_reload_begins_again_what_it_changed_and_ends_the_old_one():
    pair = make_pair(client=on_start())
    pair.world.run()
    pair.client.gateway.reload((evolve(on_start(), dpd_seconds=7.0),))
    pair.world.run(20.0, 0.05)
    assert [up.sa.number for up in pair.client.heard(IkeUp)] == [1, 2]
    (sa,) = pair.client.gateway._by_spi.values()
    assert (sa.number, sa.connection.dpd_seconds, sa.state) == (2, 7.0, "SM_MATURE")
    assert len(pair.gateway.gateway.listing()) == 1


def test_a_reload_that_changes_what_is_being_called_calls_it_as_it_is_now():
    pair = make_pair(client=evolve(on_start(), tries=0, retransmit=QUICK))
    pair.world.wire.leave(pair.gateway.address)
    pair.world.run(100.0, 0.5)
    pair.client.gateway.reload((evolve(on_start(), tries=2, retransmit=QUICK),))
    before = begun(pair.client)
    pair.world.run(600.0, 0.5)
    assert begun(pair.client) <= before + 2
    assert pair.client.is_empty
