"""The door of this room: files to a `Config`, or all that is wrong with them."""

from pathlib import Path

from ikegw.config import building, reading, rules, sources
from ikegw.config.problems import ConfigurationError
from ikegw.config.settings import Config, Directories


def load(path: Path) -> Config:
    """Read `path`, `conf.d/*.toml` and `secrets.d/*.toml` beside it; ConfigurationError tells every problem at once."""
    path = Path(path)
    directories = directories_beside(path)
    found = sources.read(path)
    read = reading.read(found.tree)
    problems = [*found.problems, *read.problems, *rules.check(read.root, directories, found.incomplete)]
    if problems:
        raise ConfigurationError(problems)
    return building.build(read.root, path, directories)


def directories_beside(path: Path) -> Directories:
    """Where the credentials of the configuration `path` are."""
    beside = path.parent
    return Directories(beside / "certs", beside / "ca", beside / "crl", beside / "private")
