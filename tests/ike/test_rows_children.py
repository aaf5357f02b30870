"""Rows of Figure 8 that a good rekeying does not show: refusals, later tries, limits, and what the peer does meanwhile."""

import pytest
from attrs import evolve

from ikegw.events import ChildDown, ChildUp, IkeDown, Refused
from ikegw.ike.child import GUARD_SECONDS, ChildSa
from ikegw.ike.sa import IkeSa
from ikegw.ike.serving import MAX_CHILDREN
from ikegw.policy.proposals import parse_offer
from ikegw.policy.selectors import parse_selector
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.testing.puppet import Puppet
from ikegw.testing.traffic import Flow
from ikegw.testing.world import Host
from ikegw.wire.delete import Delete
from ikegw.wire.message import Message
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType, ProtocolId


def two_children(gateway_child=None, client_child=None) -> Pair:
    """Connected with the child `net`; `again` is configured on both sides too, and may be made."""
    theirs = gateway_child or evolve(GATEWAY.children[0], name="again")
    ours = client_child or evolve(CLIENT.children[0], name="again")
    return connected(
        evolve(GATEWAY, children=(*GATEWAY.children, theirs)),
        evolve(CLIENT, children=(*CLIENT.children, ours)),
    )


def connected(gateway=GATEWAY, client=CLIENT) -> Pair:
    pair = make_pair(gateway, client)
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    assert pair.client.plane.installed
    return pair


def sa_of(host: Host) -> IkeSa:
    (sa,) = host.gateway._by_spi.values()
    return sa


def child_of(host: Host) -> ChildSa:
    (child,) = (one for one in sa_of(host).children.values() if one.successor is None)
    return child


def create(pair: Pair, child: str = "again") -> None:
    pair.client.gateway.create_child(1, child).addErrback(lambda failure: None)
    pair.world.run(0.1)


def only_the_first_child_is_left(pair: Pair) -> None:
    for host in (pair.client, pair.gateway):
        assert len(host.plane.installed) == len(host.plane.spis.taken) == len(sa_of(host).children) == 1
        assert sa_of(host).state == "SM_MATURE"
        assert not host.heard(IkeDown)


def says(*payloads):
    """A peer that answers every CREATE_CHILD_SA with these, and all else with nothing inside."""
    return lambda message: payloads if message.header.exchange is ExchangeType.CREATE_CHILD_SA else ()


# ---------------------------------------------------------------- making another


def test_C_06_another_child_with_another_group():
    """
    CREATE_CHILD_SA { SA, Ni, KEi(x25519), TSi, TSr } -->  <-- CREATE_CHILD_SA { N(INVALID_KE_PAYLOAD) }
    CREATE_CHILD_SA { SA, Ni, KEi(ecp256), TSi, TSr } -->  <-- CREATE_CHILD_SA { SA, Nr, KEr, TSi, TSr }
    """
    ours = evolve(CLIENT.children[0], name="again", proposals=parse_offer("esp", "aes256gcm16-x25519-ecp256"))
    theirs = evolve(GATEWAY.children[0], name="again", proposals=parse_offer("esp", "aes256gcm16-ecp256"))
    pair = two_children(theirs, ours)
    sa_of(pair.gateway).connection = evolve(GATEWAY, children=(theirs,))
    create(pair)
    assert [up.child for up in pair.client.heard(ChildUp)] == ["net", "again"]
    assert "ecp256" in pair.client.heard(ChildUp)[-1].suite
    assert pair.client.states("child again").count("SA_CREATE_WAIT") == 2


def test_C_11_P_04_a_child_that_the_peer_asks_for():
    pair = two_children()
    create(pair)
    assert pair.gateway.states("child net") == ["SA_MATURE", "SA_MATURE"]  # the first policy that fits
    assert len(pair.gateway.plane.installed) == 2
    assert pair.gateway.plane.installed[1].inbound_spi == pair.client.plane.installed[1].outbound_spi


def test_C_11_P_04_a_child_whose_peer_would_compress_is_made_without():
    """<-- CREATE_CHILD_SA { N(IPCOMP_SUPPORTED), SA, … }  CREATE_CHILD_SA { SA, … } --> (RFC 7296 §2.22)"""
    pair = connected()
    puppet = Puppet(pair, pair.client)
    deflate = Notify(NotifyType.IPCOMP_SUPPORTED, b"\x12\x34\x02")
    answer = puppet.ask(ExchangeType.CREATE_CHILD_SA, deflate, *puppet.child_request(b"\0new"))
    assert not answer.every(Notify)
    assert [sa.outbound_spi for sa in pair.gateway.plane.installed][1:] == [b"\0new"]


TEMPORARY = (Notify(NotifyType.TEMPORARY_FAILURE),)


def test_C_07_told_to_wait_it_asks_again_later_and_never_at_once():
    pair = two_children()
    puppet = Puppet(pair, pair.gateway, says(*TEMPORARY))
    create(pair)
    assert pair.client.states("child again") == ["SA_CREATE", "SA_CREATE_WAIT", "SA_CREATE"]
    asked = len(puppet.heard)
    pair.world.run(0.3)
    assert len(puppet.heard) == asked
    pair.world.run(20.0, 0.1)
    assert asked + 2 <= len(puppet.heard) <= asked + 6
    assert len(pair.client.plane.installed) == 1


def test_C_24_told_to_wait_with_a_rekeying_it_asks_again_later():
    pair = connected()
    puppet = Puppet(pair, pair.gateway, says(*TEMPORARY))
    child_of(pair.client).soft_expired()
    pair.world.run(0.1)
    assert pair.client.states("child net") == ["SA_MATURE", "SA_REKEY", "SA_REKEY_WAIT", "SA_MATURE"]
    asked = len(puppet.heard)
    pair.world.run(20.0, 0.1)
    assert asked + 2 <= len(puppet.heard) <= asked + 6
    assert len(pair.client.plane.spis.taken) == 1


def test_C_07_after_minutes_of_it_the_two_are_out_of_step():
    pair = two_children()
    Puppet(pair, pair.gateway, says(*TEMPORARY))
    create(pair)
    pair.world.run(400.0, 0.1)
    (down,) = pair.client.heard(IkeDown)
    assert "out of step" in down.reason
    assert pair.client.is_empty


@pytest.mark.parametrize(
    "error", [NotifyType.NO_ADDITIONAL_SAS, NotifyType.TS_UNACCEPTABLE, NotifyType.INVALID_SYNTAX]
)
def test_C_08_refused_the_spi_is_given_back(error):
    pair = two_children()
    Puppet(pair, pair.gateway, says(Notify(error)))
    create(pair)
    assert pair.client.states("child again")[-1] == "SA_DEAD"
    assert len(pair.client.plane.spis.taken) == 1
    assert [(refused.by_peer, refused.notify) for refused in pair.client.heard(Refused)] == [
        (True, error.name)
    ]
    assert sa_of(pair.client).state == "SM_MATURE"


def test_C_09_a_child_that_only_the_peer_has_is_deleted():
    """CREATE_CHILD_SA -->  <-- CREATE_CHILD_SA, which we cannot install.  INFORMATIONAL { D } -->"""
    pair = two_children()
    pair.client.plane.refusing = "no memory"
    create(pair)
    assert pair.client.states("child again")[-2:] == ["SA_REMOVE", "SA_DEAD"]
    assert [down.reason for down in pair.gateway.heard(ChildDown)] == ["the peer deleted it"]
    only_the_first_child_is_left(pair)


def test_C_09_a_rekeying_that_only_the_peer_has_is_deleted():
    pair = connected()
    pair.client.plane.refusing = "no memory"
    before = child_of(pair.client)
    before.soft_expired()
    pair.world.run(50.0, 0.1)
    assert child_of(pair.client) is before
    assert before.state == child_of(pair.gateway).state == "SA_MATURE"
    only_the_first_child_is_left(pair)
    assert any(down.reason == "the peer deleted it" for down in pair.gateway.heard(ChildDown))


def test_C_10_no_answer_at_all():
    pair = two_children()
    pair.world.wire.leave(pair.gateway.address)
    create(pair)
    pair.world.run(150.0, 0.5)
    assert pair.client.states("child again") == ["SA_CREATE", "SA_CREATE_WAIT", "SA_DEAD"]
    assert pair.client.is_empty


# ---------------------------------------------------------------- refusing the peer's


@pytest.mark.parametrize(
    ("change", "notify"),
    [
        ({"proposals": parse_offer("esp", "aes128-sha1")}, "NO_PROPOSAL_CHOSEN"),
        ({"remote_selectors": (parse_selector("172.16.0.0/16"),)}, "TS_UNACCEPTABLE"),
    ],
)
def test_C_12_P_05_a_child_that_the_peer_cannot_have(change, notify):
    only = parse_offer("esp", "aes256gcm16")
    gateway = evolve(GATEWAY, children=(evolve(GATEWAY.children[0], proposals=only),))
    client = evolve(CLIENT, children=(*CLIENT.children, evolve(CLIENT.children[0], name="again", **change)))
    pair = connected(gateway, client)
    create(pair)
    assert [(refused.by_peer, refused.notify) for refused in pair.gateway.heard(Refused)] == [(False, notify)]
    assert [(refused.by_peer, refused.notify) for refused in pair.client.heard(Refused)] == [(True, notify)]
    only_the_first_child_is_left(pair)


def test_C_12_P_05_the_data_plane_will_not_have_it():
    pair = two_children()
    pair.gateway.plane.refusing = "no memory"
    create(pair)
    assert pair.client.heard(Refused)[-1].notify == "NO_ADDITIONAL_SAS"
    assert "no memory" in pair.gateway.heard(Refused)[-1].detail
    only_the_first_child_is_left(pair)


def test_P_05_a_peer_may_not_have_children_without_end():
    pair = two_children()
    for _ in range(MAX_CHILDREN - 1):
        create(pair)
    assert not pair.client.heard(Refused)
    create(pair)
    assert pair.client.heard(Refused)[-1].notify == "NO_ADDITIONAL_SAS"
    assert len(pair.gateway.plane.installed) == MAX_CHILDREN


# ---------------------------------------------------------------- the peer meanwhile


def test_C_22_the_peer_rekeyed_it_before_our_turn_came():
    pair = connected()
    sa_of(pair.client).phase.slot.hold()
    old = child_of(pair.client)
    old.soft_expired()
    assert old.state == "SA_REKEY"
    child_of(pair.gateway).soft_expired()
    while old.successor is None:
        pair.world.clock.advance(0.005)
    assert old.state == "SA_MATURE"
    assert not sa_of(pair.client).phase.slot.queue
    sa_of(pair.client).phase.slot.release()
    pair.world.run(10.0, 0.1)
    only_the_first_child_is_left(pair)
    assert "SA_REKEY_WAIT" not in pair.client.states("child net")


def test_C_22_the_peer_deleted_it_before_our_turn_came():
    pair = connected()
    sa_of(pair.client).phase.slot.hold()
    old = child_of(pair.client)
    old.soft_expired()
    child_of(pair.gateway).remove("the operator removed it")
    pair.world.run(0.1)
    assert old.state == "SA_DEAD"
    assert not sa_of(pair.client).phase.slot.queue


def test_C_28_K_02_both_rekey_it_and_each_answers_the_other():
    pair = connected()
    for host in (pair.client, pair.gateway):
        child_of(host).soft_expired()
    pair.world.run(1.0)
    for host in (pair.client, pair.gateway):
        assert host.states("child net")[1:3] == ["SA_REKEY", "SA_REKEY_WAIT"]
        assert host.states("child net").count("SA_REKEY_WAIT") == 2  # superseded, and none refused
        assert not host.heard(Refused)
    pair.world.run(10.0, 0.1)
    only_the_first_child_is_left(pair)


def test_C_30_P_06_a_peer_that_rekeys_and_does_not_delete_the_old_one():
    """<-- CREATE_CHILD_SA { N(REKEY_SA), … }  CREATE_CHILD_SA {…} -->  nothing for 30 s  INFORMATIONAL { D } -->"""
    pair = connected()
    puppet = Puppet(pair, pair.gateway, lambda message: ())
    old = child_of(pair.client)
    request = puppet.child_request(b"\0new", old.tunnel.outbound_spi)
    answer = puppet.ask(ExchangeType.CREATE_CHILD_SA, *request)
    assert not answer.every(Notify)
    assert (old.state, child_of(pair.client).state) == ("SA_MATURE", "SA_MATURE")
    pair.world.run(GUARD_SECONDS - 1, 0.1)
    assert old.state == "SA_MATURE"
    pair.world.run(2.0, 0.1)
    assert old.state == "SA_DEAD"
    (delete,) = puppet.heard[-1].every(Delete)
    assert delete.spis == (old.tunnel.inbound_spi,)


def test_C_31_P_03_the_peer_deletes_it_and_hears_our_spi():
    pair = connected()
    puppet = Puppet(pair, pair.gateway)
    child = child_of(pair.client)
    answer = puppet.ask(ExchangeType.INFORMATIONAL, Delete(ProtocolId.ESP, (child.tunnel.outbound_spi,)))
    assert answer.every(Delete) == (Delete(ProtocolId.ESP, (child.tunnel.inbound_spi,)),)
    assert child.state == "SA_DEAD"
    assert not pair.client.plane.installed
    assert sa_of(pair.client).state == "SM_MATURE"


def test_K_06_a_DELETE_for_what_is_not_there_is_answered_without_one():
    pair = connected()
    puppet = Puppet(pair, pair.gateway)
    assert puppet.ask(ExchangeType.INFORMATIONAL, Delete(ProtocolId.ESP, (b"none",))).payloads == ()
    assert child_of(pair.client).state == "SA_MATURE"


def test_K_14_the_peer_deletes_a_child_while_we_rekey_the_ike_sa():
    pair = connected()

    def answer(message: Message):
        return None if message.header.exchange is ExchangeType.CREATE_CHILD_SA else ()

    puppet = Puppet(pair, pair.gateway, answer)
    pair.client.gateway.rekey(1)
    pair.world.run(0.1)
    assert sa_of(pair.client).state == "SM_REKEY_WAIT"
    child = child_of(pair.client)
    said = puppet.ask(ExchangeType.INFORMATIONAL, Delete(ProtocolId.ESP, (child.tunnel.outbound_spi,)))
    assert said.every(Delete) == (Delete(ProtocolId.ESP, (child.tunnel.inbound_spi,)),)
    assert sa_of(pair.client).state == "SM_REKEY_WAIT"


# ---------------------------------------------------------------- limits and ends


def test_C_32_past_its_hard_limit_it_is_deleted_and_the_peer_told():
    short = {"rekey_seconds": 0.0, "life_seconds": 100.0}
    client = evolve(CLIENT, children=(evolve(CLIENT.children[0], **short),))
    pair = connected(client=client)
    pair.world.run(95.0, 0.5)
    assert pair.gateway.plane.installed
    pair.world.run(10.0, 0.5)
    assert not pair.client.plane.installed
    assert not pair.gateway.plane.installed
    assert "hard limit" in pair.client.heard(ChildDown)[0].reason
    assert pair.client.states("child net") == ["SA_MATURE", "SA_REMOVE", "SA_REMOVE", "SA_DEAD"]


@pytest.mark.parametrize("limit", ["rekey_octets", "rekey_packets"])
def test_C_20_a_limit_of_octets_or_packets(limit):
    few = {limit: 5_000 if limit == "rekey_octets" else 50}
    client = evolve(CLIENT, children=(evolve(CLIENT.children[0], **few),))
    pair = connected(client=client)
    flow = Flow(pair)
    flow.run(1.0)
    assert "SA_REKEY" in pair.client.states("child net")
    assert "SA_REKEY" not in pair.gateway.states("child net")
    assert flow.lost == 0


def test_C_36_K_04_both_delete_it():
    pair = connected()
    for host in (pair.client, pair.gateway):
        child_of(host).remove("the operator removed it")
    pair.world.run(1.0)
    for host in (pair.client, pair.gateway):
        assert host.states("child net")[-2:] == ["SA_REMOVE", "SA_DEAD"] or "SA_DEAD" in host.states(
            "child net"
        )
        assert not host.plane.installed
        assert not host.plane.spis.taken
        assert sa_of(host).state == "SM_MATURE"


def test_C_37_C_38_it_goes_with_its_ike_sa_and_its_counts_are_told():
    pair = connected()
    flow = Flow(pair)
    flow.run(0.5)
    puppet = Puppet(pair, pair.gateway, lambda message: ())
    pair.client.gateway.terminate(1)
    pair.world.run(1.0)
    (down,) = pair.client.heard(ChildDown)
    assert down.inbound_octets > 0
    assert down.outbound_octets > 0
    assert pair.client.states("child net")[-1] == "SA_DEAD"
    assert pair.client.is_empty
    deletes = [delete.protocol for message in puppet.heard for delete in message.every(Delete)]
    assert deletes == [ProtocolId.IKE]
