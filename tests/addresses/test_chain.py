"""Providers in a row: the next one steps in for each family apart, and nothing is left lent that nobody has."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, ip_address, ip_network
from typing import Any

import pytest
from address_asking import ask, lend, refuse, result
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock

from ikegw.addresses.chain import Chain
from ikegw.addresses.pool import Pool
from ikegw.addresses.pools import PoolAddresses
from ikegw.ports import Addresses, AddressRequest, Lease, NoAddress
from ikegw.session import Grant
from ikegw.testing.lease_server import LeaseServer, Leasing

FOUR = Pool("four", (ip_network("10.4.0.0/24"),), (IPv4Address("10.4.0.53"),), domains=("four.example",))
SIX = Pool("six", (ip_network("2001:db8:6::/64"),), (IPv6Address("2001:db8:6::53"),))
BOTH = Pool("both", (ip_network("10.5.0.0/24"), ip_network("2001:db8:5::/64")))
TIMEOUT = 5.0


class Silent:
    """Never answers."""

    def __init__(self) -> None:
        self.cancelled = 0

    def lease(self, request: AddressRequest) -> Deferred[Lease]:
        return Deferred(self._cancel)

    def _cancel(self, _: object) -> None:
        self.cancelled += 1

    def renew(self, lease: Lease) -> Deferred[Lease]:
        return Deferred()

    def release(self, lease: Lease) -> Deferred[None]:
        raise AssertionError("it gave nothing")


class World:
    """Pools, others, a clock, and a chain of them."""

    def __init__(self, *pools: Pool, **others: Addresses) -> None:
        self.clock = Clock()
        self.pools = PoolAddresses(pools or (FOUR, SIX, BOTH))
        self.others: dict[str, Addresses] = {f"dhcp:{name}": other for name, other in others.items()}
        self.chain = Chain(self.clock, TIMEOUT, [self.pools], self.others)

    def server(self, name: str, pool: Pool, delay: float = 0.0, seconds: float = 100.0) -> LeaseServer:
        server = LeaseServer(self.clock, PoolAddresses((evolve(pool, name=f"dhcp:{name}"),)), seconds)
        self.others[f"dhcp:{name}"] = Leasing(self.clock, server, delay)
        return server

    @property
    def lent(self) -> int:
        return sum(use.lent for use in self.pools.usage()) + self.chain.granted.lent


def both(*pools: str, **more: Any) -> AddressRequest:
    return ask(pools=pools, ip6=True, **more)


# ------------------------------------------------------------ order, and families


def test_each_family_has_the_first_provider_that_serves_it() -> None:
    world = World()
    lease = lend(world.chain, both("six", "four", "both"))
    assert (str(lease.ip4), str(lease.ip6)) == ("10.4.0.1/24", "2001:db8:6::1/64")
    assert lease.dns == (*SIX.dns, *FOUR.dns)
    assert lease.domains == ("four.example",)
    assert lease.renew_seconds is None
    result(world.chain.release(lease))
    assert not world.lent


def test_a_family_that_nobody_serves_is_left_out_and_nothing_at_all_tells_every_answer() -> None:
    world = World()
    assert lend(world.chain, both("four")).ip6 is None
    assert refuse(world.chain, ask(pools=("six", "gone", "dhcp:office", "radius"))) == (
        "no address for carol@ikegw.example on roadwarriors: pool six has no IPv4 addresses; pool gone is not configured; "
        "pool dhcp:office is not configured; the AAA server gave no IPv4 address and no pool"
    )
    assert "names no pool" in refuse(world.chain, ask(pools=()))


def test_providers_that_need_not_wait_answer_at_once_and_others_later() -> None:
    world = World()
    world.server("office", BOTH, delay=0.5)
    assert world.chain.lease(ask(pools=("four", "dhcp:office"))).called
    later = world.chain.lease(ask(pools=("dhcp:office", "four")))
    assert not later.called
    world.clock.advance(0.25)
    world.clock.advance(0.25)
    assert str(result(later).ip4) == "10.5.0.1/24"


def test_one_that_is_silent_is_cancelled_and_leaves_it_to_the_next() -> None:
    silent = Silent()
    world = World(silent=silent)
    waiting = world.chain.lease(both("dhcp:silent", "both"))
    world.clock.advance(TIMEOUT - 0.1)
    assert not waiting.called
    world.clock.advance(0.2)
    assert str(result(waiting).ip4) == "10.5.0.1/24"
    assert silent.cancelled == 1
    assert not world.clock.getDelayedCalls()
    waiting = world.chain.lease(ask(pools=("dhcp:silent",)))
    world.clock.advance(TIMEOUT)
    assert "dhcp:silent did not answer within 5 s" in str(result(waiting).value)


def test_a_fault_in_a_provider_is_not_taken_for_an_answer_and_leaves_nothing_lent() -> None:
    class Broken(Silent):
        def lease(self, request: AddressRequest) -> Deferred[Lease]:
            return fail(ZeroDivisionError("a fault of ours"))

    world = World(broken=Broken())
    assert result(world.chain.lease(both("four", "dhcp:broken"))).check(ZeroDivisionError)
    assert not world.lent


@pytest.mark.parametrize("given_up_after", [0.0, 0.3, 0.7])
def test_who_gives_up_has_nothing_lent(given_up_after: float) -> None:
    world = World()
    server = world.server("office", SIX, delay=1.0)
    waiting = world.chain.lease(both("four", "dhcp:office"))
    waiting.addErrback(lambda _: None)
    assert world.lent == 1
    world.clock.advance(given_up_after)
    waiting.cancel()
    assert not world.lent
    world.clock.pump([0.5] * 4)
    assert not server.standing


# ------------------------------------------------------------ renewing and releasing


def test_each_part_is_renewed_and_released_by_who_gave_it() -> None:
    world = World()
    office, branch = world.server("office", FOUR), world.server("branch", SIX, seconds=60.0)
    lease = lend(world.chain, both("dhcp:office", "dhcp:branch"))
    assert lease.renew_seconds == 30.0, "the one that is due first"
    world.clock.advance(30.0)
    lease = result(world.chain.renew(lease))
    assert lease.renew_seconds == 30.0
    assert (str(lease.ip4), str(lease.ip6)) == ("10.4.0.1/24", "2001:db8:6::1/64")
    world.clock.advance(59.0)
    assert (office.standing, branch.standing) == (1, 1)
    result(world.chain.release(lease))
    assert (office.standing, branch.standing) == (0, 0)


def test_a_part_without_an_end_is_not_renewed_and_goes_when_another_is_lost() -> None:
    world = World()
    office = world.server("office", SIX)
    lease = lend(world.chain, both("four", "dhcp:office"))
    assert result(world.chain.renew(lease)).ip4 == lease.ip4
    office.fails = lambda: True
    assert "the server refuses" in str(result(world.chain.renew(lease)).value)
    assert not world.lent
    assert not office.standing


def test_a_part_that_is_renewed_with_another_address_is_a_loss_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    office = world.server("office", FOUR)
    lease = lend(world.chain, both("dhcp:office", "six"))
    renew = office.renew
    monkeypatch.setattr(office, "renew", lambda one: evolve(renew(one), ip4=IPv4Interface("10.4.0.9/24")))
    assert "another address" in str(result(world.chain.renew(lease)).value)
    assert not world.lent
    assert not office.standing


def test_a_renewal_that_is_cancelled_leaves_the_lease_as_it_is() -> None:
    world = World()
    office = world.server("office", FOUR, delay=1.0)
    waiting = world.chain.lease(both("dhcp:office", "six"))
    world.clock.pump([0.5, 0.5])
    lease = result(waiting)
    renewing = world.chain.renew(lease)
    renewing.addErrback(lambda _: None)
    renewing.cancel()
    world.clock.pump([0.5, 0.5])
    assert office.standing == 1
    assert world.lent == 1
    renewing = world.chain.renew(lease)
    world.clock.pump([0.5, 0.5])
    assert result(renewing).ip4 == lease.ip4


def test_all_parts_go_back_though_one_is_not_taken() -> None:
    class Unwilling:
        def lease(self, request: AddressRequest) -> Deferred[Lease]:
            return succeed(Lease(IPv4Interface("192.0.2.1/32"), None))

        def renew(self, lease: Lease) -> Deferred[Lease]:
            return succeed(lease)

        def release(self, lease: Lease) -> Deferred[None]:
            return fail(NoAddress("the server is gone"))

    world = World(unwilling=Unwilling())
    lease = lend(world.chain, both("dhcp:unwilling", "six"))
    assert "the server is gone" in str(result(world.chain.release(lease)).value)
    assert not world.lent


def test_a_foreign_lease_is_neither_renewed_nor_released() -> None:
    world = World()
    assert result(world.chain.release(Lease(None, None))) is None
    assert result(world.chain.renew(Lease(None, None))).check(NoAddress)


# ------------------------------------------------------------ what the AAA server decided


def granted(*pools: str, six: bool = False, name: str = "carol", **grant: Any) -> AddressRequest:
    return ask(name, pools or ("radius", "four"), ip6=six, grant=Grant(**grant))


def test_the_AAA_servers_address_is_lent_with_its_netmask_and_its_servers() -> None:
    world = World()
    grant = {
        "ip4": ip_address("192.0.2.77"),
        "ip4_netmask": ip_address("255.255.255.0"),
        "dns": (ip_address("192.0.2.53"),),
        "nbns": (IPv4Address("192.0.2.54"),),
    }
    lease = lend(world.chain, granted(**grant))
    assert str(lease.ip4) == "192.0.2.77/24"
    assert (lease.dns, lease.nbns) == (grant["dns"], grant["nbns"])
    result(world.chain.release(lease))
    assert not world.lent


def test_the_AAA_servers_name_servers_hold_also_for_an_address_of_ours() -> None:
    world = World()
    lease = lend(world.chain, granted(dns=(ip_address("192.0.2.53"),)))
    assert str(lease.ip4) == "10.4.0.1/24"
    assert lease.dns == (ip_address("192.0.2.53"),)
    assert result(world.chain.renew(lease)).dns == lease.dns


@pytest.mark.parametrize("netmask", ["255.0.255.0", "0.0.0.255"])
def test_a_netmask_that_is_none_is_passed_over(netmask: str) -> None:
    grant = {"ip4": ip_address("192.0.2.77"), "ip4_netmask": ip_address(netmask)}
    assert str(lend(World().chain, granted(**grant)).ip4).startswith("192.0.2.77/")


@pytest.mark.parametrize("address", ["255.255.255.255", "255.255.255.254", "0.0.0.0"])
def test_an_address_that_says_let_the_gateway_choose_is_none(address: str) -> None:
    assert str(lend(World().chain, granted(ip4=ip_address(address))).ip4) == "10.4.0.1/24"


def test_an_address_of_the_AAA_server_that_is_in_a_pool_is_not_lent_out_of_the_pool_besides() -> None:
    world = World()
    lease = lend(world.chain, granted(ip4=ip_address("10.4.0.1")))
    assert str(lease.ip4) == "10.4.0.1/24"
    assert str(lend(world.chain, ask("dave", ("four",))).ip4) == "10.4.0.2/24"
    result(world.chain.release(lease))
    assert world.lent == 1


@pytest.mark.parametrize("address", ["10.4.0.7", "192.0.2.77"], ids=["in a pool", "in none"])
def test_an_address_that_the_AAA_server_gives_to_two_is_lent_to_the_first(address: str) -> None:
    world = World()
    lend(world.chain, granted("radius", ip4=ip_address(address)))
    text = refuse(world.chain, granted("radius", name="dave", ip4=ip_address(address)))
    assert f"{address} is lent to carol at present" in text


def test_the_pool_that_the_AAA_server_names_serves_its_family() -> None:
    world = World()
    lease = lend(world.chain, granted("radius", six=True, pools4=("gone", "both"), pools6=("six",)))
    assert (str(lease.ip4), str(lease.ip6)) == ("10.5.0.1/24", "2001:db8:6::1/64")
    text = refuse(world.chain, granted("radius", pools4=("gone",)))
    assert "the AAA server names a pool, but pool gone is not configured" in text


def test_what_the_AAA_server_leaves_open_is_left_to_the_next() -> None:
    lease = lend(World().chain, granted("radius", "both", six=True, ip6=ip_address("2001:db8::7")))
    assert (str(lease.ip4), str(lease.ip6)) == ("10.5.0.1/24", "2001:db8::7/128")


# ------------------------------------------------------------ whatever happens


class Crowd:
    """Clients of a chain that log in, wait, renew, leave; `do` does one such thing."""

    def __init__(self, pools: Iterable[str], delay: float) -> None:
        self.pools = tuple(pools)
        self.world = World()
        self.servers = (
            self.world.server("slow", BOTH, delay, 1e6),
            self.world.server("quick", SIX, seconds=1e6),
        )
        self.waiting: list[Deferred[Any]] = []
        self.standing: list[Lease] = []

    def do(self, what: str, number: int) -> None:
        getattr(self, what)(number)
        self.world.clock.advance(number / 4)

    def login(self, number: int) -> None:
        grant = Grant(ip4=IPv4Address("10.4.0.0") + number % 3 + 1, pools6=("six",))
        self._wait(self.world.chain.lease(both(*self.pools, name=f"user{number}", grant=grant)))

    def give_up(self, number: int) -> None:
        if self.waiting:
            self.waiting[number % len(self.waiting)].cancel()

    def leave(self, number: int) -> None:
        if self.standing:
            self.world.chain.release(self.standing.pop(number % len(self.standing)))

    def renew(self, number: int) -> None:
        if self.standing:
            lease = self.standing.pop(number % len(self.standing))
            self._wait(self.world.chain.renew(lease), lease)

    def fail(self, number: int) -> None:
        self.servers[number % 2].fails = lambda: True

    def work(self, number: int) -> None:
        self.servers[number % 2].fails = lambda: False

    def _wait(self, waited: Deferred[Any], held: Lease | None = None) -> None:
        self.waiting.append(waited)
        waited.addBoth(self._over, waited, held)

    def _over(self, outcome: Any, waited: Deferred[Any], held: Lease | None) -> None:
        self.waiting.remove(waited)
        if isinstance(outcome, Lease):
            self.standing.append(outcome)
        elif held is not None and outcome.check(CancelledError):
            self.standing.append(held)

    def all_leave(self) -> None:
        while self.waiting:
            self.waiting[0].cancel()
        while self.standing:
            self.leave(0)
        self.world.clock.pump([1.0] * 30)


THINGS = ("login", "login", "give_up", "leave", "renew", "fail", "work")


@given(
    st.lists(st.sampled_from(("dhcp:slow", "dhcp:quick", "four", "six", "radius", "gone")), max_size=4),
    st.lists(st.tuples(st.sampled_from(THINGS), st.integers(0, 9)), max_size=40),
    st.sampled_from((0.0, 0.2, 4.0, 12.0)),
)
def test_after_everyone_has_left_nothing_is_lent(
    pools: list[str], steps: list[tuple[str, int]], delay: float
) -> None:
    crowd = Crowd(pools, delay)
    for what, number in steps:
        crowd.do(what, number)
        taken = [str(one) for lease in crowd.standing for one in (lease.ip4, lease.ip6) if one is not None]
        assert len(set(taken)) == len(taken)
    crowd.all_leave()
    assert not crowd.world.lent
    assert not sum(server.standing for server in crowd.servers)
