"""Every test of the spine also says that nothing went wrong inside: no internal error was logged."""

from collections.abc import Iterator

import pytest
from twisted.logger import LogEvent, globalLogPublisher

from ikegw.testing.pair import Pair, make_pair


@pytest.fixture
def pair() -> Pair:
    return make_pair()


@pytest.fixture(autouse=True)
def no_internal_error() -> Iterator[list[LogEvent]]:
    failures: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event:
            failures.append(event)

    globalLogPublisher.addObserver(observe)
    yield failures
    globalLogPublisher.removeObserver(observe)
    assert not failures, failures[0]["log_failure"].getTraceback()
