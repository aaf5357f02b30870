"""`[groups.NAME]` and the connections that name them."""

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest

from ikegw.config import load
from ikegw.policy.groups import Group
from ikegw.policy.selectors import parse_selector

Problems = Callable[..., list[str]]
Write = Callable[..., Path]

REALM = """
[radius.realms.staff]
servers = "one"
[radius.servers.one]
address = "192.0.2.1"
"""
SECRET = {"secrets.d/radius.toml": '[secrets.radius.one]\nsecret = "testing123"\n'}
GROUPS = """
[groups.engineers]
class = ["OU=eng, O=example"]
filter_id = "eng-*"
pools = "labs"
dns = "10.1.0.54"
domains = "eng.example.org"
local_ts = "10.1.0.0/24, dynamic"
session_timeout = "8h"
idle_timeout = "30m"
port_limit = 2
[groups.everybody]
[pools.labs]
addrs = "10.4.0.0/24"
"""


def connection(groups: str, aaa: str = 'aaa = "staff"') -> str:
    return f"""[connections.road]
{aaa}
groups = {groups}
remote = {{ auth = "eap" }}
[connections.road.children.net]
{REALM}"""


def test_what_a_connection_makes_of_its_groups(write: Write) -> None:
    (road,) = load(write(connection('["engineers", "everybody"]') + GROUPS, **SECRET)).connections
    assert road.groups == (
        Group(
            "engineers",
            ("OU=eng, O=example",),
            ("eng-*",),
            ("labs",),
            (ip_address("10.1.0.54"),),
            ("eng.example.org",),
            (parse_selector("10.1.0.0/24"), parse_selector("dynamic")),
            8 * 3600,
            1800,
            2,
        ),
        Group("everybody"),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (connection('"none"') + GROUPS, "connections.road.groups: there is no group 'none': known are engineers, everybody"),
        (connection('["everybody", "engineers"]') + GROUPS, "everybody is in 'everybody' already, which stands before it"),
        (connection('["engineers", "engineers"]') + GROUPS, "'engineers' stands here twice"),
        (connection('"engineers"', 'aaa = "local"') + GROUPS, "only a RADIUS server says who is in which group"),
        (connection("[]") + '[groups.a]\npools = "nowhere"\n', "groups.a.pools: there is no pool 'nowhere'"),
        (connection("[]") + '[groups.a]\nidle_timeout = "500ms"\n', "groups.a.idle_timeout: below a second"),
        (connection("[]") + "[groups.a]\nport_limit = 0\n", "groups.a.port_limit: expected a whole number from 1"),
        (connection("[]") + '[groups.a]\nfilter = "x"\n', "groups.a.filter: unknown key; did you mean filter_id?"),
    ],
)  # fmt: skip
def test_what_makes_no_sense(problems: Problems, text: str, said: str) -> None:
    secret = {**SECRET, "secrets.d/eap.toml": '[secrets.eap.carol]\nsecret = "pw"\n'}
    told = problems(text, **secret)
    assert any(said in each for each in told), told
    assert len(told) == 1, told


def test_in_which_group_one_is_shows_in_the_reservations_of_a_pool(write: Write) -> None:
    text = (
        connection("[]")
        + GROUPS
        + '[pools.labs.reservations.chief]\ngroups = "engineers"\naddrs = "10.4.0.9"\n'
    )
    (pool,) = load(write(text, **SECRET)).pools
    assert pool.reservations[0].groups == ("engineers",)
