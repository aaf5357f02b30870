"""Leases of Kea, ISC dhcpd and dnsmasq, through the whole life of each."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from laboratory.dhcp_clients import DhcpClients, Failed, Json
from laboratory.dhcp_servers import ALICES, Dhcpd, DhcpServer, Dnsmasq, Kea, hear_again, runs, stop_hearing
from laboratory.processes import until
from laboratory.room import Laboratory

pytestmark = pytest.mark.peers

PATIENCE = {"timeout_seconds": 0.3, "tries": 4, "renewal_tries": 4}
KEA_LEASE_SECONDS = 4.0
LOSSY = """table inet lossy {
  chain in { type filter hook input priority 0; udp dport 67 numgen random mod 4 == 0 drop; }
  chain out { type filter hook output priority 0; udp sport 67 numgen random mod 4 == 0 drop; }
}"""
IMPATIENCE = {"timeout_seconds": 0.15, "tries": 3}


@define
class Site:
    """A gateway, and one server of each kind behind it."""

    laboratory: Laboratory
    servers: dict[str, Any]
    clients: DhcpClients

    def lease(self, session: str, provider: str, identity: str, **more: Any) -> dict[str, Any]:
        return self.clients.lease(session, provider, identity, **more)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("dhcp")
    laboratory = Laboratory(directory)
    try:
        yield from _site(laboratory, directory)
    finally:
        laboratory.close()


def _site(laboratory: Laboratory, directory: Path) -> Iterator[Site]:
    network = laboratory.network
    gateway = network.namespace(
        "gw", "10.60.0.1/32", "10.50.9.1/32", "10.50.9.2/32", "fd00:60::1/128", "fd00:62::1/128"
    )
    addresses = {"kea": "10.50.1.2", "dhcpd": "10.50.2.2", "dnsmasq": "10.50.3.2"}
    providers: dict[str, dict[str, Any]] = {}
    places = {}
    for number, (name, address) in enumerate(addresses.items(), 1):
        places[name] = place = network.namespace(name)
        network.wire(gateway, f"10.50.{number}.1/24", place, f"{address}/24")
        place.ip(
            f"route add 10.60.0.0/14 via 10.50.{number}.1", f"route add 10.50.9.0/24 via 10.50.{number}.1"
        )
        common = {"servers": [address], "giaddr": "10.60.0.1", **PATIENCE}
        providers[name] = common
        providers[f"{name}-small"] = {
            **common,
            **IMPATIENCE,
            "link_selection": "10.62.0.0",
            "giaddr": "10.50.9.1",
        }
        providers[f"{name}-chosen"] = {**common, "subnet_selection": "10.61.0.0", "giaddr": "10.50.9.1"}
        providers[f"{name}-sessions"] = {**common, "lease_per": "session"}
    places["kea6"] = network.namespace("kea6")
    network.wire(gateway, "2001:db8::1/64", places["kea6"], "2001:db8::2/64")
    places["kea6"].ip("route add fd00:60::/32 via 2001:db8::1", "route add fd00:62::/32 via 2001:db8::1")
    common6 = {"servers": ["2001:db8::2"], "source6": "2001:db8::1", **PATIENCE}
    providers["kea6"] = {**common6, "link_address": "fd00:60::1"}
    providers["kea6-small"] = {**common6, **IMPATIENCE, "link_address": "fd00:62::1"}
    providers["kea6-sessions"] = {**providers["kea6"], "lease_per": "session"}
    providers["kea-both"] = {
        **providers["kea"], **providers["kea6"], "servers": [addresses["kea"], "2001:db8::2"]
    }  # fmt: skip
    servers: dict[str, Any] = {
        "kea": Kea(places["kea"], "to-gw", directory / "kea", addresses["kea"]),
        "kea6": Kea(places["kea6"], "to-gw", directory / "kea6", "2001:db8::2", family=6),
        "dhcpd": Dhcpd(places["dhcpd"], "to-gw", directory / "dhcpd", "10.50.2.0"),
        "dnsmasq": Dnsmasq(places["dnsmasq"], "to-gw", directory / "dnsmasq"),
    }
    for server in servers.values():
        until(partial(runs, server.place, "to-gw"), "the wire to a server does not come up")
        laboratory.daemons.append(server)
        server.start()
    clients = DhcpClients(gateway, providers)
    try:
        yield Site(laboratory, servers, clients)
    finally:
        clients.stop()


EACH = pytest.mark.parametrize("name", ["kea", "dhcpd", "dnsmasq"])


@EACH
def test_from_discover_to_release(site: Site, name: str) -> None:
    server: DhcpServer = site.servers[name]
    lease = site.lease("carol", name, "carol@ikegw.example")
    address, _, prefix = lease["ip4"].partition("/")
    assert prefix == "24"
    assert lease["dns"] == ["10.1.0.53"]
    assert lease["domains"] == ["ikegw.example", "lab.ikegw.example"]
    assert lease["subnets"] == ["10.1.0.0/16"]
    assert 0.5 < lease["renew_seconds"] <= (4 if name == "dnsmasq" else 1)
    until(lambda: server.leases().get(address) == b"\0carol@ikegw.example", "the server says so")
    site.clients.do("carol", "release")
    until(lambda: address not in server.leases(), "the server does not see the release")
    again = site.lease("carol", name, "carol@ikegw.example")
    assert again["ip4"] == lease["ip4"], "the same client, the same address"
    site.clients.do("carol", "release")


@EACH
def test_reserved_and_requested_addresses(site: Site, name: str) -> None:
    assert site.lease("a", name, "alice")["ip4"] == f"{ALICES}/24"
    wish = site.lease("b", name, "bob", requested=["10.60.0.177"])
    assert wish["ip4"] == "10.60.0.177/24"
    for session in "ab":
        site.clients.do(session, "release")


@EACH
def test_two_logins_of_one_identity(site: Site, name: str) -> None:
    server: DhcpServer = site.servers[name]
    first, second = (site.lease(session, name, "dave") for session in ("d1", "d2"))
    assert first["ip4"] == second["ip4"]
    site.clients.do("d1", "release")
    assert site.clients.do("d2", "renew")["ip4"] == first["ip4"]
    assert first["ip4"].partition("/")[0] in server.leases()
    site.clients.do("d2", "release")
    mine, other = (site.lease(session, f"{name}-sessions", "erin") for session in ("e1", "e2"))
    assert mine["ip4"] != other["ip4"]
    for session in ("e1", "e2"):
        site.clients.do(session, "release")


@EACH
def test_refused_renewal(site: Site, name: str) -> None:
    """The server forgets the lease behind our back, and gives the address to somebody else."""
    address = site.lease("frank", name, "frank")["ip4"].partition("/")[0]
    site.lease("thief", f"{name}-sessions", "frank")  # to the server the same client, which goes again
    site.clients.do("thief", "release")
    assert site.lease("grace", name, "grace", requested=[address])["ip4"].partition("/")[0] == address
    with pytest.raises(Failed, match=rf"refused {address}"):
        site.clients.do("frank", "renew")
    site.clients.do("grace", "release")


@EACH
def test_pool_is_empty(site: Site, name: str) -> None:
    leases = [site.lease(session, f"{name}-small", session) for session in ("s1", "s2")]
    assert {lease["ip4"] for lease in leases} == {"10.62.0.10/24", "10.62.0.11/24"}
    with pytest.raises(Failed, match=r"no DHCP server of 10\.50\.\d\.2 offered an IPv4 address within"):
        site.lease("s3", f"{name}-small", "s3")
    site.clients.do("s1", "release")
    assert site.lease("s3", f"{name}-small", "s3")["ip4"] == leases[0]["ip4"]
    for session in ("s2", "s3"):
        site.clients.do(session, "renew")
        site.clients.do(session, "release")


@EACH
def test_subnet_is_selected(site: Site, name: str) -> None:
    assert site.lease("h", f"{name}-chosen", "henry")["ip4"].startswith("10.61.0.")
    assert site.clients.do("h", "renew")["ip4"].startswith("10.61.0.")
    site.clients.do("h", "release")
    until(lambda: not any(each.startswith("10.61.") for each in site.servers[name].leases()), "not released")


@EACH
def test_server_is_silent_and_comes_back(site: Site, name: str) -> None:
    server: DhcpServer = site.servers[name]
    stop_hearing(server)
    try:
        site.clients.begin("ivan", "lease", provider=name, identity="ivan")
        site.clients.begin("judy", "lease", provider=name, identity="judy")
        site.clients.begin("judy", "cancel")
        with pytest.raises(Failed, match="CancelledError"):
            site.clients.answer()
    finally:
        hear_again(server)
    lease = site.clients.answer()
    address = lease["ip4"].partition("/")[0]
    assert server.leases()[address] == b"\0ivan"
    assert b"\0judy" not in server.leases().values(), "nobody asked for more than an offer"
    site.clients.do("ivan", "release")
    until(lambda: address not in server.leases(), "the server does not see the release")


@EACH
def test_server_is_restarted(site: Site, name: str) -> None:
    server: DhcpServer = site.servers[name]
    lease = site.lease("kim", name, "kim")
    server.daemon.stop()
    site.clients.begin("kim", "renew")
    server.start()
    assert site.clients.answer()["ip4"] == lease["ip4"]
    site.clients.do("kim", "release")
    until(lambda: b"\0kim" not in server.leases().values(), "the server does not see the release")


def test_leases_of_seconds_are_kept(site: Site) -> None:
    """Renewed at T1, for longer than the leases last (dnsmasq has none below two minutes); the servers agree."""
    names = ("kea", "dhcpd", "dnsmasq", "kea6")
    leases = {}
    for name in names:
        families = (6,) if name == "kea6" else (4,)
        leases[name] = site.lease(f"long-{name}", name, "lena", families=families)
    for name in names:
        site.clients.begin(f"long-{name}", "keep", times=1 if name == "dnsmasq" else 5)
    for _ in names:
        site.clients.answer()
    for name in names:
        lease = site.clients.do(f"long-{name}", "renew")
        assert (lease["ip4"], lease["ip6"]) == (leases[name]["ip4"], leases[name]["ip6"])
        address = (lease["ip4"] or lease["ip6"]).partition("/")[0]
        assert address in site.servers[name].leases()
        site.clients.do(f"long-{name}", "release")


def test_IPv6_from_solicit_to_release(site: Site) -> None:
    server: Kea = site.servers["kea6"]
    lease = site.lease("carol6", "kea6", "carol@ikegw.example", families=(6,))
    assert lease["ip6"].startswith("fd00:60::")
    assert lease["ip4"] is None
    assert lease["dns"] == ["fd00:1::53"]
    assert lease["domains"] == ["ikegw.example", "lab.ikegw.example"]
    assert 0.5 < lease["renew_seconds"] <= 1
    assert lease["ip6"] in server.leases()
    assert site.clients.do("carol6", "renew")["ip6"] == lease["ip6"]
    site.clients.do("carol6", "release")
    until(lambda: lease["ip6"] not in server.leases(), "the server does not see the release")
    assert site.lease("carol6", "kea6", "carol@ikegw.example", families=(6,))["ip6"] == lease["ip6"]
    site.clients.do("carol6", "release")


def test_IPv6_wishes_and_two_logins_of_one_identity(site: Site) -> None:
    wish = site.lease("bob6", "kea6", "bob", families=(6,), requested=["fd00:60::77"])
    assert wish["ip6"] == "fd00:60::77"
    again = site.lease("bob6b", "kea6", "bob", families=(6,))
    assert again["ip6"] == wish["ip6"]
    site.clients.do("bob6", "release")
    assert site.clients.do("bob6b", "renew")["ip6"] == wish["ip6"]
    assert "fd00:60::77" in site.servers["kea6"].leases()
    site.clients.do("bob6b", "release")
    mine, other = (site.lease(session, "kea6-sessions", "erin", families=(6,)) for session in ("e1", "e2"))
    assert mine["ip6"] != other["ip6"]
    for session in ("e1", "e2"):
        site.clients.do(session, "release")


def test_IPv6_server_is_silent_and_comes_back(site: Site) -> None:
    server: Kea = site.servers["kea6"]
    stop_hearing(server)
    try:
        site.clients.begin("ivan6", "lease", provider="kea6", identity="ivan", families=(6,))
        site.clients.begin("judy6", "lease", provider="kea6", identity="judy", families=(6,))
        site.clients.begin("judy6", "cancel")
        with pytest.raises(Failed, match="CancelledError"):
            site.clients.answer()
    finally:
        hear_again(server)
    lease = site.clients.answer()
    assert set(server.leases()) == {lease["ip6"]}, "nobody asked for more than an offer"
    site.clients.do("ivan6", "release")
    until(lambda: not server.leases(), "the server does not see the release")


def test_IPv6_server_that_stays_silent_while_a_lease_is_renewed(site: Site) -> None:
    server: Kea = site.servers["kea6"]
    address = site.lease("olga", "kea6", "olga", families=(6,))["ip6"]
    stop_hearing(server)
    try:
        with pytest.raises(Failed, match=rf"did not renew {address}"):
            site.clients.do("olga", "renew")
    finally:
        hear_again(server)
    until(lambda: address not in server.leases(), "the lease does not end by its own time")


def test_IPv6_server_is_restarted(site: Site) -> None:
    server: Kea = site.servers["kea6"]
    lease = site.lease("kim6", "kea6", "kim", families=(6,))
    server.daemon.stop()
    site.clients.begin("kim6", "renew")
    server.start()
    assert site.clients.answer()["ip6"] == lease["ip6"]
    site.clients.do("kim6", "release")
    until(lambda: lease["ip6"] not in server.leases(), "the server does not see the release")


def test_IPv6_pool_is_empty(site: Site) -> None:
    site.lease("six1", "kea6-small", "six1", families=(6,))
    with pytest.raises(Failed, match=r"offered an IPv6 address within .*NO_ADDRESSES_AVAILABLE"):
        site.lease("six2", "kea6-small", "six2", families=(6,))
    site.clients.do("six1", "release")


def test_IPv6_server_forgets_the_lease(site: Site) -> None:
    server: Kea = site.servers["kea6"]
    lease = site.lease("mallory", "kea6", "mallory", families=(6,))
    server.ask("lease6-del", **{"ip-address": lease["ip6"]})
    other = {"duid": "00:04:01:02", "iaid": 1, "subnet-id": 60, "valid-lft": 4}
    server.ask("lease6-add", **{"ip-address": lease["ip6"], **other})
    with pytest.raises(Failed, match=rf"2001:db8::2 leases .* in place of {lease['ip6']}"):
        site.clients.do("mallory", "renew")


def test_both_families_in_one_lease(site: Site) -> None:
    lease = site.lease("nina", "kea-both", "nina", families=(4, 6))
    assert lease["ip4"].startswith("10.60.0.")
    assert lease["ip6"].startswith("fd00:60::")
    assert lease["dns"] == ["10.1.0.53", "fd00:1::53"]
    renewed = site.clients.do("nina", "renew")
    assert (renewed["ip4"], renewed["ip6"]) == (lease["ip4"], lease["ip6"])
    site.clients.do("nina", "release")
    until(lambda: lease["ip6"] not in site.servers["kea6"].leases(), "the server does not see the release")


def outcomes(clients: DhcpClients, count: int) -> list[Json | None]:
    """So many answers, in whatever order: leases, and None for who has none."""
    found: list[Json | None] = []
    for _ in range(count):
        try:
            found.append(clients.answer())
        except Failed:
            found.append(None)
    return found


def sent(clients: DhcpClients) -> int:
    count: int = clients.do("-", "counts")["10.60.0.1:67"].get("sent", 0)
    return count


def test_what_a_gateway_that_is_killed_leaves_ends_by_its_own_time(site: Site) -> None:
    """Some have a lease, some renew it, some wait for one, some have given up; then it is killed, and another begins."""
    server: Kea = site.servers["kea"]
    assert not server.leases()
    there = {"servers": [server.address], "giaddr": "10.50.9.2", "subnet_selection": "10.61.0.0", **PATIENCE}
    killed = DhcpClients(site.clients.place, {"kea": there})
    try:
        for number in range(60):
            killed.begin(f"u{number}", "lease", provider="kea", identity=f"user{number}")
        had = outcomes(killed, 60)
        assert None not in had
        mine = killed.lease("mine", "kea", "mine")["ip4"]
        for number in range(20):
            killed.begin(f"u{number}", "renew")
        for number in range(60, 80):
            killed.begin(f"u{number}", "lease", provider="kea", identity=f"user{number}")
        for number in range(70, 80):
            killed.begin(f"u{number}", "cancel")
        outcomes(killed, 5)
    finally:
        killed.stop()
    left = server.leases()
    assert len(left) >= 61
    reborn = DhcpClients(site.clients.place, {"kea": there})
    try:
        assert reborn.lease("mine", "kea", "mine")["ip4"] == mine, "to the server it is the same client"
        reborn.do("mine", "release")
    finally:
        reborn.stop()
    assert all(seconds <= KEA_LEASE_SECONDS for seconds in server.seconds_left().values())
    until(lambda: not server.leases(), "leases are left", 3 * KEA_LEASE_SECONDS)


def test_on_a_wire_that_loses_every_fourth_packet_only_a_lost_release_leaves_a_lease_for_a_while(
    site: Site,
) -> None:
    server: Kea = site.servers["kea"]
    assert not server.leases()
    server.place.run("nft", LOSSY)
    before = sent(site.clients)
    try:
        for number in range(60):
            site.clients.begin(f"w{number}", "lease", provider="kea", identity=f"weather{number}")
        for number in range(0, 60, 4):
            site.clients.begin(f"w{number}", "cancel")
        had = outcomes(site.clients, 60)
        assert sum(lease is not None for lease in had) > 30
        assert sent(site.clients) - before > 60 + 45, "each DHCPDISCOVER and DHCPREQUEST once would be fewer"
        for number in range(60):
            site.clients.begin(f"w{number}", "leave")
        outcomes(site.clients, 60)
    finally:
        server.place.run("nft", "delete table inet lossy")
    assert len(server.leases()) < 30, "most releases came through"
    until(lambda: not server.leases(), "leases are left", 3 * KEA_LEASE_SECONDS)


def test_nothing_is_left(site: Site) -> None:
    """Everybody has gone: no lease stands at any server, and none of ours is open."""
    until(lambda: not any(server.leases() for server in site.servers.values()), "leases are left")
