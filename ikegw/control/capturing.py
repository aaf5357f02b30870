"""`ikegwctl capture FILE`: what the gateway says and hears over IKE, in a file for Wireshark, with the keys beside it.

The file is written here, by whoever asked, and belongs to them; the daemon writes none.
"""

import argparse
import json
import os
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, BinaryIO, Final

from attrs import define, field

from ikegw import __version__
from ikegw.control.asking import Daemon
from ikegw.control.pcapng import Datagram, header, packet
from ikegw.control.protocol import Json
from ikegw.paths import Endpoint

TABLE: Final = "ikev2_decryption_table"
"""What Wireshark calls it, in the directory of its configuration."""


class CannotWrite(Exception):
    """The text says what, and why."""


@define
class Capture:
    """A file that is being written, and the directory of its keys, which Wireshark takes for its configuration."""

    file: BinaryIO
    table: BinaryIO
    messages: int = field(default=0, init=False)
    keys: int = field(default=0, init=False)
    unreadable: int = field(default=0, init=False)
    missed: int = field(default=0, init=False)
    ended: str = field(default="interrupted", init=False)

    @classmethod
    @contextmanager
    def begin(cls, path: Path) -> Iterator["Capture"]:
        """Nobody else may read either; what is there already is not written over. Raises CannotWrite."""
        keys = keys_of(path)
        try:
            with _new(path) as file:
                keys.mkdir(mode=0o700)
                with _new(keys / TABLE) as table:
                    file.write(
                        header(f"ikegw {__version__}", f"IKE messages; the keys are in {keys.name}/{TABLE}")
                    )
                    file.flush()
                    yield cls(file, table)
        except FileExistsError as error:
            raise CannotWrite(f"{error.filename} is there already: name another file, or remove it") from None
        except OSError as error:
            raise CannotWrite(f"{error.filename or path} cannot be written: {error.strerror}") from None

    def take(self, told: Mapping[str, Any]) -> None:
        """Write down one thing that the daemon told; at once, for the operator may stop at any time."""
        if "data" in told:
            local, remote = _endpoint(told["local"]), _endpoint(told["remote"])
            source, destination = (local, remote) if told["sent"] else (remote, local)
            payload = b64decode(told["data"])
            self.file.write(packet(Datagram(told["at"], told["sent"], source, destination, payload)))
            self.file.flush()
            self.messages += 1
        elif told.get("keys"):
            self.table.write(f"{told['keys']}\n".encode())
            self.table.flush()
            self.keys += 1
        elif "keys" in told:
            self.unreadable += 1
        self.missed += told.get("missed", 0)
        self.ended = told.get("ended", self.ended)

    def summary(self) -> dict[str, Json]:
        """What came of it."""
        counts = {name: getattr(self, name) for name in ("messages", "keys", "unreadable", "missed")}
        return {**counts, "ended": self.ended}


def keys_of(path: Path) -> Path:
    """Where the keys of a capture are."""
    return path.with_name(f"{path.name}.keys")


def capture(options: argparse.Namespace) -> int:
    """Run the command, until its time is over or the operator interrupts it; the exit status."""
    wanted: dict[str, Json] = {name: getattr(options, name) for name in ("peer", "seconds", "bytes")}
    arguments = {name: value for name, value in wanted.items() if value is not None}
    with Daemon(options.socket) as daemon:
        stream = daemon.stream("capture", arguments, patient=True)
        begun = next(stream)  # before a file is made: may we, and is there anybody to ask?
        try:
            return _write(
                options.file, stream, begun if isinstance(begun, dict) else {}, as_json=options.json
            )
        except CannotWrite as error:
            print(f"ikegwctl: {error}", file=sys.stderr)
            return 1


def _write(path: Path, stream: Iterator[Json], begun: Mapping[str, Any], *, as_json: bool) -> int:
    with Capture.begin(path) as written:
        limits = f"for {begun['seconds']:g} s and {begun['bytes']} octets at most; Ctrl-C ends it"
        print(f"capturing {begun['what']} into {path}, {limits}", file=sys.stderr, flush=True)
        with suppress(KeyboardInterrupt):
            for told in stream:
                if isinstance(told, dict):
                    written.take(told)
    if as_json:
        print(json.dumps(written.summary() | {"file": str(path), "keys_in": str(keys_of(path))}, indent=2))
    else:
        print("\n".join(_told(path, written)))
    return 0


def _told(path: Path, written: Capture) -> Iterator[str]:
    yield f"{path}: {written.messages} messages, the keys of {written.keys} IKE SAs; {written.ended}"
    if written.unreadable:
        yield f"{written.unreadable} IKE SAs use an algorithm that Wireshark cannot decrypt (ChaCha20-Poly1305)"
    if written.missed:
        yield f"{written.missed} messages or keys are missing: they came faster than they could be written"
    yield f"Read it with: WIRESHARK_CONFIG_DIR={keys_of(path)} wireshark {path}"


def _new(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def _endpoint(told: Any) -> Endpoint:
    address, port = told
    return Endpoint(ip_address(address), port)
