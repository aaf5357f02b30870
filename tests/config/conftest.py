"""A directory to write configurations into."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ikegw.config import ConfigurationError, load

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files by their names (`conf.d/x.toml`), secrets closed to the world, and gives the main file's path."""

    def write(main: str = "", **files: str) -> Path:
        for name, text in {"ikegw.toml": main, **files}.items():
            file = tmp_path / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            if name.startswith("secrets.d"):
                file.chmod(0o640)
        return tmp_path / "ikegw.toml"

    return write


@pytest.fixture
def problems(write: Write, tmp_path: Path) -> Callable[..., list[str]]:
    """What `load` says to these files, with names of files relative to the directory."""

    def problems(main: str = "", **files: str) -> list[str]:
        try:
            load(write(main, **files))
        except ConfigurationError as error:
            return [str(problem).replace(f"{tmp_path}/", "") for problem in error.problems]
        return []

    return problems
