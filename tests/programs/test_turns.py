"""Whose turn it is."""

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed

from ikegw.programs.turns import GivenUp, Turns


class Jobs:
    """Each begins when it is its turn and ends when the test says so."""

    def __init__(self, at_once=2):
        self.turns, self.begun, self.results = Turns(at_once), {}, {}

    def take(self, key, name):
        def begin():
            self.begun[name] = Deferred()
            return self.begun[name]

        self.results[name] = self.turns.take(key, begin)
        return self.results[name]

    def end(self, name):
        self.begun[name].callback(name)


def test_what_belongs_together_goes_one_after_the_other():
    jobs = Jobs()
    for name in ("up", "down", "up again"):
        jobs.take("a", name)
    jobs.take("b", "other")
    assert list(jobs.begun) == ["up", "other"]
    jobs.end("up")
    assert list(jobs.begun) == ["up", "other", "down"]
    assert jobs.results["up"].result == "up"


def test_no_more_than_some_run_at_a_time_and_none_is_left_waiting():
    jobs = Jobs()
    for number in range(6):
        jobs.take(number, number)
    assert list(jobs.begun) == [0, 1]
    idle = jobs.turns.idle()
    for number in range(6):
        assert not idle.called
        jobs.end(number)
        assert len(jobs.begun) == min(number + 3, 6)
    assert idle.called
    assert jobs.turns.idle().called


def test_a_job_that_fails_or_ends_at_once_makes_way_too():
    jobs = Jobs(1)
    failing = jobs.take("a", "one")
    jobs.take("b", "two")
    jobs.begun["one"].errback(ValueError("no"))
    assert isinstance(failing.result.value, ValueError)
    failing.addErrback(lambda _: None)
    jobs.end("two")
    assert [jobs.turns.take("a", lambda: succeed("at once")).result for _ in range(3)] == ["at once"] * 3
    assert jobs.turns.idle().called


def test_giving_up_ends_what_runs_and_begins_nothing_more():
    jobs = Jobs()
    for number in range(5):
        jobs.take(number, number).addErrback(lambda failure: failure.trap(CancelledError) and None)
    idle = jobs.turns.idle()
    idle.cancel()
    with pytest.raises(GivenUp, match="2 were ended, 3 never begun"):
        idle.result.raiseException()
    idle.addErrback(lambda _: None)
    assert list(jobs.begun) == [0, 1]
    assert jobs.turns.idle().called
