"""A reload touches only what changed."""

from attrs import evolve

from ikegw.config import Changes, Config, changes
from ikegw.config.changes import Difference
from ikegw.config.loading import directories_beside
from ikegw.config.settings import GateLimits, Listen, Pool, SharedKey
from ikegw.policy.connections import AuthKind, ChildPolicy, Connection, LocalAuth, RemoteAuth


def connection(name: str) -> Connection:
    return Connection(name, LocalAuth(AuthKind.PSK), RemoteAuth(AuthKind.PSK), (ChildPolicy("net"),))


def config(*names: str) -> Config:
    from pathlib import Path

    path = Path("/etc/ikegw/ikegw.toml")
    return Config(path, directories_beside(path), connections=tuple(map(connection, names)))


def test_nothing_changed() -> None:
    assert not changes(config("a", "b"), config("a", "b"))
    assert changes(config("a"), config("a")) == Changes()


def test_connections_come_go_and_change_by_name() -> None:
    old, new = config("a", "b", "c"), config("d", "c", "a")
    edited = evolve(new.connections[1], children=(ChildPolicy("net", rekey_seconds=60.0),))
    new = evolve(new, connections=(new.connections[0], edited, new.connections[2]))
    found = changes(old, new)
    assert found.connections == Difference(("d",), ("b",), ("c",))
    assert found.reordered
    assert not found.pools


def test_a_removed_connection_is_no_other_order() -> None:
    assert not changes(config("a", "b", "c"), config("a", "c")).reordered


def test_pools_and_secrets() -> None:
    old = evolve(config(), pools=(Pool("p", ()),), shared_keys=(SharedKey("k", (), b"1"),))
    new = evolve(config(), pools=(Pool("q", ()),), shared_keys=(SharedKey("k", (), b"2"),))
    found = changes(old, new)
    assert found.pools == Difference(("q",), ("p",))
    assert found.shared_keys == Difference(changed=("k",))


def test_what_needs_a_restart_is_named() -> None:
    new = evolve(config(), listen=Listen(port=1500), limits=GateLimits(half_open=5))
    found = changes(config(), new)
    assert (found.applied, found.restart) == (("limits",), ("listen",))
    assert found
