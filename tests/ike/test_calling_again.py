"""What is to stand without anybody asking: start_action, close_action, dpd_action and keyingtries."""

import pytest
from attrs import evolve

from ikegw.events import IkeDown, IkeUp
from ikegw.ike.calling import LONGEST_PAUSE
from ikegw.policy.connections import DpdAction, Retransmit, StartAction
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
    pair.client.gateway._begin(pair.client.gateway.connections[0], CLIENT.children)
    pair.world.run(300.0, 0.5)
    assert begun(pair.client) == tries
    assert pair.client.is_empty


def test_for_ever_means_until_somebody_is_there():
    pair = persistent(0)
    pair.world.wire.leave(pair.gateway.address)
    pair.client.gateway._begin(pair.client.gateway.connections[0], CLIENT.children)
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
    pair.client.gateway._begin(pair.client.gateway.connections[0], CLIENT.children)
    pair.world.run(20.0, 0.5)
    pair.client.gateway.reload(())
    before = begun(pair.client)
    pair.world.run(1000.0, 0.5)
    assert begun(pair.client) == before


def test_nothing_is_begun_again_by_a_gateway_that_stops():
    pair = persistent(0)
    pair.world.wire.leave(pair.gateway.address)
    pair.client.gateway._begin(pair.client.gateway.connections[0], CLIENT.children)
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
