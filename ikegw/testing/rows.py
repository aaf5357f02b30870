"""The rows of the state machines (`docs/rows.toml`), where the code names each, and which tests bear its id.

Code names a row in a docstring, a comment or a message (`rows R-15, R-16`, `D-01 … D-08`); a test in its name
(`test_R_15_R_16_an_answer_that_comes_later`) or in its docstring.
"""

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

ROOT: Final = Path(__file__).parents[2]
TABLE: Final = ROOT / "docs" / "rows.toml"
_ID: Final = re.compile(r"\b(RE|IE|[LIDRQPCKH])-(\d\d)\b(?!-)")
_RANGE: Final = re.compile(r"\b(RE|IE|[LIDRQPCKH])-(\d\d) ?… ?\1-(\d\d)\b")
_IN_NAME: Final = re.compile(r"(?<=_)(RE|IE|[LIDRQPCKH])_(\d\d)(?=_|$)")

INTRODUCTION: Final = """\
# Rows and tests

<!-- Written by `script/machines` out of rows.toml, the code and the tests; change those, not this file. -->

Every transition and rule of the [state machines](state-machines.md) has a name, which the code and the tests use. A row that
waits for something is not built yet, or not wholly; every other one has a place in the code and a test, or a test fails.
"""


@frozen
class Section:
    """Rows that belong together: their gists by their ids."""

    title: str
    rows: dict[str, str]


@define
class Found:
    """Where the rows are named: by id, places as `file` and functions, in order, each once."""

    places: dict[str, dict[str, dict[str, None]]] = field(factory=dict)

    def add(self, row: str, file: str, function: str) -> None:
        """Row is named in `function` of `file`."""
        self.places.setdefault(row, {}).setdefault(file, {})[function] = None

    def text(self, row: str) -> str:
        """The places of one row for a table."""
        return "<br>".join(
            f"[{file.partition('/')[2]}](../{file})" + "".join(f" `{name}`" for name in names if name)
            for file, names in self.places.get(row, {}).items()
        )


@frozen
class Rows:
    """All of it."""

    sections: tuple[Section, ...]
    waiting: dict[str, str]
    """What a row waits for, by its id."""

    code: Found
    tests: Found

    def lacking(self) -> list[str]:
        """What is wrong, as sentences: rows without code or test, and names of rows that there are not."""
        known = {row for section in self.sections for row in section.rows}
        found = []
        for row in sorted(known - set(self.waiting)):
            if row not in self.code.places:
                found.append(f"{row} has no place in the code")
            if row not in self.tests.places:
                found.append(f"{row} has no test")
        found += [f"{row} waits, and is no row" for row in sorted(set(self.waiting) - known)]
        for where in (self.code, self.tests):
            found += [
                f"{row} is no row, but {' '.join(where.places[row])} names it"
                for row in sorted(set(where.places) - known)
            ]
        return found

    def page(self) -> str:
        """docs/rows.md."""
        return INTRODUCTION + "".join(f"\n{text}" for text in map(self._section, self.sections))

    def _section(self, section: Section) -> str:
        head = f"## {section.title}\n\n| row | | in the code | tests |\n| --- | --- | --- | --- |\n"
        return head + "".join(
            f"| {row} | {gist}{self._waits(row)} | {self.code.text(row)} | {self.tests.text(row)} |\n"
            for row, gist in section.rows.items()
        )

    def _waits(self, row: str) -> str:
        return f" *Waits for: {self.waiting[row]}.*" if row in self.waiting else ""


def read() -> Rows:
    """The table, and what the files of ikegw and of its tests say now."""
    table = tomllib.loads(TABLE.read_text())
    waiting = {row: reason for reason, rows in table["waiting"].items() for row in rows}
    sections = tuple(Section(one["title"], one["rows"]) for one in table["sections"])
    code, tests = Found(), Found()
    for file in _files("ikegw", "testing"):
        for function, text in _functions(file):
            for row in named_in(text):
                code.add(row, _shown(file), function)
    for file in _files("tests", "machines"):
        for function, text in _functions(file):
            if function.startswith("test_"):
                for row in (*_borne(function), *named_in(text)):
                    tests.add(row, _shown(file), function)
    return Rows(sections, waiting, code, tests)


def _files(room: str, but: str) -> list[Path]:
    return [file for file in sorted((ROOT / room).rglob("*.py")) if file.parent != ROOT / room / but]


def _shown(file: Path) -> str:
    return str(file.relative_to(ROOT))


def _borne(name: str) -> Iterator[str]:
    return (f"{kind}-{number}" for kind, number in _IN_NAME.findall(name))


def named_in(text: str) -> Iterable[str]:
    """The rows that a text names, ranges in full."""
    spanned = (
        f"{kind}-{number:02}"
        for kind, first, last in _RANGE.findall(text)
        for number in range(int(first), int(last) + 1)
    )
    return dict.fromkeys((*(f"{kind}-{number}" for kind, number in _ID.findall(text)), *spanned))


def _functions(file: Path) -> Iterator[tuple[str, str]]:
    """Each function with its lines, decorators included; lines outside of functions come under their class, or under no name."""
    source = file.read_text()
    lines = source.splitlines()
    owners = [""] * len(lines)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.end_lineno:
            for number in range(node.lineno - 1, node.end_lineno):
                owners[number] = node.name
    texts: dict[str, list[str]] = {}
    for owner, line in zip(owners, lines, strict=True):
        texts.setdefault(owner, []).append(line)
    return ((owner, "\n".join(found)) for owner, found in texts.items())
