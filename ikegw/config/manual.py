"""ikegw.toml(5), written from the schema: `python -m ikegw.config.manual > ikegw.toml.5`."""

import sys
from collections.abc import Iterator

from ikegw.config import roff
from ikegw.config.reference import default_text
from ikegw.config.schema import SCHEMA

_INTRODUCTION = (
    "Read are, in TOML: `/etc/ikegw/ikegw.toml`, then `conf.d/*.toml` and `secrets.d/*.toml` beside it; tables of all files are "
    "merged. Names are swanctl's where swanctl has one. `ikegwctl check` tells every problem at once, each with file and line.",
    "A duration is written `30s`, `10m` or `4h`; a list may be one value without brackets; an identity is written as in swanctl.",
)


def page() -> Iterator[str]:
    """The lines of the manual page."""
    yield from roff.head("ikegw.toml", 5, "configuration of ikegw, the IKEv2 VPN gateway")
    yield roff.section("Description")
    for paragraph in _INTRODUCTION:
        yield ".PP"
        yield roff.escaped(paragraph)
    for path, table in SCHEMA.walk():
        if not path:
            continue
        yield roff.section(f"[{'.'.join(path)}]")
        yield roff.escaped(table.doc)
        for key in table.keys:
            yield from roff.entry(
                key.name, (key.doc, f"Expected: {key.kind.expected}. Default: {default_text(key)}.")
            )
    yield roff.section("See also")
    yield ".BR ikegw (8),"
    yield ".BR ikegwctl (8)"


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
