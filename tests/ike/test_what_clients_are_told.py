"""CP (RFC 7296 §3.15): which networks a client is told to send through the tunnel."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from attrs import evolve

from ikegw.addresses.pools import PoolAddresses
from ikegw.policy.identities import parse_identity
from ikegw.ports import AddressRequest
from ikegw.testing.pair import POOL, make_pair
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
