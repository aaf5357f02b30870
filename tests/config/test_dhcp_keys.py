"""`[dhcp.NAME]`: what its keys become, and what does not go together."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from ikegw.config import changes, load
from ikegw.config.dhcp import DhcpServers, LeasePer, Naming, Strategy

Problems = Callable[..., list[str]]
Write = Callable[..., Path]

OFFICE = """\
[dhcp.office]
servers = "10.1.0.67"
giaddr = "10.60.0.1"
"""
CONNECTION = """\
[connections.road]
pools = {pools}
unique = "{unique}"
[connections.road.children.net]
"""


def road(pools: str = '"dhcp"', unique: str = "replace") -> str:
    return CONNECTION.format(pools=pools, unique=unique)


def test_what_an_operator_must_write_and_no_more(write: Write) -> None:
    config = load(write(OFFICE + road()))
    assert config.dhcp == (DhcpServers("office", (IPv4Address("10.1.0.67"),), IPv4Address("10.60.0.1")),)
    assert config.connections[0].pools == ("dhcp",)
    assert config.dhcp[0].families == (4,)


def test_every_key(write: Write) -> None:
    text = """\
[dhcp.office]
servers = ["10.1.0.67", "10.1.0.68", "fd00::67", "10.1.0.67"]
strategy = "ordered"
giaddr = "10.60.0.1"
link_selection = "10.61.0.0"
subnet_selection = "10.62.0.0"
source6 = "fd00::1"
link_address = "fd00:60::1"
timeout = "500ms"
tries = 3
renewal_tries = 7
lease_time = "8h"
lease_per = "session"
client_id = "duid"
circuit_id = "gw1/{connection}"
remote_id = ""
port = 1067
server_port = 2067
port6 = 1547
server_port6 = 2547
"""
    (office,) = load(write(text)).dhcp
    assert office == DhcpServers(
        "office",
        (IPv4Address("10.1.0.67"), IPv4Address("10.1.0.68"), IPv6Address("fd00::67")),
        IPv4Address("10.60.0.1"),
        IPv4Address("10.61.0.0"),
        IPv4Address("10.62.0.0"),
        IPv6Address("fd00::1"),
        IPv6Address("fd00:60::1"),
        Strategy.ORDERED,
        0.5,
        3,
        7,
        28800.0,
        LeasePer.SESSION,
        Naming.DUID,
        "gw1/{connection}",
        "",
        1067,
        2067,
        1547,
        2547,
    )
    assert office.families == (4, 6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[dhcp.office]\ngiaddr = '10.60.0.1'", "1: dhcp.office.servers: missing: an IPv4 or IPv6 address is needed"),
        ("[dhcp.office]\nservers = []", "2: dhcp.office.servers: no servers: nobody would get an address"),
        ("[dhcp.office]\nservers = '10.1.0.67'", "1: dhcp.office.giaddr: missing: an address of ours that the IPv4"),
        ("[dhcp.office]\nservers = 'fd00::67'", "1: dhcp.office.source6: missing: an address of ours that the IPv6"),
        (OFFICE + 'link_address = "fd00::1"', "4: dhcp.office.link_address: it means nothing without an IPv6 server"),
        (
            "[dhcp.six]\nservers = 'fd00::67'\nsource6 = 'fd00::1'\nlink_selection = '10.1.0.0'",
            "4: dhcp.six.link_selection: it means nothing without an IPv4 server; leave it out",
        ),
        (OFFICE.replace("10.60.0.1", "fd00::1"), "3: dhcp.office.giaddr: expected an IPv4 address, got"),
        (OFFICE + 'timeout = "1ms"', "4: dhcp.office.timeout: no answer could come in time; make it longer"),
        (OFFICE + "tries = 0", "4: dhcp.office.tries: expected a whole number from 1 to 10, got 0"),
        (OFFICE + 'circuit_id = "{user}"', "names are connection, identity, address"),
        (OFFICE + 'circuit_id = "{connection.__class__}"', "braces must hold a name, or be doubled"),
        (OFFICE + 'circuit_id = "{connection:9}"', "braces must hold a name, or be doubled"),
        (OFFICE + 'circuit_id = "{"', "braces must hold a name, or be doubled"),
        (OFFICE + 'circuit_id = "{}"', "braces must hold a name, or be doubled"),
        (OFFICE + 'circuit_id = "{0}"', "braces must hold a name, or be doubled"),
        (
            OFFICE + road('["dhcp:office"]', "never"),
            '5: connections.road.pools: two sessions of one identity would share an address, since unique = "never"; '
            'write lease_per = "session" into [dhcp.office]',
        ),
        (OFFICE + road('["dhcp"]', "keep"), 'since unique = "keep"'),
        (OFFICE + road('["dhcp:home"]'), "5: connections.road.pools: there is no pool 'dhcp:home'"),
        (OFFICE + OFFICE.replace("office", "home") + road(), "8: connections.road.pools: there is no pool 'dhcp'"),
    ],
)  # fmt: skip
def test_what_does_not_go_together(problems: Problems, text: str, said: str) -> None:
    (found,) = problems(text)
    assert said in found


def test_sessions_with_leases_of_their_own_may_all_stand(write: Write) -> None:
    load(write(OFFICE + 'lease_per = "session"\n' + road('"dhcp:office"', "never")))


def test_a_reload_takes_over_what_changed(write: Write) -> None:
    old = load(write(OFFICE))
    assert changes(old, load(write(OFFICE + "tries = 2"))).applied == ("dhcp",)
