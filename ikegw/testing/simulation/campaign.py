"""Many seeds, in several processes: progress, and the first failure with all that is known of it."""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from twisted.logger import globalLogBeginner

from ikegw.testing.simulation.faults import plan_of
from ikegw.testing.simulation.run import Outcome, simulate

PROGRESS_EVERY = 100


def _quiet() -> None:
    """What fails is in the outcome: a worker process writes no log."""
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)


def _simulate(seed: int) -> Outcome:
    return simulate(plan_of(seed))


def outcomes(seeds: Iterable[int], jobs: int = 2) -> Iterator[Outcome]:
    """The outcome of each seed, in order."""
    with ProcessPoolExecutor(jobs, initializer=_quiet) as pool:
        yield from pool.map(_simulate, seeds, chunksize=8)


def told(outcome: Outcome) -> str:
    """A failure in full: what failed, what was done to the hosts, and the wire's ladder, from a second run of the same seed."""
    watched = simulate(plan_of(outcome.seed), watched=True)
    lines = [f"{at:10.3f} {what}" for at, what in watched.story]
    plan = plan_of(outcome.seed)
    return "\n".join((f"seed {outcome.seed}: {outcome.violation}", str(plan), "", *lines))


def main(arguments: list[str]) -> int:
    """`script/simulate`."""
    parser = argparse.ArgumentParser("script/simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (default 1)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument(
        "--show", action="store_true", help="show the ladder of the first seed, whatever came of it"
    )
    parser.add_argument("--all", action="store_true", help="go on after a failure; tell each in one line")
    wanted = parser.parse_args(arguments)
    if wanted.show:
        print(told(_simulate(wanted.first)))  # noqa: T201
        return 0
    return _campaign(range(wanted.first, wanted.first + wanted.seeds), wanted.jobs, go_on=wanted.all)


def _campaign(seeds: range, jobs: int, *, go_on: bool) -> int:
    began, failed = time.monotonic(), 0
    for done, outcome in enumerate(outcomes(seeds, jobs), 1):
        if outcome.violation:
            failed += 1
            print(f"seed {outcome.seed}: {outcome.violation}" if go_on else told(outcome), flush=True)  # noqa: T201
            if not go_on:
                return 1
        if not done % PROGRESS_EVERY or done == len(seeds):
            spent = time.monotonic() - began
            print(f"{done} of {len(seeds)} seeds in {spent:.0f} s, {failed} failed", flush=True)  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
