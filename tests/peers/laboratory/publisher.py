"""A web server that publishes CRLs and certificates, and at other paths behaves as badly as web servers do.

As a program: `python publisher.py ADDRESS PORT DIRECTORY`. A file of the directory is served under its name; `/silent`, `/slow`
(one octet a second), `/endless`, `/circle` and `/garbage` do what they are called.
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from attrs import define, field

from laboratory.namespaces import Namespace
from laboratory.processes import Daemon

PORT = 8080


@define
class Publisher:
    """One server, in `place` at `address`. What it publishes may change at any time."""

    name: str
    place: Namespace
    directory: Path
    address: str
    daemon: Daemon = field(init=False)

    @daemon.default
    def _daemon(self) -> Daemon:
        command = (sys.executable, "-u", __file__, self.address, str(PORT), str(self.directory))
        environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"}
        log = self.directory.with_suffix(".log")
        return Daemon(f"publisher {self.name}", self.place.within(*command), log, environment)

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.directory.mkdir(parents=True, exist_ok=True)
        since = self.daemon.mark()
        self.daemon.start()
        self.daemon.wait_for("listening", since=since)

    def url(self, name: str) -> str:
        """Where a file is, or one of the bad manners."""
        return f"http://{self.address}:{PORT}/{name}"

    def publish(self, name: str, octets: bytes) -> str:
        """Put a file there, in place of what had that name; its URL."""
        part = self.directory / f".{name}"
        part.write_bytes(octets)
        part.replace(self.directory / name)
        return self.url(name)

    def asked(self, name: str) -> int:
        """How often it was asked for."""
        return self.daemon.text().count(f"GET /{name} ")

    def stop(self) -> None:
        """Stop it."""
        self.daemon.stop()


class _Handler(BaseHTTPRequestHandler):
    directory: Path

    def do_GET(self) -> None:
        """See BaseHTTPRequestHandler."""
        name = self.path.removeprefix("/").partition("?")[0]
        _say(f"GET {self.path} ")
        try:
            if name in _BAD:
                _BAD[name](self)
            else:
                self._serve(self.directory / Path(name).name)
        except OSError:  # whoever asked has gone
            pass

    def _serve(self, file: Path) -> None:
        if file.is_file():
            self._answer(file.read_bytes())
        else:
            self.send_error(404)

    def _answer(self, octets: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def silent(self) -> None:
        time.sleep(3600)

    def slow(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        while True:
            self.wfile.write(b"0")
            self.wfile.flush()
            time.sleep(1)

    def endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(bytes(65536))

    def circle(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.path)
        self.end_headers()

    def garbage(self) -> None:
        self._answer(b"no CRL at all" * 100)

    def log_message(self, *arguments: object) -> None:
        """Each request is told when it comes."""


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


_BAD = {
    "silent": _Handler.silent,
    "slow": _Handler.slow,
    "endless": _Handler.endless,
    "circle": _Handler.circle,
    "garbage": _Handler.garbage,
}


def main(address: str, port: str, directory: str) -> None:
    """Serve until stopped."""
    _Handler.directory = Path(directory)
    server = ThreadingHTTPServer((address, int(port)), _Handler)
    server.daemon_threads = True
    _say("listening")
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
