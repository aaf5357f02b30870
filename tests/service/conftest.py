"""Two gateways on loopback, each with a configuration in files of its own and a data plane that is only a model."""

import os
from collections.abc import Callable, Generator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from ikegw.dataplane.memory import MemoryPlane
from ikegw.net.sockets import open_sockets
from ikegw.service.assembly import Plane
from ikegw.service.gateway_service import GatewayService
from ikegw.service.preparation import prepare

SECRET = "a shared key of some length"


@define
class Log:
    """The lines that the gateway's own logger wrote, and a Deferred for one to come."""

    lines: list[str] = field(factory=list)
    _waiting: list[tuple[str, Deferred[str]]] = field(factory=list)

    def observe(self, event: dict[str, Any]) -> None:
        if event.get("log_namespace") != "ikegw":
            return
        line = event["log_format"].format(**event)
        self.lines.append(line)
        print(line)  # noqa: T201 (pytest shows it when a test fails)
        for text, waiting in [each for each in self._waiting if each[0] in line]:
            self._waiting.remove((text, waiting))
            waiting.callback(line)

    def line(self, text: str) -> Deferred[str]:
        """Fires with the next line that holds `text`."""
        waiting: Deferred[str] = Deferred()
        self._waiting.append((text, waiting))
        return waiting.addTimeout(10, reactor)

    def forget(self) -> list[str]:
        """Wait no longer; the texts that never came. A timeout after the end of a test would be told as a later test's."""
        texts = [text for text, _ in self._waiting]
        for _, waiting in tuple(self._waiting):
            waiting.addErrback(lambda _: None)
            waiting.cancel()
        return texts


@pytest.fixture
def log() -> Generator[Log, None, None]:
    log = Log()
    globalLogPublisher.addObserver(log.observe)  # type: ignore[arg-type]
    yield log
    globalLogPublisher.removeObserver(log.observe)  # type: ignore[arg-type]
    assert log.forget() == []


@define
class Place:
    """A directory with a configuration, and the service made of it."""

    directory: Path
    address: str
    failures: list[str] = field(factory=list)
    service: GatewayService | None = None
    plane: MemoryPlane | None = None
    lose: Callable[[str], None] | None = None

    @property
    def main(self) -> Path:
        return self.directory / "ikegw.toml"

    def write(self, text: str, secret: str = SECRET) -> None:
        self.main.write_text(text)
        (self.directory / "secrets.d").mkdir(exist_ok=True)
        key = self.directory / "secrets.d" / "key.toml"
        key.write_text(
            f'[secrets.ike.key]\nid = ["gw.example.org", "alice@example.org"]\nsecret = "{secret}"\n'
        )
        key.chmod(0o600)
        # Nothing of this host's own gateway, if it has one, is touched.
        (self.directory / "conf.d").mkdir(exist_ok=True)
        elsewhere = {
            "accounting": f'accounting.directory = "{self.directory}"\n',
            "downloads": f'downloads.directory = "{self.directory}/crls"\n',
            "store": f'store.path = "{self.directory}/addresses.db"\n',
            "resolver": 'resolver.kind = "none"\n',
        }
        state = "".join(line for table, line in elsewhere.items() if f"[{table}]" not in text)
        (self.directory / "conf.d" / "state.toml").write_text(state)

    def make(self) -> GatewayService:
        def memory_plane(reactor: Any, *rest: Any) -> Plane:
            self.lose = rest[-1]
            self.plane = MemoryPlane(reactor, os.urandom)
            return Plane(self.plane, "model", reads_nat_t=False)

        sockets = open_sockets([ip_address(self.address)], 0, 0)
        self.service = GatewayService(
            reactor, prepare(self.main), sockets, memory_plane, lambda: self.failures.append("failed")
        )
        return self.service

    @property
    def ports(self) -> tuple[int, int]:
        assert self.service is not None
        ike, nat_t = self.service.assembled.transport.endpoints()
        return ike.port, nat_t.port


@pytest.fixture
def place(tmp_path: Path) -> Generator[Callable[[str, str], Place], None, None]:
    places: list[Place] = []

    def make(name: str, address: str) -> Place:
        directory = tmp_path / name
        directory.mkdir()
        places.append(Place(directory, address))
        return places[-1]

    yield make
    for each in places:
        if each.service is not None and each.service.running:
            pytest_twisted.blockon(each.service.stopService())
