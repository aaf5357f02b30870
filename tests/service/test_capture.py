"""`ikegwctl capture`: what tshark reads of it, whom it is refused, and where keys are and are not."""

import json
import os
import stat
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from gateway_and_client import CLIENT, GATEWAY
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from ikegw.control.capturing import TABLE, keys_of
from ikegw.control.command import main

SUITES = (
    "aes256gcm16-prfsha256-x25519",
    "aes128gcm16-prfsha384-ecp256",
    "aes256ccm16-prfsha256-x25519",
    "aes256-sha256-x25519",
    "aes192-sha512-x25519",
    "aes128ctr-sha1-x25519",
)
UNREADABLE = "chacha20poly1305-prfsha256-x25519"

IDENTITIES = {"35", "36"}
AUTH = "39"

Story = Generator[Any, Any, None]


def socket_of(place: Any) -> str:
    return f'\n[control]\nsocket = "{place.directory / "control.sock"}"\n'


@pytest.fixture
def gateway(place: Callable[[str, str], Any]) -> Any:
    """A gateway that takes every suite, and lets an operator capture."""
    gateway = place("gateway", "127.0.0.1")
    proposals = f"proposals = {json.dumps([*SUITES, UNREADABLE])}"
    gateway.write(
        GATEWAY.replace("[connections.road]", f'[connections.road]\nunique = "never"\n{proposals}')
        + socket_of(gateway)
        + "[capture]\nallowed = true\n"
    )
    gateway.make().startService()
    return gateway


@pytest.fixture
def client(place: Callable[[str, str], Any], gateway: Any) -> Any:
    """A client with a connection for each suite."""
    client = place("client", "127.0.0.2")
    ike, nat_t = gateway.ports
    one = CLIENT.format(ike=ike, nat_t=nat_t).replace('start_action = "start"\n', "")
    connections = (
        one.replace("connections.home", f"connections.c{number}").replace(
            "vips =", f'proposals = ["{suite}"]\nvips ='
        )
        for number, suite in enumerate((*SUITES, UNREADABLE))
    )
    client.write("".join(connections) + socket_of(client))
    client.make().startService()
    return client


def asked_for(capsys: Any, gateway: Any, file: Path, *words: str) -> Deferred[Any]:
    """The status, output and errors of `ikegwctl capture` at its end."""
    arguments = ["capture", str(file), *words, "--socket", str(gateway.directory / "control.sock")]

    def told(status: int) -> tuple[int, str, str]:
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return deferToThread(main, arguments).addCallback(told)


def capturing(capsys: Any, log: Any, gateway: Any, file: Path, *words: str) -> tuple[Any, Any]:
    """A Deferred that fires once it began, and one of what `ikegwctl capture` printed at its end."""
    begun = log.line(" captures IKE of ")
    return begun, asked_for(capsys, gateway, file, *words)


def summary(printed: str) -> Any:
    """The JSON at the end of it; before stand the lines of the log of these tests."""
    return json.loads(printed[printed.rindex("\n{") :])


def not_allowed(gateway: Any) -> Deferred[Any]:
    """A reload that ends every capture."""
    gateway.main.write_text(gateway.main.read_text().replace("allowed = true", "allowed = false"))
    return gateway.service.reload()


def tshark(file: Path, gateway: Any, *fields: str, keys: bool = True) -> list[list[str]]:
    """These fields of each message that tshark saw, with the keys beside the file or without."""
    ike, nat_t = gateway.ports
    command = [
        "tshark",
        "-r",
        str(file),
        "-d",
        f"udp.port=={ike},isakmp",
        "-d",
        f"udp.port=={nat_t},udpencap",
    ]
    command += ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-T", "fields"]
    environment = {**os.environ, "HOME": str(file.parent), "WIRESHARK_CONFIG_DIR": str(keys_of(file))}
    if not keys:
        environment["WIRESHARK_CONFIG_DIR"] = str(file.parent / "none")
    for name in fields:
        command += ["-e", name]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return [line.split("\t") for line in run.stdout.splitlines()]


def payloads(rows: list[list[str]]) -> list[set[str]]:
    """The kinds of payload in each IKE_AUTH message, by their numbers."""
    return [set(kinds.split(",")) for exchange, kinds in rows if exchange == "35"]


@pytest_twisted.inlineCallbacks
def test_tshark_reads_every_message_of_a_login_and_of_a_rekeying(
    gateway: Any, client: Any, log: Any, capsys: Any, tmp_path: Path
) -> Story:
    file = tmp_path / "login.pcapng"
    begun, ended = capturing(capsys, log, gateway, file)
    yield begun
    for number in range(len(SUITES) + 1):
        yield client.service.assembled.gateway.initiate(f"c{number}")
    rekeyed = log.line("c0[1] rekeyed: ")
    client.service.assembled.gateway.rekey(1)
    yield rekeyed
    yield client.service.assembled.gateway.terminate(1)
    yield not_allowed(gateway)
    status, out, err = yield ended
    assert status == 0, err
    sas = len(SUITES) + 1  # and one more by rekeying, and one that Wireshark's table has no name for
    assert f"the keys of {sas} IKE SAs; captures are no longer allowed" in out
    assert "1 IKE SAs use an algorithm that Wireshark cannot decrypt" in out

    fields = ("isakmp.exchangetype", "isakmp.typepayload")
    rows = yield deferToThread(tshark, file, gateway, *fields)
    opened = [kinds for kinds in payloads(rows) if AUTH in kinds]
    assert len(payloads(rows)) == 2 * (len(SUITES) + 1)
    assert len(opened) == 2 * len(SUITES)
    assert all(kinds & IDENTITIES for kinds in opened)
    (rekeying, _) = (kinds for exchange, kinds in rows if exchange == "36")
    assert {"33", "34", "40"} <= set(rekeying.split(","))  # SK {SA, KE, N}
    assert any(
        kinds.startswith("46,42") for exchange, kinds in rows if exchange == "37"
    )  # SK {D}, by the new keys

    checks = yield deferToThread(
        tshark, file, gateway, "ip.checksum.status", "udp.checksum.status", "isakmp.enc.icd"
    )
    assert {tuple(row[:2]) for row in checks} == {("1", "1")}

    closed = yield deferToThread(lambda: payloads(tshark(file, gateway, *fields, keys=False)))
    assert not any(AUTH in kinds for kinds in closed)


@pytest_twisted.inlineCallbacks
def test_both_files_are_the_operator_s_alone_and_keys_are_nowhere_else(
    gateway: Any, client: Any, log: Any, capsys: Any, tmp_path: Path
) -> Story:
    file = tmp_path / "login.pcapng"
    begun, ended = capturing(capsys, log, gateway, file, "--json")
    line = yield begun
    yield client.service.assembled.gateway.initiate("c0")
    yield not_allowed(gateway)
    _, out, _ = yield ended
    told = summary(out)
    assert (told["messages"], told["keys"], told["missed"]) == (4, 1, 0)
    table = keys_of(file) / TABLE
    assert [stat.S_IMODE(each.stat().st_mode) for each in (file, keys_of(file), table)] == [
        0o600,
        0o700,
        0o600,
    ]
    assert line.startswith(
        f"root (process {os.getpid()}) captures IKE of everybody, with keys, for up to 600 s"
    )
    assert any("ended: 4 messages, 1 keys; captures are no longer allowed" in each for each in log.lines)
    for key in table.read_text().split(",")[2:4]:
        assert len(key) == 72
        assert key not in "\n".join(log.lines)
        assert key not in out
        assert bytes.fromhex(key) not in file.read_bytes()


@pytest_twisted.inlineCallbacks
def test_of_one_peer_alone(gateway: Any, client: Any, log: Any, capsys: Any, tmp_path: Path) -> Story:
    begun, ended = capturing(capsys, log, gateway, tmp_path / "other.pcapng", "198.51.100.9", "--json")
    yield begun
    yield client.service.assembled.gateway.initiate("c0")
    yield not_allowed(gateway)
    _, out, _ = yield ended
    assert summary(out)["messages"] == summary(out)["keys"] == 0


@pytest_twisted.inlineCallbacks
def test_it_ends_when_it_is_full_and_when_its_time_is_over(
    gateway: Any, client: Any, log: Any, capsys: Any, tmp_path: Path
) -> Story:
    begun, ended = capturing(capsys, log, gateway, tmp_path / "full.pcapng", "--bytes", "500")
    yield begun
    yield client.service.assembled.gateway.initiate("c0")
    _, out, _ = yield ended
    assert "it was full" in out
    _, ended = capturing(capsys, log, gateway, tmp_path / "short.pcapng", "--seconds", "0.05")
    _, out, _ = yield ended
    assert "its time was over" in out
    assert not gateway.service.assembled.transport.taps


@pytest_twisted.inlineCallbacks
def test_whom_it_is_refused(gateway: Any, capsys: Any, tmp_path: Path) -> Story:
    for words, why in (
        (("--seconds", "3600"), 'expected "seconds", a number above 0 and up to 600'),
        (("--bytes", "0"), 'expected "bytes", a number above 0'),
        (("nobody",), 'expected "peer", an IPv4 or IPv6 address'),
    ):
        status, _, err = yield asked_for(capsys, gateway, tmp_path / "no.pcapng", *words)
        assert (status, why in err) == (1, True), err
    yield not_allowed(gateway)
    status, _, err = yield asked_for(capsys, gateway, tmp_path / "no.pcapng")
    assert (status, "set capture.allowed" in err) == (1, True)
    assert not list(tmp_path.glob("no.*"))


@pytest_twisted.inlineCallbacks
def test_what_is_there_is_not_written_over(gateway: Any, log: Any, capsys: Any, tmp_path: Path) -> Story:
    file = tmp_path / "kept.pcapng"
    file.write_text("precious")
    begun, ended = capturing(capsys, log, gateway, file)
    yield begun
    status, _, err = yield ended
    assert (status, f"{file} is there already" in err) == (1, True)
    assert file.read_text() == "precious"
    while gateway.service.assembled.transport.taps:  # it hung up, which the daemon will see
        yield deferLater(reactor, 0.01)
    assert any("ended: 0 messages, 0 keys; they hung up" in each for each in log.lines)
