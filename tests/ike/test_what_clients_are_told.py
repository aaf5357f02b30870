"""CP (RFC 7296 §3.15, RFC 8598): what a client asks, what it is told, and what it makes of that."""

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_network

import pytest
from attrs import evolve

from ikegw import __version__
from ikegw.addresses.pools import PoolAddresses
from ikegw.ike.being_configured import granted, request_for
from ikegw.ike.configuration import reply, wanted_by
from ikegw.policy.identities import parse_identity
from ikegw.policy.selectors import from_network
from ikegw.ports import AddressRequest, Lease
from ikegw.testing.pair import GATEWAY, POOL, make_pair
from ikegw.testing.puppet import Puppet
from ikegw.wire.configuration import ConfigAttribute, Configuration
from ikegw.wire.registry import ConfigAttributeType, ConfigType, ExchangeType

SUBNETS = (ConfigAttributeType.INTERNAL_IP4_SUBNET, ConfigAttributeType.INTERNAL_IP6_SUBNET)


@pytest.mark.parametrize(
    ("configured", "told"),
    [
        ((), {"10.1.0.0/255.255.255.0", "fd00:1::/64"}),
        (("10.0.0.0/8", "0.0.0.0/0"), {"10.0.0.0/255.0.0.0"}),  # everything needs no telling
        (("fd00::/16",), {"fd00::/16"}),
    ],
    ids=["none", "v4", "v6"],
)
def test_the_pools_subnets_stand_in_place_of_the_tunnels(configured, told):
    pair = make_pair()
    pool = evolve(POOL, subnets=tuple(map(ip_network, configured)))
    pair.gateway.pool.reload([pool])
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    request = Configuration(ConfigType.REQUEST, tuple(map(ConfigAttribute, SUBNETS)))
    answer = Puppet(pair, pair.client).ask(ExchangeType.INFORMATIONAL, request).need(Configuration)
    assert {_shown(each) for each in answer.attributes if each.type in SUBNETS} == told


def _shown(attribute: ConfigAttribute) -> str:
    if attribute.type is SUBNETS[0]:
        return f"{IPv4Address(attribute.value[:4])}/{IPv4Address(attribute.value[4:])}"
    return f"{IPv6Address(attribute.value[:16])}/{attribute.value[16]}"


def test_subnets_of_all_pools_that_serve_are_told_once():
    one = evolve(POOL, name="one", blocks=(ip_network("10.3.0.0/24"),), subnets=(ip_network("10.0.0.0/8"),))
    two = evolve(one, name="two", blocks=(ip_network("fd00:3::/64"),))
    pool = PoolAddresses([one, two])
    leased = []
    wanted = AddressRequest("road", parse_identity("carol@test"), ("one", "two"), True, True)
    pool.lease(wanted).addCallback(leased.append)
    assert leased[0].subnets == (ip_network("10.0.0.0/8"),)


# ------------------------------------------------------------ what a gateway says

Kind = ConfigAttributeType
LEASE = Lease(
    IPv4Interface("10.3.0.7/24"),
    IPv6Interface("fd00:3::7/64"),
    (IPv4Address("10.1.0.53"), IPv6Address("fd00:1::53")),
    nbns=(IPv4Address("10.1.0.54"),),
    domains=("corp.example", "lab.example"),
)
LAN = (from_network(ip_network("10.1.0.0/24")),)
APPLE = "INTERNAL_IP4_ADDRESS INTERNAL_IP4_NETMASK INTERNAL_IP4_DHCP INTERNAL_IP4_DNS INTERNAL_IP6_ADDRESS INTERNAL_IP6_DHCP "
APPLE += "INTERNAL_IP6_DNS INTERNAL_DNS_DOMAIN"
WINDOWS = "INTERNAL_IP4_ADDRESS INTERNAL_IP4_DNS INTERNAL_IP4_NBNS MICROSOFT_IP4_SERVER INTERNAL_IP6_ADDRESS INTERNAL_IP6_DNS "
WINDOWS += "MICROSOFT_IP6_SERVER"


def asked(kinds: str) -> Configuration:
    return Configuration(ConfigType.REQUEST, tuple(ConfigAttribute(Kind[kind]) for kind in kinds.split()))


def told(kinds: str, lease: Lease | None = LEASE, selectors=LAN, domains=()) -> list[tuple[str, bytes]]:
    answer = reply(asked(kinds), lease, selectors, domains)
    assert answer is None or answer.type is ConfigType.REPLY
    return [] if answer is None else [(one.type.name, one.value) for one in answer.attributes]


ADDRESSES = [
    ("INTERNAL_IP4_ADDRESS", bytes((10, 3, 0, 7))),
    ("INTERNAL_IP6_ADDRESS", LEASE.ip6.ip.packed + bytes((128,))),
]
SERVERS = [
    ("INTERNAL_IP4_DNS", bytes((10, 1, 0, 53))),
    ("INTERNAL_IP6_DNS", IPv6Address("fd00:1::53").packed),
]


def test_an_iPhone_is_told_what_it_asks_for_and_the_rest_is_passed_over():
    netmask = ("INTERNAL_IP4_NETMASK", b"\xff\xff\xff\xff")
    domains = [("INTERNAL_DNS_DOMAIN", b"corp.example"), ("INTERNAL_DNS_DOMAIN", b"lab.example")]
    assert told(APPLE) == [ADDRESSES[0], netmask, ADDRESSES[1], *SERVERS, *domains]


def test_Windows_is_told_what_it_asks_for_and_the_rest_is_passed_over():
    assert told(WINDOWS) == [*ADDRESSES, *SERVERS, ("INTERNAL_IP4_NBNS", bytes((10, 1, 0, 54)))]


def test_the_netmask_is_told_where_the_clients_network_may_go_through_the_tunnel():
    everything = (from_network(ip_network("0.0.0.0/0")),)
    assert dict(told("INTERNAL_IP4_NETMASK", selectors=everything))["INTERNAL_IP4_NETMASK"] == bytes(
        (255, 255, 255, 0)
    )
    assert dict(told("INTERNAL_IP4_NETMASK"))["INTERNAL_IP4_NETMASK"] == bytes((255,) * 4)


def test_DHCP_servers_are_told_that_can_be_asked_through_the_tunnel():
    servers = ("10.1.0.1", "10.2.0.67", "fd00:1::547")
    lease = evolve(LEASE, dhcp=tuple(map(ip_address, servers)))
    both = "INTERNAL_IP4_DHCP INTERNAL_IP6_DHCP"
    lan6 = (*LAN, from_network(ip_network("fd00:1::/64")))
    assert told(both, lease)[2:] == [("INTERNAL_IP4_DHCP", bytes((10, 1, 0, 1)))]
    assert told(both, lease, lan6)[3:] == [("INTERNAL_IP6_DHCP", IPv6Address("fd00:1::547").packed)]
    assert not [one for one in told("INTERNAL_IP4_DNS", lease, lan6) if "DHCP" in one[0]], (
        "only who asks is told"
    )


@pytest.mark.parametrize("octets", [b"", bytes(16), IPv6Address("fd00:3::7").packed + b"\x40"])
def test_an_IPv6_address_is_asked_for_with_any_prefix_and_told_alone(octets):
    """RFC 7296 §3.15.1: 0 or 17 octets; some clients leave the length of the prefix out."""
    wish = Configuration(ConfigType.REQUEST, (ConfigAttribute(Kind.INTERNAL_IP6_ADDRESS, octets),))
    wanted = wanted_by(wish, GATEWAY, parse_identity("carol@test"), None)
    assert (wanted.wants_ip4, wanted.wants_ip6) == (False, True)
    assert wanted.requested == ((IPv6Address("fd00:3::7"),) if len(octets) == 17 else ())
    (address,) = reply(wish, evolve(LEASE, ip4=None), LAN).attributes
    assert address.value == LEASE.ip6.ip.packed + bytes((128,))


def test_domains_are_told_only_with_a_server_to_ask_about_them():
    """RFC 8598 §3.2."""
    assert not dict(told("INTERNAL_DNS_DOMAIN")).get("INTERNAL_DNS_DOMAIN")
    assert not dict(told("INTERNAL_DNS_DOMAIN INTERNAL_IP4_DNS", evolve(LEASE, dns=()))).get(
        "INTERNAL_DNS_DOMAIN"
    )
    without = evolve(LEASE, domains=("corp.example",))
    both = told("INTERNAL_DNS_DOMAIN INTERNAL_IP6_DNS", without, domains=("corp.example", "more.example"))
    assert [value for name, value in both if name == "INTERNAL_DNS_DOMAIN"] == [
        b"corp.example",
        b"more.example",
    ]


def test_who_asks_what_we_are_and_what_we_know_is_told_also_without_an_address():
    (version,) = told("APPLICATION_VERSION", None)
    assert version == ("APPLICATION_VERSION", f"ikegw {__version__}".encode())
    ((_, supported),) = told("SUPPORTED_ATTRIBUTES", None)
    kinds = {Kind(int.from_bytes(supported[at : at + 2], "big")) for at in range(0, len(supported), 2)}
    assert {Kind.INTERNAL_IP4_ADDRESS, Kind.INTERNAL_DNS_DOMAIN, Kind.SUPPORTED_ATTRIBUTES} <= kinds
    assert not kinds & {Kind.INTERNAL_DNSSEC_TA, Kind.MICROSOFT_IP4_SERVER}
    assert told("INTERNAL_IP4_DNS", None) == []
    assert told("INTERNAL_DNSSEC_TA FTT_KAT", evolve(LEASE, ip4=None, ip6=None)) == []


# ------------------------------------------------------------ what a client makes of it


def test_what_a_gateway_of_ours_says_a_client_of_ours_understands():
    wish = request_for((IPv4Address("0.0.0.0"), IPv6Address("fd00:3::7")))
    answer = reply(wish, evolve(LEASE, subnets=(ip_network("10.0.0.0/8"), ip_network("fd00::/16"))), LAN)
    lease = granted(Configuration.decode(answer.encode(), 0))
    assert (str(lease.ip4.ip), str(lease.ip6.ip)) == ("10.3.0.7", "fd00:3::7")
    assert (lease.dns, lease.nbns, lease.domains) == (LEASE.dns, LEASE.nbns, LEASE.domains)
    assert lease.subnets == (ip_network("10.0.0.0/8"), ip_network("fd00::/16"))


def test_what_makes_no_sense_is_passed_over():
    kinds = [
        (Kind.INTERNAL_IP4_ADDRESS, b""),
        (Kind.INTERNAL_IP4_ADDRESS, bytes(4)),
        (Kind.INTERNAL_IP4_ADDRESS, bytes((10, 3, 0, 7))),
        (Kind.INTERNAL_IP4_ADDRESS, bytes((10, 3, 0, 8))),
        (Kind.INTERNAL_IP4_DNS, bytes((10, 1, 0, 53))),
        (Kind.INTERNAL_IP4_DNS, bytes((10, 1, 0, 53))),
        (Kind.INTERNAL_IP4_SUBNET, bytes((10, 0, 0, 0, 255, 0, 255, 0))),
        (Kind.INTERNAL_IP4_SUBNET, bytes((10, 0, 0, 0, 0, 0, 0, 255))),
        (Kind.INTERNAL_IP6_SUBNET, bytes(16) + bytes((129,))),
        (Kind.INTERNAL_IP4_SUBNET, bytes((10, 9, 9, 9, 255, 0, 0, 0))),
        (Kind.INTERNAL_DNS_DOMAIN, b"Corp.Example."),
        *(
            (Kind.INTERNAL_DNS_DOMAIN, name)
            for name in (b"", b"two words", b"\xff", b"a" * 64, b"a." * 127 + b"a")
        ),
        (Kind.FTT_KAT, b"anything"),
    ]
    lease = granted(Configuration(ConfigType.REPLY, tuple(ConfigAttribute(*kind) for kind in kinds)))
    assert lease == Lease(
        IPv4Interface("10.3.0.7"),
        None,
        (IPv4Address("10.1.0.53"),),
        subnets=(ip_network("10.0.0.0/8"),),
        domains=("corp.example",),
    )


def test_domains_without_a_server_are_none():
    said = (ConfigAttribute(Kind.INTERNAL_DNS_DOMAIN, b"corp.example"),)
    assert granted(Configuration(ConfigType.REPLY, said)).domains == ()


def test_domains_of_pool_and_connection_reach_a_client():
    pair = make_pair(gateway=evolve(GATEWAY, domains=("ours.example",)))
    pair.gateway.pool.reload([evolve(POOL, domains=("pools.example",), nbns=(IPv4Address("10.1.0.54"),))])
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    (sa,) = pair.client.gateway._by_spi.values()
    assert sa.lease.domains == ("pools.example", "ours.example")
    assert sa.lease.nbns == (IPv4Address("10.1.0.54"),)


def test_P_09_a_client_that_is_asked_tells_what_it_is_and_lends_nothing():
    pair = make_pair()
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    question = asked("INTERNAL_IP4_ADDRESS APPLICATION_VERSION")
    answer = Puppet(pair, pair.gateway).ask(ExchangeType.INFORMATIONAL, question).need(Configuration)
    assert [one.type for one in answer.attributes] == [Kind.APPLICATION_VERSION]
