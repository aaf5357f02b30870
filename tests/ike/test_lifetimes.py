"""When what is due is done: rekey_time, rand_time, over_time, reauth_time and dpd_delay of a connection, and those of a child."""

import pytest
from attrs import evolve

from ikegw.events import ChildRekeyed, IkeDown, IkeRekeyed, IkeUp
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.testing.puppet import Puppet
from ikegw.testing.world import Host
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType

NEVER = {"rekey_seconds": 0.0, "dpd_seconds": 0.0}
QUIET = evolve(GATEWAY, **NEVER, children=(evolve(GATEWAY.children[0], rekey_seconds=0.0, life_seconds=0.0),))


def connected(child=None, **client) -> Pair:
    """A client with these settings, and a gateway that does nothing by itself."""
    children = (evolve(CLIENT.children[0], **(child or {"rekey_seconds": 0.0, "life_seconds": 0.0})),)
    pair = make_pair(QUIET, evolve(CLIENT, **{**NEVER, **client, "children": children}))
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    assert pair.client.plane.installed
    return pair


def when(pair: Pair, host: Host, kind: type) -> float:
    """Seconds until the first event of that kind."""
    for second in range(1, 20_000):
        if host.heard(kind):
            return second * 0.1
        pair.world.run(0.1, 0.05)
    raise AssertionError(f"no {kind.__name__}")


def test_nothing_is_done_that_is_switched_off():
    pair = connected()
    sent = len(pair.world.wire.history)
    pair.world.run(200_000.0, 100.0)
    assert len(pair.world.wire.history) == sent
    assert not pair.world.clock.getDelayedCalls()


@pytest.mark.parametrize(
    ("jitter", "earliest"), [(None, 90.0), (0.0, 99.9), (30.0, 70.0), (1000.0, 50.0)], ids=str
)
def test_an_ike_sa_is_rekeyed_a_random_while_before_its_time(jitter, earliest):
    pair = connected(rekey_seconds=100.0, jitter_seconds=jitter)
    assert earliest - 0.5 <= when(pair, pair.client, IkeRekeyed) <= 101.0


@pytest.mark.parametrize(("jitter", "earliest"), [(None, 90.0), (0.0, 99.9), (30.0, 70.0)], ids=str)
def test_a_child_is_rekeyed_a_random_while_before_its_time(jitter, earliest):
    pair = connected(child={"rekey_seconds": 100.0, "jitter_seconds": jitter})
    assert earliest - 0.5 <= when(pair, pair.client, ChildRekeyed) <= 101.0


def test_what_could_not_be_rekeyed_ends_over_time_later():
    pair = connected(rekey_seconds=100.0, jitter_seconds=0.0, over_seconds=20.0)
    refusal = (Notify(NotifyType.TEMPORARY_FAILURE),)
    Puppet(pair, pair.gateway, lambda m: refusal if m.header.exchange is ExchangeType.CREATE_CHILD_SA else ())
    assert 119.5 <= when(pair, pair.client, IkeDown) <= 121.0
    assert "lifetime is over" in pair.client.heard(IkeDown)[0].reason


def test_peers_prove_themselves_anew_though_keys_were_renewed_meanwhile():
    pair = connected(rekey_seconds=100.0, reauth_seconds=350.0, jitter_seconds=0.0)
    pair.world.run(360.0, 0.1)
    assert len(pair.client.heard(IkeRekeyed)) == 3
    assert len(pair.client.heard(IkeUp)) == 2
    assert len(pair.gateway.gateway.listing()) == 1


@pytest.mark.parametrize("delay", [5.0, 50.0])
def test_a_silent_peer_is_asked_after_dpd_delay(delay):
    pair = connected(dpd_seconds=delay)
    before = len(pair.world.wire.history)
    pair.world.run(delay - 1, 0.05)
    assert len(pair.world.wire.history) == before
    pair.world.run(2.0, 0.05)
    assert pair.client.states("mature")[:3] == ["SM_DPD", "SM_DPD_WAIT", "SM_MATURE"]
