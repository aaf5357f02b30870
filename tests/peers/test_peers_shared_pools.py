"""Pools that gateways share, in a real PostgreSQL: nothing is lent twice, nothing is lost, whoever dies and whatever hangs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_twisted
from attrs import evolve
from laboratory.postgresql import Postgresql
from laboratory.processes import until
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.task import Clock

from ikegw.addresses.life import Life
from ikegw.addresses.pool import Pool, Reservation
from ikegw.addresses.shared import BEATS, Database, SharedPools
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.ports import AddressRequest, NoAddress

pytestmark = pytest.mark.peers

SMALL = Pool("shared", (ip_network("10.3.0.0/29"), ip_network("2001:db8:3::/64")), quarantine=60.0)
RECLAIM = 30.0


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgresql]:
    server = Postgresql(tmp_path_factory.mktemp("pg"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def dsn(postgresql: Postgresql) -> Iterator[str]:
    """A database with nothing in it."""
    with psycopg.connect(postgresql.dsn, autocommit=True) as connection:
        connection.execute("create database shared")
    yield postgresql.dsn.replace("dbname=postgres", "dbname=shared")
    with psycopg.connect(postgresql.dsn, autocommit=True) as connection:
        connection.execute("drop database shared with (force)")


@pytest.fixture
def gateway(dsn: str, tmp_path: Path) -> Iterator[Any]:
    """Makes gateways: each with a clock that stands until the test moves it."""
    made: list[SharedPools] = []

    def make(*pools: Pool, life: str = "") -> SharedPools:
        clock = Clock()
        made.append(
            SharedPools(
                pools or (SMALL,),
                Database(dsn, 4, reactor),
                clock,
                os.urandom,
                "lab",
                RECLAIM,
                Life(tmp_path / (life or str(len(made)))),
            )
        )
        return made[-1]

    yield make
    for one in made:
        if one._beating.running:
            one._beating.stop()
            one._database.close()


def asks(name: str, *, ip6: bool = False, requested: tuple[str, ...] = ()) -> AddressRequest:
    wishes = tuple(map(ip_address, requested))
    return AddressRequest("road", parse_identity(name), ("shared",), True, ip6, wishes)


def all_of(asked: Iterable[Deferred[Any]]) -> Deferred[list[Any]]:
    return gatherResults(list(asked), consumeErrors=True)


def age(dsn: str, seconds: float) -> None:
    """Let so much time pass for the database."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("update ikegw_address set since = since - make_interval(secs => %s)", (seconds,))
        connection.execute("update ikegw_gateway set seen = seen - make_interval(secs => %s)", (seconds,))


# ------------------------------------------------------------ who gets which


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_two_gateways_lend_each_address_once_and_everybody_gets_its_own_again(gateway: Any) -> Any:
    one, two = gateway(), gateway()
    yield DeferredList([one.start(), two.start()])
    first = yield one.lease(asks("carol@test", ip6=True))
    second = yield two.lease(asks("dave@test", ip6=True))
    assert (str(first.ip4), str(first.ip6)) == ("10.3.0.1/29", "2001:db8:3::1/64")
    assert (str(second.ip4), str(second.ip6)) == ("10.3.0.2/29", "2001:db8:3::2/64")
    yield one.release(first)
    yield one.release(first)
    again = yield two.lease(asks("carol@test", ip6=True))
    assert (again.ip4, again.ip6) == (first.ip4, first.ip6)
    assert again.renew_seconds == RECLAIM / 3


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_a_pool_that_is_empty_says_so_and_what_was_given_back_is_in_quarantine(gateway: Any, dsn: str) -> Any:
    one, two = gateway(), gateway()
    yield DeferredList([one.start(), two.start()])
    leases = yield all_of((one, two)[number % 2].lease(asks(f"user{number}")) for number in range(6))
    with pytest.raises(NoAddress, match="pool shared has no IPv4 address left"):
        yield one.lease(asks("late"))
    yield one.release(leases[2])
    yield one.release(leases[4])
    with pytest.raises(NoAddress):
        yield two.lease(asks("late", requested=(str(leases[2].ip4.ip),)))
    age(dsn, 61.0)
    yield one.beat()
    late = yield one.lease(asks("late"))
    assert late.ip4 == leases[2].ip4, "the one that has been free longest"
    wished = yield one.lease(asks("wish", requested=(str(leases[4].ip4.ip),)))
    assert wished.ip4 == leases[4].ip4


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_reservations_exclusions_and_certain_addresses(gateway: Any) -> Any:
    reserved = Reservation("carol", (ip_network("10.3.0.6/32"),), (IdentityPattern.parse("carol@test"),))
    pool = evolve(SMALL, reservations=(reserved,), excluded=(ip_network("10.3.0.1/32"),))
    one = gateway(pool)
    yield one.start()
    wishes = ("10.3.0.6", "10.3.0.1")
    others = yield all_of(one.lease(asks(f"user{number}", requested=wishes)) for number in range(4))
    assert {str(lease.ip4.ip) for lease in others} == {f"10.3.0.{host}" for host in (2, 3, 4, 5)}
    carol = yield one.lease(asks("carol@test"))
    assert str(carol.ip4) == "10.3.0.6/29"
    with pytest.raises(NoAddress, match=r"10\.3\.0\.6 is lent to carol@test at present"):
        yield one.lease_this(asks("dave@test"), ip_address("10.3.0.6"))
    yield one.release(carol)
    certain = yield one.lease_this(asks("dave@test"), ip_address("10.3.0.6"))
    assert str(certain.ip4) == "10.3.0.6/29"


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_who_gives_up_while_the_database_is_asked_holds_nothing(
    gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> Any:
    one = gateway()
    yield one.start()
    release, given_back = one.release, Deferred[None]()
    monkeypatch.setattr(one, "release", lambda lease: release(lease).chainDeferred(given_back))
    waiting = one.lease(asks("carol@test"))
    waiting.addErrback(lambda _: None)
    waiting.cancel()
    yield one.lease(asks("dave@test"))
    yield given_back.addTimeout(20, reactor)
    yield one.beat()
    assert sum(use.lent for use in one.usage()) == 1


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_a_gateway_that_stops_in_order_leaves_nothing_lent(gateway: Any, dsn: str) -> Any:
    one = gateway()
    yield one.start()
    yield one.lease(asks("carol@test", ip6=True))
    yield one.stop()
    with psycopg.connect(dsn) as connection:
        assert connection.execute(
            "select count(*) from ikegw_address where gateway is not null"
        ).fetchone() == (0,)
        assert connection.execute("select count(*) from ikegw_gateway").fetchone() == (0,)


# ------------------------------------------------------------ gateways and databases that fall silent


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_what_a_dead_gateway_lent_is_lent_again_and_its_leases_are_over(gateway: Any, dsn: str) -> Any:
    one, two = gateway(), gateway()
    yield DeferredList([one.start(), two.start()])
    carol = yield one.lease(asks("carol@test"))
    age(dsn, RECLAIM - 1)
    yield two.beat()
    with pytest.raises(NoAddress):
        yield two.lease_this(asks("carol@test"), carol.ip4.ip)
    age(dsn, 2.0)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("update ikegw_gateway set seen = now() where id = %s", (two._gateway,))
    yield two.beat()
    again = yield two.lease(asks("carol@test"))
    assert again.ip4 == carol.ip4
    yield one.beat()  # it was only cut off, and hears now that it was taken for dead
    with pytest.raises(NoAddress, match="did not hear of us"):
        yield one.renew(carol)
    yield one.release(carol)
    assert (yield two.renew(again)).ip4 == carol.ip4
    dave = yield one.lease(asks("dave@test"))
    assert dave.ip4 != carol.ip4


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_a_gateway_that_begins_anew_need_not_wait_for_what_its_dead_life_lent(gateway: Any) -> Any:
    one = gateway(life="mine")
    yield one.start()
    carol = yield one.lease(asks("carol@test"))
    begun_beside = gateway(life="mine")
    yield begun_beside.start()
    with pytest.raises(NoAddress):
        yield begun_beside.lease_this(asks("carol@test"), carol.ip4.ip)
    one._life.end()  # as a SIGKILL does
    again = gateway(life="mine")
    yield again.start()
    assert (yield again.lease(asks("carol@test"))).ip4 == carol.ip4


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_a_gateway_without_its_database_stops_using_addresses_before_others_may(
    gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> Any:
    one = gateway()
    yield one.start()
    lease = yield one.lease(asks("carol@test"))
    monkeypatch.setattr(one._beating, "f", lambda: None)
    renewals = []
    while one._clock.seconds() < RECLAIM * 0.9 - 1e-6:
        lease = yield one.renew(lease)
        renewals.append(lease.renew_seconds)
        one._clock.advance(lease.renew_seconds)
    assert one._clock.seconds() == pytest.approx(RECLAIM * 0.9)
    assert len(renewals) == 3
    with pytest.raises(NoAddress, match="does not answer"):
        yield one.renew(lease)
    with pytest.raises(NoAddress, match="does not answer"):
        yield one.lease(asks("dave@test"))
    monkeypatch.undo()
    yield one.beat()
    assert (yield one.lease(asks("carol@test"))).ip4 == lease.ip4, (
        "what was lost was given back when it could be"
    )


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_a_release_that_the_database_does_not_hear_is_told_later(gateway: Any, postgresql: Postgresql) -> Any:
    one = gateway()
    yield one.start()
    lease = yield one.lease(asks("carol@test"))
    postgresql.stop()
    yield one.release(lease)
    yield one.beat()
    postgresql.start()
    yield one.beat()
    yield one.beat()
    assert sum(use.lent for use in one.usage()) == 0


@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_a_database_that_is_not_there_at_the_start_is_found_later(tmp_path: Path) -> Any:
    later = Postgresql(tmp_path / "late")
    clock = Clock()
    one = SharedPools(
        (SMALL,), Database(later.dsn, 2, reactor), clock, os.urandom, "lab", RECLAIM, Life(tmp_path / "id")
    )
    try:
        yield one.start()
        with pytest.raises(NoAddress, match="does not answer"):
            yield one.lease(asks("carol@test"))
        later.start()
        yield one.beat()
        assert str((yield one.lease(asks("carol@test"))).ip4) == "10.3.0.1/29"
        yield one.stop()
    finally:
        later.stop()


# ------------------------------------------------------------ many clients, two processes, one of them killed

CLIENTS = 2000


class Lender:
    """One gateway's process."""

    def __init__(self, dsn: str, seconds: float, life: Path) -> None:
        command = [sys.executable, "-m", "laboratory.lender", dsn, str(seconds), "10.3.0.0/21", str(life)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=Path(__file__).parent,
            env={"PYTHONPATH": f"{Path(__file__).parent}:{Path.cwd()}", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert self.read(1) == {"ready": "-"}

    def lease(self, names: list[str]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"lease {name}\n" for name in names))
        self.process.stdin.flush()

    def read(self, count: int) -> dict[str, str]:
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(count)]
        assert all(lines)
        for line in lines:
            if " - " in line:
                print(line)  # noqa: T201 (pytest shows it when a test fails)
        return {name: address for name, address, *_ in (line.split() for line in lines)}

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def test_2000_clients_at_two_gateways_at_once_and_one_is_killed(dsn: str, tmp_path: Path) -> None:
    reclaim = 3.0
    one, two = Lender(dsn, reclaim, tmp_path / "one"), Lender(dsn, reclaim, tmp_path / "two")
    try:
        names = [f"user{number}@test" for number in range(CLIENTS)]
        mine, theirs = names[::2], names[1::2]
        began = time.monotonic()
        one.lease(mine)
        two.lease(theirs)
        at_one, at_two = one.read(len(mine)), two.read(len(theirs))
        print(f"{CLIENTS / (time.monotonic() - began):.0f} leases/s")  # noqa: T201 (shown with -s)
        lent = [*at_one.values(), *at_two.values()]
        assert "-" not in lent
        assert len(set(lent)) == CLIENTS

        one.kill()
        with psycopg.connect(dsn, autocommit=True) as connection:

            def reclaimed() -> bool:
                row = connection.execute(
                    "select count(*) from ikegw_address where gateway is not null"
                ).fetchone()
                return row == (len(theirs),)

            until(reclaimed, "the dead gateway's addresses are not free", 2 * reclaim)
        two.lease(mine)
        assert two.read(len(mine)) == at_one, "everybody gets its own again"
        left = 2**11 - 2 - CLIENTS
        two.lease([f"more{number}@test" for number in range(left + 1)])
        more = two.read(left + 1)
        assert list(more.values()).count("-") == 1
        assert len({*lent, *more.values()}) == 2**11 - 2 + 1, "none is lost"
    finally:
        two.kill()
        if one.process.poll() is None:
            one.kill()


def test_the_word_that_we_live_is_said_often_enough() -> None:
    """Two may be lost, and the third still comes in time for every renewal."""
    assert RECLAIM / BEATS * 3 < RECLAIM * (1 - 0.1) - RECLAIM / 3
