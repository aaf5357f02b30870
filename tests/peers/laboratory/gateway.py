"""ikegw in a namespace: `twistd -n ikegw` as an operator would run it, as a gateway or as a client."""

import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field
from cryptography import x509

from ikegw.testing.pki import Party, write_directory
from laboratory.namespaces import Namespace
from laboratory.processes import Daemon
from laboratory.settings import Tree, as_toml, merged

TWISTD = str(Path(sys.executable).with_name("twistd"))
_READY = r"\] ready: "


@define
class Ikegw:
    """One ikegw. `directory` takes its files; certificates go to `directory`/certs, ca and private."""

    name: str
    place: Namespace
    directory: Path
    to_the_microsecond: bool = False
    """Log with `laboratory.stopwatch` in place of twistd's own clock, which counts whole seconds."""
    daemon: Daemon = field(init=False)

    @daemon.default
    def _daemon(self) -> Daemon:
        observer = ["--logger", "laboratory.stopwatch.observer"] if self.to_the_microsecond else []
        plugin = ["ikegw", "--config", str(self.configuration)]
        return Daemon(
            name=f"ikegw {self.name}",
            command=self.place.within(TWISTD, "-n", "--pidfile=", *observer, *plugin),
            log=self.directory / "ikegw.log",
            environment={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )

    @property
    def configuration(self) -> Path:
        """The file that it is started with."""
        return self.directory / "ikegw.toml"

    def install(self, name: str, party: Party, authority: x509.Certificate) -> None:
        """Put a certificate with its key in certs/ and private/ as `name`.pem, and the authority in ca/ca.pem."""
        write_directory(self.directory, {name: party}, {"ca": authority})

    def trust(self, authority: x509.Certificate) -> None:
        """Put the authority in ca/ca.pem."""
        write_directory(self.directory, {}, {"ca": authority})

    def load(self, settings: Tree) -> None:
        """Write the settings and start with them; or, when it runs, have them read (SIGHUP)."""
        (self.directory / "secrets.d").mkdir(parents=True, exist_ok=True)
        secrets = self.directory / "secrets.d" / "lab.toml"
        secrets.touch(mode=0o600)
        secrets.write_text(as_toml({"secrets": settings.get("secrets", {})}))
        public = {name: tree for name, tree in settings.items() if name != "secrets"}
        self.configuration.write_text(as_toml(merged(self._ours, _at_once(public))))
        if self.daemon.running:
            self.daemon.signal(signal.SIGHUP)
        else:
            self.start()

    @property
    def _ours(self) -> Tree:
        """What the laboratory itself says of it: nothing outside of its directory."""
        return {
            "control": {"socket": ""},
            "resolver": {"kind": "none"},
            "data_plane": {"kind": "userspace"},
            "state": {"directory": str(self.directory)},
        }

    def start(self) -> None:
        """Start it with the configuration that stands there, and wait until it is ready."""
        self.daemon.start()
        self.daemon.wait_for(_READY)

    def connect(self, child: str, timeout: float = 15.0) -> None:
        """Wait until the child is up: with `start_action = "start"` it comes by itself."""
        self.daemon.wait_for(rf"\[\d+\] {child} up: ", timeout=timeout)

    def status(self) -> str:
        """The tables that SIGUSR1 writes into the log; the pools' lines are the last."""
        since = self.daemon.mark()
        self.daemon.signal(signal.SIGUSR1)
        pools = len(re.findall(r"^addrs = ", self.configuration.read_text(), re.MULTILINE))
        self.daemon.wait_for(r"datagrams: .*\n(?:.*\n)*?" + r".*pool .*\n" * pools, since=since)
        return self.daemon.text(since)

    def is_empty(self) -> bool:
        """Whether nothing is left: no SA, half-open ones included, and no address that is lent."""
        status = self.status()
        lent = re.findall(r"pool \S+: (\d+) of", status)
        return "IKE SAs: 0, of which half open: 0" in status and set(lent) <= {"0"}

    def stop(self) -> None:
        """Stop it with SIGTERM: it deletes its SAs first."""
        self.daemon.stop()


def _at_once(settings: Tree) -> Tree:
    """The settings, listening where they say; every child that has a gateway to go to is started, unless they say else."""
    addresses: dict[str, None] = {}
    starting: dict[str, Tree] = {}
    for name, connection in _tables(settings["connections"]):
        addresses |= dict.fromkeys(connection["local_addrs"])
        if "remote_addrs" in connection:
            children = {
                child: {"start_action": tree.get("start_action", "start")}
                for child, tree in _tables(connection["children"])
            }
            starting[name] = {"children": children}
    return merged(settings, {"listen": {"addresses": list(addresses)}, "connections": starting})


def _tables(tree: object) -> Iterator[tuple[str, Any]]:
    assert isinstance(tree, Mapping)
    yield from tree.items()
