"""Addresses out of pools in memory: who gets which, and what happens when they run out or the pools change."""

from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from ikegw.addresses.pool import Pool, PoolAddresses, PoolUse
from ikegw.addresses.space import Interval, Space
from ikegw.policy.identities import parse_identity
from ikegw.ports import AddressRequest, Lease, NoAddress

DNS = (ip_address("10.3.0.53"), ip_address("2001:db8::53"))
RW = Pool("rw", (ip_network("10.3.0.0/29"), ip_network("2001:db8:3::/64")), DNS)


def result(deferred: Deferred[Any]) -> Any:
    found: list[Any] = []
    deferred.addBoth(found.append)
    return found[0]


def ask(
    name: str = "carol@ikegw.example",
    pools: tuple[str, ...] = ("rw",),
    *,
    ip4: bool = True,
    ip6: bool = False,
    requested: tuple[str, ...] = (),
) -> AddressRequest:
    addresses = tuple(ip_address(each) for each in requested)
    return AddressRequest("roadwarriors", parse_identity(name), pools, ip4, ip6, addresses)


def lend(addresses: PoolAddresses, request: AddressRequest) -> Lease:
    lease = result(addresses.lease(request))
    assert isinstance(lease, Lease), lease
    return lease


def refuse(addresses: PoolAddresses, request: AddressRequest) -> str:
    failure = result(addresses.lease(request))
    assert failure.check(NoAddress), failure
    return str(failure.value)


def test_lease_of_both_families_with_dns() -> None:
    lease = lend(PoolAddresses([RW]), ask(ip6=True))
    assert lease.ip4 == IPv4Interface("10.3.0.1/29")
    assert lease.ip6 == IPv6Interface("2001:db8:3::1/64")
    assert lease.dns == DNS


def test_network_and_broadcast_are_never_lent() -> None:
    addresses = PoolAddresses([RW])
    lent = {lend(addresses, ask(f"user{number}")).ip4 for number in range(6)}
    assert lent == {IPv4Interface(f"10.3.0.{host}/29") for host in range(1, 7)}
    assert "lent all of its 6 IPv4" in refuse(addresses, ask("late"))


@pytest.mark.parametrize(
    ("block", "size"),
    [
        ("10.0.0.0/31", 2),
        ("10.0.0.1/32", 1),
        ("10.0.0.0/30", 2),
        ("2001:db8::/127", 2),
        ("2001:db8::/126", 3),
        ("10.0.0.0/16", 65534),
    ],
)
def test_what_of_a_network_can_be_lent(block: str, size: int) -> None:
    assert Space([Interval.of(ip_network(block))]).size == size


def test_a_range_is_lent_whole_and_as_host_addresses() -> None:
    pool = Pool("rw", ((ip_address("10.0.0.0"), ip_address("10.0.0.1")),))  # type: ignore[arg-type]
    addresses = PoolAddresses([pool])
    assert lend(addresses, ask("a")).ip4 == IPv4Interface("10.0.0.0/32")
    assert lend(addresses, ask("b")).ip4 == IPv4Interface("10.0.0.1/32")


@pytest.mark.parametrize("ends", [("10.0.0.2", "10.0.0.1"), ("10.0.0.1", "2001:db8::1")])
def test_a_range_that_is_none_is_refused_with_the_pools_name(ends: tuple[str, str]) -> None:
    block: Any = tuple(ip_address(each) for each in ends)
    with pytest.raises(ValueError, match=r"pool rw: 10\.0\.0\.\d-\S+ is not a range"):
        PoolAddresses([Pool("rw", (block,))])


def test_the_same_identity_gets_the_same_address_while_it_is_free() -> None:
    addresses = PoolAddresses([RW])
    first = lend(addresses, ask("carol@ikegw.example", ip6=True))
    result(addresses.release(first))
    other = lend(addresses, ask("dave@ikegw.example", ip6=True))
    again = lend(addresses, ask("CAROL@ikegw.example", ip6=True))
    assert (again.ip4, again.ip6) == (first.ip4, first.ip6)
    assert (other.ip4, other.ip6) != (first.ip4, first.ip6)


def test_a_second_device_of_the_same_identity_gets_another_address() -> None:
    addresses = PoolAddresses([RW])
    assert lend(addresses, ask()).ip4 != lend(addresses, ask()).ip4


def test_after_exhaustion_the_longest_free_address_goes_to_a_newcomer() -> None:
    addresses = PoolAddresses([RW])
    leases = [lend(addresses, ask(f"user{number}")) for number in range(6)]
    for index in (3, 1):
        result(addresses.release(leases[index]))
    assert lend(addresses, ask("newcomer")).ip4 == leases[3].ip4
    assert lend(addresses, ask("user1")).ip4 == leases[1].ip4
    assert "rw" in refuse(addresses, ask("user3"))


def test_a_requested_address_is_honoured_if_free_and_in_the_pool() -> None:
    addresses = PoolAddresses([RW])
    assert lend(addresses, ask("a", requested=("10.3.0.5",))).ip4 == IPv4Interface("10.3.0.5/29")
    assert lend(addresses, ask("b", requested=("10.3.0.5",))).ip4 == IPv4Interface("10.3.0.1/29")
    assert lend(addresses, ask("c", requested=("192.0.2.1", "0.0.0.0"))).ip4 == IPv4Interface("10.3.0.2/29")
    assert lend(addresses, ask("d", requested=("10.3.0.0",))).ip4 == IPv4Interface("10.3.0.3/29")
    both = lend(addresses, ask("e", ip6=True, requested=("2001:db8:3::1234", "10.3.0.6")))
    assert (both.ip4, both.ip6) == (IPv4Interface("10.3.0.6/29"), IPv6Interface("2001:db8:3::1234/64"))


def test_release_is_idempotent_and_knows_only_its_own_leases() -> None:
    addresses = PoolAddresses([RW])
    first = lend(addresses, ask("a"))
    result(addresses.release(first))
    second = lend(addresses, ask("b", requested=("10.3.0.1",)))
    assert second.ip4 == first.ip4
    result(addresses.release(first))  # the address is b's by now
    assert lend(addresses, ask("c", requested=("10.3.0.1",))).ip4 != second.ip4
    result(addresses.release(Lease(second.ip4, None, token=object())))
    assert addresses.usage()[0].lent == 2


def test_the_next_pool_serves_when_the_first_is_exhausted_each_family_apart() -> None:
    small = Pool("small", (ip_network("10.9.0.1/32"), ip_network("2001:db8:9::1/128")), DNS[:1])
    six = Pool("six", (ip_network("2001:db8:6::/64"),), DNS[1:])
    addresses = PoolAddresses([small, six])
    lend(addresses, ask("a", ("small", "six"), ip6=True))
    lease = lend(addresses, ask("b", ("small", "six"), ip6=True))
    assert lease.ip4 is None
    assert lease.ip6 == IPv6Interface("2001:db8:6::1/64")
    assert lease.dns == DNS[1:]


def test_what_failed_is_told_for_each_pool() -> None:
    addresses = PoolAddresses(
        [Pool("v6only", (ip_network("2001:db8::/64"),)), Pool("one", (ip_network("10.0.0.1/32"),))]
    )
    lend(addresses, ask("a", ("one",)))
    text = refuse(addresses, ask("carol@ikegw.example", ("v6only", "one", "gone")))
    assert text == (
        "no address for carol@ikegw.example on roadwarriors: pool v6only has no IPv4 addresses; "
        "pool one has lent all of its 1 IPv4 addresses; pool gone is not configured"
    )
    assert "names no pool" in refuse(addresses, ask(pools=()))


def test_asking_for_no_family_gives_dns_alone() -> None:
    lease = lend(PoolAddresses([RW]), ask(ip4=False))
    assert (lease.ip4, lease.ip6, lease.dns) == (None, None, DNS)


def test_reload_keeps_leases_and_what_was_remembered() -> None:
    addresses = PoolAddresses([RW])
    standing = lend(addresses, ask("stays"))
    former = lend(addresses, ask("comes.back"))
    result(addresses.release(former))
    wider = Pool("rw", (ip_network("10.3.0.0/24"),))
    addresses.reload([wider])
    assert lend(addresses, ask("comes.back")).ip4 == IPv4Interface("10.3.0.2/24")
    assert lend(addresses, ask("thief", requested=("10.3.0.1",))).ip4 != IPv4Interface("10.3.0.1/24")
    result(addresses.release(standing))
    assert lend(addresses, ask("stays")).ip4 == IPv4Interface("10.3.0.1/24")


def test_reload_that_renames_a_pool_does_not_lend_an_address_twice() -> None:
    addresses = PoolAddresses([RW])
    standing = lend(addresses, ask("stays"))
    addresses.reload([])
    assert "not configured" in refuse(addresses, ask("other"))
    addresses.reload([Pool("renamed", RW.blocks)])
    assert lend(addresses, ask("other", ("renamed",))).ip4 == IPv4Interface("10.3.0.2/29")
    result(addresses.release(standing))
    assert lend(addresses, ask("stays", ("renamed",))).ip4 == standing.ip4


def test_reload_with_overlapping_pools_changes_nothing() -> None:
    addresses = PoolAddresses([RW])
    with pytest.raises(ValueError, match="pools rw and twice overlap"):
        addresses.reload([RW, Pool("twice", (ip_network("10.3.0.6/32"),))])
    with pytest.raises(ValueError, match="pool rw: two of its networks or ranges overlap"):
        addresses.reload([Pool("rw", (ip_network("10.0.0.0/24"), ip_network("10.0.0.0/25")))])
    assert lend(addresses, ask()).ip4 == IPv4Interface("10.3.0.1/29")


def test_usage_counts_leases() -> None:
    addresses = PoolAddresses([Pool("rw", (ip_network("10.3.0.0/29"),))])
    lend(addresses, ask())
    assert addresses.usage() == (PoolUse("rw", 4, 6, 1),)


def test_a_full_slash_16_is_lent_once_each_and_refilled() -> None:
    addresses = PoolAddresses([Pool("rw", (ip_network("10.0.0.0/16"),))])
    leases = [lend(addresses, ask(f"user{number}")) for number in range(65534)]
    assert len({lease.ip4 for lease in leases}) == 65534
    refuse(addresses, ask("one.too.many"))
    for lease in leases[::2]:
        result(addresses.release(lease))
    again = {lend(addresses, ask(f"user{number}")).ip4 for number in range(0, 65534, 2)}
    assert again == {lease.ip4 for lease in leases[::2]}


def test_what_is_remembered_is_bounded_and_forgotten_addresses_are_lent_again() -> None:
    space = Space([Interval.of(ip_network("10.0.0.0/28"))], remembered=3)
    for number in range(40):
        taken = space.take((2, number))
        assert taken is not None
        space.give_back(taken, (2, number))
    assert len(space._former) == len(space._last) == 3
    assert len({space.take((2, number)) for number in range(14)}) == 14
    assert space.take((2, 99)) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 20)), max_size=120))
def test_no_address_is_ever_held_twice_and_none_is_lost(steps: list[tuple[bool, int, int]]) -> None:
    addresses = PoolAddresses([Pool("rw", (ip_network("10.0.0.0/30"), ip_network("10.0.1.0/29")))])
    standing: list[Lease] = []
    for give, user, host in steps:
        if give and standing:
            result(addresses.release(standing.pop(host % len(standing))))
            continue
        request = ask(f"user{user}", requested=(str(IPv4Address("10.0.1.0") + host),))
        outcome = result(addresses.lease(request))
        if isinstance(outcome, Lease):
            standing.append(outcome)
        else:
            assert len(standing) == 8
        assert len({lease.ip4 for lease in standing}) == len(standing) == addresses.usage()[0].lent
