"""Laboratories for the tests with real peers; when such a test fails, it shows the logs of both sides."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from laboratory.room import Laboratory


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    """A laboratory for one test."""
    room = Laboratory(tmp_path)
    try:
        yield room
    finally:
        room.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the daemons' logs beside a failure."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            room = getattr(value, "laboratory", value)
            if isinstance(room, Laboratory):
                report.sections.append(("daemons", room.logs()))
    return report
