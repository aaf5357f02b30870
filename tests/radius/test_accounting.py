"""Accounting: what servers are told of sessions, once, in order, however long they are away and however we die."""

import sqlite3
import stat
from pathlib import Path as File

import pytest
from attrs import evolve
from books import EPOCH, PATH, Books, session
from twisted.internet.defer import Deferred, fail
from twisted.logger import globalLogPublisher

from ikegw.config.accounting import AccountingSettings
from ikegw.events import AaaServerBack, SessionChanged
from ikegw.paths import Endpoint
from ikegw.ports import Usage
from ikegw.radius.accounting_record import Counts, Status
from ikegw.radius.accounting_sender import MOST_IN_FLIGHT, NeverAccepted, NotAcknowledged
from ikegw.radius.accounting_store import AccountingStore, Unopened
from ikegw.radius.packets import Code, seal
from ikegw.session import EndCause, Grant
from ikegw.testing.world import at_once


@pytest.fixture
def books(tmp_path: File) -> Books:
    return Books(tmp_path).start()


def settled(books: Books, seconds: float = 200.0) -> None:
    for _ in range(int(seconds)):
        books.clock.advance(1.0)


# ---------------------------------------------------------------- what is told


def test_a_session_from_its_start_to_its_stop(books):
    one = books.begin(session())
    books.clock.advance(30.0)
    books.end(
        one,
        EndCause.IDLE_TIMEOUT,
        30.4,
        inbound_octets=5,
        inbound_packets=1,
        outbound_octets=7,
        outbound_packets=2,
    )
    assert books.servers.story == [("ON", ""), ("START", "5f-7"), ("STOP", "5f-7")]
    (start,), (stop,) = books.servers.of(Status.START), books.servers.of(Status.STOP)
    assert start == {
        "Acct-Status-Type": 1,
        "NAS-Identifier": "gw.test",
        "NAS-IP-Address": "192.0.2.1",
        "Called-Station-Id": "192.0.2.1",
        "Calling-Station-Id": "198.51.100.9",
        "User-Name": "alice",
        "Acct-Session-Id": "5f-7",
        "Acct-Authentic": 1,
        "Service-Type": "Framed",
        "NAS-Port-Type": "Virtual",
        "NAS-Port": 7,
        "NAS-Port-Id": "road",
        "Framed-IP-Address": "10.3.0.7",
        "Framed-IPv6-Address": "fd00:3::7",
        "Class": (b"gold", b"\0x1"),
        "Event-Timestamp": int(EPOCH),
        "Acct-Delay-Time": 0,
    }
    assert {name: stop[name] for name in stop if start.get(name) != stop[name]} == {
        "Acct-Status-Type": 2,
        "Acct-Session-Time": 30,
        "Acct-Terminate-Cause": 4,
        "Acct-Input-Octets": 5,
        "Acct-Input-Gigawords": 0,
        "Acct-Input-Packets": 1,
        "Acct-Output-Octets": 7,
        "Acct-Output-Gigawords": 0,
        "Acct-Output-Packets": 2,
        "Event-Timestamp": int(EPOCH) + 30,
    }


@pytest.mark.parametrize(("login", "authentic"), [("", 2), ("local", 2), ("staff", 1)])
def test_who_says_that_the_user_is_authentic(books, login, authentic):
    """RFC 2866 §5.6: a RADIUS server, or this gateway itself, by certificate, shared key or its own EAP."""
    books.begin(session(login=login))
    (start,) = books.servers.of(Status.START)
    assert start["Acct-Authentic"] == authentic


def test_every_record_fits_a_packet(books):
    books.end(books.begin(session(user="ä" * 300)), inbound_octets=2**40)
    for _, found in books.servers.heard:
        attributes = [
            (name, each) for name, value in found.items() for each in (value if name == "Class" else (value,))
        ]
        assert seal(Code.ACCOUNTING_REQUEST, 1, bytes(16), b"secret", attributes).octets


def test_gigawords():
    told = dict(Counts(2**32 + 5, 2**32 + 9, 2**63, 1).attributes())
    assert (told["Acct-Input-Gigawords"], told["Acct-Input-Octets"]) == (1, 5)
    assert (told["Acct-Output-Gigawords"], told["Acct-Output-Octets"]) == (2**31, 0)
    assert told["Acct-Input-Packets"] == 2**32 - 1


def test_who_has_no_server_is_nobodys_business(books):
    books.end(books.begin(session(aaa="")))
    assert books.servers.story == [("ON", "")]


@pytest.mark.parametrize(
    ("configured", "granted", "every"), [(0, 60, 60), (100, None, 100), (100, 60, 60), (0, 1, 10)]
)
def test_interim_counts_come_as_often_as_was_granted_or_configured(tmp_path, configured, granted, every):
    books = Books(tmp_path, settings=AccountingSettings(interim_seconds=configured, counts_seconds=7)).start()
    one = books.begin(session(grant=Grant(interim_seconds=granted)))
    books.counts[one.id] = Usage(100, 1, 200, 2)
    settled(books, every * 3 + 1)
    interims = books.servers.of(Status.INTERIM)
    assert [found["Acct-Session-Time"] for found in interims] == [every, 2 * every, 3 * every]
    assert interims[0]["Acct-Output-Octets"] == 200
    assert "Acct-Terminate-Cause" not in interims[0]


@pytest.mark.parametrize(("configured", "granted"), [(0, None), (100, 0)])
def test_without_an_interval_none_come(tmp_path, configured, granted):
    books = Books(tmp_path, settings=AccountingSettings(interim_seconds=configured)).start()
    books.begin(session(grant=Grant(interim_seconds=granted)))
    settled(books, 1000)
    assert not books.servers.of(Status.INTERIM)


def test_a_new_interval_and_a_new_place_are_taken_at_once(books):
    one = books.begin(session(grant=Grant(interim_seconds=600)))
    books.clock.advance(10.0)
    moved = evolve(PATH, remote=Endpoint(PATH.remote.address + 1, 4500))
    books.accounting.publish(SessionChanged(evolve(one, path=moved, grant=Grant(interim_seconds=60))))
    (interim,) = books.servers.of(Status.INTERIM)
    assert interim["Calling-Station-Id"] == "198.51.100.10"
    settled(books, 121)
    assert len(books.servers.of(Status.INTERIM)) == 3


# ---------------------------------------------------------------- servers that are away


def test_nothing_is_lost_and_nothing_is_told_twice_while_servers_are_away(books):
    books.servers.answers = False
    ones = [books.begin(session(number)) for number in range(20)]
    for one in ones[:10]:
        books.end(one)
    settled(books, 500)
    assert len(books.servers.heard) < 20, "they are not asked the more the more there is to say"
    books.servers.answers = True
    books.servers.heard.clear()
    settled(books)
    assert sorted(books.servers.story) == sorted(
        [("START", one.id) for one in ones] + [("STOP", one.id) for one in ones[:10]]
    )
    order = books.servers.story
    assert all(order.index(("START", one.id)) < order.index(("STOP", one.id)) for one in ones[:10])
    start = books.servers.of(Status.START)[0]
    assert start["Event-Timestamp"] == int(EPOCH)
    assert start["Acct-Delay-Time"] >= 500


def test_who_says_at_once_that_nobody_can_be_asked_is_asked_again_later(books):
    asked = []

    def nobody(realm, attributes):
        asked.append(realm)
        assert len(asked) < 50, "asked again and again, without a pause"
        return fail(NotAcknowledged("all servers are dead"))

    (sender,) = books.accounting._senders.values()
    sender.ask, told = nobody, sender.ask
    books.begin(session(1))
    settled(books, 20)
    sender.ask = told
    settled(books)
    assert books.servers.story[-1] == ("START", "5f-1")


def test_a_stop_waits_for_its_start(books):
    books.servers.answers = False
    books.end(books.begin(session(1)))
    assert books.servers.story == [("ON", ""), ("START", "5f-1")]
    books.servers.answer_open()
    assert books.servers.story[2:] == [("STOP", "5f-1")]


def test_what_does_not_depend_on_each_other_is_under_way_at_once(books):
    books.servers.answers = False
    for number in range(200):
        books.begin(session(number))
    together = []
    for _ in range(12):
        together.append(len(books.servers.open))
        books.servers.answer_open()
    assert max(together) == MOST_IN_FLIGHT
    assert together[:4] == [2, 8, MOST_IN_FLIGHT, MOST_IN_FLIGHT], "more and more, as they are answered"
    assert len(books.servers.of(Status.START)) == 200


def test_a_server_that_is_back_is_asked_at_once(books):
    books.servers.answers = False
    books.begin(session(1))
    while books.servers.open or books.clock.seconds() < 300:
        books.clock.advance(1.0)
    books.servers.answers = True
    books.servers.heard.clear()
    books.clock.advance(1.0)
    assert not books.servers.heard, "it is in no hurry by itself"
    books.accounting.publish(AaaServerBack("one", Endpoint(PATH.local.address, 1813)))
    assert books.servers.story == [("START", "5f-1")]


def test_realms_do_not_wait_for_each_other(tmp_path):
    books = Books(tmp_path, realms=("isp", "corp")).start()
    books.servers.answers = False
    books.begin(session(1, "isp"))
    assert [realm for realm, _ in books.servers.heard] == ["corp", "isp", "isp"]
    books.begin(session(2, "corp"))
    assert [realm for realm, _ in books.servers.heard][3:] == ["corp"]


def test_only_the_newest_counts_of_a_session_wait(books):
    books.servers.answers = False
    one = books.begin(session(grant=Grant(interim_seconds=10)))
    settled(books, 100)
    waiting = books.accounting._store.waiting("isp", 0, 100)
    assert [record.status for record in waiting] == [Status.START, Status.INTERIM]
    books.end(one)
    assert [record.status for record in books.accounting._store.waiting("isp", 0, 100)] == [
        Status.START,
        Status.STOP,
    ]
    books.servers.answers = True
    books.servers.answer_open()
    settled(books, 100)
    assert [name for name, _ in books.servers.story if name != "START"] == ["ON", "STOP"]


def test_more_than_memory_holds_waits_on_disk(books, monkeypatch):
    monkeypatch.setattr("ikegw.radius.accounting_sender.MOST_IN_MEMORY", 40)
    books.servers.answers = False
    for number in range(130):
        books.begin(session(number))
    assert books.accounting._senders["isp"].waiting <= 42
    books.servers.answers = True
    books.servers.answer_open()
    settled(books, 10)
    starts = [name for status, name in books.servers.story if status == "START"]
    assert starts == [session(number).id for number in range(130)]
    assert not books.accounting._store.waiting("isp", 0, 1)


def test_On_and_Off_go_alone(books):
    books.servers.answers = False
    books.begin(session(1))
    books.accounting.configure(books.settings, ("isp", "corp"))
    books.accounting.stop()
    assert books.servers.story == [("ON", ""), ("START", "5f-1"), ("ON", "")]
    books.servers.answer_open()
    assert [(realm, found["Acct-Status-Type"]) for realm, found in books.servers.heard][3:] == [
        ("isp", Status.OFF),
        ("corp", Status.OFF),
    ]


# ---------------------------------------------------------------- records that cannot be


def complaints(books: Books, act) -> list[str]:
    found = []

    def observe(event) -> None:
        if event.get("log_level") is not None and event["log_level"].name == "error":
            found.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(observe)
    act()
    globalLogPublisher.removeObserver(observe)
    return found


def test_what_no_packet_can_hold_stands_in_nobodys_way(books):
    real = books.servers.ask
    books.accounting._senders["isp"].ask = lambda realm, attributes: (
        fail(NeverAccepted("it is too large"))
        if dict(attributes)["Acct-Status-Type"] == 1
        else real(realm, attributes)
    )
    (said,) = complaints(books, lambda: books.end(books.begin(session())))
    assert said == "accounting record START of session 5f-7 for realm isp is dropped: it is too large"
    assert books.servers.story == [("ON", ""), ("STOP", "5f-7")]


def test_what_nobody_wanted_for_a_week_is_dropped(books):
    books.servers.answers = False
    books.begin(session(1))

    def wait() -> None:
        for _ in range(8 * 24):
            books.clock.advance(3600.0)

    (said,) = complaints(books, wait)
    books.servers.answers = True
    books.servers.heard.clear()
    assert "START of session 5f-1 for realm isp is dropped: nobody acknowledged it for 1" in said
    books.end(books.begin(session(2)))
    assert books.servers.story == [("START", "5f-2"), ("STOP", "5f-2")]


# ---------------------------------------------------------------- our own ends


def test_an_end_in_order(books):
    books.end(books.begin(session()), EndCause.ADMIN_REBOOT)
    done = []
    books.accounting.stop().addCallback(done.append)
    assert done
    assert books.servers.story[-1] == ("OFF", "")
    assert not books.clock.getDelayedCalls()


def test_a_server_that_is_away_holds_up_no_end(books):
    books.servers.answers = False
    books.begin(session())
    done = []
    books.accounting.stop().addCallback(done.append)
    assert not done
    books.clock.advance(2.1)
    assert done
    books.clock.advance(20.0)
    assert not books.clock.getDelayedCalls()


def test_what_was_up_when_we_died_is_ended_by_our_next_life(books):
    one, other = books.begin(session(1)), books.begin(session(2))
    books.counts[one.id] = Usage(1000, 10, 2000, 20)
    books.clock.advance(60.0)  # the counts are written down each minute
    books.counts[one.id] = Usage(9999, 99, 9999, 99)
    books.clock.advance(31.0)
    books.end(other)
    born_again = books.die()
    born_again.clock.advance(600.0)
    born_again.start()
    settled(born_again, 5)
    assert born_again.servers.story == [("STOP", "5f-1"), ("ON", "")]
    (stop,) = born_again.servers.of(Status.STOP)
    assert stop["Acct-Terminate-Cause"] == EndCause.NAS_REBOOT
    assert (stop["Acct-Input-Octets"], stop["Acct-Output-Packets"]) == (1000, 20)
    assert stop["Acct-Session-Time"] == 60
    assert stop["Event-Timestamp"] == int(EPOCH) + 60
    assert stop["Acct-Delay-Time"] == 631
    assert stop["User-Name"] == "alice"
    assert stop["Class"] == (b"gold", b"\0x1")


def test_what_was_not_acknowledged_when_we_died_is_sent_by_our_next_life(books):
    books.servers.answers = False
    for number in range(30):
        books.end(books.begin(session(number)), inbound_octets=number)
    books.begin(session(99))
    heard = len(books.servers.heard)
    born_again = books.die()
    born_again.start()
    settled(born_again, 5)
    assert heard == 3, "On, and the first two: nobody answered"
    expected = [
        ("STOP" if status else "START", session(number).id) for number in range(30) for status in (0, 1)
    ]
    assert sorted(born_again.servers.story) == sorted(
        [*expected, ("START", "5f-63"), ("STOP", "5f-63"), ("ON", "")]
    )
    assert {
        found["Acct-Session-Id"]: found["Acct-Input-Octets"] for found in born_again.servers.of(Status.STOP)
    } == {
        **{session(number).id: number for number in range(30)},
        "5f-63": 0,
    }
    assert born_again.servers.story[-1] == ("ON", "")
    third = born_again.die().start()
    settled(third, 5)
    assert third.servers.story == [("ON", "")], "and told once"


def test_what_is_for_a_realm_that_is_no_longer_used_is_sent_all_the_same(books):
    books.servers.answers = False
    books.begin(session())
    born_again = books.die()
    born_again.realms = ()
    born_again.start()
    settled(born_again, 10)
    assert born_again.servers.story == [("START", "5f-7"), ("STOP", "5f-7")]


# ---------------------------------------------------------------- the disk


def test_nobody_waits_for_the_disk_and_what_gathers_meanwhile_is_one_writing(tmp_path):
    waiting = []

    def slowly(function, *arguments):
        result = Deferred()
        waiting.append(lambda: at_once(lambda: function(*arguments)).chainDeferred(result))
        return result

    books = Books(tmp_path, slowly=slowly)
    books.begin(session(0))  # before the queue is open
    books.start()
    for number in range(1, 50):
        books.begin(session(number))
    assert not books.servers.heard, "what is not safe on disk is not sent"
    writings = 0
    while waiting:
        waiting.pop(0)()
        writings += 1
    assert writings < 15
    settled(books, 1)
    while waiting:
        waiting.pop(0)()
    assert len(books.servers.of(Status.START)) == 50


def test_a_disk_that_refuses_loses_nothing(books):
    real = books.accounting._store.write
    books.accounting._ledger.store = type("Full", (), {"write": lambda self, changes: 1 / 0})()
    said = complaints(books, lambda: books.begin(session(1)))
    assert "cannot be written" in said[0]
    assert not complaints(books, lambda: books.clock.advance(20.0)), "told once"
    books.accounting._ledger.store = books.accounting._store
    assert real
    books.end(session(1))
    books.clock.advance(6.0)
    assert books.servers.story == [("ON", ""), ("START", "5f-1"), ("STOP", "5f-1")]


def test_two_gateways_cannot_use_one_queue(books, tmp_path):
    with pytest.raises(Unopened, match="used by one gateway alone"):
        AccountingStore(tmp_path / "accounting.sqlite").open()


def test_a_directory_that_is_not_there(tmp_path):
    failures = []
    other = Books(tmp_path / "nowhere")
    other.accounting.start(other, ("isp",)).addErrback(failures.append)
    assert "nowhere/accounting.sqlite cannot be used" in str(failures[0].value)


def test_a_file_that_is_something_else(tmp_path):
    (tmp_path / "accounting.sqlite").write_text("not a database, but long enough to be taken for one " * 100)
    with pytest.raises(Unopened, match="not a database"):
        AccountingStore(tmp_path / "accounting.sqlite").open()


def test_a_queue_of_another_version(tmp_path):
    with sqlite3.connect(tmp_path / "accounting.sqlite") as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(Unopened, match="another version"):
        AccountingStore(tmp_path / "accounting.sqlite").open()


def test_nobody_else_reads_who_was_connected(books, tmp_path):
    books.begin(session())
    for file in tmp_path.iterdir():
        assert not file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), file


def test_who_fails_at_once_is_asked_again_only_after_the_pause(tmp_path: File):
    """It was asked without end, and nothing else went on."""
    books = Books(tmp_path)
    books.servers.refuses = True
    books.start()
    books.begin(session())
    assert len(books.servers.heard) == 1
    books.accounting.stop()
    assert len(books.servers.heard) <= 3
