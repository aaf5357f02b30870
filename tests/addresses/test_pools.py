"""Addresses out of pools in memory: who gets which, and what happens when they run out or the pools change."""

from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_address, ip_network
from typing import Any

import pytest
from address_asking import ask, lend, refuse, result
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from ikegw.addresses.pool import Pool, Reservation
from ikegw.addresses.pools import PoolAddresses, PoolUse
from ikegw.addresses.space import Interval, Space
from ikegw.policy.identities import IdentityPattern
from ikegw.ports import Lease
from ikegw.session import Grant

DNS = (ip_address("10.3.0.53"), ip_address("2001:db8::53"))
RW = Pool("rw", (ip_network("10.3.0.0/29"), ip_network("2001:db8:3::/64")), DNS)


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
        ("2001:db8::/127", 1),
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
        "pool v6only has no IPv4 addresses; "
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
        taken = space.take(str(number), 0.0)
        assert taken is not None
        space.give_back(taken, str(number), 0.0)
    assert len(space._former) == len(space._last) == 3
    assert len({space.take(str(number), 0.0) for number in range(14)}) == 14
    assert space.take("99", 0.0) is None


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


# ------------------------------------------------------------ what is never lent, and what is kept for some


def test_excluded_addresses_are_never_lent_not_even_if_asked_for() -> None:
    pool = Pool(
        "rw",
        (ip_network("10.3.0.0/29"),),
        excluded=(ip_network("10.3.0.1/32"), (ip_address("10.3.0.5"), ip_address("10.3.0.9"))),
    )
    addresses = PoolAddresses([pool])
    assert lend(addresses, ask("a", requested=("10.3.0.1",))).ip4 == IPv4Interface("10.3.0.2/29")
    assert addresses.usage()[0].size == 3
    assert {lend(addresses, ask(f"b{number}")).ip4 for number in range(2)} == {
        IPv4Interface("10.3.0.3/29"),
        IPv4Interface("10.3.0.4/29"),
    }
    refuse(addresses, ask("c"))


def test_no_IPv6_address_that_ends_in_two_colons_is_lent_for_windows_cannot_use_it() -> None:
    pool = Pool("rw", ((ip_address("2001:db8::ffff"), ip_address("2001:db8::1:1")),))
    addresses = PoolAddresses([pool])
    assert addresses.usage()[0].size == 2
    asked = lend(addresses, ask("a", ip4=False, ip6=True, requested=("2001:db8::1:0",)))
    assert {str(asked.ip6), str(lend(addresses, ask("b", ip4=False, ip6=True)).ip6)} == {
        "2001:db8::ffff/128",
        "2001:db8::1:1/128",
    }
    refuse(addresses, ask("c", ip4=False, ip6=True))


@given(st.integers(0, 1 << 20), st.integers(0, 1 << 20))
def test_the_size_of_an_IPv6_interval_is_what_can_be_lent_of_it(start: int, length: int) -> None:
    interval = Interval(start, start + length, 64, 6)
    if length > 300_000:
        interval = Interval(start, start + length // 100, 64, 6)
    counted = sum(1 for number in range(interval.start, interval.end + 1) if interval.may_be_lent(number))
    assert interval.size == counted


RESERVED = Pool(
    "rw",
    (ip_network("10.3.0.0/28"), ip_network("2001:db8:3::/64")),
    reservations=(
        Reservation(
            "carol",
            (ip_network("10.3.0.9/32"), ip_network("2001:db8:3::9/128")),
            (IdentityPattern.parse("carol@ikegw.example"),),
        ),
        Reservation(
            "staff", ((ip_address("10.3.0.2"), ip_address("10.3.0.3")),), groups=frozenset({"staff"})
        ),
    ),
)


def test_a_reserved_address_is_for_its_owner_alone_however_it_logs_in() -> None:
    addresses = PoolAddresses([RESERVED])
    others = {
        str(lend(addresses, ask(f"user{number}", requested=("10.3.0.9",))).ip4.ip) for number in range(11)
    }  # type: ignore[union-attr]
    assert not others & {"10.3.0.2", "10.3.0.3", "10.3.0.9"}
    assert "reserved for others" in refuse(addresses, ask("late"))
    carol = lend(addresses, ask("CAROL@ikegw.example", ip6=True))
    assert (str(carol.ip4), str(carol.ip6)) == ("10.3.0.9/28", "2001:db8:3::9/64")
    result(addresses.release(carol))
    assert str(lend(addresses, ask("192.0.2.7", user="carol@ikegw.example")).ip4) == "10.3.0.9/28"


def test_a_second_device_of_whom_an_address_is_reserved_for_gets_one_of_all() -> None:
    addresses = PoolAddresses([RESERVED])
    lend(addresses, ask())
    assert str(lend(addresses, ask()).ip4) == "10.3.0.1/28"


@pytest.mark.parametrize(
    "grant", [Grant(classes=(b"staff",)), Grant(filters=("guests", "staff"))], ids=["Class", "Filter-Id"]
)
def test_addresses_reserved_for_a_group_are_for_whom_the_AAA_server_says_is_in_it(grant: Grant) -> None:
    addresses = PoolAddresses([RESERVED])
    assert str(lend(addresses, ask("guest")).ip4) == "10.3.0.1/28"
    assert {str(lend(addresses, ask(name, grant=grant)).ip4) for name in ("a", "b")} == {
        "10.3.0.2/28",
        "10.3.0.3/28",
    }
    assert str(lend(addresses, ask("c", grant=grant)).ip4) == "10.3.0.4/28"


def test_reservations_that_overlap_are_refused() -> None:
    twice = evolve(
        RESERVED, reservations=(*RESERVED.reservations, evolve(RESERVED.reservations[0], name="again"))
    )
    with pytest.raises(ValueError, match="pool rw: two of its reservations overlap"):
        PoolAddresses([twice])


# ------------------------------------------------------------ quarantine


def test_an_address_that_was_given_back_just_now_is_only_for_who_had_it() -> None:
    clock = Clock()
    addresses = PoolAddresses([evolve(RW, quarantine=60.0)], clock.seconds)
    leases = [lend(addresses, ask(f"user{number}")) for number in range(6)]
    result(addresses.release(leases[2]))
    text = refuse(addresses, ask("stranger", requested=(str(leases[2].ip4.ip),)))  # type: ignore[union-attr]
    assert "were given back just now" in text
    assert lend(addresses, ask("user2")).ip4 == leases[2].ip4
    result(addresses.release(leases[3]))
    clock.advance(59.9)
    refuse(addresses, ask("stranger"))
    clock.advance(0.2)
    assert lend(addresses, ask("stranger")).ip4 == leases[3].ip4


# ------------------------------------------------------------ another's decision


def test_a_certain_address_is_lent_once_also_if_it_is_reserved_or_remembered_for_another() -> None:
    addresses = PoolAddresses([RESERVED])
    former = lend(addresses, ask("former"))
    result(addresses.release(former))
    for text in ("10.3.0.9", str(former.ip4.ip)):  # type: ignore[union-attr]
        lease = result(addresses.lease_this(ask("dave"), ip_address(text)))
        assert str(lease.ip4) == f"{text}/28"
        failure = result(addresses.lease_this(ask("erin"), ip_address(text)))
        assert str(failure.value) == f"{text} is lent to dave at present"
        result(addresses.release(lease))
    assert "in no pool" in str(result(addresses.lease_this(ask(), ip_address("192.0.2.1"))).value)
    assert addresses.pool_of(ip_address("2001:db8:3::77")) == "rw"
    assert addresses.pool_of(ip_address("10.3.0.0")) is None


def test_what_a_pool_tells_its_clients_is_told_of_every_pool_that_serves() -> None:
    four = Pool(
        "four",
        (ip_network("10.3.0.0/24"),),
        DNS[:1],
        nbns=(IPv4Address("10.3.0.54"),),
        domains=("a.example",),
    )
    six = Pool("six", (ip_network("2001:db8::/64"),), DNS, domains=("b.example", "a.example"))
    lease = lend(PoolAddresses([four, six]), ask(pools=("four", "six"), ip6=True))
    assert lease.dns == DNS
    assert lease.nbns == (IPv4Address("10.3.0.54"),)
    assert lease.domains == ("a.example", "b.example")
