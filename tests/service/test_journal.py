"""The journal: which lines are written, and how many of those that strangers can provoke."""

import random
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel

from ikegw.events import AddressReleased, AuthFailed, AuthFailure, Dropped, IkeDown, Refused, StateEntered
from ikegw.paths import Endpoint, Path
from ikegw.service.counters import Counters
from ikegw.service.journal import Journal
from ikegw.session import SaName

SA = SaName("home", 7)
US = Endpoint(ip_address("192.0.2.1"), 500)
PATH = Path(US, Endpoint(ip_address("198.51.100.9"), 500))
STATE = StateEntered(SA, "responder", "SMR_INIT", "begin", "SMR_AUTH")
FAILED = AuthFailed(SA, PATH, None, AuthFailure.NOT_AUTHENTIC, "wrong key")


class Written:
    """What a logger's observer was given."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.log = Logger(namespace="ikegw", observer=self.events.append)  # type: ignore[arg-type]

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(event["log_level"].name, event["line"]) for event in self.events]


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(written: Written, clock: Clock) -> Callable[..., Journal]:
    return lambda *settings: Journal(written.log, clock.seconds, *settings)


def test_states_are_told_only_when_asked_for(journal: Callable[..., Journal], written: Written) -> None:
    journal(LogLevel.info, False).publish(STATE)
    assert written.lines == []
    journal(LogLevel.info, True).publish(STATE)
    journal(LogLevel.debug, False).publish(STATE)
    assert [level for level, _ in written.lines] == ["info", "debug"]


def test_states_of_a_busy_gateway_are_told_in_part(
    journal: Callable[..., Journal], written: Written, clock: Clock
) -> None:
    telling = journal(LogLevel.info, True)
    for _ in range(2000):
        telling.publish(STATE)
    assert len(written.lines) == 500
    clock.advance(1)
    telling.publish(STATE)
    assert written.lines[-1][1].endswith("SMR_AUTH (and 1500 more of this kind, not logged)")


def test_lines_below_the_level_are_not_written(journal: Callable[..., Journal], written: Written) -> None:
    quiet = journal(LogLevel.warn, False)
    quiet.publish(AddressReleased(SA, ()))
    quiet.publish(FAILED)
    assert [level for level, _ in written.lines] == ["warn"]


def test_braces_in_what_a_peer_sent_are_only_text(journal: Callable[..., Journal], written: Written) -> None:
    journal().publish(AuthFailed(SA, PATH, None, AuthFailure.NOT_AUTHENTIC, "{line} {0} {secret!r}"))
    assert written.lines[0][1].endswith("{line} {0} {secret!r}")


def test_one_source_fills_no_log_and_what_is_left_out_is_counted(
    journal: Callable[..., Journal], written: Written, clock: Clock
) -> None:
    limited = journal()
    for _ in range(1000):
        limited.publish(Dropped(PATH, "too-short"))
    assert len(written.lines) == 5
    clock.advance(10)
    limited.publish(Dropped(PATH, "too-short"))
    assert written.lines[-1][1].endswith("too-short (and 995 more of this kind, not logged)")
    clock.advance(10)
    limited.publish(Dropped(PATH, "too-short"))
    assert written.lines[-1][1].endswith("too-short")


def test_a_flood_of_dropped_datagrams_leaves_room_for_failed_logins(
    journal: Callable[..., Journal], written: Written
) -> None:
    limited, source = journal(), random.Random(6)
    for _ in range(10_000):
        remote = Endpoint(IPv6Address(source.getrandbits(128)), 500)
        limited.publish(Dropped(Path(US, remote), "too-short"))
    assert len(written.lines) == 5
    limited.publish(FAILED)
    assert written.lines[-1][0] == "warn"


def test_an_ike_sa_that_was_up_is_always_told(journal: Callable[..., Journal], written: Written) -> None:
    limited = journal()
    for _ in range(100):
        limited.publish(IkeDown(SA, PATH, None, "half-open time is over", False))
    assert len(written.lines) == 20
    for _ in range(100):
        limited.publish(IkeDown(SA, PATH, None, "deleted", True))
    assert len(written.lines) == 120


def test_counters_count_by_few_words() -> None:
    counters = Counters()
    for event in (
        STATE,
        FAILED,
        Dropped(PATH, "too-short"),
        Dropped(PATH, "too-short"),
        Refused(SA, PATH, True, "TS_UNACCEPTABLE", ""),
        Refused(SA, PATH, True, "12345", ""),
        IkeDown(SA, PATH, None, "", False),
        IkeDown(SA, PATH, None, "", True),
    ):
        counters.publish(event)
    assert counters.counts == {
        "authentication-failed": 1,
        "dropped-too-short": 2,
        "refused-by-peer-TS_UNACCEPTABLE": 1,
        "refused-by-peer-other": 1,
        "ike-never-up": 1,
        "ike-down": 1,
    }
