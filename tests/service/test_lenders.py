"""Addresses over restarts and reloads of the service, with a real file and real threads."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from gateway_and_client import CLIENT, GATEWAY
from twisted.internet import reactor
from twisted.internet.task import deferLater

from ikegw.service.preparation import Unusable, prepare

Story = Generator[Any, Any, None]


def with_file(directory: Path, extra: str = "") -> str:
    store = f'[store]\npath = "{directory}/kept/addresses.db"\n'
    return GATEWAY.replace('store = "memory"', "") + extra + store


@pytest_twisted.inlineCallbacks
def test_a_client_gets_its_address_again_after_a_restart(place: Callable[..., Any], log: Any) -> Story:
    gateway, client = place("gateway", "127.0.0.1"), place("client", "127.0.0.2")
    reserved = '[pools.clients.reservations.x]\nid = "bob@example.org"\naddrs = "10.9.0.1"\n'
    for text in (
        with_file(gateway.directory),
        with_file(gateway.directory, reserved),
        with_file(gateway.directory),
    ):
        gateway.write(text)
        gateway.make()
        ready = log.line("ready: memory: a model that carries no packets")
        gateway.service.startService()
        yield ready
        ike, nat_t = gateway.ports
        client.write(CLIENT.format(ike=ike, nat_t=nat_t))
        up = log.line("road[1] net up")
        client.make().startService()
        yield up
        yield client.service.stopService()
        yield gateway.service.stopService()
    addresses = [
        line.split()[2] for line in log.lines if " lent 10.9.0." in line and line.startswith("road[1] lent")
    ]
    assert addresses == ["10.9.0.1", "10.9.0.2", "10.9.0.2"]


@pytest_twisted.inlineCallbacks
def test_a_file_that_cannot_be_used_is_told_and_fails(place: Callable[..., Any], log: Any) -> Story:
    gateway = place("gateway", "127.0.0.1")
    gateway.write(with_file(gateway.directory))
    (gateway.directory / "kept").mkdir()
    (gateway.directory / "kept" / "addresses.db").write_bytes(b"not a database" * 100)
    gateway.make()
    told = log.line("cannot start: ")
    gateway.service.startService()
    line = yield told
    yield deferLater(reactor, 0)
    assert "addresses.db: addresses cannot be kept there: file is not a database" in line
    assert gateway.failures == ["failed"]


def test_a_place_that_cannot_be_written_is_told_before_anything_begins(
    place: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = place("gateway", "127.0.0.1")
    gateway.write(with_file(gateway.directory))
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(Unusable, match=r"addresses\.db cannot be written"):
        prepare(gateway.main)
