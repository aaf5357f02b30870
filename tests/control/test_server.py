"""The control socket: JSON in lines, answers as they come, and those who ask badly, endlessly, or never read."""

import json
from collections.abc import Iterator

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, globalLogPublisher

from ikegw.control.protocol import LONGEST_LINE
from ikegw.control.server import (
    MOST_CLIENTS,
    MOST_REQUESTS,
    PATIENCE,
    ControlClient,
    ControlServer,
    Refused,
    Verb,
)


class Desk:
    """A server whose verbs a test answers by hand."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.waiting: list[Deferred] = []
        self.streams: list = []
        self.cancelled = 0
        self.server = ControlServer(
            self.clock,
            {
                "echo": Verb(lambda arguments, *_: dict(arguments)),
                "refuse": Verb(self._refuse),
                "break": Verb(lambda *_: 1 // 0),
                "wait": Verb(self._wait),
                "watch": Verb(self._watch),
            },
        )

    def _refuse(self, arguments, _, _who: str):
        raise Refused("not today")

    def _wait(self, arguments, tell, _who: str) -> Deferred:
        self.waiting.append(Deferred(self._cancelled))
        return self.waiting[-1]

    def _watch(self, arguments, tell, _who: str) -> Deferred:
        self.streams.append(tell)
        return self._wait(arguments, tell, _who)

    def _cancelled(self, _: Deferred) -> None:
        self.cancelled += 1

    def connect(self) -> "Client":
        return Client(self.server.buildProtocol(None))


class Client:
    def __init__(self, protocol: ControlClient) -> None:
        self.protocol, self.transport = protocol, StringTransport()
        protocol.makeConnection(self.transport)

    def send(self, *messages: dict) -> list[dict]:
        for message in messages:
            self.protocol.dataReceived(json.dumps(message).encode() + b"\n")
        return self.said()

    def said(self) -> list[dict]:
        lines = self.transport.value().splitlines()
        self.transport.clear()
        return [json.loads(line) for line in lines]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_request_and_its_answer(desk):
    assert desk.connect().send({"id": 7, "do": "echo", "sa": "road[7]"}) == [
        {"id": 7, "ok": {"sa": "road[7]"}}
    ]


def test_answers_come_when_they_are_ready(desk):
    client = desk.connect()
    assert client.send({"id": 1, "do": "wait"}, {"id": 2, "do": "echo"}) == [{"id": 2, "ok": {}}]
    desk.waiting[0].callback("done")
    assert client.said() == [{"id": 1, "ok": "done"}]


def test_no_is_an_answer_with_its_reason(desk):
    assert desk.connect().send({"id": "a", "do": "refuse"}) == [{"id": "a", "error": "not today"}]


@pytest.fixture
def failures() -> Iterator[list[LogEvent]]:
    """What is logged as an internal error."""
    found: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event:
            found.append(event)

    globalLogPublisher.addObserver(observe)
    yield found
    globalLogPublisher.removeObserver(observe)


def test_a_fault_of_ours_is_told_in_the_log_and_not_to_the_asker(desk, failures):
    assert desk.connect().send({"id": 1, "do": "break"}) == [
        {"id": 1, "error": "an internal error, which the log tells"}
    ]
    assert [event["log_failure"].type for event in failures] == [ZeroDivisionError]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "expected a line of JSON"),
        (b"\xff\xfe", "expected a line of JSON"),
        (b"[" * 50_000, "expected a line of JSON"),
        (b"[1]", "expected a JSON object"),
        (b"{}", 'expected an "id"'),
        (b'{"id": true, "do": "echo"}', 'expected an "id"'),
        (b'{"id": [], "do": "echo"}', 'expected an "id"'),
        (b'{"id": 1}', "expected a verb"),
        (b'{"id": 1, "do": {}}', "expected a verb"),
        (b'{"id": 1, "do": "ecko"}', "there is no 'ecko'; did you mean echo?"),
        (b'{"id": 1, "do": "zzz"}', "there is no 'zzz'; there are echo"),
    ],
)
def test_what_is_no_request_is_told_and_changes_nothing(desk, line, said):
    client = desk.connect()
    client.protocol.dataReceived(line + b"\n")
    (answer,) = client.said()
    assert answer["error"].startswith(said)
    assert client.send({"id": 2, "do": "echo"}) == [{"id": 2, "ok": {}}]


def test_a_line_without_an_end_is_the_end(desk):
    client = desk.connect()
    client.protocol.dataReceived(b"x" * (LONGEST_LINE + 1))
    assert "a line has up to" in client.said()[0]["error"]
    assert client.transport.disconnecting


def test_an_id_that_is_under_way_cannot_be_used_again(desk):
    client = desk.connect()
    assert client.send({"id": 1, "do": "wait"}, {"id": 1, "do": "echo"}) == [
        {"id": 1, "error": "this id is under way already"}
    ]


def test_so_many_requests_at_once_and_no_more(desk):
    client = desk.connect()
    said = client.send(*({"id": number, "do": "wait"} for number in range(MOST_REQUESTS + 1)))
    assert said == [{"id": MOST_REQUESTS, "error": f"{MOST_REQUESTS} requests are under way already"}]


def test_a_thousand_clients_at_once_of_whom_so_many_are_served(desk):
    clients = [desk.connect() for _ in range(1000)]
    assert [client.transport.disconnecting for client in clients] == [False] * MOST_CLIENTS + [True] * (
        1000 - MOST_CLIENTS
    )
    assert len(desk.server.clients) == MOST_CLIENTS
    for client in clients:
        client.protocol.connectionLost()
    assert not desk.server.clients
    assert not desk.clock.getDelayedCalls()


def test_a_stream_tells_until_its_reader_hangs_up(desk):
    client = desk.connect()
    client.send({"id": 3, "do": "watch"})
    desk.streams[0]({"text": "up"})
    assert client.said() == [{"id": 3, "event": {"text": "up"}}]
    client.protocol.connectionLost()
    assert desk.cancelled == 1
    desk.streams[0]({"text": "later"})
    assert not client.transport.value()


def test_who_does_not_read_misses_events_and_is_told_how_many(desk):
    client = desk.connect()
    client.send({"id": 3, "do": "watch"})
    client.transport.producer.pauseProducing()
    assert client.transport.producerState == "paused", "and no more requests of it are read"
    for _ in range(5):
        desk.streams[0]({"text": "up"})
    assert not client.said()
    client.transport.producer.resumeProducing()
    assert client.said() == [{"id": 3, "event": {"missed": 5}}]
    desk.clock.advance(2 * PATIENCE)
    assert not client.transport.disconnected


def test_who_never_reads_is_cut_off(desk):
    client = desk.connect()
    client.send({"id": 3, "do": "watch"})
    client.transport.producer.pauseProducing()
    desk.clock.advance(PATIENCE)
    assert client.transport.disconnected
    client.protocol.connectionLost()
    assert desk.cancelled == 1
    assert not desk.clock.getDelayedCalls()
