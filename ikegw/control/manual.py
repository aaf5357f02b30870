"""ikegwctl(8), written from its commands: `python -m ikegw.control.manual > ikegwctl.8`."""

import argparse
import sys
from collections.abc import Iterator

from ikegw.config import roff
from ikegw.control.command import parser


def page() -> Iterator[str]:
    """The lines of the manual page."""
    yield from roff.head("ikegwctl", 8, "ask and tell ikegw, the IKEv2 VPN gateway")
    yield roff.section("Synopsis")
    yield ".B ikegwctl"
    yield ".I COMMAND"
    yield "[arguments]"
    yield roff.section("Description")
    yield roff.escaped(
        "It speaks to a running ikegw over a UNIX socket, `/run/ikegw/control.sock` unless `--socket` says else: root and the "
        "members of the group ikegw may. With `--json` the answer is JSON. The exit status is 0 if it was done, 1 if not, 2 if "
        "the command was not understood."
    )
    yield roff.section("Commands")
    for choice in _choices():
        yield from choice
    yield roff.section("See also")
    yield ".BR ikegw (8),"
    yield ".BR ikegw.toml (5)"


def _choices(whole: argparse.ArgumentParser | None = None) -> Iterator[Iterator[str]]:
    whole = whole or parser()
    for commands in (each for each in whole._actions if isinstance(each, argparse._SubParsersAction)):
        helps = {choice.dest: choice.help or "" for choice in commands._choices_actions}
        for name, sub in commands.choices.items():
            usage = " ".join(sub.format_usage().removeprefix("usage: ").split()).replace("[-h] ", "")
            yield roff.entry(usage.removeprefix("ikegwctl "), (helps.get(name, ""),))
            yield from _choices(sub)


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
