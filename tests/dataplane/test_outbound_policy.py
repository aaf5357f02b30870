"""Outbound policy by hash and longest prefix finds what the plain meaning in `matching` finds."""

import time
from ipaddress import ip_address, ip_network

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from ikegw.dataplane.matching import InnerPacket, inbound_allowed, outbound_match
from ikegw.dataplane.prefixes import Selector
from ikegw.dataplane.userspace.inner import Inner
from ikegw.dataplane.userspace.policy import OutboundPolicy, PrefixTable
from ikegw.dataplane.userspace.sa import Sa
from ikegw.wire.selectors import TrafficSelector


@frozen(eq=False)
class Pair:
    """As much of a TunnelSa as `matching` reads."""

    local_selectors: tuple[TrafficSelector, ...]
    remote_selectors: tuple[TrafficSelector, ...]


FEW = [ip_address(f"10.0.{a}.{b}") for a in (0, 1) for b in (0, 1, 6, 7, 8, 255)]
PORTS = st.sampled_from([(0, 65535), (80, 80), (80, 90), (53, 53), (65535, 0), (0, 1023), (2048, 2048)])
SELECTORS = st.builds(
    lambda ends, protocol, ports: TrafficSelector(*sorted(ends), protocol, *ports),
    st.tuples(st.sampled_from(FEW), st.sampled_from(FEW)),
    st.sampled_from([0, 0, 0, 6, 17, 1]),
    PORTS,
)
PAIRS = st.builds(
    Pair,
    st.lists(SELECTORS, min_size=1, max_size=2).map(tuple),
    st.lists(SELECTORS, min_size=1, max_size=3).map(tuple),
)
PORT = st.sampled_from([0, 53, 80, 85, 90, 2048, 40000])
PACKETS = st.builds(
    InnerPacket,
    st.sampled_from(FEW),
    st.sampled_from(FEW),
    st.sampled_from([1, 6, 17, 47]),
    st.one_of(st.none(), st.tuples(PORT, PORT)),
)


def numeric(selector):
    return Selector.of(
        str(selector.start), str(selector.end), selector.protocol, selector.start_port, selector.end_port
    )


def change(policy, pair, how):
    for remote in pair.remote_selectors:
        for local in pair.local_selectors:
            getattr(policy, how)(numeric(remote), numeric(local), pair)


def naive(pairs, packet):
    best = None
    for age, pair in enumerate(pairs):
        fit = outbound_match(pair, packet)
        if fit is not None and (best is None or (fit, age) >= best[0]):
            best = ((fit, age), pair)
    return None if best is None else best[1]


def find(policy, packet):
    return policy.find(int(packet.source), int(packet.destination), packet.protocol, packet.ports)


@given(st.lists(PAIRS, max_size=6), st.lists(PACKETS, min_size=1, max_size=12), st.data())
def test_it_finds_what_the_meaning_says_after_any_additions_and_removals(pairs, packets, data):
    policy = OutboundPolicy(32)
    for pair in pairs:
        change(policy, pair, "add")
    gone = data.draw(st.sets(st.sampled_from(range(len(pairs))))) if pairs else set()
    for packet in packets:
        assert find(policy, packet) is naive(pairs, packet)
    for number in gone:
        change(policy, pairs[number], "remove")
    left = [pair for number, pair in enumerate(pairs) if number not in gone]
    for packet in packets:
        assert find(policy, packet) is naive(left, packet)
    for pair in left:
        change(policy, pair, "remove")
    assert not policy._remotes, "something is left of removed policies"


@given(PAIRS, PACKETS)
def test_inbound_selectors_allow_what_the_meaning_allows(pair, packet):
    sa = object.__new__(Sa)
    sa.local = tuple(numeric(one) for one in pair.local_selectors)
    sa.remotes = tuple(numeric(one) for one in pair.remote_selectors)
    inner = Inner(4, int(packet.source), int(packet.destination), packet.protocol, packet.ports, 0, False, 20)
    assert sa.permits(inner) == inbound_allowed(pair, packet)


def test_ipv6_and_the_widest_networks():
    policy = OutboundPolicy(128)
    everything = Selector.of("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0, 0, 65535)
    one = Selector.of("2001:db8::7", "2001:db8::7", 0, 0, 65535)
    policy.add(everything, everything, "all")
    policy.add(one, everything, "one")
    seven, eight = int(ip_address("2001:db8::7")), int(ip_address("2001:db8::8"))
    assert policy.find(eight, seven, 6, (1, 2)) == "one"
    assert policy.find(seven, eight, 6, (1, 2)) == "all"


def test_a_prefix_table_lists_longest_first():
    table = PrefixTable(32)
    for text in ("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32"):
        network = ip_network(text)
        table.put((int(network.network_address), network.prefixlen), text)
    assert list(table.holding(int(ip_address("10.1.2.3")))) == [
        "10.1.2.3/32",
        "10.1.0.0/16",
        "10.0.0.0/8",
        "0.0.0.0/0",
    ]
    table.discard((int(ip_address("10.1.0.0")), 16))
    table.discard((0, 1))
    assert list(table.holding(int(ip_address("10.1.9.9")))) == ["10.0.0.0/8", "0.0.0.0/0"]


def test_a_look_up_does_not_slow_down_with_thousands_of_sas():
    here = Selector.of("10.1.0.0", "10.1.0.255", 0, 0, 65535)
    source = int(ip_address("10.1.0.5"))

    def cost(count):
        policy, base = OutboundPolicy(32), int(ip_address("10.3.0.0"))
        for number in range(count):
            client = str(ip_address(base + number))
            policy.add(Selector.of(client, client, 0, 0, 65535), here, number)
        took = []
        for _ in range(5):
            begun = time.process_time()
            for number in range(2000):
                assert policy.find(source, base + number % count, 6, (1, 2)) == number % count
            took.append(time.process_time() - begun)
        return min(took)

    assert cost(4000) < 4 * cost(4)
