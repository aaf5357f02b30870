"""The gateway's end of the pipes, with a process that is only a list of what was written to it."""

import pytest
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure

from ikegw.dataplane.userspace.control import Frames, Kind, frame, json_frame
from ikegw.dataplane.userspace.link import Link
from ikegw.ports import DataPlaneError


class Process:
    pid = 4711

    def __init__(self):
        self.written, self.signals, self.closed = [], [], []

    def writeToChild(self, descriptor, octets):
        self.written.extend(Frames().feed(octets))

    def signalProcess(self, name):
        self.signals.append(name)

    def closeChildFD(self, descriptor):
        self.closed.append(descriptor)


@pytest.fixture
def link():
    events, ike, ends = [], [], []
    made = Link(events.append, ike.append, ends.append)
    made.events, made.ike, made.ends = events, ike, ends
    made.transport = Process()
    return made


def answer(link, *frames):
    link.childDataReceived(1, b"".join(frames))


def caught(deferred):
    found = []
    deferred.addErrback(lambda failure: found.append(failure.value))
    return found


def test_answers_find_their_requests_in_any_order(link):
    one, other = link.ask(Kind.USAGE, {"spi": 1}), link.ask(Kind.INSTALL, {"spi": 2})
    assert [(kind, number) for kind, number, _ in link.transport.written] == [
        (Kind.USAGE, 1),
        (Kind.INSTALL, 2),
    ]
    refused = caught(other)
    answer(link, json_frame(Kind.REFUSAL, 2, {"reason": "no"}), json_frame(Kind.REPLY, 1, {"a": 1}))
    assert one.result == {"a": 1}
    assert isinstance(refused[0], DataPlaneError)
    assert str(refused[0]) == "no"


@pytest.mark.parametrize(("kind", "undone"), [(Kind.REPLY, [{"a": 1}]), (Kind.REFUSAL, [])])
def test_what_nobody_wants_any_more_is_undone(link, kind, undone):
    seen = []
    asked = link.ask(Kind.INSTALL, {}, seen.append)
    caught(asked)
    asked.cancel()
    answer(link, json_frame(kind, 1, {"a": 1} if kind is Kind.REPLY else {"reason": "no"}))
    assert seen == undone


def test_a_listener_that_fails_does_not_close_the_pipe(link):
    link.on_ike = link.on_event = lambda what: 1 / 0
    asked = link.ask(Kind.USAGE, {})
    with capturedLogs() as logs:
        answer(
            link,
            frame(Kind.IKE, 0, b"x"),
            json_frame(Kind.EVENT, 0, {"event": "soft"}),
            json_frame(Kind.REPLY, 1, {}),
        )
    assert asked.result == {}
    assert [entry["log_level"] for entry in logs] == [LogLevel.critical] * 2


def test_nonsense_ends_the_process(link):
    with capturedLogs() as logs:
        answer(link, b"\xff" * 20)
    assert link.transport.signals == ["KILL"]
    assert "ending it" in logs[0]["log_format"]


def test_its_end_fails_what_waits_and_is_told_once(link):
    failed = caught(link.ask(Kind.USAGE, {}))
    unwanted = link.ask(Kind.USAGE, {})
    caught(unwanted)
    unwanted.cancel()
    with capturedLogs():
        link.processEnded(Failure(ProcessTerminated(signal=9)))
    assert "process ended" in str(failed[0])
    assert link.gone.called
    assert len(link.ends) == 1
    assert link.ends[0] is not None


def test_an_end_that_was_asked_for_is_no_loss(link):
    link.end()
    link.end()
    assert [kind for kind, _, _ in link.transport.written] == [Kind.STOP]
    assert link.transport.closed == [0]
    (late,) = caught(link.ask(Kind.REMOVE, {"spi": 1}))
    assert isinstance(late, DataPlaneError)
    with capturedLogs() as logs:
        link.processEnded(Failure(ProcessDone(0)))
    assert link.ends == [None]
    assert logs == []


def test_what_the_process_says_on_standard_error_is_logged_and_keys_never_are(link):
    link.ask(Kind.INSTALL, {"in_keys": ["5ec4e7", ""]})
    with capturedLogs() as logs:
        link.childDataReceived(2, b"oops\n")
    assert logs[0]["text"] == "oops"
    assert "5ec4e7" not in repr(logs) + repr(link)
