"""Accounting as FreeRADIUS wrote it down: of each session one Start and one Stop, whatever dies. CoA by radclient."""

import re
import subprocess
from collections import Counter

import pytest
from laboratory import logins, roadwarrior, underlays
from laboratory.accounts import Answer, Booked, booked, kept_octets, radclient
from laboratory.freeradius import FreeRadius
from laboratory.gateway import Ikegw
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.traffic import ping
from laboratory.underlays import Underlay

from ikegw.radius.accounting import QUEUE_FILE

pytestmark = pytest.mark.peers

ANYBODYS: Tree = {"secrets": {"ike": {"lab": {"id": [], "secret": roadwarrior.SECRET}}}}
SIZE, HEADERS = 100, 28
"""Of an echo request: its octets, and those of its IPv4 and ICMP headers."""


def _user(number: int) -> str:
    return f"client{number}@ikegw.example"


def _clients(underlay: Underlay, host: int, numbers: range) -> Tree:
    """One of several hosts, with a connection for each number."""
    tree: Tree = {}
    for number in numbers:
        one = roadwarrior.client(
            f"192.0.2.{host}",
            underlay.gateway_address,
            name=f"c{number}",
            identity=_user(number),
            remote_ts=["10.1.0.0/16"],
            vips=["0.0.0.0"],
        )
        tree = merged(tree, {"connections": one["connections"]})
    return merged(tree, ANYBODYS, {"log": {"states": False}})


def _gateway(underlay: Underlay, server: FreeRadius, **accounting: str) -> Tree:
    plain = roadwarrior.gateway(
        underlay.gateway_address, pools={"four": {"addrs": ["10.3.0.0/23"]}}, accounting="staff"
    )
    brisk: dict[str, str | int] = {
        "retransmit_timeout": "300ms",
        "retransmit_tries": 1,
        "probe_interval": "1s",
    }
    return merged(
        {name: tree for name, tree in plain.items() if name != "secrets"},
        ANYBODYS,
        logins.radius(server, **brisk),
        {
            "accounting": accounting,
            "limits": {"cookie_threshold": 900, "cookie_threshold_ip": 900, "block_threshold": 1000},
            "log": {"states": False},
        },
    )


def _lent(gateway: Ikegw) -> dict[int, str]:
    """The newest address of each client."""
    return {
        int(n): address for address, n in re.findall(r"lent ([\d.]+) to client(\d+)@", gateway.daemon.text())
    }


def _echoes(number: int) -> int:
    return 1 + number % 4


def _carry(underlay: Underlay, gateway: Ikegw, numbers: range) -> None:
    """Each client sends echo requests of its own number."""
    lent = _lent(gateway)
    pings = [
        f"ping -n -q -c {_echoes(number)} -i 0.05 -W 2 -s {SIZE} -I {lent[number]} 10.1.0.1 || echo lost {number}"
        for number in numbers
    ]
    done = subprocess.run(
        underlay.client.within("xargs", "-P", "8", "-I", "{}", "sh", "-c", "{}"),
        input="\n".join(pings),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "lost" not in done.stdout, done.stdout + done.stderr


def _sessions_up(host: Ikegw, count: int, since: int = 0) -> None:
    def up() -> bool:
        text = host.daemon.text(since)
        return len(re.findall(r" began \(", text)) - len(re.findall(r" ended after ", text)) == count

    until(up, f"never {count} sessions", timeout=60)


def _acknowledged(gateway: Ikegw) -> bool:
    return bool(re.search(r"accounting of realm staff: \d+ records acknowledged, 0 wait,", gateway.status()))


def test_of_200_sessions_each_has_one_Start_and_one_Stop_with_what_it_carried(laboratory: Laboratory) -> None:
    """The server is away for most of them; the gateway is killed once, and two of the clients' hosts with it."""
    underlay = underlays.direct(laboratory.network)
    underlay.client.ip(*(f"addr add 192.0.2.{host}/24 dev to-gateway" for host in (3, 4)))
    server = laboratory.freeradius("books", underlay.gateway)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    first, second, third = (laboratory.ikegw(f"client{host}", underlay.client) for host in (2, 3, 4))
    gateway.load(_gateway(underlay, server, counts_time="1s"))

    first.load(_clients(underlay, 2, range(80)))
    _sessions_up(gateway, 80)
    _sessions_up(first, 80)
    _carry(underlay, gateway, range(80))
    first.load(_clients(underlay, 2, range(40, 80)))
    _sessions_up(gateway, 40)
    until(lambda: _acknowledged(gateway), "the server has not acknowledged all")
    server.kill()
    second.load(_clients(underlay, 3, range(80, 140)))
    _sessions_up(gateway, 100)
    _sessions_up(second, 60)
    _carry(underlay, gateway, range(80, 140))
    second.load(_clients(underlay, 3, range(110, 140)))
    _sessions_up(gateway, 70)
    written = sum(_echoes(number) * (SIZE + HEADERS) for number in (*range(40, 80), *range(110, 140)))
    until(
        lambda: kept_octets(gateway.directory / QUEUE_FILE) == (written, written),
        "the counts are not written down",
    )
    for daemon in (gateway.daemon, first.daemon, second.daemon):
        daemon.kill()

    since = gateway.daemon.mark()
    gateway.start()
    third.load(_clients(underlay, 4, range(140, 200)))
    _sessions_up(gateway, 60, since)
    _sessions_up(third, 60)
    _carry(underlay, gateway, range(140, 200))
    server.start()
    third.stop()
    until(lambda: _acknowledged(gateway), "the server has not acknowledged all", timeout=30)
    gateway.stop()

    records = booked(server.detail)
    told = Counter((record.user, record.status) for record in records if record.user)
    everybody = [_user(number) for number in range(200)]
    assert told == Counter([(user, status) for user in everybody for status in ("Start", "Stop")])
    stops = {record.user: record for record in records if record.status == "Stop"}
    for number, user in enumerate(everybody):
        expected = _echoes(number) * (SIZE + HEADERS)
        carried = stops[user].number("Acct-Input-Octets"), stops[user].number("Acct-Output-Octets")
        assert carried == (expected, expected), f"{user}: {stops[user].attributes}"
    causes = Counter(stop.attributes["Acct-Terminate-Cause"] for stop in stops.values())
    assert causes == {"User-Request": 40 + 30 + 60, "NAS-Reboot": 70}
    others = [record.status for record in records if not record.user]
    assert others == ["Accounting-On", "Accounting-On", "Accounting-Off"]
    ids = {record.attributes["Acct-Session-Id"] for record in records if record.user}
    assert len(ids) == 200


@pytest.fixture
def logged_in(laboratory: Laboratory) -> tuple[Underlay, FreeRadius, Ikegw]:
    """Alice, whom FreeRADIUS knows, and her own gateway, which takes CoA."""
    underlay = underlays.direct(laboratory.network)
    server = laboratory.freeradius("books", underlay.gateway)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.ikegw("client", underlay.client)
    authority = server.pki.authority.certificate
    gateway.install("gateway", logins.gateway_party(), authority)
    client.install("unused", logins.gateway_party(), authority)
    clients: Tree = {
        "coa": {"clients": {"books": {"addresses": ["127.0.0.1", "::1"]}}},
        "secrets": {"coa": {"books": {"secret": "of the books"}}},
    }
    gateway.load(
        merged(
            logins.gateway(underlay.gateway_address, remote={"eap_identity": "ask"}),
            logins.radius(server),
            clients,
        )
    )
    client.load(
        logins.client(underlay.client_address, underlay.gateway_address, eap_id="alice", password="alicepw")
    )
    client.connect("home")
    return underlay, server, gateway


def _ask(underlay: Underlay, verb: str, **attributes: str | int) -> Answer:
    return radclient(underlay.gateway, "127.0.0.1", verb, "of the books", **attributes)


def test_radclient_changes_and_ends_a_session_of_FreeRADIUSs_user(
    logged_in: tuple[Underlay, FreeRadius, Ikegw],
) -> None:
    underlay, server, gateway = logged_in

    def records(status: str) -> list[Booked]:
        return [record for record in booked(server.detail) if record.status == status]

    until(lambda: records("Start"), "no Start")
    (start,) = records("Start")
    assert start.user == "alice"
    assert start.attributes["Class"] == "0x636c6173732d616c696365"
    session = start.attributes["Acct-Session-Id"]
    assert _ask(underlay, "coa", User_Name="mallory", Session_Timeout=9) == Answer(
        "CoA-NAK", "Session-Context-Not-Found"
    )
    assert _ask(underlay, "coa", User_Name="alice") == Answer("CoA-NAK", "Missing-Attribute")
    assert _ask(underlay, "disconnect", User_Name="alice", NAS_Identifier="another") == Answer(
        "Disconnect-NAK", "NAS-Identification-Mismatch"
    )
    assert _ask(
        underlay, "coa", Acct_Session_Id=session, Acct_Interim_Interval=10, Idle_Timeout=3600
    ) == Answer("CoA-ACK", "")
    until(lambda: records("Interim-Update"), "a change is told at once")
    assert radclient(underlay.gateway, "127.0.0.1", "disconnect", "wrong", User_Name="alice").code == ""
    assert ping(underlay.client, "10.1.0.1").received
    address = start.attributes["Framed-IP-Address"]
    six = radclient(
        underlay.gateway, "[::1]", "disconnect", "of the books", User_Name="alice", Framed_IP_Address=address
    )
    assert six == Answer("Disconnect-ACK", "")
    until(lambda: records("Stop"), "no Stop")
    (stop,) = records("Stop")
    assert stop.attributes["Acct-Terminate-Cause"] == "Admin-Reset"
    assert stop.number("Acct-Input-Octets") >= 3 * 84
    until(gateway.is_empty, "something is left")
