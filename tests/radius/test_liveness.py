"""Whether a server lives: found out by Status-Server, or by requests where it knows none; and who is told."""

from itertools import product

import pytest
from memory_pair import Pair, accept, answer_status, make_pair

from ikegw.machines.tracing import transitions
from ikegw.radius.association import LEAVING_AT_ONCE
from ikegw.radius.liveness import Liveness, LivenessMachine
from ikegw.radius.packets import Code
from ikegw.testing.radius import Asked


def kill(pair: Pair) -> None:
    """Have a request show that it is dead."""
    pair.ask(elsewhere=True)
    pair.pump(7)
    assert pair.association.standing == "DEAD"


def test_every_input_has_an_answer_in_every_state() -> None:
    rows = {(row.state, row.cause) for row in transitions(LivenessMachine)}
    states = {state for state, _ in rows}
    inputs = {name for name in vars(Liveness) if not name.startswith("_")}
    assert states == {"ALIVE", "SUSPECT", "DEAD", "DEAD_ASKED", "CLOSED"}
    assert rows == set(product(states, inputs))


def test_a_silent_server_is_asked_for_its_status_and_if_it_answers_that_it_lives() -> None:
    p = make_pair()
    p.server.behave = answer_status
    request = p.ask()
    p.pump(2.5)
    assert len(p.server.of(Code.STATUS_SERVER)) == 1
    assert p.association.standing == "ALIVE"
    assert request.waits
    assert not p.told


def test_a_server_that_answers_others_is_not_suspected() -> None:
    p = make_pair()
    p.ask()
    p.pump(1)
    p.ask()
    p.server.asked[-1].answer(Code.ACCESS_REJECT)
    p.pump(2)
    assert not p.server.of(Code.STATUS_SERVER)


def test_a_dead_server_is_found_in_seconds_and_those_who_can_leave_it_do() -> None:
    p = make_pair(most_in_flight=3)
    bound, *leaving = p.ask(), p.ask(elsewhere=True), p.ask(elsewhere=True), p.ask(elsewhere=True)
    p.pump(4.5)
    assert p.association.standing == "SUSPECT"
    assert all(left.waits for left in leaving)
    p.pump(1.5)
    assert p.association.standing == "DEAD"
    assert p.told == [(False, "it does not answer")]
    for left in leaving:
        assert str(left.error) == "one (192.0.2.1:1812) is dead: it does not answer"
    assert bound.waits
    assert (
        len(p.server.of(Code.ACCESS_REQUEST)) == 6
    )  # three, twice: who waited for a place was not sent to a dead server


def test_however_many_leave_a_dead_server_they_keep_nobody_else_waiting() -> None:
    p = make_pair(most_in_flight=400)
    answers = [p.ask(elsewhere=True) for _ in range(500)]
    left: list[int] = []

    def leave(_: object) -> None:
        left[-1] += 1

    for answer in answers:
        answer.deferred.addCallback(leave)
    while p.association.load:
        left.append(0)
        p.clock.advance(0.001 if sum(left) else 0.1)
    assert sum(left) == 500
    assert max(left) <= LEAVING_AT_ONCE


def test_a_server_that_is_no_longer_configured_has_nobody_leave_it_later() -> None:
    p = make_pair()
    answers = [p.ask(elsewhere=True) for _ in range(2 * LEAVING_AT_ONCE)]
    while p.association.load == len(answers):
        p.clock.advance(0.1)
    p.association.close()
    assert not any(answer.waits for answer in answers)
    assert not p.clock.getDelayedCalls()


def test_a_dialogue_that_is_bound_to_it_is_answered_if_it_comes_back_in_time() -> None:
    p = make_pair()
    bound = p.ask()
    p.pump(10)
    assert p.association.standing == "DEAD"
    p.server.asked[0].answer(Code.ACCESS_CHALLENGE)
    assert bound.value.code is Code.ACCESS_CHALLENGE
    assert p.association.standing == "ALIVE"
    assert p.told[-1] == (True, "")


def test_a_dead_server_is_looked_for_until_it_is_back() -> None:
    p = make_pair()
    kill(p)
    asked = len(p.server.of(Code.STATUS_SERVER))
    p.pump(60)
    assert len(p.server.of(Code.STATUS_SERVER)) > asked + 9
    p.server.behave = answer_status
    p.pump(15)
    assert p.told == [(False, "it does not answer"), (True, "")]
    assert p.association.standing == "ALIVE"
    assert not p.clock.getDelayedCalls()


def test_who_can_ask_elsewhere_tries_a_dead_server_but_once() -> None:
    p = make_pair()
    kill(p)
    answer = p.ask(elsewhere=True)
    p.pump(2.3)
    assert "asked once in 2 s" in str(answer.error)


def test_an_unreachable_server_is_found_dead_at_once() -> None:
    p = make_pair()

    def refuse(asked: Asked) -> None:
        asked.link.end.unreachable("connection refused")

    p.server.behave = refuse
    answer = p.ask(elsewhere=True)
    p.pump(1)
    assert str(answer.error) == "one (192.0.2.1:1812) is dead: connection refused"
    assert len(p.server.of(Code.STATUS_SERVER)) == 3


def test_one_that_only_seems_unreachable_is_not_given_up() -> None:
    p = make_pair()
    p.server.behave = answer_status
    answer = p.ask(elsewhere=True)
    p.server.links[0].end.unreachable("connection refused")
    p.pump(1)
    accept(p.server.asked[0])
    assert answer.value
    assert not p.told


def test_where_it_knows_no_Status_Server_requests_show_that_it_is_dead() -> None:
    p = make_pair(status_server=False)
    answer = p.ask(elsewhere=True)
    p.pump(16)
    assert answer.error
    assert p.told == [(False, "it does not answer")]
    assert not p.server.of(Code.STATUS_SERVER)


def test_where_it_knows_no_Status_Server_it_is_tried_again_after_a_while() -> None:
    p = make_pair(status_server=False)
    p.ask()
    p.pump(16)
    assert p.association.standing == "DEAD"
    p.pump(10)
    assert p.association.standing == "ALIVE"


@pytest.mark.parametrize("state", ["ALIVE", "SUSPECT", "DEAD", "DEAD_ASKED"])
def test_closing_leaves_no_timer_in_any_state(state: str) -> None:
    p = make_pair()
    p.ask()
    for _ in range(200):
        if p.association.standing != state:
            p.pump(0.1)
    assert p.association.standing == state
    p.association.close()
    assert not p.clock.getDelayedCalls()
