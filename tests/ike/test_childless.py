"""IKE SAs without a CHILD SA (RFC 6023): children are asked for later, by either side."""

from attrs import evolve

from ikegw.ike.greeting import CHILDLESS
from ikegw.policy.connections import ChildPolicy
from ikegw.policy.selectors import from_network
from ikegw.testing.pair import CLIENT, GATEWAY, LAN, Pair, make_pair
from ikegw.wire.message import decode_message
from ikegw.wire.registry import NotifyType


def childless_pair() -> Pair:
    return make_pair(client=evolve(CLIENT, children=(), virtual=()))


def test_an_ike_sa_alone_and_a_child_later():
    pair, up = childless_pair(), []
    pair.client.gateway.initiate("home").addCallback(up.append)
    pair.world.run(0.1)
    assert up
    assert not pair.client.plane.installed
    assert not pair.gateway.plane.installed
    (sa,) = pair.client.gateway._by_spi.values()
    sa.connection = evolve(
        sa.connection, children=(ChildPolicy("net", remote_selectors=(from_network(LAN),)),)
    )
    made = []
    pair.client.gateway.create_child(1, "net").addCallback(made.append)
    pair.world.run(1.0)
    assert made == [None]
    assert len(pair.client.plane.installed) == len(pair.gateway.plane.installed) == 1
    pair.client.gateway.terminate(1)
    pair.world.run(10.0, 0.1)
    assert pair.is_empty


def test_a_peer_that_knows_no_such_thing_is_left_with_a_sentence():
    pair, reasons = childless_pair(), []
    pair.world.wire.tap = _without_the_notify
    pair.client.gateway.initiate("home").addErrback(lambda failure: reasons.append(failure.getErrorMessage()))
    pair.world.run(5.0, 0.05)
    assert "no IKE SA without one" in reasons[0]
    assert pair.is_empty


def _without_the_notify(datagram):
    """As an old gateway would answer: the notify's type is one that nobody knows."""
    octets = datagram.octets
    if decode_message(octets).notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED) is not None:
        body = CHILDLESS.encode()
        octets = octets.replace(body, body[:2] + (40000).to_bytes(2, "big"))
    return [evolve(datagram, octets=octets)]


def test_the_gateway_says_that_it_knows():
    pair = make_pair()
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    assert decode_message(pair.world.wire.history[1].octets).notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED)
    assert GATEWAY.children


def test_C_08_a_peer_that_takes_no_more_children_is_not_asked_again(monkeypatch):
    monkeypatch.setattr("ikegw.ike.serving.MAX_CHILDREN", 1)
    pair, reasons = make_pair(), []
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    for _ in range(2):
        pair.client.gateway.create_child(1, "net").addErrback(
            lambda why: reasons.append(why.getErrorMessage())
        )
        pair.world.run(1.0)
    assert pair.client.states("child net").count("SA_CREATE_WAIT") == 1
    assert "NO_ADDITIONAL_SAS" in reasons[0]
    assert "takes no more children" in reasons[1]
    assert len(pair.client.plane.spis.taken) == 1
