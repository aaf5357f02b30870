"""What is wrong with a configuration: a value for each thing, all of them told together."""

from collections.abc import Iterable

from attrs import field, frozen


@frozen(order=True)
class Place:
    """A line of a file; line 0 is the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@frozen(order=True)
class Problem:
    """One thing wrong. `key` is the full name of what it is about, empty for a file as a whole."""

    place: Place
    key: str
    text: str

    def __str__(self) -> str:
        """One line, whatever the file held."""
        line = f"{self.place}: {self.key}: {self.text}" if self.key else f"{self.place}: {self.text}"
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _sorted(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(set(problems)))


@frozen(slots=False)
class ConfigurationError(Exception):
    """The configuration cannot be used; nothing of it was."""

    problems: tuple[Problem, ...] = field(converter=_sorted)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))
