"""Narrowing as RFC 7296 §2.9 tells it, and selectors as operators write them."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikegw.policy.selectors import (
    DYNAMIC,
    Dynamic,
    from_network,
    narrow,
    networks_of,
    parse_selector,
    resolve,
    within,
)
from ikegw.wire.selectors import TrafficSelector


def ts(*texts: str) -> tuple[TrafficSelector, ...]:
    selectors = tuple(parse_selector(text) for text in texts)
    assert all(isinstance(selector, TrafficSelector) for selector in selectors)
    return selectors  # type: ignore[return-value]


def test_the_example_of_rfc_7296_2_9() -> None:
    """The initiator sends the packet's own selector first, then its policy; the responder allows half of it."""
    offered = ts("198.51.100.43[udp/123]", "198.51.100.0/24")
    assert narrow(offered, ts("198.51.100.0/24")) == ts("198.51.100.0/24")
    assert narrow(offered, ts("198.51.100.0/25")) == ts("198.51.100.0/25")
    assert narrow(offered, ts("198.51.100.128/25")) == ts("198.51.100.128/25")


def test_the_first_choice_of_the_initiator_is_covered_when_it_is_allowed_at_all() -> None:
    offered = ts("10.1.5.9[tcp/443]", "10.1.0.0/16")
    allowed = ts("10.1.2.0/24", "10.1.5.0/24", "10.2.0.0/16")
    got = narrow(offered, allowed)
    assert within(ts("10.1.5.9[tcp/443]"), got)
    assert got == ts("10.1.2.0/24", "10.1.5.0/24")


def test_a_specific_choice_stays_first_when_nothing_contains_it() -> None:
    offered = ts("10.9.0.1[udp/53]", "10.1.0.0/16")
    assert narrow(offered, ts("0.0.0.0/0")) == offered


@pytest.mark.parametrize(
    ("offered", "allowed", "both"),
    [
        ("0.0.0.0/0", "10.3.0.7", ["10.3.0.7"]),
        ("10.3.0.7", "0.0.0.0/0", ["10.3.0.7"]),
        ("10.0.0.0/8", "192.168.0.0/16", []),
        ("10.0.0.5-10.0.0.20", "10.0.0.16-10.0.0.40", ["10.0.0.16-10.0.0.20"]),
        ("::/0", "0.0.0.0/0", []),
        ("fd00::/16", "fd00:3::1", ["fd00:3::1"]),
        ("10.0.0.0/8[tcp]", "10.0.0.0/8[udp]", []),
        ("10.0.0.0/8[tcp/1000-2000]", "10.1.0.0/16[tcp/1500-3000]", ["10.1.0.0/16[tcp/1500-2000]"]),
        ("10.0.0.0/8[tcp/1000]", "10.1.0.0/16[tcp/1001]", []),
        ("10.0.0.0/8", "10.1.0.0/16[udp/1701]", ["10.1.0.0/16[udp/1701]"]),
        ("10.0.0.0/8[icmp/8]", "10.0.0.0/8[icmp/8(0)]", ["10.0.0.0/8[icmp/8(0)]"]),
        ("10.0.0.0/8[icmp/8]", "10.0.0.0/8[icmp/0]", []),
        ("10.0.0.0/8[tcp/opaque]", "10.0.0.0/8", ["10.0.0.0/8[tcp/opaque]"]),
        ("10.0.0.0/8[tcp/opaque]", "10.0.0.0/8[tcp/80]", []),
        ("10.0.0.0/8[tcp/opaque]", "10.0.0.0/8[tcp/opaque]", ["10.0.0.0/8[tcp/opaque]"]),
    ],
)
def test_narrowing_a_pair(offered: str, allowed: str, both: list[str]) -> None:
    assert narrow(ts(offered), ts(allowed)) == ts(*both)


def test_nothing_is_said_twice() -> None:
    assert narrow(ts("10.0.0.0/8", "10.0.0.0/8", "10.1.0.0/16"), ts("10.0.0.0/8", "10.0.0.0/9")) == ts(
        "10.0.0.0/8"
    )


def test_the_answer_fits_a_payload() -> None:
    offered = [from_network(ip_address(f"10.0.{i // 100}.{2 * (i % 100)}")) for i in range(600)]
    assert len(narrow(offered, ts("10.0.0.0/8"))) == 255


def test_within_needs_every_address_port_and_protocol() -> None:
    assert within(ts("10.1.0.0/24"), ts("10.1.0.0/16"))
    assert within((), ts("10.1.0.0/16"))
    assert not within(ts("10.1.0.0/16"), ts("10.1.0.0/24"))
    assert not within(ts("10.1.0.0/24"), ts("10.1.0.0/16[tcp]"))
    assert within(ts("10.1.0.0/24[tcp/22]"), ts("10.1.0.0/16[tcp]"))
    assert not within(ts("10.1.0.0/24[tcp]"), ts("10.1.0.0/16[tcp/22]"))
    assert not within(ts("fd00::1"), ts("0.0.0.0/0"))
    assert not within(ts("10.1.0.1"), ())


def test_within_joins_ranges_that_touch() -> None:
    halves = ts("10.1.0.128/25", "10.1.0.0/25")
    assert within(ts("10.1.0.0/24"), halves)
    assert not within(ts("10.1.0.0/24"), ts("10.1.0.0/26", "10.1.0.128/25"))
    assert not within(ts("10.1.0.0/24"), ts("10.1.0.0/25", "10.1.0.128/25[udp]"))


def test_routes_of_a_range() -> None:
    assert networks_of(ts("10.0.0.1-10.0.0.4")[0]) == tuple(
        ip_network(text) for text in ("10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/32")
    )
    assert networks_of(from_network(ip_network("fd00:3::/64"))) == (ip_network("fd00:3::/64"),)
    assert networks_of(ts("0.0.0.0/0")[0]) == (ip_network("0.0.0.0/0"),)


def test_dynamic_becomes_each_address() -> None:
    addresses = [ip_address("10.3.0.7"), ip_address("fd00:3::7")]
    assert resolve([DYNAMIC], addresses) == ts("10.3.0.7", "fd00:3::7")
    assert resolve([Dynamic(6, 80, 80), *ts("10.1.0.0/16")], addresses[:1]) == ts(
        "10.3.0.7[tcp/80]", "10.1.0.0/16"
    )
    assert resolve([DYNAMIC], []) == ()


def test_spellings() -> None:
    assert parse_selector("dynamic") == DYNAMIC
    assert parse_selector("dynamic[tcp/80]") == Dynamic(6, 80, 80)
    assert parse_selector("dynamic[any/any]") == DYNAMIC
    assert parse_selector("10.0.0.1[47]") == TrafficSelector(
        ip_address("10.0.0.1"), ip_address("10.0.0.1"), 47
    )
    assert parse_selector("10.0.0.1 - 10.0.0.3") == TrafficSelector(
        ip_address("10.0.0.1"), ip_address("10.0.0.3")
    )
    selector = parse_selector("10.0.0.1[icmpv6/128(1)]")
    assert (selector.start_port, selector.end_port) == (0x8001, 0x8001)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10.0.0.0/33", "no address and no network"),
        ("10.1.2.3/16", r"host bits set; did you mean 10\.1\.0\.0/16"),
        ("vpn", "no address"),
        ("10.0.0.1-x", "no range"),
        ("10.0.0.9-10.0.0.1", "ends before it begins"),
        ("10.0.0.9-fd00::1", "mixes"),
        ("10.0.0.0/8[tcp/80", "closing bracket"),
        ("10.0.0.0/8[tpc/80]", "no protocol"),
        ("10.0.0.0/8[256]", "no protocol"),
        ("10.0.0.0/8[tcp/http]", "not a port"),
        ("10.0.0.0/8[tcp/70000]", "65535"),
        ("10.0.0.0/8[tcp/90-80]", "ends before"),
        ("10.0.0.0/8[any/80]", "needs a protocol"),
        ("10.0.0.0/8[icmp/300]", "ICMP type"),
        ("10.0.0.0/8[icmp/8(x)]", "ICMP code"),
    ],
)
def test_a_bad_selector_is_told(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_selector(text)


_addresses = st.integers(0, 255).map(lambda last: int(ip_address("10.0.0.0")) + last)
_ports = st.sampled_from([(0, 65535), (80, 80), (70, 90), (85, 200), (65535, 0)])


@st.composite
def _selectors(draw: st.DrawFn) -> TrafficSelector:
    low, high = sorted((draw(_addresses), draw(_addresses)))
    return TrafficSelector(
        ip_address(low), ip_address(high), draw(st.sampled_from([0, 6, 17])), *draw(_ports)
    )


@given(st.lists(_selectors(), max_size=5), st.lists(_selectors(), max_size=5))
def test_what_is_narrowed_lies_within_both_and_loses_nothing(
    offered: list[TrafficSelector], allowed: list[TrafficSelector]
) -> None:
    got = narrow(offered, allowed)
    assert all(within([one], offered) and within([one], allowed) for one in got)
    for mine in offered:
        for theirs in allowed:
            assert all(within([one], got) for one in narrow([mine], [theirs]))
    for one in got:
        assert not any(within([one], [other]) for other in got if other is not one)
