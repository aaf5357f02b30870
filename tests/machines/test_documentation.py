"""docs/state-machines.md, docs/rows.md and the drawings are what the code says, and no row is without code or test."""

import re
from pathlib import Path

import pytest

from ikegw.machines.drawing import FIGURES, Figure, dot
from ikegw.testing.pages import DOCS, texts
from ikegw.testing.rows import named_in, read


@pytest.fixture(scope="module")
def written() -> dict[Path, str]:
    return texts()


@pytest.mark.parametrize("name", ["state-machines.md", *(f"machines/{one.name}.dot" for one in FIGURES)])
def test_a_page_is_the_one_that_the_code_writes(written: dict[Path, str], name: str) -> None:
    file = DOCS / name
    assert file.exists(), "run: script/machines"
    assert file.read_text() == written[file], f"docs/{name} is not what the code says; run: script/machines"


def claims(page: str) -> set[tuple[str, ...]]:
    """Every (row, what it is) and (row, file, function) of docs/rows.md."""
    found: set[tuple[str, ...]] = set()
    for row, gist, code, tests in re.findall(
        r"^\| ([A-Z]+-\d\d) \| (.*) \| (.*) \| (.*) \|$", page, re.MULTILINE
    ):
        found.add((row, gist))
        for file, functions in re.findall(r"\(\.\./([^)]+)\)((?: `\w+`)*)", code + tests):
            found |= {(row, file, function) for function in functions.split() or [""]}
    return found


def test_what_the_page_of_rows_says_is_so(written: dict[Path, str]) -> None:
    """It may lag behind when a row gets another test, but it never says what is not so."""
    page = DOCS / "rows.md"
    said = claims(page.read_text())
    assert len(said) > 500
    assert said <= claims(written[page]), "docs/rows.md is not what code and tests say; run: script/machines"


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_a_drawing_shows_every_transition(figure: Figure) -> None:
    drawn = dot(figure)
    assert (DOCS / "machines" / f"{figure.name}.svg").exists(), "run: script/machines"
    for row in figure.rows:
        assert row.rows, f"{row.state} upon {row.cause} has no row"
        assert row.summary.endswith("."), f"{row.state} upon {row.cause} does not say what happens"
        assert f"{row.cause} <FONT" in drawn
        assert row.following in drawn


def test_no_row_is_without_code_or_test() -> None:
    assert read().lacking() == []


def test_ranges_name_what_is_between() -> None:
    assert list(named_in("rows R-15, RE-16 and D-01 … D-03; not SP-256, nor 2026-11-23")) == [
        "R-15", "RE-16", "D-01", "D-03", "D-02",
    ]  # fmt: skip


def test_every_file_of_the_spine_has_its_place_in_the_house() -> None:
    page = (DOCS / "architecture.md").read_text()
    files = {file.stem for file in (DOCS.parent / "ikegw" / "ike").glob("[a-z]*.py")}
    assert {name for name in files if f"`{name}`" not in page} == set()
    (table,) = re.findall(r"### ike: the spine\n.*?(\| file .*?)\n\n", page, re.DOTALL)
    named = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert named <= files
