"""`ikegwctl` and a running gateway, over a real UNIX socket: what an operator asks, sees, and has done."""

import json
import os
import re
import socket
import stat
import threading
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from gateway_and_client import CLIENT, GATEWAY
from twisted.internet.threads import deferToThread

from ikegw.control.asking import Daemon
from ikegw.control.command import main
from ikegw.control.server import MOST_CLIENTS

Story = Generator[Any, Any, None]

RADIUS = """
[radius.servers.one]
address = "127.0.0.3"
[radius.realms.staff]
servers = ["one"]
"""


@pytest.fixture
def pair(place: Callable[[str, str], Any]) -> tuple[Any, Any]:
    """A gateway with a control socket that is up, and a client that will call it."""
    gateway, client = place("gateway", "127.0.0.1"), place("client", "127.0.0.2")
    gateway.write(GATEWAY + with_socket(gateway) + RADIUS)
    secret = gateway.directory / "secrets.d" / "radius.toml"
    secret.write_text('[secrets.radius.one]\nsecret = "testing123"\n')
    secret.chmod(0o600)
    gateway.make().startService()
    ike, nat_t = gateway.ports
    client.write(CLIENT.format(ike=ike, nat_t=nat_t) + with_socket(client))
    return gateway, client


def socket_of(place: Any) -> Path:
    return place.directory / "control.sock"


def with_socket(place: Any) -> str:
    return f'\n[control]\nsocket = "{socket_of(place)}"\n'


def ctl(capsys: Any, place: Any, *words: str) -> Any:
    """What `ikegwctl` prints, once it has; it runs in a thread, for it waits."""

    def told(status: int) -> tuple[int, str, str]:
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return deferToThread(main, [*words, "--socket", str(socket_of(place))]).addCallback(told)


@pytest_twisted.inlineCallbacks
def test_an_ordinary_day(pair: tuple[Any, Any], log: Any, capsys: Any) -> Story:
    gateway, client = pair
    up = log.line("road[1] net up: ")
    client.make().startService()
    yield up

    status, out, _ = yield ctl(capsys, gateway, "status")
    assert status == 0
    assert re.search(r"^IKE SAs: 1 \(half open: 0\), CHILD SAs: 1, connections: 1$", out, re.MULTILINE)
    assert "pool clients: 1 of 254 IPv4 addresses lent" in out
    assert "RADIUS authentication at one (127.0.0.3:1812): alive" in out
    _, out, _ = yield ctl(capsys, gateway, "why")
    assert out == "no login failed since ikegw started\n"

    _, out, _ = yield ctl(capsys, gateway, "sas")
    head, row = out.splitlines()
    assert head.split() == ["SA", "STATE", "UP", "PEER", "AT", "ADDRESS", "RECEIVED", "SENT"]
    assert row.split()[:2] == ["road[1]", "SM_MATURE"]
    assert {"alice@example.org", "10.9.0.1"} <= set(row.split())

    _, out, _ = yield ctl(capsys, gateway, "sas", "alice@example.org", "--json")
    (sa,) = json.loads(out)
    assert sa["children"][0]["remote"] == "10.9.0.1/32"

    for verb, found in (
        ("conns", "road"),
        ("leases", "10.9.0.1"),
        ("pools", "clients"),
        ("certs", "FILE"),
        ("algorithms", "aes256gcm16"),
        ("counters", "ike-up"),
        ("counters", "RADIUS ONE AUTHENTICATION"),
        ("version", "ikegw "),
    ):
        status, out, _ = yield ctl(capsys, gateway, verb)
        assert (status, found in out) == (0, True), (verb, out)

    status, out, _ = yield ctl(capsys, gateway, "why", "alice@example.org")
    assert "SMR_INIT → SMR_AUTH" in out

    rekeyed, gone = log.line("road[1] net rekeyed: "), log.line("road[1] net down: rekeyed")
    yield ctl(capsys, gateway, "rekey", "road[1]", "net")
    yield rekeyed
    yield gone
    rekeyed = log.line("road[1] rekeyed: ")
    yield ctl(capsys, gateway, "rekey", "1")
    yield rekeyed
    anew, gone = log.line("road[2] up: "), log.line("home[1] down: ")
    yield ctl(capsys, client, "reauth", "home")
    yield anew
    yield gone

    status, out, _ = yield ctl(capsys, client, "terminate", "home")
    assert (status, out.splitlines()[-1]) == (0, "ended: home[2]")
    status, out, _ = yield ctl(capsys, client, "initiate", "home")
    assert (status, out.splitlines()[-1]) == (0, "up: home[3]")


@pytest_twisted.inlineCallbacks
def test_no_has_a_reason_and_a_status(pair: tuple[Any, Any], log: Any, capsys: Any, tmp_path: Path) -> Story:
    gateway, client = pair
    status, _, err = yield ctl(capsys, gateway, "terminate", "road[9]")
    assert (status, err) == (1, "ikegwctl: there is no IKE SA road[9]; `ikegwctl sas` lists them\n")
    status, _, err = yield ctl(capsys, gateway, "initiate", "road")
    assert (status, "is not one host" in err) == (1, True)
    status, _, err = yield ctl(capsys, client, "status")
    assert (status, "is ikegw running" in err) == (1, True)
    (client.directory / "control.sock").touch()
    status, _, err = yield ctl(capsys, client, "status")
    assert (status, "nobody answers" in err) == (1, True)


@pytest_twisted.inlineCallbacks
def test_a_reload_that_is_asked_for_tells_what_it_did_or_why_not(pair: tuple[Any, Any], capsys: Any) -> Story:
    gateway, _ = pair
    status, out, _ = yield ctl(capsys, gateway, "reload")
    assert (status, out.splitlines()[-1]) == (0, "reloaded: nothing changed")
    gateway.main.write_text(GATEWAY.replace("pools =", "pols =") + with_socket(gateway))
    status, _, err = yield ctl(capsys, gateway, "reload")
    assert status == 1
    assert "connections.road.pols: unknown key; did you mean pools?" in err
    assert "not reloaded" in err


@pytest_twisted.inlineCallbacks
def test_events_are_followed_as_they_happen(pair: tuple[Any, Any], log: Any) -> Story:
    gateway, client = pair
    heard: list[Any] = []
    listening = threading.Event()

    def follow() -> None:
        with Daemon(socket_of(gateway)) as daemon:
            daemon.ask("version")
            listening.set()
            for told in daemon.stream("events", {"peer": "alice@example.org"}):
                heard.append(told)
                if told["kind"] == "ChildUp":
                    return

    following = deferToThread(follow)
    yield deferToThread(listening.wait)
    while not gateway.service.assembled.audience.listens:
        yield deferToThread(lambda: None)
    client.make().startService()
    yield following
    assert [told["kind"] for told in heard][-1] == "ChildUp"
    assert all(told["sa"] == "road[1]" for told in heard)


def test_the_socket_is_its_groups_and_nobody_elses(pair: tuple[Any, Any]) -> None:
    gateway, _ = pair
    found = socket_of(gateway).stat()
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert found.st_gid == os.getgid()


@pytest_twisted.inlineCallbacks
def test_the_socket_is_gone_when_the_gateway_is(pair: tuple[Any, Any]) -> Story:
    gateway, _ = pair
    assert socket_of(gateway).exists()
    yield gateway.service.stopService()
    assert not socket_of(gateway).exists()


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("no/such/control.sock", "there is no directory {directory}/no/such"),
        ("file", "Address already in use"),
    ],
)
def test_a_gateway_without_a_place_for_its_socket_says_so_and_goes_on(
    place: Any, log: Any, where: str, why: str
) -> None:
    gateway = place("gateway", "127.0.0.1")
    (gateway.directory / "file").touch()
    path = gateway.directory / where
    gateway.write(GATEWAY + f'\n[control]\nsocket = "{path}"\n')
    gateway.make().startService()
    said = f"no control socket at {path}: {why.format(directory=gateway.directory)}"
    assert any(said in line for line in log.lines), log.lines
    assert (gateway.directory / "file").exists()
    assert not gateway.failures


def test_a_group_that_there_is_not_is_told(place: Any, log: Any) -> None:
    gateway = place("gateway", "127.0.0.1")
    gateway.write(GATEWAY + with_socket(gateway) + 'group = "nobody-of-that-name"\n')
    gateway.make().startService()
    assert any("there is no group 'nobody-of-that-name'" in line for line in log.lines)


@pytest_twisted.inlineCallbacks
def test_prometheus_reads_what_is_measured(place: Any, log: Any) -> Story:
    gateway = place("gateway", "127.0.0.1")
    gateway.write(GATEWAY + with_socket(gateway) + f'[web]\nlisten = "127.0.0.1:{free_port()}"\n')
    gateway.make().startService()
    (line,) = (line for line in log.lines if line.startswith("metrics are at "))

    def read() -> str:
        with urllib.request.urlopen(line.removeprefix("metrics are at "), timeout=10) as page:  # noqa: S310
            return str(page.read().decode())

    page = yield deferToThread(read)
    assert 'ikegw_build_info{version="' in page
    assert 'ikegw_pool_size{family="4",pool="clients"} 254.0' in page


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest_twisted.inlineCallbacks
def test_a_thousand_who_talk_nonsense_leave_the_socket_as_it_was(pair: tuple[Any, Any], capsys: Any) -> Story:
    gateway, _ = pair
    kept: list[socket.socket] = []
    refused: list[str] = []

    def crowd() -> None:
        for number in range(1000):
            one = socket.socket(socket.AF_UNIX)
            one.connect(str(socket_of(gateway)))
            one.settimeout(10.0)
            if number < MOST_CLIENTS:  # they never read, and some never end their line
                one.sendall(
                    (b"{nonsense\n", b'{"id": 1, "do": "sas', b'{"id": 1, "do": "status"}\n')[number % 3]
                )
                kept.append(one)
            else:
                refused.append(json.loads(one.makefile().read())["error"])
                one.close()

    yield deferToThread(crowd)
    assert refused == [f"{MOST_CLIENTS} clients are connected already"] * (1000 - MOST_CLIENTS)
    status, _, err = yield ctl(capsys, gateway, "status")
    assert (status, err) == (1, f"ikegwctl: {MOST_CLIENTS} clients are connected already\n")
    for one in kept:
        one.close()
    status, out, _ = yield ctl(capsys, gateway, "status")
    assert (status, out.splitlines()[0].startswith("ikegw ")) == (0, True)
