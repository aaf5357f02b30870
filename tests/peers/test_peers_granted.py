"""What FreeRADIUS says in an Access-Accept is done, and what `radiusd.conf` has it say in each challenge is not."""

import re

import pytest
from laboratory import logins, roadwarrior, underlays
from laboratory.accounts import Answer, Booked, booked, radclient
from laboratory.freeradius import FreeRadius
from laboratory.gateway import Ikegw
from laboratory.namespaces import CommandFailed
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.traffic import ping
from laboratory.underlays import Underlay

pytestmark = pytest.mark.peers

USERS = """\
everything	Cleartext-Password := "a password"
	User-Name := "Alice Liddell",
	Reply-Message := "Welcome, Alice",
	Class := "class of Alice",
	Framed-IP-Address := 10.9.0.5,
	Framed-IP-Netmask := 255.255.255.0,
	Framed-IPv6-Address := fd00:9::5,
	Framed-Route := "10.2.0.0/24 10.9.0.5 1",
	Framed-IPv6-Route := "fd00:2::/64 fd00:9::5 1",
	MS-Primary-DNS-Server := 10.1.0.54,
	MS-Secondary-DNS-Server := 10.1.0.55,
	DNS-Server-IPv6-Address := fd00:1::54,
	Acct-Interim-Interval := 300,
	Port-Limit := 1
nothing	Cleartext-Password := "a password"
pooled	Cleartext-Password := "a password"
	Framed-Pool := "granted4",
	Framed-IPv6-Pool := "granted6"
idle	Cleartext-Password := "a password"
	Idle-Timeout := 2
brief	Cleartext-Password := "a password"
	Session-Timeout := 3
again	Cleartext-Password := "a password"
	Session-Timeout := 4,
	Termination-Action := RADIUS-Request
"""
POOLS: Tree = {
    **roadwarrior.POOLS,
    "granted4": {"addrs": ["10.4.0.0/24"]},
    "granted6": {"addrs": ["fd00:4::/120"]},
}
OF_CHALLENGES = "10.66."


def town(laboratory: Laboratory, unique: str = "replace") -> tuple[Underlay, FreeRadius, Ikegw]:
    """A gateway that lends what FreeRADIUS says, else addresses of its own pools."""
    underlay = underlays.direct(laboratory.network)
    server = laboratory.freeradius("radius", underlay.gateway, users=USERS)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    gateway.install("gateway", logins.gateway_party(), server.pki.authority.certificate)
    ours: Tree = {
        "pools": POOLS,
        "connections": {
            "roadwarriors": {
                "unique": unique,
                "pools": ["radius", *roadwarrior.POOLS],
                "remote": {"eap_identity": "ask"},
            }
        },
    }
    gateway.load(merged(logins.gateway(underlay.gateway_address), ours, logins.radius(server)))
    return underlay, server, gateway


def client(underlay: Underlay, name: str, user: str, number: int, **child: list[str]) -> Tree:
    """The connection `name` of somebody who logs in as `user`; its IDi, its own address at home, is nobody's."""
    plain = logins.client(
        underlay.client_address,
        underlay.gateway_address,
        name=name,
        identity=f"192.168.0.{number}",
        eap_id=user,
        password="a password",
    )
    return merged(plain, {"connections": {name: {"children": {name: child}}}})


def records(server: FreeRadius, user: str, status: str) -> list[Booked]:
    return [record for record in booked(server.detail) if (record.user, record.status) == (user, status)]


def test_strongSwan_is_given_all_that_an_Accept_says(laboratory: Laboratory) -> None:
    underlay, server, gateway = town(laboratory, unique="never")
    alice = laboratory.strongswan("client", underlay.client, eap=True)
    alice.trust(server.pki.authority.certificate)
    behind = ["dynamic", "10.2.0.0/24", "fd00:2::/64"]
    alice.load(
        merged(
            client(underlay, "home", "everything", 7, local_ts=behind),
            client(underlay, "second", "everything", 8),
        )
    )
    alice.connect("home")

    sas = alice.sas()
    assert "10.9.0.5/32" in sas
    assert "fd00:9::5/128" in sas
    assert re.search(r"local +10.2.0.0/24 10.9.0.5/32 fd00:2::/64 fd00:9::5/128", sas)
    servers = set(re.findall(r"nameserver (\S+)", (alice.directory / "resolv.conf").read_text()))
    assert servers == {"10.1.0.54", "10.1.0.55", "fd00:1::54"}
    for address in ("10.9.0.5", "10.2.0.1", "fd00:9::5", "fd00:2::1"):
        assert "dev ikegw" in underlay.gateway.run("ip", "route", "get", address)
    for source, answers in (("10.9.0.5", "10.1.0.1"), ("10.2.0.1", "10.1.0.1"), ("fd00:2::1", "fd00:1::1")):
        assert ping(underlay.client, answers, source=source).received == 3
    gateway.daemon.wait_for(r"of Alice Liddell began \(eap-mschapv2\); staff says: Welcome, Alice")

    with pytest.raises(CommandFailed):
        alice.connect("second")
    gateway.daemon.wait_for(r"Alice Liddell has 1 sessions already.* \(Port-Limit\)")

    alice.disconnect("home")
    until(gateway.is_empty, "the gateway keeps an SA, or an address")
    until(lambda: records(server, "Alice Liddell", "Stop"), "no Stop")
    for status in ("Start", "Stop"):
        (record,) = records(server, "Alice Liddell", status)
        told = record.attributes
        assert bytes.fromhex(told["Class"].removeprefix("0x")) == b"class of Alice"
        assert told["Framed-IP-Address"] == "10.9.0.5"
        assert told["Framed-IPv6-Address"] == "fd00:9::5"
    alice.connect("second")


def test_an_ikegw_is_given_pools_and_times_and_nothing_that_a_challenge_says(laboratory: Laboratory) -> None:
    underlay, server, gateway = town(laboratory)
    users = ("nothing", "pooled", "idle", "brief", "again")
    host = laboratory.ikegw("client", underlay.client)
    host.trust(server.pki.authority.certificate)
    host.load(merged(*(client(underlay, user, user, number) for number, user in enumerate(users, 2))))

    for user in users:
        until(lambda user=user: records(server, user, "Start"), f"no Start of {user}")  # type: ignore[misc]
    told = {user: records(server, user, "Start")[0].attributes for user in users}
    assert told["pooled"]["Framed-IP-Address"].startswith("10.4.0.")
    assert told["pooled"]["Framed-IPv6-Address"].startswith("fd00:4::")
    for user in ("nothing", "idle", "brief", "again"):
        assert told[user]["Framed-IP-Address"].startswith("10.3.0.")
        assert "Class" not in told[user]

    for user, cause in (("idle", "Idle-Timeout"), ("brief", "Session-Timeout")):
        until(lambda user=user: records(server, user, "Stop"), f"no Stop of {user}")  # type: ignore[misc]
        assert records(server, user, "Stop")[0].attributes["Acct-Terminate-Cause"] == cause
    until(lambda: len(records(server, "again", "Start")) >= 2, "nobody logged in again")
    until(lambda: records(server, "again", "Stop"), "the session before goes on")
    first, second = records(server, "again", "Start")[:2]
    (over, *_) = records(server, "again", "Stop")
    assert over.attributes["Acct-Session-Id"] == first.attributes["Acct-Session-Id"]
    assert second.attributes["Framed-IP-Address"] == first.attributes["Framed-IP-Address"]
    assert not records(server, "nothing", "Stop")
    assert not records(server, "pooled", "Stop")
    assert OF_CHALLENGES not in server.detail.read_text() + host.daemon.text() + gateway.daemon.text()
    assert "of a challenge" not in server.detail.read_text()


MEMBERS = """\
eve	Cleartext-Password := "a password"
	Class := "OU=eng;"
sam	Cleartext-Password := "a password"
	Filter-Id := "eng"
nobody	Cleartext-Password := "a password"
	Class := "OU=else;"
"""
GROUPS: Tree = {
    "engineers": {
        "class": ["OU=eng;*"],
        "filter_id": ["eng"],
        "pools": ["granted4"],
        "dns": ["10.1.0.54"],
        "local_ts": ["10.1.0.0/25"],
    },
    "shopkeepers": {"filter_id": ["shop"], "local_ts": ["10.1.0.0/30"]},
}
COA: Tree = {
    "coa": {"clients": {"books": {"addresses": ["127.0.0.1"]}}},
    "secrets": {"coa": {"books": {"secret": "of the books"}}},
}


def test_Class_and_Filter_Id_choose_a_group_and_CoA_another_one(laboratory: Laboratory) -> None:
    underlay = underlays.direct(laboratory.network)
    server = laboratory.freeradius("radius", underlay.gateway, users=MEMBERS)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    gateway.install("gateway", logins.gateway_party(), server.pki.authority.certificate)
    ours: Tree = {
        "pools": POOLS,
        "groups": GROUPS,
        "connections": {
            "roadwarriors": {
                "pools": ["four"],
                "groups": list(GROUPS),
                "remote": {"eap_identity": "ask"},
                "children": {"net": {"local_ts": ["10.1.0.0/24"]}},
            }
        },
    }
    gateway.load(merged(logins.gateway(underlay.gateway_address), ours, logins.radius(server), COA))
    host = laboratory.strongswan("client", underlay.client, eap=True)
    host.trust(server.pki.authority.certificate)
    host.load(
        merged(
            *(
                client(underlay, user, user, number, remote_ts=["10.1.0.0/24"])
                for number, user in enumerate(("eve", "sam", "nobody"), 2)
            )
        )
    )

    host.connect("eve")
    host.connect("sam")
    with pytest.raises(CommandFailed):
        host.connect("nobody")
    gateway.daemon.wait_for(r"nobody is in no group of its connection \(engineers, shopkeepers\)")
    sas = host.sas()
    assert len(re.findall(r"remote +10.1.0.0/25\b", sas)) == 2
    assert "10.4.0.1/32" in sas
    assert "10.1.0.54" in (host.directory / "resolv.conf").read_text()
    gateway.daemon.wait_for(r"of eve began \(eap-mschapv2, group engineers\)")
    assert ping(underlay.client, "10.1.0.1", source="10.4.0.1").received

    def change(user: str, name: str) -> Answer:
        wanted: dict[str, str | int] = {"User_Name": user, "Filter_Id": name}
        return radclient(underlay.gateway, "127.0.0.1", "coa", "of the books", **wanted)

    assert change("sam", "no such filter") == Answer("CoA-NAK", "Invalid-Attribute-Value")
    assert len(re.findall(r"remote +10.1.0.0/25\b", host.sas())) == 2
    assert change("sam", "shop") == Answer("CoA-ACK", "")
    until(
        lambda: len(re.findall(r"remote +10.1.0.0/25\b", host.sas())) == 1,
        "its tunnel leads further than it may",
    )
    gateway.daemon.wait_for("the session's group is shopkeepers now")
    host.connect("sam")
    assert re.search(r"remote +10.1.0.0/30\b", host.sas())
    assert ping(underlay.client, "10.1.0.1", source="10.4.0.2").received
    assert change("sam", "eng") == Answer("CoA-ACK", "")
    assert ping(underlay.client, "10.1.0.1", source="10.4.0.2").received, "a wider group ends nothing"
