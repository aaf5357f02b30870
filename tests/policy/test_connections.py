"""Which connection a peer belongs to (row G-04): by addresses first, by identities when they are known."""

from ipaddress import ip_address, ip_network

import pytest
from attrs import evolve

from ikegw.policy.connections import (
    AuthKind,
    ChildPolicy,
    Connection,
    LocalAuth,
    RemoteAuth,
    Retransmit,
    for_addresses,
    for_identities,
)
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.policy.proposals import DEFAULT_ESP, DEFAULT_IKE

GATEWAY = ip_address("192.0.2.1")


def connection(
    name: str,
    remote: str = "%any",
    own: str | None = None,
    there: tuple[str, ...] = (),
    here: tuple[str, ...] = (),
) -> Connection:
    return Connection(
        name,
        LocalAuth(AuthKind.PSK, None if own is None else parse_identity(own)),
        RemoteAuth(AuthKind.PSK, IdentityPattern.parse(remote)),
        local_addresses=tuple(map(ip_network, here)),
        remote_addresses=tuple(map(ip_network, there)),
    )


def names(connections: tuple[Connection, ...]) -> list[str]:
    return [found.name for found in connections]


def test_G_04_the_most_specific_remote_address_comes_first() -> None:
    connections = (
        connection("anywhere"),
        connection("net", there=("198.51.100.0/24",)),
        connection("elsewhere", there=("203.0.113.9",)),
        connection("host", there=("203.0.113.9", "198.51.100.7")),
        connection("also anywhere"),
    )
    assert names(for_addresses(connections, GATEWAY, ip_address("198.51.100.7"))) == [
        "host",
        "net",
        "anywhere",
        "also anywhere",
    ]


def test_G_04_our_own_address_counts_after_the_peers() -> None:
    connections = (
        connection("any here", there=("198.51.100.0/24",)),
        connection("other address of ours", here=("192.0.2.2",)),
        connection("here", there=("198.51.100.0/24",), here=("192.0.2.1",)),
        connection("here only", here=("192.0.2.1",)),
    )
    assert names(for_addresses(connections, GATEWAY, ip_address("198.51.100.7"))) == [
        "here",
        "any here",
        "here only",
    ]


def test_G_04_families_do_not_mix_and_hosts_of_both_weigh_the_same() -> None:
    connections = (connection("six", there=("::/0",)), connection("four", there=("0.0.0.0/0",)))
    assert names(for_addresses(connections, GATEWAY, ip_address("198.51.100.7"))) == ["four"]
    assert names(for_addresses(connections, ip_address("2001:db8::1"), ip_address("2001:db8::2"))) == ["six"]
    assert for_addresses((), GATEWAY, GATEWAY) == ()


def test_G_04_the_best_identity_comes_first() -> None:
    candidates = (
        connection("any"),
        connection("domain", "*@ikegw.example"),
        connection("bob", "bob@ikegw.example"),
        connection("alice", "alice@ikegw.example"),
    )
    alice = parse_identity("Alice@ikegw.example")
    assert names(for_identities(candidates, alice, None)) == ["alice", "domain", "any"]
    assert names(for_identities(candidates[1:3], parse_identity("eve@x.example"), None)) == []


def test_G_04_an_initiator_that_names_us_gets_only_what_we_are() -> None:
    candidates = (
        connection("open"),
        connection("gw", own="gw.ikegw.example"),
        connection("other", own="other.ikegw.example"),
    )
    alice = parse_identity("alice@ikegw.example")
    assert names(for_identities(candidates, alice, parse_identity("GW.ikegw.example"))) == ["gw", "open"]
    assert names(for_identities(candidates, alice, None)) == ["open", "gw", "other"]
    assert names(for_identities(candidates[1:], alice, parse_identity("192.0.2.1"))) == []


def test_the_peer_to_call_is_a_single_host() -> None:
    assert connection("x", there=("198.51.100.7",)).peer == ip_address("198.51.100.7")
    assert connection("x", there=("198.51.100.0/24",)).peer is None
    assert connection("x", there=("198.51.100.7", "198.51.100.8")).peer is None
    assert connection("x").peer is None
    assert connection("x", here=("fd00::1",)).own_address == ip_address("fd00::1")


def test_lifetimes_fall_back_to_ten_percent() -> None:
    child = ChildPolicy("net")
    assert (child.rekey_seconds, child.hard_seconds, child.jitter) == (
        3600,
        pytest.approx(3960),
        pytest.approx(360),
    )
    assert ChildPolicy("net", rekey_seconds=0).hard_seconds == 0
    assert ChildPolicy("net", life_seconds=5000, jitter_seconds=1).hard_seconds == 5000
    ours = connection("x")
    assert (ours.hard_seconds, ours.jitter_of(14400)) == (pytest.approx(15840), pytest.approx(1440))
    assert evolve(ours, jitter_seconds=1440.0).jitter_of(100) == 50  # not due at once
    assert (child.proposals, ours.proposals) == (DEFAULT_ESP, DEFAULT_IKE)


def test_waits_between_retransmissions_grow_up_to_the_limit() -> None:
    waits = [Retransmit().wait(sent) for sent in range(1, 9)]
    assert waits[:3] == [pytest.approx(2), pytest.approx(3.6), pytest.approx(6.48)]
    assert waits == sorted(waits)
    assert waits[-1] == 60


def test_children_are_found_by_name() -> None:
    net = ChildPolicy("net")
    ours = Connection("x", LocalAuth(AuthKind.PSK), RemoteAuth(AuthKind.PSK), (net,))
    assert ours.child("net") is net
    assert ours.child("other") is None
