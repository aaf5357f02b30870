"""Row L-08: an unprotected notify about an established IKE SA is at most a hint."""

import pytest

from ikegw.testing.pair import Pair
from ikegw.wire.delete import Delete
from ikegw.wire.message import Header, Message, encode_message
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType, ProtocolId


@pytest.fixture
def established(pair: Pair) -> Pair:
    pair.client.gateway.initiate("home")
    pair.world.run(15.0, 0.1)
    return pair


def say(pair: Pair, payload, *, response: bool) -> None:
    """A forger who sees the traffic sends this to the gateway, from the client's address."""
    (sa,) = pair.gateway.gateway._by_spi.values()
    header = Header(sa.spi_initiator, sa.spi_responder, ExchangeType.INFORMATIONAL, response, True, 0)
    pair.gateway.gateway.datagram_received(sa.path, encode_message(Message(header, (payload,))))


def asked(pair: Pair) -> int:
    return pair.gateway.states("mature").count("SM_DPD_WAIT")


def test_L_08_the_peer_is_asked_once_and_nothing_else_happens(established: Pair) -> None:
    for _ in range(50):
        say(established, Notify(NotifyType.INVALID_IKE_SPI), response=True)
    established.world.run(2.0, 0.1)
    assert asked(established) == 1
    assert established.gateway.gateway.listing()[0].state == "SM_MATURE"
    for _ in range(50):
        say(established, Notify(NotifyType.INVALID_IKE_SPI), response=True)
    established.world.run(2.0, 0.1)
    assert asked(established) == 1


def test_L_08_a_peer_that_is_really_gone_is_noticed_long_before_dpd(established: Pair) -> None:
    established.world.wire.leave(established.client.address)
    say(established, Notify(NotifyType.INVALID_IKE_SPI), response=True)
    established.world.run(100.0, 0.5)
    assert established.gateway.is_empty


@pytest.mark.parametrize(
    ("payload", "response"),
    [
        (Notify(NotifyType.INVALID_IKE_SPI), False),
        (Delete(ProtocolId.IKE), True),
        (Delete(ProtocolId.IKE), False),
    ],
)
def test_L_08_nothing_else_unprotected_is_even_a_hint(established: Pair, payload, response: bool) -> None:
    say(established, payload, response=response)
    established.world.run(2.0, 0.1)
    assert asked(established) == 0
    assert established.gateway.gateway.listing()[0].state == "SM_MATURE"
