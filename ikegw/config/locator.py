"""Where each key of a TOML text stands. The standard library reads TOML but forgets the lines.

One pass over the structure — headers, keys, brackets, strings — of a text that `tomllib` has accepted, so nothing is judged here.
A path is made of table names, keys and positions in arrays: `("connections", "home", "local_ts", 0)`.
"""

import re
import tomllib
from bisect import bisect_left
from typing import Final

from attrs import define, field

Path = tuple[str | int, ...]

_SPACE: Final = re.compile(r"[ \t]*")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY: Final = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE: Final = re.compile(r"[^,\]}#\r\n]*")


def locate(text: str) -> dict[Path, int]:
    """The line, from 1, of every key and every element of an array in `text`, which must be valid TOML.

    A table stands where its header does, else where it is first spoken of.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.run()
    return scanner.lines


@define
class _Scanner:
    text: str
    position: int = 0
    lines: dict[Path, int] = field(factory=dict)
    _newlines: list[int] = field(init=False)
    _last_table: dict[Path, int] = field(factory=dict)
    """The index of the table that `[[path]]` opened last."""

    def __attrs_post_init__(self) -> None:
        self._newlines = [found.start() for found in re.finditer("\n", self.text)]

    def run(self) -> None:
        table: Path = ()
        self._skip(_BLANK)
        while self.position < len(self.text):
            if self._at("[["):
                table = self._header("[[", "]]")
            elif self._at("["):
                table = self._header("[", "]")
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self, opening: str, closing: str) -> Path:
        line = self._line()
        self.position += len(opening)
        keys = self._dotted()
        self.position += len(closing)
        path: Path = ()
        for key in keys[:-1]:
            path = self._within((*path, key), line)
        path = (*path, keys[-1])
        if opening == "[[":
            self._last_table[path] = self._last_table.get(path, -1) + 1
            self.lines.setdefault(path, line)
            path = (*path, self._last_table[path])
        self.lines[path] = line
        return path

    def _within(self, path: Path, line: int) -> Path:
        """The path of a table on the way to another: the last one, if it is an array of tables."""
        self.lines.setdefault(path, line)
        return (*path, self._last_table[path]) if path in self._last_table else path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._dotted():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.position += 1  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        if self._at("["):
            self._array(path)
        elif self._at("{"):
            self._inline(path)
        elif not self._skip(_STRING):
            self._skip(_BARE)

    def _array(self, path: Path) -> None:
        self.position += 1
        index = 0
        self._skip(_BLANK)
        while not self._at("]"):
            self.lines[(*path, index)] = self._line()
            self._value((*path, index))
            index += 1
            self._comma()
        self.position += 1

    def _inline(self, path: Path) -> None:
        self.position += 1
        self._skip(_BLANK)
        while not self._at("}"):
            self._pair(path)
            self._comma()
        self.position += 1

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self._at(","):
            self.position += 1
            self._skip(_BLANK)

    def _dotted(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            key = self._skip(_KEY)
            keys.append(tomllib.loads(f"k = {key}")["k"] if key[:1] in ("'", '"') else key)
            self._skip(_SPACE)
            if not self._at("."):
                return keys
            self.position += 1

    def _at(self, text: str) -> bool:
        return self.text.startswith(text, self.position)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.position)
        if found is None:
            return ""
        self.position = found.end()
        return found[0]

    def _line(self) -> int:
        return bisect_left(self._newlines, self.position) + 1
