"""What `ikegwctl sas` makes of the daemon's answer."""

from ikegw.control.tables import TABLES, one_sa

SA = {
    "name": "road[7]",
    "state": "SM_MATURE",
    "initiator": False,
    "up": 61.0,
    "suite": "aes256gcm16-prfsha256-x25519",
    "local": "gw.test",
    "local_address": "192.0.2.1:4500",
    "remote": "192.168.1.2",
    "remote_address": "198.51.100.9:4500",
    "addresses": ["10.3.0.1"],
    "user": "alice",
    "group": "engineers",
    "children": [],
}


def test_a_user_is_who_the_peer_is_to_an_operator() -> None:
    _, row = TABLES["sas"]([SA])
    assert "alice" in row.split()
    assert "192.168.1.2" not in row
    lines = list(one_sa(SA))
    assert "  peer  192.168.1.2 at 198.51.100.9:4500" in lines
    assert "  user  alice, group engineers" in lines


def test_a_peer_without_a_login_has_its_identity() -> None:
    plain = {**SA, "user": "", "group": ""}
    _, row = TABLES["sas"]([plain])
    assert "192.168.1.2" in row.split()
    assert not any(line.startswith("  user") for line in one_sa(plain))
