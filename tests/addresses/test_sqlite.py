"""What is written down of lending: it survives a restart, a SIGKILL, a full disk; and it keeps nobody waiting."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from address_asking import ask, lend, refuse, result
from attrs import evolve
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.task import Clock

from ikegw.addresses import sqlite
from ikegw.addresses.pool import Pool
from ikegw.addresses.pools import PoolAddresses
from ikegw.addresses.sqlite import SqliteJournal, _shut
from ikegw.config.lending import Store

POOL = Pool(
    "rw", (ip_network("10.3.0.0/28"), ip_network("2001:db8:3::/64")), quarantine=60.0, store=Store.SQLITE
)


class Threads:
    """Runs what would be slow when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self.at_once = True

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        if self.at_once:
            return maybeDeferred(function, *arguments)
        self.waiting.append((Deferred(), function, arguments))
        return self.waiting[-1][0]

    def run_one(self) -> None:
        done, function, arguments = self.waiting.pop(0)
        maybeDeferred(function, *arguments).addBoth(done.callback)


class Gateway:
    """A life of a gateway with the file; `crash` is a SIGKILL as the file sees it."""

    def __init__(self, path: Path, clock: Clock, pools: tuple[Pool, ...] = (POOL,)) -> None:
        self.threads = Threads()
        self.journal = SqliteJournal(path, self.threads)
        self.addresses = PoolAddresses(pools, clock.seconds, self.journal)
        result(self.addresses.start())

    def crash(self) -> None:
        _shut(self.journal._connection, self.journal._lock)
        self.journal._connection = self.journal._lock = None


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    clock = Clock()
    clock.advance(1_700_000_000)
    begun: list[Gateway] = []

    def begin(*pools: Pool, after: float = 0.0) -> Gateway:
        clock.advance(after)
        begun.append(Gateway(tmp_path / "addresses.db", clock, pools or (POOL,)))
        return begun[-1]

    yield begin
    for gateway in begun:
        gateway.crash()


@pytest.mark.parametrize("crashed", [False, True], ids=["stopped", "crashed"])
def test_everybody_gets_the_same_address_after_a_restart(
    start: Callable[..., Gateway], crashed: bool
) -> None:
    first = start()
    names = [f"user{number}" for number in range(14)]
    leases = [lend(first.addresses, ask(name, ip6=True)) for name in names]
    for lease in leases[::2]:
        result(first.addresses.release(lease))
    if crashed:
        first.crash()
    else:
        result(first.addresses.stop())
    second = start()
    again = [lend(second.addresses, ask(name, ip6=True)) for name in reversed(names)]
    assert [(one.ip4, one.ip6) for one in reversed(again)] == [(one.ip4, one.ip6) for one in leases]


def test_what_was_lent_when_we_crashed_is_for_its_owner_alone_for_the_time_of_the_quarantine(
    start: Callable[..., Gateway],
) -> None:
    first = start()
    for number in range(14):
        lend(first.addresses, ask(f"user{number}"))
    first.crash()
    second = start(after=3600.0)
    assert "given back just now" in refuse(second.addresses, ask("stranger"))
    second.crash()
    third = start(after=61.0)
    assert lend(third.addresses, ask("stranger"))


def test_the_quarantine_goes_on_over_a_restart(start: Callable[..., Gateway]) -> None:
    first = start()
    leases = [lend(first.addresses, ask(f"user{number}")) for number in range(14)]
    for lease in leases:
        result(first.addresses.release(lease))
    first.crash()
    second = start(after=30.0)
    refuse(second.addresses, ask("stranger"))
    second.crash()
    third = start(after=31.0)
    assert lend(third.addresses, ask("stranger"))


def test_a_newcomer_hears_of_its_address_when_it_is_written_down_and_others_at_once(
    start: Callable[..., Gateway],
) -> None:
    gateway = start()
    known = lend(gateway.addresses, ask("known"))
    result(gateway.addresses.release(known))
    gateway.threads.at_once = False
    assert result(gateway.addresses.lease(ask("known"))).ip4 == known.ip4
    waiting = [gateway.addresses.lease(ask(f"new{number}")) for number in range(5)]
    assert not any(one.called for one in waiting)
    assert len(gateway.threads.waiting) == 1, "one transaction at a time"
    gateway.threads.run_one()
    assert not any(one.called for one in waiting), "theirs is the next"
    gateway.threads.run_one()
    assert all(one.called for one in waiting)
    assert not gateway.threads.waiting


def test_who_gives_up_while_it_is_written_holds_nothing(start: Callable[..., Gateway]) -> None:
    gateway = start()
    gateway.threads.at_once = False
    waiting = gateway.addresses.lease(ask())
    waiting.addErrback(lambda _: None)
    waiting.cancel()
    assert gateway.addresses.usage()[0].lent == 0
    while gateway.threads.waiting:
        gateway.threads.run_one()
    assert lend(gateway.addresses, ask())


def test_nobody_is_kept_out_by_a_disk_that_is_full_and_all_is_written_when_it_is_not(
    start: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start()
    commit = sqlite._commit

    def full(connection: object, gathered: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sqlite, "_commit", full)
    lease = lend(first.addresses, ask("a"))
    monkeypatch.setattr(sqlite, "_commit", commit)
    lend(first.addresses, ask("b"))
    first.crash()
    second = start()
    lend(second.addresses, ask("b"))
    assert lend(second.addresses, ask("a")).ip4 == lease.ip4


def test_an_address_goes_with_the_pool_that_has_it(start: Callable[..., Gateway]) -> None:
    first = start()
    lend(first.addresses, ask("other"))
    lease = lend(first.addresses, ask())
    first.crash()
    renamed = evolve(POOL, name="renamed")
    second = start(Pool("elsewhere", (ip_network("10.9.0.0/24"),), store=Store.SQLITE))
    second.addresses.reload((renamed,))
    assert lend(second.addresses, ask(pools=("renamed",))).ip4 == lease.ip4


def test_a_pool_in_memory_leaves_no_trace(start: Callable[..., Gateway], tmp_path: Path) -> None:
    gateway = start(evolve(POOL, store=Store.MEMORY))
    result(gateway.addresses.release(lend(gateway.addresses, ask())))
    assert not list(tmp_path.iterdir())


def test_a_pool_that_is_to_be_written_down_after_a_reload_is(start: Callable[..., Gateway]) -> None:
    first = start(evolve(POOL, store=Store.MEMORY))
    first.addresses.reload((POOL,))
    result(first.addresses.start())
    lend(first.addresses, ask("other"))
    lease = lend(first.addresses, ask())
    first.crash()
    assert lend(start().addresses, ask()).ip4 == lease.ip4


def test_what_is_forgotten_is_erased(start: Callable[..., Gateway], tmp_path: Path) -> None:
    """One address is remembered for each owner: the latest."""
    gateway = start()
    both = [lend(gateway.addresses, ask()), lend(gateway.addresses, ask())]
    for lease in both:
        result(gateway.addresses.release(lease))
    rows = sqlite3.connect(tmp_path / "addresses.db").execute("select address, name from address").fetchall()
    assert rows == [(str(both[1].ip4.ip), "carol@ikegw.example")]  # type: ignore[union-attr]


# ------------------------------------------------------------ what an operator gets wrong


def test_two_gateways_cannot_have_one_file(start: Callable[..., Gateway], tmp_path: Path) -> None:
    start()
    failure = result(SqliteJournal(tmp_path / "addresses.db", Threads()).open())
    assert failure.check(OSError)
    assert "another ikegw has" in str(failure.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"not a database" * 100, "not a database"), (None, "of a later version of ikegw")],
    ids=["rubbish", "later"],
)
def test_a_file_that_cannot_be_read_is_told_and_left_alone(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "addresses.db"
    if content is None:
        with sqlite3.connect(path) as connection:
            connection.execute("pragma user_version = 99")
        connection.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    failure = result(SqliteJournal(path, Threads()).open())
    assert told in str(failure.value)
    assert str(path) in str(failure.value)
    assert path.read_bytes() == before


# ------------------------------------------------------------ for real

LENDER = """
    import sys
    from pathlib import Path
    from ipaddress import ip_network
    from twisted.internet import reactor, threads
    from address_asking import ask
    from test_sqlite import POOL
    from attrs import evolve
    from ikegw.addresses.pools import PoolAddresses
    from ikegw.addresses.sqlite import SqliteJournal

    pool = evolve(POOL, blocks=(ip_network("10.0.0.0/16"),))
    journal = SqliteJournal(Path(sys.argv[1]), threads.deferToThread)
    addresses = PoolAddresses([pool], reactor.seconds, journal)
    number = 0

    def login():
        global number
        name, number = f"user{number}", number + 1
        addresses.lease(ask(name)).addCallback(lambda lease: print(name, lease.ip4.ip, flush=True))
        reactor.callLater(0.0002, login)

    reactor.callWhenRunning(lambda: addresses.start().addCallback(lambda _: login()))
    reactor.run()
"""


def test_whoever_was_told_its_address_gets_it_again_after_a_SIGKILL(tmp_path: Path) -> None:
    path = tmp_path / "addresses.db"
    here = str(Path(__file__).parent)
    lender = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LENDER), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((here, str(Path.cwd())))},
    )
    assert lender.stdout is not None
    told = [lender.stdout.readline().split() for _ in range(300)]
    lender.send_signal(signal.SIGKILL)
    told += [line.split() for line in lender.stdout.read().splitlines() if len(line.split()) == 2]
    lender.wait()
    lender.stdout.close()
    clock = Clock()
    gateway = Gateway(path, clock, (evolve(POOL, blocks=(ip_network("10.0.0.0/16"),)),))
    assert len(told) >= 300
    assert len({address for _, address in told}) == len(told)
    for name, address in told:
        assert str(lend(gateway.addresses, ask(name)).ip4.ip) == address  # type: ignore[union-attr]
    gateway.crash()


def test_a_thread_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "addresses.db", lambda *_: fail(RuntimeError("no thread")))
    assert "no thread" in str(result(journal.open()))
