"""The service from start to stop: two gateways on loopback, over real sockets, with modelled data planes."""

import os
import re
import signal
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_twisted
from gateway_and_client import CLIENT, GATEWAY
from twisted.internet.defer import Deferred, fail

from ikegw.dataplane.memory import MemoryPlane
from ikegw.ports import DataPlaneError
from ikegw.testing.pki import Authority, Period, main

OTHER = """
[connections.other.local]
auth = "psk"
[connections.other.remote]
auth = "psk"
[connections.other.children.all]
"""

Story = Generator[Any, Any, None]


@pytest.fixture
def pair(place: Callable[[str, str], Any]) -> tuple[Any, Any]:
    """A gateway that is made, and a client that is configured to call it."""
    gateway, client = place("gateway", "127.0.0.1"), place("client", "127.0.0.2")
    gateway.write(GATEWAY)
    gateway.make()
    ike, nat_t = gateway.ports
    client.write(CLIENT.format(ike=ike, nat_t=nat_t))
    return gateway, client


@pytest_twisted.inlineCallbacks
def test_a_client_connects_is_shown_and_leaves_nothing_behind(pair: tuple[Any, Any], log: Any) -> Story:
    gateway, client = pair
    gateway.service.startService()
    assert any(line.startswith("listening on 127.0.0.1:") for line in log.lines)
    assert "data plane: model (as configured)" in log.lines
    assert "ready: memory: a model that carries no packets" in log.lines
    assert (
        "connection road: *@example.org by shared key from any address; we are gw.example.org; "
        "net 10.1.0.0/16 === dynamic" in log.lines
    )
    up = log.line("road[1] net up: 10.1.0.0/16 === 10.9.0.1/32")
    client.make().startService()
    yield up
    assert any("road[1] up: alice@example.org at 127.0.0.2:" in line for line in log.lines)
    assert "road[1] lent 10.9.0.1 to alice@example.org" in log.lines

    yield gateway.service.show()
    table = log.lines[-6:]
    assert table[0] == "IKE SAs: 1, of which half open: 0"
    assert re.match(r"  road\[1\] SM_MATURE, responder, up \d+s: gw\.example\.org at 127\.0\.0\.1:", table[1])
    assert table[1].endswith("lent 10.9.0.1")
    assert "received 0 B in 0 packets, sent 0 B in 0 packets" in table[2]
    assert "ike-up 1" in table[3]
    assert "pool clients: 1 of" in table[5]

    yield client.service.stopService()
    assert any(line.startswith("road[1] down: alice@example.org") for line in log.lines)
    assert gateway.service.assembled.gateway.listing() == []
    assert gateway.service.assembled.addresses.usage()[0].lent == 0
    assert SECRET not in "\n".join(log.lines)


SECRET = "a shared key of some length"


@pytest_twisted.inlineCallbacks
def test_a_bad_file_tells_every_problem_and_touches_nothing(pair: tuple[Any, Any], log: Any) -> Story:
    gateway, _ = pair
    gateway.service.startService()
    before = gateway.service.assembled.prepared
    gateway.main.write_text(GATEWAY.replace("psk", "pks").replace("pools =", "poolz ="))
    yield gateway.service.reload()
    assert gateway.service.assembled.prepared is before
    problems = [line for line in log.lines if "ikegw.toml:" in line]
    assert len(problems) >= 3
    assert log.lines[-1] == "not reloaded: the configuration above stays unused, the running one goes on"


@pytest_twisted.inlineCallbacks
def test_a_reload_ends_only_the_connection_that_changed(pair: tuple[Any, Any], log: Any) -> Story:
    gateway, client = pair
    gateway.service.startService()
    up = log.line("road[1] net up")
    client.make().startService()
    yield up

    gateway.main.write_text(GATEWAY + OTHER)
    yield gateway.service.reload()
    assert log.lines[-1] == "reloaded: connection added: other"
    assert len(gateway.service.assembled.gateway.listing()) == 1

    gateway.main.write_text(GATEWAY)
    yield gateway.service.reload()
    assert log.lines[-1] == "reloaded: connection removed: other"
    yield gateway.service.reload()
    assert log.lines[-1] == "reloaded: nothing changed"
    assert len(gateway.service.assembled.gateway.listing()) == 1

    down = log.line("road[1] down")
    gateway.main.write_text(GATEWAY.replace("10.1.0.0/16", "10.2.0.0/16"))
    yield gateway.service.reload()
    assert "reloaded: connection changed: road" in log.lines
    yield down


@pytest_twisted.inlineCallbacks
def test_a_reload_changes_limits_log_pools_and_keys_and_says_what_must_wait(
    pair: tuple[Any, Any], log: Any
) -> Story:
    gateway, _ = pair
    gateway.service.startService()
    more = (
        '[limits]\ncookie_threshold = 7\n[log]\nlevel = "warn"\nstates = false\n'
        '[listen]\naddresses = ["127.0.0.3"]\n' + GATEWAY.replace("10.9.0.0/24", "10.9.0.0/25")
    )
    gateway.write(more, secret="another shared key, also long")
    yield gateway.service.reload()
    assembled = gateway.service.assembled
    assert assembled.admission.limits.cookie_total == 7
    assert assembled.addresses.usage()[0].size == 126
    assert assembled.authenticator.credentials is assembled.prepared.credentials
    assert log.lines[-5:] == [
        "reloaded: pool changed: clients",
        "reloaded: shared key changed: key",
        "reloaded: limits changed",
        "reloaded: logging changed",
        "not reloaded: listen changed, which takes effect when ikegw is started anew",
    ]


@pytest_twisted.inlineCallbacks
def test_a_reload_reads_the_credential_directories_again(pair: tuple[Any, Any], log: Any) -> Story:
    gateway, _ = pair
    gateway.service.startService()
    main(["--gateway", "gw.example.org", str(gateway.directory)])
    yield gateway.service.reload()
    assert "reloaded: certificates, authorities, revocation lists or private keys changed" in log.lines
    assert gateway.service.assembled.authenticator.credentials.own
    (gateway.directory / "ca" / "broken.pem").write_text("not this")
    yield gateway.service.reload()
    assert any("broken.pem: " in line for line in log.lines)
    assert log.lines[-1].startswith("not reloaded: ")


@pytest_twisted.inlineCallbacks
def test_a_fault_of_ours_while_reloading_is_told_and_nothing_stops(
    pair: tuple[Any, Any], log: Any, monkeypatch: pytest.MonkeyPatch
) -> Story:
    def fall_over(path: object) -> None:
        raise ZeroDivisionError

    gateway, _ = pair
    gateway.service.startService()
    monkeypatch.setattr("ikegw.service.gateway_service.prepare", fall_over)
    yield gateway.service.reload()
    assert log.lines[-2] == "internal error while reloading"
    assert log.lines[-1].startswith("not reloaded: ")


@pytest_twisted.inlineCallbacks
def test_signals_reload_and_show(pair: tuple[Any, Any], log: Any) -> Story:
    gateway, _ = pair
    before = signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGUSR1)
    gateway.service.startService()
    reloaded = log.line("reloaded: nothing changed")
    os.kill(os.getpid(), signal.SIGHUP)
    yield reloaded
    shown = log.line("IKE SAs: 0")
    os.kill(os.getpid(), signal.SIGUSR1)
    yield shown
    yield gateway.service.stopService()
    assert (signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGUSR1)) == before


def test_what_should_be_known_of_a_configuration_is_told_at_the_start(
    pair: tuple[Any, Any], log: Any
) -> None:
    gateway, _ = pair
    old = Authority.root("Old", "ecdsa256", Period.around(datetime.now(UTC), 3650))
    (gateway.directory / "crl").mkdir()
    (gateway.directory / "crl" / "old.crl").write_bytes(old.crl(period=old.period.past()))
    gateway.make().startService()
    assert any("crl/: the list of C=CH, O=ikegw, CN=Old counts no longer" in line for line in log.lines)


def test_a_data_plane_that_cannot_start_is_told_and_fails(
    pair: tuple[Any, Any], log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: MemoryPlane, listener: object) -> Deferred[None]:
        return fail(DataPlaneError("cannot make a TUN device: /dev/net/tun is missing"))

    monkeypatch.setattr(MemoryPlane, "start", refuse)
    gateway, _ = pair
    gateway.service.startService()
    assert log.lines[-1:] == ["cannot start: cannot make a TUN device: /dev/net/tun is missing"]
    assert gateway.failures == ["failed"]


def test_a_data_plane_that_dies_ends_the_gateway_once(pair: tuple[Any, Any], log: Any) -> None:
    gateway, _ = pair
    gateway.service.startService()
    gateway.lose("the data plane process ended")
    gateway.lose("the data plane process ended")
    assert log.lines[-1] == "the data plane process ended: nothing can be carried any more, so ikegw ends"
    assert gateway.failures == ["failed"]


@pytest_twisted.inlineCallbacks
def test_a_peer_that_does_not_answer_does_not_keep_us_from_stopping(
    pair: tuple[Any, Any], log: Any, monkeypatch: pytest.MonkeyPatch
) -> Story:
    gateway, client = pair
    gateway.service.startService()
    up = log.line("road[1] net up")
    client.make().startService()
    yield up
    monkeypatch.setattr("ikegw.service.gateway_service.SHUTDOWN_SECONDS", 0.01)
    yield client.service.assembled.transport.stop()
    stopped = gateway.service.stopService()
    yield stopped
    assert any(line.startswith("not every SA could be deleted in order") for line in log.lines)
    yield client.service.stopService()
