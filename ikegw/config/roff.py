"""Manual pages: text to roff, as man(7) has it."""

from collections.abc import Iterable, Iterator


def head(name: str, section: int, what: str) -> Iterator[str]:
    """The title, and what apropos(1) finds."""
    yield f'.TH {name.upper()} {section} "" "ikegw" "ikegw"'
    yield ".SH NAME"
    yield f"{escaped(name)} \\- {escaped(what)}"


def section(title: str) -> str:
    """A section's heading."""
    return f'.SH "{escaped(title.upper())}"'


def entry(term: str, lines: Iterable[str]) -> Iterator[str]:
    """A term in bold, and what is said of it."""
    yield ".TP"
    yield f".B {escaped(term)}"
    yield from map(escaped, lines)


def escaped(text: str) -> str:
    """Plain text as one line of roff; `code` becomes bold."""
    parts = text.replace("\\", "\\e").replace("-", "\\-").split("`")
    marked = "".join(f"\\fB{part}\\fR" if index % 2 else part for index, part in enumerate(parts))
    return f"\\&{marked}" if marked.startswith((".", "'")) else marked
