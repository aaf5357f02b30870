"""docs/configuration.md is what the schema says, and what it shows can be loaded."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from ikegw.config import load
from ikegw.config.reading import default_of
from ikegw.config.reference import markdown
from ikegw.config.schema import SCHEMA

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_the_one_that_the_schema_writes() -> None:
    assert PAGE.read_text() == markdown(), "run: python -m ikegw.config.reference > docs/configuration.md"


def test_every_key_is_explained_and_its_default_can_be_read() -> None:
    for path, table in SCHEMA.walk():
        assert table.doc or not path
        for key in table.keys:
            assert key.doc.endswith((".", ".)")), (*path, key.name)
            default_of(key)


def test_the_example_of_the_page_is_valid(write: Callable[..., Path]) -> None:
    examples = re.findall(r"```toml\n(.*?)```", markdown(), re.DOTALL)
    assert examples
    for example in examples:
        path = write(example)
        (path.parent / "certs").mkdir()
        (path.parent / "certs" / "gw.pem").touch()
        assert load(path).connections


def test_every_default_can_be_written_into_a_file(write: Callable[..., Path]) -> None:
    lines = []
    for path, table in SCHEMA.walk():
        required = any(key.required for key in table.keys)
        if path and path[0] != "secrets" and not required:
            lines.append(f"[{'.'.join(path)}]")
            lines += [
                f"{key.name} = {json.dumps(key.default)}" for key in table.keys if key.default is not None
            ]
    written = load(write("\n".join(lines)))
    bare = load(write("[connections.NAME.children.NAME]\n"))
    assert written == bare
