"""How the demo looks on a terminal, or in a file: headings, facts, wrapped lines; colour only where a person looks."""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import Final

WIDTH: Final = max(80, min(120, shutil.get_terminal_size((110, 24)).columns))
_COLOURS: Final = {"client": "34", "gateway": "32"}
_WHO: Final = re.compile(r"(?<= ms  )(client|gateway)")
_LOGGED: Final = re.compile(r"^\d+\.\d+ \[ikegw#\w+\] (.*)$")


def _in(style: str, text: str) -> str:
    return f"\033[{style}m{text}\033[0m" if sys.stdout.isatty() else text


def title(version: str, peer: str) -> None:
    """Who meets whom."""
    client = {"ikegw": "ikegw", "strongswan": "strongSwan"}[peer]
    print(
        _in("1", f"ikegw {version}: a client connects to a gateway, each in a network namespace of its own")
    )
    print(
        f"""
    {f"client ({client})":<44}gateway (ikegw)
    carol@ikegw.example                         gw.ikegw.example
    192.0.2.2 ───────────────────────────────── 192.0.2.1 ─── 10.1.0.0/16, fd00:1::/64"""
    )


def heading(text: str) -> None:
    """A chapter."""
    print("\n" + _in("1;36", text), flush=True)


def subheading(text: str) -> None:
    """A part of a chapter."""
    print("\n  " + _in("1", text), flush=True)


def fact(name: str, text: str) -> None:
    """One thing that was measured."""
    print(f"    {name:<22} {text}", flush=True)


def lines(texts: Iterable[str]) -> None:
    """Lines that are wrapped already."""
    for text in texts:
        print("  " + _WHO.sub(lambda who: _in(_COLOURS[who[0]], who[0]), text, count=1))


def log(text: str) -> None:
    """What ikegw itself logged, without its time and place."""
    for line in text.splitlines():
        if found := _LOGGED.match(line):
            said = found[1]
            indent = 4 + len(said) - len(said.lstrip())
            print(
                textwrap.fill(
                    said.strip(), WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 4)
                )
            )


def failed(error: Exception, logs: str) -> None:
    """Why it failed."""
    print(f"\n{logs}\n\n" + _in("1;31", f"The demo failed: {error}"), flush=True)


def ended(seconds: float) -> None:
    """The last lines."""
    print(
        "\n"
        + _in(
            "1;32",
            f"It all worked, in {seconds:.1f} s; nothing is left: no SA, no lent address, no namespace.",
        )
    )
    print("README.md says how to configure a gateway of your own.")
