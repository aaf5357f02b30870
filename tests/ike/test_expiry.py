"""A client of a gateway of old, that lends addresses for a time (INTERNAL_ADDRESS_EXPIRY of RFC 4306; rows Q-21 … Q-23)."""

import pytest
from attrs import evolve

from ikegw.events import AddressReleased, IkeDown
from ikegw.ike import finalizing, serving
from ikegw.ike.configuration import reply
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.wire.configuration import ConfigAttribute, Configuration
from ikegw.wire.registry import ConfigAttributeType as Kind
from ikegw.wire.registry import ConfigType

EXPIRY_SECONDS = 100
OLD = evolve(GATEWAY, dpd_seconds=0.0, rekey_seconds=0.0)
ASKING = evolve(CLIENT, address_expiry=True, dpd_seconds=0.0, rekey_seconds=0.0)


class OldGateway:
    """Says when an address ends to whom asks for it; `asked` are the kinds of each CFG_REQUEST, `says` changes its answers."""

    def __init__(self, monkeypatch) -> None:
        self.asked: list[frozenset[Kind]] = []
        self.says = lambda told: told
        for place in (finalizing, serving):
            monkeypatch.setattr(place, "reply", self._reply)

    def _reply(self, request, lease, selectors, domains=()):
        self.asked.append(request.types)
        told = reply(request, lease, selectors, domains)
        if Kind.INTERNAL_ADDRESS_EXPIRY in request.types:
            ends = ConfigAttribute(Kind.INTERNAL_ADDRESS_EXPIRY, EXPIRY_SECONDS.to_bytes(4, "big"))
            told = evolve(told, attributes=(*told.attributes, ends))
        return self.says(told)


@pytest.fixture
def old(monkeypatch) -> OldGateway:
    return OldGateway(monkeypatch)


def connected(client=ASKING) -> Pair:
    pair = make_pair(OLD, client)
    pair.client.gateway.initiate("home").addErrback(lambda _: None)
    pair.world.run(1.0)
    assert len(pair.client.plane.installed) == 1
    return pair


def ended(pair: Pair) -> str:
    (down,) = pair.client.heard(IkeDown)
    return down.reason


def test_Q_21_Q_22_an_address_that_has_an_end_is_asked_for_again_and_again(old):
    pair = connected()
    before = pair.client.plane.installed[0].virtual
    pair.world.run(EXPIRY_SECONDS * 2.4, 0.1)
    assert len(old.asked) == 1 + 4, "after half of its time, each time"
    assert all({Kind.INTERNAL_IP4_ADDRESS, Kind.INTERNAL_IP6_ADDRESS} <= kinds for kinds in old.asked)
    assert pair.client.plane.installed[0].virtual == before
    assert pair.client.states("mature").count("SM_LEASE_RENEW") == 4
    assert pair.client.states("mature")[-1] == "SM_MATURE"


def test_Q_21_nobody_asks_who_was_not_told_to(old):
    old.says = lambda told: evolve(
        told,
        attributes=(*told.attributes, ConfigAttribute(Kind.INTERNAL_ADDRESS_EXPIRY, bytes((0, 0, 0, 100)))),
    )
    pair = connected(evolve(ASKING, address_expiry=False))
    pair.world.run(EXPIRY_SECONDS * 2.0, 0.1)
    assert len(old.asked) == 1
    assert Kind.INTERNAL_ADDRESS_EXPIRY not in old.asked[0]


def test_Q_21_a_gateway_that_says_nothing_of_an_end_is_not_asked_again(monkeypatch):
    pair = connected()
    pair.world.run(EXPIRY_SECONDS * 2.0, 0.1)
    assert "SM_LEASE_RENEW" not in pair.client.states("mature")


def other_address(told: Configuration) -> Configuration:
    return evolve(
        told,
        attributes=tuple(
            ConfigAttribute(Kind.INTERNAL_IP4_ADDRESS, bytes((10, 3, 0, 99)))
            if one.type is Kind.INTERNAL_IP4_ADDRESS
            else one
            for one in told.attributes
        ),
    )


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (other_address, "the gateway lends another address now"),
        (lambda told: evolve(told, attributes=()), "the gateway lends another address now"),
        (lambda told: evolve(told, type=ConfigType.ACK), "did not say that it is still ours"),
        (lambda told: None, "did not say that it is still ours"),
    ],
    ids=["another", "none", "no-reply", "nothing"],
)
def test_Q_23_an_address_that_is_not_confirmed_ends_the_session(old, says, why):
    pair = connected()
    old.says = says
    pair.world.run(EXPIRY_SECONDS, 0.1)
    assert why in ended(pair)
    assert not pair.client.plane.installed
    assert pair.client.heard(AddressReleased)
    assert not pair.gateway.gateway.listing(), "the gateway was told"


def test_Q_25_a_gateway_that_is_gone_when_it_is_asked_is_dead(old):
    pair = connected()
    pair.world.wire.leave(pair.gateway.address)
    pair.world.run(EXPIRY_SECONDS + 200.0, 0.5)
    assert "no answer" in ended(pair)
    assert not pair.client.plane.installed


@pytest.mark.parametrize("side", ["client", "gateway"])
def test_Q_03_P_07_a_rekeyed_IKE_SA_asks_in_its_turn(old, side):
    pair = connected()
    pair.world.run(EXPIRY_SECONDS / 4, 0.1)
    getattr(pair, side).gateway.rekey(1)
    pair.world.run(EXPIRY_SECONDS / 2, 0.1)
    assert len(old.asked) == 2
    pair.world.run(EXPIRY_SECONDS / 2, 0.1)
    assert len(old.asked) == 3
    assert len(pair.client.gateway.listing()) == 1


def test_P_07_Q_21_the_peer_rekeys_while_it_is_asked(old):
    """Its answer to the old IKE SA is lost; the one that takes over asks anew."""
    pair = connected()
    pair.world.run(EXPIRY_SECONDS / 2 - 2.0, 0.1)
    (sa,) = pair.client.gateway._by_spi.values()
    while sa.state != "SM_LEASE_RENEW":
        pair.world.run(0.005)
    pair.gateway.gateway.rekey(1)
    pair.world.run(5.0)
    assert len(pair.client.gateway.listing()) == 1
    pair.world.run(EXPIRY_SECONDS, 0.1)
    assert pair.client.states("mature")[-1] == "SM_MATURE"
    assert not pair.client.heard(IkeDown)


def test_Q_24_an_operator_ends_it_while_it_is_asked(old):
    pair = connected()
    pair.world.run(EXPIRY_SECONDS / 2 - 2.0, 0.1)
    (sa,) = pair.client.gateway._by_spi.values()
    while sa.state != "SM_LEASE_RENEW":
        pair.world.run(0.005)
    pair.client.gateway.terminate(1)
    pair.world.run(5.0)
    assert pair.is_empty
