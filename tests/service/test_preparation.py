"""Reading a configuration with its credentials: whole or not at all, and every problem of either told."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ikegw.addresses.pools import PoolAddresses
from ikegw.control.units import duration
from ikegw.pki.pkcs12 import Form, pack
from ikegw.service.preparation import Unusable, prepare
from ikegw.testing.pki import Authority, Period, write_directory

CONNECTION = """
[connections.road.local]
auth = "psk"
id = "gw.example.org"
[connections.road.remote]
auth = "psk"
[connections.road.children.net]
"""


CERTIFIED = """
[connections.road.local]
id = "gw.example.org"
certs = "gw.p12"
[connections.road.remote]
[connections.road.children.net]
"""


def written(directory: Path, text: str) -> Path:
    (directory / "secrets.d").mkdir()
    key = directory / "secrets.d" / "key.toml"
    key.write_text('[secrets.ike.key]\nsecret = "a shared key of some length"\n')
    key.chmod(0o600)
    (directory / "ikegw.toml").write_text(CONNECTION + text)
    return directory / "ikegw.toml"


def test_a_network_is_lent_without_its_own_and_its_broadcast_address(tmp_path: Path) -> None:
    pools = '[pools.net]\naddrs = ["10.9.0.0/24"]\n[pools.range]\naddrs = ["10.8.0.0-10.8.0.9"]\n'
    net, some = prepare(written(tmp_path, pools)).pools
    assert [str(block) for block in net.blocks] == ["10.9.0.0/24"]
    assert PoolAddresses([net]).usage()[0].size == 254
    assert PoolAddresses([some]).usage()[0].size == 10


def test_pools_that_share_addresses_are_refused(tmp_path: Path) -> None:
    pools = '[pools.one]\naddrs = ["10.9.0.0/24"]\n[pools.two]\naddrs = ["10.9.0.128/25"]\n'
    with pytest.raises(Unusable, match="overlap"):
        prepare(written(tmp_path, pools))


def test_every_credential_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    main = written(tmp_path, "")
    for room in ("certs", "ca", "private"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "x.pem").write_text("not this")
        (tmp_path / room / "x.pem").chmod(0o600)
    with pytest.raises(Unusable) as refused:
        prepare(main)
    assert [problem.split(":")[0] for problem in refused.value.problems] == [
        str(tmp_path / room / "x.pem") for room in ("certs", "ca", "private")
    ]


def test_what_should_be_known_of_certificates_and_keys_is_noted(tmp_path: Path) -> None:
    """Of a key under a passphrase, whose certificate ends within 30 days, and of one that has none."""
    main = written(tmp_path, "")
    root = Authority.root("root", "ecdsa256", Period.around(datetime.now(UTC)))
    soon = root.issue("gw.example.org", "ecdsa256", period=Period.around(datetime.now(UTC), 20))
    write_directory(tmp_path, {"idle": root.issue("idle", "ecdsa256")}, {"root": root.certificate})
    (tmp_path / "certs" / "idle.pem").unlink()
    container = tmp_path / "private" / "gw.p12"
    container.touch(mode=0o600)
    container.write_bytes(pack(soon, "gw", [], "hunter2hunter2", Form.MODERN))
    secrets = tmp_path / "secrets.d" / "key.toml"
    secrets.write_text(
        f'{secrets.read_text()}[secrets.private.gw]\nfile = "gw.p12"\nsecret = "hunter2hunter2"\n'
    )
    main.write_text(CERTIFIED + CONNECTION.replace("road", "other"))

    prepared = prepare(main)

    assert [own.place for own in prepared.credentials.own] == ["private/gw.p12"]
    (expiring,) = (note for note in prepared.notes if note.startswith("private/gw.p12: "))
    assert expiring.endswith("renew it in time")
    assert (
        "private/idle.pem: no certificate in certs/ belongs to this key; put it there, or remove the key"
        in prepared.notes
    )
    assert "hunter2" not in repr(prepared)


def test_the_secret_is_in_no_repr(tmp_path: Path) -> None:
    assert "shared key of some" not in repr(prepare(written(tmp_path, "")))


def test_durations_for_people() -> None:
    assert [duration(n) for n in (0.9, 59, 60, 3599, 3600, 86399, 90000)] == [
        "0s",
        "59s",
        "1m00s",
        "59m59s",
        "1h00m",
        "23h59m",
        "1d01h",
    ]
