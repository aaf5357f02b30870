"""Half-open counts and rates: right, and of bounded size whoever asks."""

import random
from ipaddress import IPv4Address, IPv6Address, ip_address

from ikegw.gate.limits import HalfOpen, RateLimit, source_of

A, B = source_of(ip_address("192.0.2.1")), source_of(ip_address("192.0.2.2"))


def test_an_ipv6_64_is_one_source_and_an_ipv4_address_is_one() -> None:
    assert source_of(IPv6Address("2001:db8:0:1::1")) == source_of(IPv6Address("2001:db8:0:1:ffff::9"))
    assert source_of(IPv6Address("2001:db8:0:1::1")) != source_of(IPv6Address("2001:db8:0:2::1"))
    assert A != B


def test_half_open_counts_go_up_and_back_to_nothing() -> None:
    half_open = HalfOpen()
    for source in (A, A, B):
        half_open.add(source)
    assert (half_open.total, half_open.of(A), half_open.of(B)) == (3, 2, 1)
    for source in (A, A, B):
        half_open.remove(source)
    assert (half_open.total, len(half_open)) == (0, 0)


def test_removing_what_is_not_there_changes_nothing() -> None:
    half_open = HalfOpen()
    half_open.add(A)
    half_open.remove(B)
    assert (half_open.total, half_open.of(A)) == (1, 1)


def test_one_source_gets_its_rate_and_leaves_the_rest_to_others() -> None:
    rate = RateLimit(rate=10.0, rate_per_source=0.5, sources=100, now=0.0)
    assert [rate.allows(A, 0.0) for _ in range(3)] == [True, False, False]
    assert rate.allows(B, 0.0)
    assert not rate.allows(A, 1.9)
    assert rate.allows(A, 2.0)


def test_all_sources_together_are_held_to_the_rate_in_all() -> None:
    rate = RateLimit(rate=10.0, rate_per_source=1.0, sources=100, now=0.0)
    sources = [source_of(IPv4Address(n)) for n in range(1000)]
    assert sum(rate.allows(source, 0.0) for source in sources) == 10
    assert sum(rate.allows(source, 0.5) for source in sources) == 5


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    rate = RateLimit(rate=1.0, rate_per_source=1.0, sources=10, now=100.0)
    assert rate.allows(A, 100.0)
    assert not rate.allows(A, 50.0)


def test_200_000_random_addresses_take_bounded_memory() -> None:
    source = random.Random(2)
    rate = RateLimit(rate=1e9, rate_per_source=0.1, sources=4096, now=0.0)
    for n in range(200_000):
        rate.allows(source.randbytes(8), n / 1000)
    assert len(rate) == 4096
