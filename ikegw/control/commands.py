"""The commands of `ikegwctl` that ask a running ikegw."""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from attrs import frozen

from ikegw.config.settings import Control
from ikegw.control.asking import Daemon, NotAnswered
from ikegw.control.capturing import capture
from ikegw.control.protocol import Json
from ikegw.control.tables import TABLES, event, one_sa

DEFAULT_SOCKET: Final = Control().socket

_SA = (
    "sa",
    "an IKE SA: its name as in the log (road[7]), its number, its connection, or its peer's identity or address",
)
_PEER = ("peer", "a peer: its address, identity or user name; or an IKE SA or connection")


@frozen
class Command:
    """One command: the verb that it asks, its arguments, each with its help, and which of them may be left out."""

    verb: str
    help: str
    arguments: tuple[tuple[str, str], ...] = ()
    optional: tuple[str, ...] = ()
    watched: bool = False
    """Is it worth being asked again and again?"""


COMMANDS: Final = (
    Command("status", "what runs, where it listens, and how much there is of everything", watched=True),
    Command("sas", "the IKE SAs, or all about those that are named", (_SA,), ("sa",), watched=True),
    Command("conns", "the connections, and how many IKE SAs of each are up", watched=True),
    Command("leases", "the addresses that are lent, and to whom", watched=True),
    Command("pools", "how much of each pool is lent", watched=True),
    Command("version", "the version that runs, which may not be the one that is installed"),
    Command("certs", "the certificates, and until when they are valid"),
    Command("algorithms", "the algorithms that can be named in proposals"),
    Command("counters", "how often everything happened since the start", watched=True),
    Command(
        "initiate",
        "begin a connection, or another child of it, and wait until it is up",
        (("connection", "its name"), ("child", "the child; without it, the connection's first")),
        ("child",),
    ),
    Command("terminate", "delete IKE SAs, and wait until they are gone", (_SA,)),
    Command(
        "rekey",
        "renew the keys of an IKE SA, or of a child",
        (_SA, ("child", "the child; without it, the IKE SA")),
        ("child",),
    ),
    Command("reauth", "have the peers of an IKE SA prove themselves anew", (_SA,)),
    Command("reload", "read the configuration again and take over what changed"),
    Command(
        "log",
        "log more or less, until the next reload",
        (
            ("level", "debug, info, warn or error"),
            ("subject", "what about: states, ike, child, auth, …; without it, everything"),
        ),
        ("subject",),
    ),
    Command(
        "why",
        "why a login failed: its story, the cause, and what to do; without a peer, the latest failures",
        (_PEER,),
        ("peer",),
    ),
)


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Give `ikegwctl` these commands."""
    for command in COMMANDS:
        parser = _parser(commands, command.verb, command.help)
        for name, text in command.arguments:
            parser.add_argument(name, help=text, nargs="?" if name in command.optional else None)
        if command.watched:
            parser.add_argument(
                "--watch",
                type=float,
                nargs="?",
                const=2.0,
                metavar="SECONDS",
                help="again and again (default: 2 s)",
            )
        parser.set_defaults(run=_run, command=command)
    for verb, text, optional in (
        ("events", "everything that happens, as it happens", True),
        ("trace", "everything that happens to one peer, as it happens", False),
    ):
        parser = _parser(commands, verb, text)
        parser.add_argument("peer", help=_PEER[1], nargs="?" if optional else None)
        parser.set_defaults(run=_follow)
    _add_capture(commands)


def _add_capture(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Give `ikegwctl` the command that writes captures."""
    text = "write IKE messages into a file for Wireshark, and their keys beside it"
    parser = _parser(commands, "capture", text)
    parser.add_argument("file", type=Path, help="the file, which must not be there yet")
    parser.add_argument("peer", nargs="?", help="a peer's address; without it, everybody's messages")
    parser.add_argument(
        "--seconds", type=float, help="how long (default: capture.seconds of the configuration)"
    )
    parser.add_argument("--bytes", type=int, help="how much (default: capture.bytes of the configuration)")
    parser.set_defaults(run=_capture)


def _capture(options: argparse.Namespace) -> int:
    with _telling_why_not() as failed:
        failed[0] = capture(options)
    return failed[0]


def _parser(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.add_argument(
        "--socket", type=Path, default=DEFAULT_SOCKET, help="the control socket (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    return parser


def _run(options: argparse.Namespace) -> int:
    command: Command = options.command
    given = {name: getattr(options, name) for name, _ in command.arguments}
    arguments = {name: value for name, value in given.items() if value is not None}
    every: float | None = getattr(options, "watch", None)
    with _telling_why_not() as failed, Daemon(options.socket) as daemon:
        if every is None:
            _show(command.verb, arguments, daemon.ask(command.verb, **arguments), as_json=options.json)
        else:
            _watch(daemon, command.verb, arguments, every, as_json=options.json)
    return failed[0]


def _watch(daemon: Daemon, verb: str, arguments: Mapping[str, Json], every: float, *, as_json: bool) -> None:
    with suppress(KeyboardInterrupt):
        while True:
            answer = daemon.ask(verb, **arguments)
            if sys.stdout.isatty() and not as_json:
                print("\x1b[2J\x1b[H", end="")
            _show(verb, arguments, answer, as_json=as_json)
            sys.stdout.flush()
            time.sleep(every)


def _follow(options: argparse.Namespace) -> int:
    arguments = {} if options.peer is None else {"peer": options.peer}
    with _telling_why_not() as failed, Daemon(options.socket) as daemon, suppress(KeyboardInterrupt):
        for told in daemon.stream("events", arguments, patient=True):
            print(json.dumps(told, ensure_ascii=False) if options.json else event(told), flush=True)
    return failed[0]


def _show(verb: str, arguments: Mapping[str, Json], answer: Json, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    elif verb == "sas" and "sa" in arguments and isinstance(answer, list):
        for row in answer:
            print("\n".join(one_sa(row)))
    else:
        print("\n".join(TABLES[verb](answer)))


@contextmanager
def _telling_why_not() -> Iterator[list[int]]:
    """Gives a list with the exit status, which is 1 once the daemon did not answer or said no."""
    status = [0]
    try:
        yield status
    except NotAnswered as error:
        print(f"ikegwctl: {error}", file=sys.stderr)
        status[0] = 1
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us, head or less, has seen enough
        status[0] = 1
