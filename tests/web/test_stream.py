"""Server-sent events: who looks is told what changed, who does not read costs nothing, and nobody looks for nobody."""

import json
from typing import Any

from browsing import Connection, Looking
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ikegw.web.snapshot import Snapshot, difference
from ikegw.web.stream import MOST_VIEWERS, PATIENCE_SECONDS, QUIET_TICKS


def snapshot(*states: str, **parts: Any) -> Snapshot:
    return Snapshot(
        parts, {number: {"number": number, "state": state} for number, state in enumerate(states)}
    )


def events(connection: Connection) -> list[tuple[str, Any]]:
    """What came since this was asked last: the events' names and values."""
    text = connection.value().decode()
    connection.clear()
    found = [block for line in text.splitlines() if (block := line).startswith(("event: ", "data: "))]
    names = [line.removeprefix("event: ") for line in found if line.startswith("event: ")]
    values = [json.loads(line.removeprefix("data: ")) for line in found if line.startswith("data: ")]
    return list(zip(names, values, strict=True))


def test_what_stands_then_what_changed(looking: Looking) -> None:
    looking.now = snapshot("SM_MATURE", "SM_MATURE", totals={"up": 2}, pools=[])
    _, connection = looking.browsing.ask("/events")
    assert "Content-Type: text/event-stream" in connection.value().decode()
    ((name, value),) = events(connection)
    assert name == "all"
    assert value == {
        "totals": {"up": 2},
        "pools": [],
        "sessions": [{"number": 0, "state": "SM_MATURE"}, {"number": 1, "state": "SM_MATURE"}],
    }
    looking.now = snapshot("SM_MATURE", "SM_REKEY", "SMR_AUTH", totals={"up": 2}, pools=[])
    looking.clock.advance(1.0)
    (change,) = events(connection)
    assert change == (
        "change",
        {"sessions": [{"number": 1, "state": "SM_REKEY"}, {"number": 2, "state": "SMR_AUTH"}]},
    )
    looking.now = snapshot("SM_MATURE", totals={"up": 1}, pools=[])
    looking.clock.advance(1.0)
    assert events(connection) == [("change", {"totals": {"up": 1}, "gone": [1, 2]})]


def test_what_does_not_change_is_not_told_again(looking: Looking) -> None:
    _, connection = looking.browsing.ask("/events")
    events(connection)
    looking.clock.pump([1.0] * (QUIET_TICKS - 1))
    assert connection.value() == b""
    looking.clock.advance(1.0)
    assert b":\n\n" in connection.value()


def test_whoever_looks_one_look_serves_all(looking: Looking) -> None:
    for _ in range(5):
        looking.browsing.ask("/events")
    before = looking.looks
    looking.clock.pump([1.0] * 10)
    assert looking.looks == before + 10


def test_nobody_looks_for_nobody(looking: Looking) -> None:
    protocol, _ = looking.browsing.ask("/events")
    looking.clock.advance(1.0)
    protocol.connectionLost(Failure(ConnectionDone()))
    before = looking.looks
    looking.clock.pump([1.0] * 5)
    assert looking.looks == before
    assert looking.page.stream.viewers == 0
    assert not looking.clock.getDelayedCalls()


def test_with_very_many_sessions_we_look_less_often_rather_than_all_the_time(looking: Looking) -> None:
    looking.seconds = 0.5
    looking.browsing.ask("/events")
    before, until = looking.looks, looking.clock.seconds() + 100.0
    while looking.clock.seconds() < until:
        looking.clock.advance(0.5)
    assert looking.looks - before <= 10


def test_there_is_room_for_so_many(looking: Looking) -> None:
    for _ in range(MOST_VIEWERS):
        looking.browsing.ask("/events")
    assert looking.browsing.answer("/events").startswith("HTTP/1.1 503 ")
    assert looking.page.stream.viewers == MOST_VIEWERS


def test_asking_for_the_head_opens_no_stream(looking: Looking) -> None:
    assert looking.browsing.answer("/events", method="HEAD").startswith("HTTP/1.1 200 ")
    assert looking.page.stream.viewers == 0


def test_one_who_does_not_read_is_queued_nothing_and_told_anew_when_it_reads(looking: Looking) -> None:
    _, connection = looking.browsing.ask("/events")
    _, other = looking.browsing.ask("/events")
    events(connection)
    connection.producer.pauseProducing()
    for number in range(20):
        looking.now = snapshot(f"SMR_{number}")
        looking.clock.advance(1.0)
    assert connection.value() == b""
    assert len(events(other)) == 21
    connection.producer.resumeProducing()
    looking.now = snapshot("SM_MATURE")
    looking.clock.advance(1.0)
    assert events(connection) == [("all", {"sessions": [{"number": 0, "state": "SM_MATURE"}]})]
    looking.now = snapshot("SM_REKEY")
    looking.clock.advance(1.0)
    assert events(connection) == [("change", {"sessions": [{"number": 0, "state": "SM_REKEY"}]})]


def test_one_who_never_reads_is_cut_off(looking: Looking) -> None:
    _, connection = looking.browsing.ask("/events")
    connection.producer.pauseProducing()
    looking.clock.advance(PATIENCE_SECONDS - 1)
    assert not connection.disconnected
    looking.clock.advance(1.0)
    assert connection.disconnected


def test_names_of_any_kind_do_not_break_the_stream(looking: Looking) -> None:
    hostile = 'a\nevent: all\ndata: {}\n\n"\u2028\ud800'
    looking.now = Snapshot({"failures": [{"who": hostile}]})
    _, connection = looking.browsing.ask("/events")
    ((name, value),) = events(connection)
    assert name == "all"
    assert value["failures"][0]["who"] == hostile


def test_two_moments_that_are_alike_have_no_difference() -> None:
    assert difference(snapshot("SM_MATURE", totals=1), snapshot("SM_MATURE", totals=1)) == {}
