"""One tree of settings, written in swanctl's format for strongSwan or as TOML for ikegw: the names are the same."""

import json
from collections.abc import Mapping, Sequence
from typing import Union

Setting = Union[str, int, bool, Sequence[str], "Tree"]
Tree = Mapping[str, Setting]


def as_swanctl(tree: Tree, depth: int = 0) -> str:
    """The tree as swanctl.conf or strongswan.conf."""
    lines = []
    indent = "  " * depth
    for name, setting in tree.items():
        if isinstance(setting, Mapping):
            lines += [f"{indent}{name} {{", as_swanctl(setting, depth + 1).rstrip("\n"), f"{indent}}}"]
        else:
            lines.append(f"{indent}{name} = {_swanctl_value(setting)}")
    return "\n".join(lines) + "\n"


def _swanctl_value(setting: str | int | Sequence[str]) -> str:
    if isinstance(setting, bool):
        return "yes" if setting else "no"
    if isinstance(setting, (str, int)):
        return f'"{setting}"'
    return f'"{", ".join(setting)}"'


def as_toml(tree: Tree, path: str = "") -> str:
    """The tree as TOML: a table's own keys first, then the tables in it."""
    leaves = {name: setting for name, setting in tree.items() if not isinstance(setting, Mapping)}
    lines = [f"[{path}]"] if path and leaves else []
    # JSON's strings, numbers, truth values and lists of strings are TOML's too.
    lines += [f"{_key(name)} = {json.dumps(setting)}" for name, setting in leaves.items()]
    text = "\n".join(lines) + "\n\n" if lines else ""
    for name, setting in tree.items():
        if isinstance(setting, Mapping):
            text += as_toml(setting, f"{path}.{_key(name)}" if path else _key(name))
    return text


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else json.dumps(name)


def merged(*trees: Tree) -> Tree:
    """All the trees in one: tables are joined, and of a setting that stands twice the later holds."""
    together: dict[str, Setting] = {}
    for tree in trees:
        for name, setting in tree.items():
            before = together.get(name)
            if isinstance(before, Mapping) and isinstance(setting, Mapping):
                setting = merged(before, setting)
            together[name] = setting
    return together
