"""The files of a configuration, merged into one tree in which every value knows its place."""

import os
import re
import tomllib
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from ikegw.config import locator
from ikegw.config.problems import Place, Problem

MAIN_FILE: Final = "ikegw.toml"
DEEPEST: Final = 16
LARGEST_FILE: Final = 16 << 20
READABLE_BY_ALL: Final = 0o004
_POSITION: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@frozen
class Leaf:
    """A value that is no table. `items` are the lines of an array's elements."""

    value: object = field(repr=False)
    place: Place
    items: tuple[int, ...] = ()

    def at(self, index: int) -> Place:
        """Where an element of the array stands."""
        return Place(self.place.file, self.items[index]) if index < len(self.items) else self.place


@define
class Branch:
    """A table; `place` is where it was first opened."""

    place: Place
    children: dict[str, "Leaf | Branch"] = field(factory=dict)


@frozen
class Sources:
    """The merged tree, and what was wrong with files. Incomplete: a file is missing from the tree."""

    tree: Branch
    problems: tuple[Problem, ...]
    files: tuple[Path, ...]
    incomplete: bool


def read(main: Path) -> Sources:
    """Read `main` and, beside it, `conf.d/*.toml` and `secrets.d/*.toml`, each in the order of their names."""
    merging = _Merging(Branch(Place(str(main))))
    secrets = _toml_files(main.parent / "secrets.d", merging)
    files = [main, *_toml_files(main.parent / "conf.d", merging), *secrets]
    for file in files:
        merging.add(file, secret=file in secrets)
    return Sources(merging.tree, tuple(merging.problems), tuple(files), merging.incomplete)


def _toml_files(directory: Path, merging: "_Merging") -> list[Path]:
    try:
        return sorted(
            file for file in directory.iterdir() if file.suffix == ".toml" and not file.name.startswith(".")
        )
    except FileNotFoundError:
        return []
    except OSError as error:
        merging.skip(Place(str(directory)), f"cannot be listed: {error.strerror}")
        return []


@define
class _Merging:
    tree: Branch
    problems: list[Problem] = field(factory=list)
    incomplete: bool = False

    def skip(self, place: Place, text: str) -> None:
        self.problems.append(Problem(place, "", text))
        self.incomplete = True

    def add(self, file: Path, secret: bool) -> None:
        name = str(file)
        try:
            with file.open("rb") as opened:
                mode = os.fstat(opened.fileno()).st_mode
                octets = opened.read(LARGEST_FILE + 1)
            if len(octets) > LARGEST_FILE:
                return self.skip(Place(name), "too large for a configuration")
            text = octets.decode()
        except OSError as error:
            return self.skip(Place(name), f"cannot be read: {error.strerror}")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            return self.skip(Place(name, line), "not UTF-8, which TOML is written in")
        try:
            content, lines = tomllib.loads(text), locator.locate(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            return self.skip(*_syntax(name, text, str(error)))
        if (secret or "secrets" in content) and mode & READABLE_BY_ALL:
            self.problems.append(
                Problem(
                    Place(name),
                    "",
                    f"it holds secrets and everybody on this host can read it (mode {mode & 0o777:04o}); "
                    f"do: chmod 0640 {file}",
                )
            )
        self._merge(self.tree, content, (), _Lines(name, lines))
        return None

    def _merge(self, into: Branch, table: dict[str, object], path: tuple[str, ...], lines: "_Lines") -> None:
        for name, value in table.items():
            here = (*path, name)
            place = lines.place(here)
            known = into.children.get(name)
            if len(path) == DEEPEST:
                self.problems.append(
                    Problem(place, ".".join(path), "tables within tables, too deep to be meant")
                )
                return
            if known is None and not isinstance(value, dict):
                into.children[name] = Leaf(value, place, lines.items(here, value))
            elif isinstance(value, dict) and not isinstance(known, Leaf):
                branch = into.children.setdefault(name, Branch(place))
                if isinstance(branch, Branch):
                    self._merge(branch, value, here, lines)
            elif known is not None:
                text = f"given twice: here and at {known.place}; keep one of them"
                self.problems.append(Problem(place, ".".join(here), text))


@frozen
class _Lines:
    file: str
    lines: dict[locator.Path, int]

    def place(self, path: locator.Path) -> Place:
        return Place(self.file, self.lines.get(path, 0))

    def items(self, path: locator.Path, value: object) -> tuple[int, ...]:
        if not isinstance(value, list):
            return ()
        line = self.lines.get(path, 0)
        return tuple(self.lines.get((*path, index), line) for index in range(len(value)))


def _syntax(file: str, text: str, message: str) -> tuple[Place, str]:
    """What `tomllib` says, with its line where ours stands; at the end of the text it gives none."""
    found = _POSITION.search(message)
    line = int(found[1]) if found and found[1] else text.count("\n") + 1
    return Place(file, line), f"not TOML: {_POSITION.sub('', message)}"
