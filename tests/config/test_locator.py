"""Every key has its line, however TOML lets it be written."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikegw.config.locator import Path, locate


def paths_of(value: object, path: Path = ()) -> set[Path]:
    """Every path that `tomllib` knows."""
    found = {path} if path else set()
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found |= paths_of(inner, (*path, key))
    return found


TEXT = '''\
# a comment with [brackets] and = signs
title = "x" # [not.a.table]

[listen]
port = 500
addresses = [ "192.0.2.1", # first ]
  "2001:db8::1",
  # between
  [1, [2, 3]],
]

[connections.home]
local = { auth = "psk", id = "a]}#b", nested = { deep = [1] } }
remote.auth = "psk"
remote . "id with.dot" = 'lit]eral'

[connections.home.children.net]
remote_ts = ["10.0.0.0/8"]
text = """
[not.a.table]
key = "not one"
\\""" still
"""
more = \'\'\'
[neither]
\'\'\'
after = 1979-05-27 07:32:00 # date

[["arrays".of]]
name = "one"
[arrays.of.sub]
x = 1
[[arrays.of]]
name = "two"
[[arrays.of.deep]]
y = 1
[[arrays.of.deep]]
y = 2
empty = []
nothing = {}
'''


def test_every_path_is_found_and_no_other() -> None:
    assert set(locate(TEXT)) == paths_of(tomllib.loads(TEXT))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("listen",), 4),
        (("listen", "port"), 5),
        (("listen", "addresses"), 6),
        (("listen", "addresses", 0), 6),
        (("listen", "addresses", 1), 7),
        (("listen", "addresses", 2, 1, 0), 9),
        (("connections",), 12),
        (("connections", "home"), 12),
        (("connections", "home", "local", "nested", "deep", 0), 13),
        (("connections", "home", "remote"), 14),
        (("connections", "home", "remote", "id with.dot"), 15),
        (("connections", "home", "children"), 17),
        (("connections", "home", "children", "net", "more"), 24),
        (("connections", "home", "children", "net", "after"), 27),
        (("arrays", "of"), 29),
        (("arrays", "of", 0, "sub", "x"), 32),
        (("arrays", "of", 1), 33),
        (("arrays", "of", 1, "deep", 1, "y"), 38),
        (("arrays", "of", 1, "deep", 1, "nothing"), 40),
    ],
)
def test_lines(path: Path, line: int) -> None:
    assert locate(TEXT)[path] == line


def test_a_table_stands_at_its_header_even_if_it_was_spoken_of_before() -> None:
    text = "[a.b]\nx = 1\n\n[a]\ny = 2\n"
    assert locate(text)[("a",)] == 4


def test_windows_line_ends_and_a_last_line_without_end() -> None:
    text = 'a = 1\r\nb = """\r\n\r\n"""\r\n[c]\r\nd = 2'
    assert locate(text) == {("a",): 1, ("b",): 2, ("c",): 5, ("c", "d"): 6}


@pytest.mark.parametrize(
    "quotes", ['""""two quotes at the end"""""', "''''two'''''", '"""\\\\"""', '""""""', "''''''", '"\\""']
)
def test_odd_strings(quotes: str) -> None:
    text = f"a = {quotes}\nb = 2"
    assert set(tomllib.loads(text)) == {"a", "b"}
    assert locate(text) == {("a",): 1, ("b",): 2}


_keys = st.one_of(st.sampled_from(["a", "b-c", "_", "1"]), st.text(st.characters(codec="utf-8"), max_size=5))
_values = st.recursive(
    st.one_of(st.integers(-9, 9), st.booleans(), st.text(st.characters(codec="utf-8"), max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(_keys, inner, max_size=3),
        st.tuples(st.just("\n"), inner),
    ),
    max_leaves=12,
)


def spell(value: object) -> str:
    """TOML for a value, in one line but where arrays are told to break."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):  # an array of one, over several lines
        return f"[ # ]\n{spell(value[1])}\n , ]"
    if isinstance(value, list):
        return "[" + ",".join(map(spell, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{spell(key)} = {spell(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, str):
        escaped = "".join(c if c.isalnum() or c in " .[]{}#='," else f"\\U{ord(c):08x}" for c in value)
        return f'"{escaped}"'
    return str(value)


@given(
    st.dictionaries(_keys, _values, max_size=4),
    st.dictionaries(_keys, st.dictionaries(_keys, _values), max_size=3),
)
def test_whatever_tomllib_reads_is_located(
    pairs: dict[str, object], tables: dict[str, dict[str, object]]
) -> None:
    text = "".join(f"{spell(key)} = {spell(value)}\n" for key, value in pairs.items())
    for name, inner in tables.items():
        if name not in pairs:
            text += f"[ {spell(name)} ]\n" + "".join(f"{spell(k)} = {spell(v)}\n" for k, v in inner.items())
    lines = locate(text)
    assert set(lines) == paths_of(tomllib.loads(text))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
