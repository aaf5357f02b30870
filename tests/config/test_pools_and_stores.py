"""Pools and stores: what is read, and what is said about each mistake."""

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest

from ikegw.config import changes, load
from ikegw.config.lending import Lending, Pool, Reserved, Store, StoreSettings
from ikegw.policy.identities import IdentityPattern

Problems = Callable[..., list[str]]
Write = Callable[..., Path]

WHOLE = """
[pools.clients]
addrs = ["10.3.0.0/24", "fd00:3::/64"]
exclude = ["10.3.0.1", "10.3.0.200-10.3.0.255"]
dns = "10.1.0.53"
nbns = "10.1.0.54"
domains = ["Corp.Example.org.", "lab.test"]
quarantine = "5m"
store = "memory"
[pools.clients.reservations."carol@example.org"]
id = "carol@example.org"
addrs = ["10.3.0.7", "fd00:3::7"]
[pools.clients.reservations.staff]
groups = ["staff", "managers"]
addrs = "10.3.0.16-10.3.0.31"
[addresses]
provider_timeout = "2s"
[store]
path = "/srv/ikegw/addresses.db"
reclaim_time = "1m"
"""


def span(first: str, last: str = ""):
    return ip_address(first), ip_address(last or first)


def test_a_pool_with_everything(write: Write) -> None:
    config = load(write(WHOLE))
    assert config.pools == (
        Pool(
            "clients",
            (span("10.3.0.0", "10.3.0.255"), span("fd00:3::", "fd00:3::ffff:ffff:ffff:ffff")),
            (ip_address("10.1.0.53"),),
            nbns=(ip_address("10.1.0.54"),),
            domains=("corp.example.org", "lab.test"),
            excluded=(span("10.3.0.1"), span("10.3.0.200", "10.3.0.255")),
            reservations=(
                Reserved(
                    "carol@example.org",
                    (span("10.3.0.7"), span("fd00:3::7")),
                    (IdentityPattern.parse("carol@example.org"),),
                ),
                Reserved("staff", (span("10.3.0.16", "10.3.0.31"),), (), ("staff", "managers")),
            ),
            quarantine_seconds=300.0,
            store=Store.MEMORY,
        ),
    )
    assert config.lending == Lending(2.0)
    assert config.store == StoreSettings(Path("/srv/ikegw/addresses.db"), reclaim_seconds=60.0)


def test_what_is_not_said(write: Write) -> None:
    config = load(write('[pools.clients]\naddrs = "10.3.0.0/24"\n'))
    assert config.pools[0].store is Store.SQLITE
    assert config.pools[0].quarantine_seconds == 60.0
    assert (config.lending, config.store) == (Lending(), StoreSettings())


def test_what_outlives_ikegw_is_kept_in_one_place_but_for_what_is_put_elsewhere(write: Write) -> None:
    config = load(write('[state]\ndirectory = "/srv/ikegw"\n'))
    assert config.store.path == Path("/srv/ikegw/addresses.db")
    assert config.accounting.directory == Path("/srv/ikegw")
    assert config.downloads.directory == Path("/srv/ikegw/crls")
    elsewhere = """
        [state]
        directory = "/srv/ikegw"
        [store]
        path = "/ssd/addresses.db"
        [accounting]
        directory = "/queue"
        [downloads]
        directory = "/var/cache/crls"
    """
    config = load(write(elsewhere))
    places = config.store.path, config.accounting.directory, config.downloads.directory
    assert places == (Path("/ssd/addresses.db"), Path("/queue"), Path("/var/cache/crls"))


def test_the_database_is_reached_by_a_secret_that_nobody_sees(write: Write) -> None:
    config = load(
        write(
            '[pools.clients]\naddrs = "10.3.0.0/24"\nstore = "postgresql"\n',
            **{"secrets.d/store.toml": '[secrets.store]\ndsn = "host=db password=hidden"\n'},
        )
    )
    assert config.store.dsn == "host=db password=hidden"
    assert "hidden" not in repr(config)


POOL = '[pools.clients]\naddrs = "10.3.0.0/24"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (POOL + 'store = "postgresql"', "pools.clients.store: where is the database? Write [secrets.store] with dsn"),
        (POOL + 'store = "postgres"', "pools.clients.store"),
        (POOL + 'nbns = "fd00::1"', "pools.clients.nbns: fd00::1: NetBIOS name servers have IPv4 addresses"),
        (POOL + 'domains = "two words"', "no domain has such a name"),
        (POOL + f'domains = "{"a" * 64}.org"', "no domain has such a name"),
        (POOL.replace("clients", "radius"), "a connection means another provider by 'radius'"),
        (POOL.replace("clients", "dhcp"), "a connection means another provider by 'dhcp'"),
        (POOL + '[pools.clients.reservations.x]\naddrs = "10.3.0.7"', "pools.clients.reservations.x.id: for whom?"),
        (POOL + '[pools.clients.reservations.x]\nid = "a"\naddrs = "10.4.0.7"', "10.4.0.7 is not in the pool's addrs"),
        (
            POOL.replace("10.3.0.0/24", "fd00::/64") + '[pools.clients.reservations.x]\nid = "a"\naddrs = "fd00::"',
            "fd00:: ends in ::, which Windows cannot use",
        ),
        (
            POOL
            + '[pools.clients.reservations.x]\nid = "a"\naddrs = "10.3.0.7"\n'
            + '[pools.clients.reservations.y]\nid = "b"\naddrs = "10.3.0.0-10.3.0.9"\n',
            "pools.clients.reservations.y.addrs: overlaps pools.clients.reservations.x",
        ),
        ('[store]\nreclaim_time = "5s"', "store.reclaim_time: below 15s"),
        ('[store]\npath = "addresses.db"', "store.path"),
    ],
    ids=str,
)  # fmt: skip
def test_mistakes_are_told(problems: Problems, text: str, told: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert told in found[0]


def test_a_connection_may_name_the_AAA_server(problems: Problems) -> None:
    text = (
        '[connections.a]\nlocal = { auth = "psk" }\nremote = { auth = "psk" }\npools = ["radius", "gone"]\n'
        '[connections.a.children.net]\nlocal_ts = "10.1.0.0/16"\n'
    )
    (told,) = problems(text, **{"secrets.d/key.toml": '[secrets.ike.all]\nsecret = "0x6b6579"\n'})
    assert "there is no pool 'gone'" in told


def test_a_reload_changes_the_patience_and_not_the_store(write: Write) -> None:
    before = load(write(WHOLE))
    after = load(write(WHOLE.replace('"2s"', '"3s"').replace("/srv", "/mnt").replace('"5m"', '"6m"')))
    found = changes(before, after)
    assert (found.applied, found.restart, found.pools.changed) == (("lending",), ("store",), ("clients",))
