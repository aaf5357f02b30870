"""The tree held against the schema: each value read as its kind demands, each fault told."""

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

from attrs import define, field, frozen

from ikegw.config.kinds import Kind, NotThat
from ikegw.config.problems import Place, Problem
from ikegw.config.schema import NOT_OURS, SCHEMA
from ikegw.config.shape import Key, Table
from ikegw.config.sources import Branch, Leaf

LONGEST_SHOWN: Final = 60
_NAME: Final = re.compile(r"[\w.@+-]{1,64}", re.ASCII)
_TOML_NAMES: Final = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a table",
}


@define
class Section:
    """A table that was read: `values` holds every key, given or by default; what could not be read is None."""

    path: tuple[str, ...]
    place: Place
    values: dict[str, Any] = field(factory=dict)
    places: dict[str, Place] = field(factory=dict)
    """Where the keys stand that were given."""
    items: dict[str, list[Place]] = field(factory=dict)
    """Where each element of a list stands."""
    failed: set[str] = field(factory=set)
    tables: dict[str, "Section"] = field(factory=dict)
    named: dict[str, dict[str, "Section"]] = field(factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def key(self, name: str) -> str:
        """The full name of a key."""
        return ".".join((*self.path, name))

    def where(self, name: str) -> Place:
        """Where the key stands, or the table that should have it."""
        return self.places.get(name, self.place)

    def problem(self, name: str, text: str, place: Place | None = None) -> Problem:
        """Something wrong with the key, told where it stands, or at `place`."""
        return Problem(place or self.where(name), self.key(name), text)

    def whole(self, *names: str) -> bool:
        """Whether these keys could be read, so that what they say together can be judged."""
        return not self.failed & set(names)


@frozen
class Read:
    """The whole tree as sections. `problems` are all that can be seen in one value or name alone."""

    root: Section
    problems: tuple[Problem, ...]


def read(tree: Branch) -> Read:
    """Read the whole tree."""
    reading = _Reading()
    root = reading.table(SCHEMA, tree, ())
    return Read(root, tuple(reading.problems))


@define
class _Reading:
    problems: list[Problem] = field(factory=list)

    def tell(self, place: Place, path: tuple[str, ...], text: str) -> None:
        self.problems.append(Problem(place, ".".join(path), text))

    def table(self, table: Table, branch: Branch, path: tuple[str, ...]) -> Section:
        section = Section(path, branch.place)
        for name, node in branch.children.items():
            if table.key(name) is None and table.table(name) is None:
                self.tell(node.place, (*path, name), unknown(table, path, name))
        for key in table.keys:
            self._key(key, branch.children.get(key.name), section)
        for inner in table.tables:
            self._inner(inner, branch.children.get(inner.name), section)
        return section

    def _inner(self, table: Table, node: Leaf | Branch | None, section: Section) -> None:
        path = (*section.path, table.name)
        if isinstance(node, Leaf):
            self.tell(
                node.place,
                path,
                f"expected a table, [{'.'.join(path)}{'.NAME' if table.named else ''}], got {_told(node.value, path)}",
            )
            section.failed.add(table.name)
            node = None
        branch = node if node is not None else Branch(section.place)
        if not table.named:
            section.tables[table.name] = self.table(table, branch, path)
            return
        section.named[table.name] = {}
        for name, entry in branch.children.items():
            if isinstance(entry, Branch) and not _NAME.fullmatch(name):
                text = "a name is up to 64 letters, digits and the signs - _ . @ +; give it another"
                self.tell(entry.place, (*path, name), text)
            elif isinstance(entry, Branch):
                section.named[table.name][name] = self.table(table, entry, (*path, name))
            else:
                text = f"expected a table, [{'.'.join((*path, 'NAME'))}], got {_told(entry.value, path)}"
                if table.key(name) is not None:
                    text += f"; {name} belongs into such a table, under a name of your choice"
                self.tell(entry.place, (*path, name), text)

    def _key(self, key: Key, node: Leaf | Branch | None, section: Section) -> None:
        path = (*section.path, key.name)
        if isinstance(node, Branch):
            self.tell(node.place, path, f"expected {key.kind.expected}, got a table")
            section.failed.add(key.name)
            node = None
        elif node is not None:
            section.places[key.name] = node.place
            if self._value(key, node, section):
                return
            section.failed.add(key.name)
        elif key.required:
            self.tell(section.place, path, f"missing: {key.kind.expected} is needed")
            section.failed.add(key.name)
        section.values[key.name] = default_of(key)

    def _value(self, key: Key, leaf: Leaf, section: Section) -> bool:
        path = (*section.path, key.name)
        if not key.kind.listed:
            ok, section.values[key.name] = self._one(key.kind, leaf.value, leaf.place, path)
            return ok
        results, places, good = [], [], True
        for value, place in _elements(key.kind, leaf):
            ok, result = self._one(key.kind, value, place, path)
            good &= ok
            results.append(result)
            places.append(place)
        section.values[key.name], section.items[key.name] = results, places
        return good

    def _one(self, kind: Kind, value: object, place: Place, path: tuple[str, ...]) -> tuple[bool, Any]:
        try:
            return True, kind.read(value)
        except (ValueError, TypeError) as error:
            got = _TOML_NAMES.get(type(value), "a date") if kind.secret else shown(value)
            text = f"expected {kind.expected}, got {got}"
            detail = "" if isinstance(error, NotThat) else str(error)
            self.tell(place, path, f"{text}: {detail}" if detail else text)
            return False, None


def _elements(kind: Kind, leaf: Leaf) -> Iterator[tuple[object, Place]]:
    """The elements of a list, of a text with commas where the kind allows them, or of one value alone."""
    if isinstance(leaf.value, list):
        for index, value in enumerate(leaf.value):
            yield value, leaf.at(index)
    elif isinstance(leaf.value, str) and kind.commas:
        for part in leaf.value.split(","):
            yield part.strip(), leaf.place
    else:
        yield leaf.value, leaf.place


def default_of(key: Key) -> Any:
    """The value that a key has when no file gives it."""
    if key.default is None:
        return [] if key.kind.listed else None
    if key.kind.listed and isinstance(key.default, list):
        return [key.kind.read(value) for value in key.default]
    return key.kind.read(key.default)


def shown(value: object) -> str:
    """A value as a file would have it, not too long."""
    if isinstance(value, dict):
        return "a table"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def _told(value: object, path: tuple[str, ...]) -> str:
    """A value that stands where a table should; among the secrets only what it is."""
    return _TOML_NAMES.get(type(value), "a date") if path[0] == "secrets" else shown(value)


def unknown(table: Table, path: tuple[str, ...], name: str) -> str:
    """What to do about a name that the schema does not have here."""
    names = [key.name for key in table.keys] + [inner.name for inner in table.tables]
    if name in NOT_OURS:
        return f"unknown key: {NOT_OURS[name]}"
    homes = _homes(path, name)
    if homes:
        return f"unknown key here; it belongs into {' or '.join(homes)}"
    close = get_close_matches(name, names, 1, 0.7)
    if close:
        return f"unknown key; did you mean {close[0]}?"
    everywhere = sorted({key.name for _, other in SCHEMA.walk() for key in other.keys})
    close = get_close_matches(name, everywhere, 1, 0.85)
    if close:
        return f"unknown key; did you mean {' or '.join(_homes(path, close[0]))}?"
    return f"unknown key; known here are {', '.join(sorted(names))}"


def _homes(path: tuple[str, ...], name: str) -> list[str]:
    """Full names of the keys and tables called `name`, those nearest to `path` if there are some near it."""
    homes = [(*home, name) for home, table in SCHEMA.walk() if table.key(name) or table.table(name)]
    near = [home for home in homes if home[:1] == path[:1]]
    return [".".join(home) for home in near or homes]
