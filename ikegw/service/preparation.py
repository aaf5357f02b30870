"""From files to what a gateway can be made of: the same way at the start and at a reload, and nothing running is touched."""

from datetime import UTC, datetime
from pathlib import Path

from attrs import field, frozen

from ikegw.addresses.pool import Pool
from ikegw.auth.credentials import Credentials
from ikegw.auth.loading import load_configured
from ikegw.config import Config, ConfigurationError, load
from ikegw.control.check import judge
from ikegw.service.lending import pools_of, problems_of


@frozen
class Prepared:
    """A configuration and its credentials, both whole; `notes` are what the operator should know about them all the same."""

    config: Config
    credentials: Credentials = field(repr=False)
    pools: tuple[Pool, ...]
    notes: tuple[str, ...] = ()


class Unusable(Exception):
    """The files are of no use as they are: `problems` has a line for each thing that is wrong."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def prepare(path: Path) -> Prepared:
    """Read the configuration at `path` and the credentials beside it; raises Unusable with every problem of either."""
    try:
        config = load(path)
    except ConfigurationError as error:
        raise Unusable(tuple(map(str, error.problems))) from None
    loaded = load_configured(config)
    pools = pools_of(config)
    problems = [*map(str, loaded.problems), *problems_of(config, pools)]
    if problems:
        raise Unusable(tuple(problems))
    # What does not keep us from starting is told all the same, in the words of `ikegwctl check`.
    report = judge(config, loaded, datetime.now(UTC))
    return Prepared(config, loaded.credentials, pools, (*report.problems, *report.warnings))
