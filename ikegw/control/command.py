"""`ikegwctl`: what an operator asks and tells ikegw."""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ikegw import __version__
from ikegw.control.check import check
from ikegw.control.commands import add_commands
from ikegw.control.pki import add_pki
from ikegw.control.profile import add_profile

DEFAULT_CONFIGURATION: Final = Path("/etc/ikegw/ikegw.toml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 not, 2 not understood."""
    options = parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def parser() -> argparse.ArgumentParser:
    """Every command with its arguments: what is understood, and what the manual is written from."""
    whole = argparse.ArgumentParser(prog="ikegwctl", description="Control ikegw, the IKEv2 gateway.")
    whole.add_argument("--version", action="version", version=f"ikegw {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_commands(commands)
    _add_check(commands)
    add_pki(commands)
    add_profile(commands, DEFAULT_CONFIGURATION)
    return whole


def _add_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "check",
        help="tell what is wrong with a configuration, without a daemon",
        description="Read a configuration, what conf.d/ and secrets.d/ beside it hold, and its certificates and keys; tell every "
        "problem at once. Nothing that runs is touched. The exit status is 1 if there is a problem.",
    )
    parser.add_argument(
        "file", type=Path, nargs="?", default=DEFAULT_CONFIGURATION, help="default: %(default)s"
    )
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    report = check(options.file, datetime.now(UTC))
    for problem in report.problems:
        print(problem)
    for warning in report.warnings:
        print(f"warning: {warning}")
    if report.problems:
        sys.stdout.flush()
        found = "1 problem" if len(report.problems) == 1 else f"{len(report.problems)} problems"
        print(f"{options.file}: {found}; ikegw would not start with it.", file=sys.stderr)
        return 1
    print(f"{options.file} is fine: {report.summary}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
