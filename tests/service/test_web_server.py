"""The HTTP server as a reload changes it: nothing, metrics alone, and the page."""

import http.client
import json
import socket
from collections.abc import Callable, Generator
from typing import Any

import pytest
import pytest_twisted
from gateway_and_client import GATEWAY
from twisted.internet.threads import deferToThread

from ikegw.events import ServerAnswered, ServerSilent

Story = Generator[Any, Any, None]


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def gateway(place: Callable[[str, str], Any]) -> Any:
    gateway = place("gateway", "127.0.0.1")
    gateway.write(with_web(""))
    gateway.make().startService()
    return gateway


def with_web(text: str) -> str:
    return f'{GATEWAY}[control]\nsocket = ""\n{text}'


def web(port: int, more: str = "") -> str:
    return with_web(f'[web]\nlisten = "127.0.0.1:{port}"\n{more}')


def reloaded(gateway: Any, text: str) -> Any:
    gateway.main.write_text(text)
    return gateway.service.reload()


def status(port: int, path: str, host: str = "localhost") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": host})
    found = connection.getresponse().status
    connection.close()
    return found


def statuses(port: int, *paths: str) -> list[int]:
    return [status(port, path) for path in paths]


def first_event(port: int) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/events")
    answer = connection.getresponse()
    assert answer.readline() == b"event: all\n"
    value = json.loads(answer.readline().removeprefix(b"data: "))
    connection.close()
    return value


@pytest_twisted.inlineCallbacks
def test_a_reload_opens_it_shows_the_page_and_takes_it_away(gateway: Any, port: int, log: Any) -> Story:
    with pytest.raises(OSError, match="refused"):
        yield deferToThread(status, port, "/metrics")
    yield reloaded(gateway, web(port))
    assert (yield deferToThread(statuses, port, "/metrics", "/", "/events")) == [200, 404, 404]
    yield reloaded(gateway, web(port, "status_page = true\n"))
    assert f"the status page is at http://127.0.0.1:{port}/" in log.lines
    assert (yield deferToThread(statuses, port, "/metrics", "/")) == [200, 200]
    yield reloaded(gateway, with_web(""))
    with pytest.raises(OSError, match="refused"):
        yield deferToThread(status, port, "/")


@pytest_twisted.inlineCallbacks
def test_whoever_looked_is_hung_up_on_when_the_page_is_taken_away(gateway: Any, port: int) -> Story:
    yield reloaded(gateway, web(port, "status_page = true\n"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def begin() -> Any:
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert answer.readline() == b"event: all\n"
        return answer

    def rest(answer: Any) -> bytes:
        try:
            return bytes(answer.read())
        except (OSError, http.client.HTTPException):
            return b""

    answer = yield deferToThread(begin)
    yield reloaded(gateway, web(port))
    assert b"event: change" not in (yield deferToThread(rest, answer))
    assert (yield deferToThread(status, port, "/")) == 404


@pytest_twisted.inlineCallbacks
def test_what_the_page_is_told_of_a_gateway_that_has_nobody(gateway: Any, port: int) -> Story:
    yield reloaded(gateway, web(port, "status_page = true\n"))
    told = yield deferToThread(first_event, port)
    assert told["sessions"] == told["servers"] == told["failures"] == []
    assert told["totals"]["up"] == told["totals"]["not_shown"] == 0
    assert told["pools"] == [{"pool": "clients", "family": 4, "size": 254, "lent": 0}]
    assert told["gateway"]["listening"] == [
        str(each) for each in gateway.service.assembled.transport.endpoints()
    ]


@pytest_twisted.inlineCallbacks
def test_servers_are_shown_before_anybody_logs_in(gateway: Any, port: int) -> Story:
    secret = gateway.directory / "secrets.d" / "radius.toml"
    secret.write_text('[secrets.radius.one]\nsecret = "testing123"\n')
    secret.chmod(0o600)
    dhcp = (
        '[dhcp.office]\nservers = ["127.0.0.67"]\ngiaddr = "127.0.0.66"\nport = 16767\nserver_port = 16768\n'
    )
    radius = '[radius.servers.one]\naddress = "127.0.0.77"\n[radius.realms.staff]\nservers = ["one"]\n'
    yield reloaded(gateway, web(port, f"status_page = true\n{dhcp}{radius}"))
    publish = gateway.service.assembled.gateway.publish
    for event in (ServerAnswered("radius", "one", 0.0123), ServerSilent("dhcp", "office 127.0.0.67")):
        publish(event)
    servers = (yield deferToThread(first_event, port))["servers"]
    assert [(each["kind"], each["name"], each["good"], each["notes"]) for each in servers] == [
        ("RADIUS authentication", "one", True, ["alive", "12 ms", ""]),
        ("RADIUS accounting", "one", True, ["alive", "12 ms", ""]),
        ("DHCP", "office", True, ["0 leases"]),
        ("DHCP server", "office 127.0.0.67", False, ["silent"]),
    ]


@pytest_twisted.inlineCallbacks
def test_a_name_counts_once_it_is_configured(gateway: Any, port: int) -> Story:
    yield reloaded(gateway, web(port, "status_page = true\n"))
    assert (yield deferToThread(status, port, "/", "gw.example.org:9440")) == 403
    assert (yield deferToThread(status, port, "/metrics", "gw.example.org:9440")) == 200
    yield reloaded(gateway, web(port, 'status_page = true\nhosts = ["gw.example.org"]\n'))
    assert (yield deferToThread(status, port, "/", "gw.example.org:9440")) == 200


@pytest_twisted.inlineCallbacks
def test_a_port_that_is_taken_is_told_and_the_gateway_goes_on(gateway: Any, port: int, log: Any) -> Story:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        yield reloaded(gateway, web(port))
    assert any(line.startswith(f"no page at 127.0.0.1:{port}: ") for line in log.lines)
    assert gateway.service.running
