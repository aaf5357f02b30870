"""Opening sockets: on what, with which options, and what an operator is told when it cannot be."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest

from ikegw.net.errors import CannotListen
from ikegw.net.holder import holder_of
from ikegw.net.local_addresses import every_local_address, local_addresses
from ikegw.net.sockets import IkeSocket, open_sockets
from ikegw.paths import Endpoint

LOOPBACK, LOOPBACK6 = IPv4Address("127.0.0.1"), IPv6Address("::1")
NOBODYS = IPv4Address("192.0.2.254")  # TEST-NET-1


@contextmanager
def opened(*addresses: IPv4Address | IPv6Address, mark: int | None = None) -> Iterator[tuple[IkeSocket, ...]]:
    sockets = open_sockets(addresses, 0, 0, mark)
    try:
        yield sockets
    finally:
        for each in sockets:
            each.socket.close()


def test_one_socket_for_each_address_and_port() -> None:
    with opened(LOOPBACK, IPv4Address("127.0.0.2")) as sockets:
        assert [each.is_nat_t for each in sockets] == [False, True, False, True]
        assert [str(each.endpoint.address) for each in sockets] == ["127.0.0.1"] * 2 + ["127.0.0.2"] * 2
        assert all(each.endpoint.port == each.socket.getsockname()[1] > 0 for each in sockets)


def test_big_messages_may_fragment_and_bursts_find_room() -> None:
    with opened(LOOPBACK) as (ike, _):
        assert ike.socket.getsockopt(socket.IPPROTO_IP, 10) == 0  # IP_MTU_DISCOVER: PMTUDISC_DONT
        assert ike.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > 65536
        assert not ike.socket.getblocking()


def test_ipv6_sockets_are_ipv6_only() -> None:
    with opened(LOOPBACK6) as (ike, _):
        assert ike.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
        assert ike.socket.getsockopt(socket.IPPROTO_IPV6, 23) == 0


def test_the_mark_is_set_where_we_may() -> None:
    with opened(LOOPBACK, mark=7) as (ike, _):
        if os.geteuid() == 0:
            assert ike.socket.getsockopt(socket.SOL_SOCKET, socket.SO_MARK) == 7


def test_an_address_in_use_names_who_uses_it_and_leaves_nothing_open() -> None:
    own_name = Path("/proc/self/comm").read_text().strip()
    before = len(os.listdir("/proc/self/fd"))
    with opened(LOOPBACK) as (ike, _):
        with pytest.raises(CannotListen) as refused:
            open_sockets([LOOPBACK, LOOPBACK6], ike.endpoint.port, 0)
        (problem,) = refused.value.problems
        assert problem == (
            f"cannot listen on {ike.endpoint}: address in use by {own_name} (pid {os.getpid()}); "
            "stop the other IKE daemon, or use other ports"
        )
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_wildcard_socket_is_found_as_the_holder() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as wildcard:
        wildcard.bind(("::", 0))
        holder = holder_of(Endpoint(LOOPBACK, wildcard.getsockname()[1]))
        assert holder is not None
        assert f"(pid {os.getpid()})" in holder


def test_every_address_that_is_not_ours_is_told_at_once() -> None:
    with pytest.raises(CannotListen) as refused:
        open_sockets([NOBODYS, LOOPBACK], 0, 0)
    assert len(refused.value.problems) == 2
    assert "cannot listen on 192.0.2.254:0: it is not an address of this host" in str(refused.value)


def test_addresses_of_this_host_leave_out_loopback_and_link_local() -> None:
    everything, reachable = every_local_address(), local_addresses()
    assert LOOPBACK in everything
    assert set(reachable) <= set(everything)
    assert not any(address.is_loopback or address.is_link_local for address in reachable)
    assert all(ip_address(str(address)) == address for address in everything)


def test_the_wildcard_address_means_each_address_of_its_family() -> None:
    expected = {address for address in local_addresses() if address.version == 4} | {LOOPBACK}
    with opened(IPv4Address("0.0.0.0"), LOOPBACK) as sockets:
        assert {each.endpoint.address for each in sockets} == expected


def test_addresses_of_a_device_are_its_own() -> None:
    assert LOOPBACK in local_addresses(["lo"])
    assert not local_addresses(["no-such-device"])
    with pytest.raises(CannotListen, match="cannot listen: no-such-device has no address"):
        open_sockets(interfaces=["no-such-device"])
