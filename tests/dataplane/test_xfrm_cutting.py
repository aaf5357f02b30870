"""Selectors are cut into what the kernel's policies can say, and say the same; the more specific goes first."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikegw.dataplane.matching import InnerPacket, fit_of
from ikegw.dataplane.xfrm.cutting import cut, priority
from ikegw.policy.selectors import parse_selector
from ikegw.ports import DataPlaneError
from ikegw.wire.selectors import TrafficSelector

PORTS = st.one_of(
    st.just((0, 65535)),
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda pair: (min(pair), max(pair))),
)
HOSTS = st.integers(0, 255)
RANGES = st.tuples(HOSTS, HOSTS).map(lambda pair: (min(pair), max(pair)))


def selectors(net):
    def made(span, ports, protocol):
        low, high = (ip_address(f"10.{net}.0.{n}") for n in span)
        return TrafficSelector(low, high, protocol, *(ports if protocol else (0, 65535)))

    return st.builds(made, RANGES, PORTS, st.sampled_from([0, 6, 17]))


def takes(packets, packet):
    """Whether the kernel's selector takes it."""

    def within(address, octets, length):
        return ip_address(address) in ip_network((octets, length), strict=False)

    source, destination = packet.ports
    return (
        within(packet.source, packets.source, packets.source_length)
        and within(packet.destination, packets.destination, packets.destination_length)
        and packets.protocol in (0, packet.protocol)
        and not (source ^ packets.source_port[0]) & packets.source_port[1]
        and not (destination ^ packets.destination_port[0]) & packets.destination_port[1]
    )


@given(selectors(1), selectors(2), HOSTS, HOSTS, st.sampled_from([6, 17]), PORTS)
def test_what_is_cut_takes_what_the_selectors_take(near, far, source, destination, protocol, ports):
    packet = InnerPacket(ip_address(f"10.1.0.{source}"), ip_address(f"10.2.0.{destination}"), protocol, ports)
    fits = fit_of([near], [far], packet) is not None
    try:
        cuts = cut("net", (near,), (far,))
    except DataPlaneError:
        return
    assert any(takes(one, packet) for one in cuts) == fits


def one(local, remote):
    (packets,) = cut("net", (parse_selector(local),), (parse_selector(remote),))
    return packets


def test_the_order_is_that_of_RFC_4301_as_matching_has_it():
    ordered = [
        one("10.1.0.0/24", "10.2.0.1[tcp/80]"),
        one("10.1.0.0/24", "10.2.0.1[tcp]"),
        one("10.1.0.0/24", "10.2.0.1"),
        one("10.1.0.1", "10.2.0.0/24"),
        one("10.1.0.0/24", "10.2.0.0/24"),
        one("10.1.0.0/16", "10.0.0.0/8"),
        one("0.0.0.0/0", "0.0.0.0/0"),
    ]
    numbers = [priority(packets, 1) for packets in ordered]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) < min(priority(packets, 1, trap=True) for packets in ordered), "traps come last"


def test_icmp_has_its_type_and_code_apart():
    packets = one("10.1.0.1[icmp/8(0)]", "10.2.0.1")
    assert (packets.source_port, packets.destination_port) == ((8, 0xFFFF), (0, 0xFFFF))
    assert packets.reversed().source_port == (8, 0xFFFF), "also in the other direction"
    assert one("10.1.0.1[icmp/8]", "10.2.0.1").destination_port == (0, 0)


@pytest.mark.parametrize(
    ("near", "far", "why"),
    [
        ("10.1.0.1", "fd00::1", "no address family or protocol in common"),
        ("10.1.0.1[tcp/80]", "10.2.0.1[udp/80]", "no address family or protocol in common"),
        ("10.1.0.1-10.1.255.254[tcp/1-65534]", "10.2.0.1[tcp/1-65534]", "of 1024 at most"),
    ],
)
def test_what_cannot_be_or_would_be_too_much_is_told(near, far, why):
    with pytest.raises(DataPlaneError, match=f"net: .*{why}"):
        cut("net", (parse_selector(near),), (parse_selector(far),))
