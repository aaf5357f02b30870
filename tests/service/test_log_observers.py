"""Logs that machines read: the journal's fields, and JSON lines."""

import io
import json
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, get_args

import pytest
from twisted.logger import Logger, LogLevel

from ikegw.events import AuthFailed, AuthFailure, ChildUp, Dropped, Event, SessionBegan, StateEntered
from ikegw.paths import Endpoint
from ikegw.paths import Path as Way
from ikegw.policy.identities import parse_identity
from ikegw.service.fields import fields_of, message_id
from ikegw.service.journal import Journal
from ikegw.service.journald import JournalObserver
from ikegw.service.json_lines import JsonObserver
from ikegw.service.subjects import SUBJECTS, subject_of
from ikegw.session import SaName, Session
from ikegw.wire.identification import Identity
from ikegw.wire.registry import IdType

SA = SaName("road", 7)
WAY = Way(Endpoint(ip_address("192.0.2.1"), 4500), Endpoint(ip_address("198.51.100.9"), 61000))
FAILED = AuthFailed(SA, WAY, parse_identity("carol@test"), AuthFailure.NOT_AUTHENTIC, "wrong key")
SESSION = Session("s-1", SA, WAY, parse_identity("gw"), parse_identity("10.0.0.7"), "alice", "eap", 0.0)


class Journald:
    """The other end of the journal's socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    def entry(self) -> dict[str, str]:
        octets, found = self.socket.recv(1 << 20), {}
        while octets:
            line, _, octets = octets.partition(b"\n")
            name, has_value, value = line.partition(b"=")
            if not has_value:
                length = int.from_bytes(octets[:8], "little")
                value, octets = octets[8 : 8 + length], octets[9 + length :]
            found[name.decode()] = value.decode()
        return found


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[Journald]:
    listening = Journald(tmp_path / "socket")
    yield listening
    listening.socket.close()


def test_an_event_comes_to_the_journal_with_its_fields(journald: Journald) -> None:
    log = Logger(namespace="ikegw", observer=JournalObserver(journald.path))
    Journal(log, lambda: 0.0).publish(FAILED)
    assert journald.entry() == {
        "MESSAGE": "road[7] authentication failed: carol@test at 198.51.100.9:61000: the peer did not prove its identity: "
        "wrong key",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "ikegw",
        "IKEGW_NAMESPACE": "ikegw",
        "IKEGW_EVENT": "AuthFailed",
        "MESSAGE_ID": message_id(AuthFailed),
        "IKEGW_SA": "road[7]",
        "IKEGW_CONN": "road",
        "IKEGW_PEER": "198.51.100.9",
        "IKEGW_PEER_PORT": "61000",
        "IKEGW_ID": "carol@test",
        "IKEGW_REASON": "NOT_AUTHENTIC",
    }


def test_states_spis_and_sessions_have_fields_too() -> None:
    assert fields_of(StateEntered(SA, "mature", "SM_MATURE", "dpd", "SM_DPD"))["IKEGW_STATE"] == "SM_DPD"
    up = ChildUp(SA, "net", b"\0\1\2\3", b"\4\5\6\7", "aes", (), (), False)
    assert fields_of(up)["IKEGW_SPI"] == "00010203"
    began = fields_of(SessionBegan(SESSION))
    assert (began["IKEGW_SA"], began["IKEGW_USER"], began["IKEGW_SESSION"]) == ("road[7]", "alice", "s-1")


def test_a_failure_is_told_with_its_traceback_in_one_entry(journald: Journald) -> None:
    log = Logger(namespace="ikegw", observer=JournalObserver(journald.path))
    try:
        raise ZeroDivisionError("of ours")
    except ZeroDivisionError:
        log.failure("internal error")
    entry = journald.entry()
    assert entry["PRIORITY"] == "2"
    assert entry["MESSAGE"].startswith("internal error\n")
    assert "ZeroDivisionError" in entry["MESSAGE"]


def test_what_a_peer_sent_makes_no_field_of_its_own(journald: Journald) -> None:
    """A line break in an identity would begin another field."""
    log = Logger(namespace="ikegw", observer=JournalObserver(journald.path))
    evil = Identity(IdType.FQDN, b"a\nIKEGW_USER=root\nMESSAGE=all is well")
    Journal(log, lambda: 0.0).publish(AuthFailed(SA, WAY, evil, AuthFailure.NOT_AUTHENTIC, "x"))
    entry = journald.entry()
    assert "IKEGW_USER" not in entry
    assert entry["MESSAGE"].startswith("road[7] authentication failed")


def test_without_a_journal_the_lines_are_on_standard_error(tmp_path: Path, capsys: Any) -> None:
    log = Logger(namespace="ikegw", observer=JournalObserver(tmp_path / "nobody"))
    Journal(log, lambda: 0.0).publish(FAILED)
    assert "road[7] authentication failed" in capsys.readouterr().err


def test_json_lines() -> None:
    stream = io.StringIO()
    log = Logger(namespace="ikegw", observer=JsonObserver(stream))
    Journal(log, lambda: 0.0).publish(FAILED)
    log.info("ready: {description}", description="a model")
    failed, ready = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (failed["level"], failed["sa"], failed["peer"], failed["event"]) == (
        "warn", "road[7]", "198.51.100.9", "AuthFailed",
    )  # fmt: skip
    assert ready["message"] == "ready: a model"


# ---------------------------------------------------------------- levels for a subject


def test_every_kind_of_event_has_a_subject() -> None:
    for kind in get_args(Event):
        assert subject_of(object.__new__(kind)) in SUBJECTS


def test_a_subject_is_logged_from_its_own_level_on_until_the_next_reload() -> None:
    written: list[Any] = []
    journal = Journal(Logger(namespace="ikegw", observer=written.append), lambda: 0.0)
    state, dropped = StateEntered(SA, "mature", "SM_MATURE", "dpd", "SM_DPD"), Dropped(WAY, "forged")
    journal.set_level(LogLevel.debug, "states")
    journal.set_level(LogLevel.error, "gate")
    journal.publish(state)
    journal.publish(dropped)
    assert [event["happened"] for event in written] == [state]
    journal.configure(LogLevel.info, False)
    journal.publish(state)
    journal.publish(dropped)
    assert [event["happened"] for event in written] == [state, dropped]
    journal.set_level(LogLevel.debug)
    journal.publish(state)
    assert len(written) == 3
