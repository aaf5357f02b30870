"""A window larger than one for the peer's requests (RFC 7296 §2.3): taken in any order, each answered once."""

from itertools import permutations

import pytest
from attrs import evolve

from ikegw.ike.window import AnsweringWindow, Verdict
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.wire.message import Header, decode_header
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType


def established(window: int) -> Pair:
    pair = make_pair(evolve(GATEWAY, window=window), evolve(CLIENT, window=window))
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    return pair


def question(pair: Pair, message_id: int) -> bytes:
    """A liveness check of the client's with any Message ID."""
    (sa,) = pair.client.gateway._by_spi.values()
    header = Header(sa.spi_initiator, sa.spi_responder, ExchangeType.INFORMATIONAL, False, True, message_id)
    return sa.channel.seal(header, ())


def answers(pair: Pair, questions: list[bytes]) -> list[int]:
    """The Message IDs of what the gateway answers."""
    (sa,) = pair.gateway.gateway._by_spi.values()
    before = len(pair.world.wire.history)
    for octets in questions:
        pair.gateway.gateway.datagram_received(sa.path, octets)
    return [decode_header(datagram.octets)[0].message_id for datagram in pair.world.wire.history[before:]]


@pytest.mark.parametrize("order", list(permutations((2, 3, 4))), ids=str)
def test_requests_inside_the_window_are_answered_in_any_order(order: tuple[int, ...]) -> None:
    pair = established(3)
    asked = [question(pair, message_id) for message_id in order]
    assert answers(pair, asked) == list(order)
    assert answers(pair, [question(pair, 5)]) == [5]
    assert answers(pair, [question(pair, 9)]) == []


def test_repeats_inside_the_window_get_the_stored_answers() -> None:
    pair = established(3)
    asked = [question(pair, message_id) for message_id in (4, 2, 3)]
    answers(pair, asked)
    stored = {datagram.octets for datagram in pair.world.wire.history[-3:]}
    assert sorted(answers(pair, asked)) == [2, 3, 4]
    assert {datagram.octets for datagram in pair.world.wire.history[-3:]} == stored


def test_what_is_beyond_the_window_or_long_answered_is_stale() -> None:
    window = AnsweringWindow(size=2)
    for message_id in range(6):
        window.taken(message_id, b"%d" % message_id)
        window.answered(message_id, (b"answer",))
    assert window.judge(3, b"3") is Verdict.STALE
    assert window.judge(4, b"4") is window.judge(5, b"5") is Verdict.REPLAY
    assert window.judge(6, b"") is window.judge(7, b"") is Verdict.NEW
    assert window.judge(8, b"") is Verdict.STALE
    window.taken(7, b"7")
    assert window.judge(7, b"7") is Verdict.BUSY
    window.dropped(7)
    assert window.judge(7, b"7") is Verdict.NEW


def test_a_larger_window_is_offered_and_one_of_1_is_not() -> None:
    for window, offered in ((1, []), (5, [(5).to_bytes(4, "big")])):
        pair = established(window)
        (sa,) = pair.gateway.gateway._by_spi.values()
        request = sa.channel.open(pair.world.wire.history[2].octets)
        (sa,) = pair.client.gateway._by_spi.values()
        response = sa.channel.open(pair.world.wire.history[3].octets)
        for message in (request, response):
            told = [n.data for n in message.every(Notify) if n.type is NotifyType.SET_WINDOW_SIZE]
            assert told == offered


def test_with_the_usual_window_one_is_taken_at_a_time() -> None:
    pair = established(1)
    assert answers(pair, [question(pair, 3), question(pair, 2)]) == [2]


def test_the_window_outlives_a_rekeying() -> None:
    pair = established(3)
    pair.client.gateway.rekey(1)
    pair.world.run(1.0)
    (sa,) = (one for one in pair.gateway.gateway._by_spi.values() if one.successor is None)
    assert sa.answering.size == 3
