"""What simulation found, each as a story of its own, and the seeds that found it."""

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from ikegw.events import IkeUp
from ikegw.ike.gateway import NotBegun
from ikegw.ike.living import Living
from ikegw.ike.sa import IkeSa
from ikegw.ike.slot import Intent
from ikegw.policy.connections import DpdAction, Retransmit, Unique
from ikegw.ports import HardExpired
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.testing.simulation.faults import Plan, plan_of
from ikegw.testing.simulation.invariants import remains
from ikegw.testing.simulation.run import simulate
from ikegw.testing.simulation.town import Town
from ikegw.testing.wire import Datagram, pass_on
from ikegw.testing.world import Host

QUICK = Retransmit(first=0.5, tries=3, factor=1.5)


def connected(gateway=GATEWAY, client=CLIENT) -> Pair:
    pair = make_pair(evolve(gateway, retransmit=QUICK), evolve(client, retransmit=QUICK))
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    assert pair.client.plane.installed
    return pair


def sas(host: Host) -> list[IkeSa]:
    return list(host.gateway._by_spi.values())


def only(host: Host) -> IkeSa:
    (sa,) = (one for one in sas(host) if one.successor is None and one.state != "SM_DYING")
    return sa


def children(host: Host) -> list:
    return list(only(host).children.values())


def phase(host: Host) -> Living:
    living = only(host).phase
    assert isinstance(living, Living)
    return living


def hold_back(pair: Pair, sender: Host) -> list[Datagram]:
    """From now on keep what `sender` sends; `pass_on` lets everything go again."""
    held: list[Datagram] = []

    def tap(datagram: Datagram) -> list[Datagram]:
        if datagram.path.local.address == sender.address:
            held.append(datagram)
            return []
        return [datagram]

    pair.world.wire.tap = tap
    return held


def result_of(wanted: Deferred) -> list:
    results: list = []
    wanted.addBoth(results.append)
    return results


def remove_child(host: Host) -> None:
    host.gateway._data_plane_told(HardExpired(next(iter(only(host).children))))


def one_session(pair: Pair) -> None:
    """Both ends have one and the same IKE SA with one child, and nothing else."""
    assert len(sas(pair.client)) == len(sas(pair.gateway)) == 1
    assert only(pair.client).spi_initiator == only(pair.gateway).spi_initiator
    (mine,), (peers,) = children(pair.client), children(pair.gateway)
    assert (mine.tunnel.inbound_spi, mine.tunnel.outbound_spi) == (
        peers.tunnel.outbound_spi,
        peers.tunnel.inbound_spi,
    )
    for host in (pair.client, pair.gateway):
        assert len(host.plane.installed) == len(host.plane.spis.taken) == 1


# ---------------------------------------------------------------- children


@pytest.mark.parametrize("maker", ["client", "gateway"])
def test_C_02_a_child_that_is_made_again_has_the_clients_address(maker):
    """Its address went away with the first child, and nobody could send anything."""
    pair = connected()
    before = pair.client.plane.addresses
    remove_child(pair.client)
    pair.world.run(1.0)
    assert not pair.client.plane.installed
    host = getattr(pair, maker)
    up = result_of(host.gateway.create_child(only(host).number, "net"))
    pair.world.run(1.0)
    assert up == [None]
    assert pair.client.plane.addresses == before
    one_session(pair)


def test_C_04_a_child_that_is_asked_for_when_its_IKE_SA_ends_leaves_nothing():
    """Its SPI was never given back, and whoever waited for it waited for ever."""
    pair = connected()
    remove_child(pair.client)
    pair.world.run(1.0)
    hold_back(pair, pair.client)
    told = result_of(pair.client.gateway.create_child(only(pair.client).number, "net"))
    assert pair.client.plane.spis.taken
    only(pair.client).end()
    assert isinstance(told[0].value, NotBegun)
    assert pair.client.is_empty
    assert not pair.client.plane.spis.taken


def test_K_03_a_child_whose_naming_is_under_way_is_not_unknown():
    """
    Gateway: CREATE_CHILD_SA -->; the client answers, and rekeys what it made; its request overtakes its answer.
    CHILD_SA_NOT_FOUND would have the client forget what the gateway is about to install.
    """
    pair = connected()
    remove_child(pair.client)
    pair.world.run(1.0)
    pair.gateway.gateway.create_child(only(pair.gateway).number, "net")
    held = hold_back(pair, pair.client)
    pair.world.run(0.02)
    (answer,) = held
    pair.world.wire.tap = pass_on
    children(pair.client)[0].soft_expired()
    pair.world.run(0.02)
    pair.world.wire.deliver(answer)
    pair.world.run(30.0)
    one_session(pair)
    assert len(children(pair.client)) == 1
    assert "SA_REKEY_WAIT" in pair.client.states("child net")


def test_C_04_a_child_that_is_deleted_before_the_answer_that_names_it():
    """The DELETE overtakes the answer: the client would have had a child that nobody else has, and lost all its packets."""
    pair = connected()
    remove_child(pair.client)
    pair.world.run(1.0)
    told = result_of(pair.client.gateway.create_child(only(pair.client).number, "net"))
    held = hold_back(pair, pair.gateway)
    pair.world.run(0.02)
    (answer,) = held
    pair.world.wire.tap = pass_on
    remove_child(pair.gateway)
    pair.world.run(0.1)
    pair.world.wire.deliver(answer)
    pair.world.run(5.0)
    assert isinstance(told[0].value, NotBegun)
    assert not children(pair.client)
    assert not children(pair.gateway)
    assert not pair.client.plane.spis.taken


def test_C_25_a_child_that_the_peer_does_not_know_is_not_made_beside_another_like_it():
    pair = connected()
    old = children(pair.client)[0]
    number = only(pair.client).number
    pair.client.gateway.create_child(number, "net")
    pair.world.run(1.0)
    assert len(children(pair.client)) == 2
    lost = next(one for one in children(pair.gateway) if one.tunnel.inbound_spi == old.tunnel.outbound_spi)
    lost.gone()
    old.soft_expired()
    pair.world.run(1.0)
    one_session(pair)


def test_K_05_a_child_that_the_peer_closes_while_we_rekey_it_is_not_made_anew():
    """The peer answers TEMPORARY_FAILURE, for it is closing: it wants no child."""
    pair = connected()
    children(pair.client)[0].soft_expired()
    remove_child(pair.gateway)
    pair.world.run(5.0)
    assert not children(pair.client)
    assert not children(pair.gateway)
    assert not pair.client.plane.spis.taken


# ---------------------------------------------------------------- re-authentication


def test_Q_17_the_peer_rekeys_the_IKE_SA_that_we_re_authenticate():
    """The new session came up beside the rekeyed old one, and both stayed."""
    pair = connected(evolve(GATEWAY, unique=Unique.NEVER))
    phase(pair.client).slot.post(Intent.REAUTH)
    assert [sa.state for sa in sas(pair.client)] == ["SM_REAUTH", "SMI_AUTH"]
    pair.gateway.gateway.rekey(1)
    pair.world.run(40.0)
    one_session(pair)
    assert len(pair.client.heard(IkeUp)) == 2


def test_Q_17_an_IKE_SA_told_to_end_while_it_is_re_authenticated():
    """The machine met an input that its table did not name."""
    pair = connected(evolve(GATEWAY, unique=Unique.NEVER))
    phase(pair.client).slot.post(Intent.REAUTH)
    phase_of_old = sas(pair.client)[0].phase
    phase_of_old.told_to_end("a test ends it")
    pair.world.run(10.0)
    one_session(pair)


def test_Q_16_an_IKE_SA_without_a_child_keeps_its_address_when_it_is_re_authenticated():
    pair = connected()
    remove_child(pair.client)
    pair.world.run(1.0)
    phase(pair.client).slot.post(Intent.REAUTH)
    pair.world.run(10.0)
    assert pair.client.plane.addresses
    one_session(pair)


# ---------------------------------------------------------------- dead peers


def test_Q_25_what_answered_the_peers_rekeying_ends_with_the_IKE_SA_that_both_were_rekeying():
    """Nothing of ours arrives: ours dies of it, and its half of the peer's rekeying stood for ever, without a timer."""
    pair = connected()
    held = hold_back(pair, pair.client)
    pair.client.gateway.rekey(1)
    pair.gateway.gateway.rekey(1)
    pair.world.run(1.0)
    assert held
    assert len(sas(pair.client)) == 2
    pair.world.run(40.0, 0.1)
    assert pair.is_empty


def restarting() -> Pair:
    child = evolve(CLIENT.children[0], dpd=DpdAction.RESTART)
    return connected(client=evolve(CLIENT, dpd_seconds=10.0, children=(child,)))


def test_Q_27_a_DELETE_without_an_answer_begins_nothing_anew():
    """An operator ended it while the peer was away, and it came back by itself."""
    pair = restarting()
    pair.world.wire.leave(pair.gateway.address)
    pair.client.gateway.terminate(1)
    pair.world.run(30.0, 0.1)
    assert pair.client.is_empty
    assert pair.client.states("initiator").count("SMI_AUTH") == 1


def test_Q_25_a_session_that_is_back_already_is_not_begun_once_more():
    pair = restarting()
    old = only(pair.client)
    pair.client.gateway.initiate("home")
    pair.world.wire.tap = lambda datagram: [] if old.spi_initiator == datagram.octets[:8] else [datagram]
    pair.world.run(60.0, 0.1)
    assert len(pair.client.heard(IkeUp)) == 2
    one_session(pair)


@pytest.mark.parametrize("side", ["client", "gateway"])
def test_IE_20_what_is_told_to_end_while_its_data_plane_installs_the_child(side):
    """The child came up all the same, in a state whose table does not name it."""
    town = Town(Plan(1, clients=1, natted=0.0, plane_delay=0.5))
    client, gateway = town.clients[0], town.gateway
    for party in (gateway, client):
        party.boot()
    client.host.gateway.initiate("home", "net").addErrback(lambda _: None)
    busy = {"client": (client, "SMI_AUTH_WAIT"), "gateway": (gateway, "SMR_AUTH_FINALIZE")}
    party, state = busy[side]
    while not (party.sas and party.sas[0].state == state and party.sas[0]._waiting):
        town.world.clock.advance(0.01)
    town.world.clock.advance(0.01)
    party.sas[0].phase.told_to_end("a test ends it")
    town.world.clock.advance(120.0)
    assert not remains(client)
    assert not remains(gateway)


# ---------------------------------------------------------------- as they were found

FOUND = (
    10,
    13,
    16,
    20,
    21,
    24,
    34,
    36,
    42,
    52,
    82,
    88,
    95,
    137,
    178,
    205,
    244,
    285,
    377,
    569,
    2357,
    2517,
    2598,
    3475,
    3905,
    4845,
    5497,
    5790,
    13586,
    14611,
    18655,
)


@pytest.mark.parametrize("seed", FOUND)
def test_a_seed_that_failed_once(seed):
    outcome = simulate(plan_of(seed))
    assert not outcome.violation
    assert outcome.counts["IkeUp"]


@pytest.mark.parametrize(("seed", "delay"), [(38, 0.05), (38, 0.2), (118, 0.2), (211, 0.2), (1114, 0.2)])
def test_a_seed_that_failed_once_over_a_data_plane_that_takes_its_time(seed, delay):
    """Q-24, Q-26: what a child still waits for neither asks beside the DELETE of its IKE SA nor takes its answer away."""
    assert not simulate(evolve(plan_of(seed), plane_delay=delay)).violation
