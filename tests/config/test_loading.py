"""From files to a Config: what is read, how files are merged, and what is said about each mistake."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from ikegw.config import ConfigurationError, load
from ikegw.config.settings import (
    Control,
    DataPlaneChoice,
    DataPlaneSettings,
    GateLimits,
    Listen,
    LogLevel,
    Pool,
)
from ikegw.policy.connections import DYNAMIC, AuthKind, DpdAction, SendCertificate, StartAction, Unique
from ikegw.policy.identities import ANY, IdentityPattern, parse_identity
from ikegw.policy.offers import DEFAULT_ESP, DEFAULT_IKE, parse_offer
from ikegw.policy.selectors import parse_selector

Problems = Callable[..., list[str]]
Write = Callable[..., Path]

MINIMAL = """\
[connections.home]
local = { auth = "psk", id = "gw.ikegw.example" }
remote = { auth = "psk" }
[connections.home.children.net]
local_ts = "10.1.0.0/16"
"""
SECRET = '[secrets.ike.all]\nsecret = "0x6b6579"\n'


def minimal(extra: str = "", child: str = "") -> dict[str, str]:
    head, rest = MINIMAL.split("[connections.home.children.net]\n")
    return {
        "conf.d/home.toml": f"{head}{extra}\n[connections.home.children.net]\n{rest}{child}\n",
        "secrets.d/all.toml": SECRET,
    }


def test_an_empty_file_gives_the_defaults(write: Write) -> None:
    config = load(write(""))
    assert (config.listen, config.data_plane, config.limits) == (Listen(), DataPlaneSettings(), GateLimits())
    assert config.control == Control(Path("/run/ikegw/control.sock"))
    assert (config.connections, config.pools, config.shared_keys) == ((), (), ())
    assert config.directories.authorities == config.path.parent / "ca"


def test_the_defaults_of_the_schema_are_those_of_the_values(write: Write) -> None:
    connection = load(write("", **minimal())).connections[0]
    child = connection.children[0]
    bare = type(connection)(connection.name, connection.local, connection.remote, connection.children)
    assert connection == bare
    assert child == type(child)("net", (parse_selector("10.1.0.0/16"),))


def test_every_key_arrives(write: Write, tmp_path: Path) -> None:
    for name in ("certs/gw.pem", "certs/peer.pem", "ca/root.pem"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    config = load(
        write(
            """
            listen = { addresses = ["192.0.2.1", "2001:db8::1"], port = 1500, nat_t_port = 14500 }
            data_plane = { kind = "userspace", tun = "vpn0", mtu = 1380 }
            control.socket = ""
            log = { level = "debug", states = false }
            [limits]
            cookie_threshold = 10
            cookie_threshold_ip = 2
            block_threshold = 4
            half_open = 100
            half_open_timeout = "10s"
            """,
            **{
                "conf.d/site.toml": """
                [connections.site]
                local_addrs = "192.0.2.1"
                remote_addrs = ["198.51.100.7"]
                remote_port = 2500
                remote_nat_t_port = 24500
                proposals = ["aes128-sha256-modp2048", "default"]
                pools = "clients"
                vips = ["0.0.0.0", "::"]
                nat_traversal = false
                encap = true
                mobike = false
                fragmentation = false
                unique = "keep"
                send_cert = "ifasked"
                keep_ike = true
                keyingtries = 0
                retransmit_timeout = "1s"
                retransmit_base = 2
                retransmit_tries = 3
                retransmit_jitter = 0
                retransmit_limit = "10s"
                dpd_delay = "0"
                keep_alive = "15s"
                rekey_time = "1h30m"
                over_time = "5m"
                rand_time = "1m"
                reauth_time = "1d"
                [connections.site.local]
                auth = "pubkey"
                id = "C=CH, O=Example, CN=gw"
                certs = "gw.pem"
                [connections.site.remote]
                auth = "pubkey"
                id = "*.ikegw.example"
                cacerts = ["root.pem"]
                certs = ["peer.pem"]
                [connections.site.children.net]
                local_ts = "10.1.0.0/16, 10.2.0.1[tcp/443]"
                remote_ts = ["dynamic"]
                esp_proposals = "aes256gcm16-x25519"
                start_action = "start"
                close_action = "trap"
                dpd_action = "restart"
                rekey_time = "30m"
                life_time = "40m"
                rand_time = "2m"
                rekey_bytes = "10G"
                rekey_packets = 1000
                life_packets = 5000
                replay_window = 64
                [pools.clients]
                addrs = ["10.3.0.0/24", "fd00:3::10-fd00:3::20"]
                dns = "10.1.0.53"
                subnet = ["10.1.0.0/16"]
                """,
                "secrets.d/site.toml": '[secrets.ike.site]\nid = ["gw.ikegw.example", "*@x.example"]\nsecret = "0saGVsbG8="\n',
            },
        )
    )
    assert config.listen == Listen((ip_address("192.0.2.1"), ip_address("2001:db8::1")), (), 1500, 14500)
    assert config.data_plane == DataPlaneSettings(DataPlaneChoice.USERSPACE, "vpn0", 1380)
    assert config.control.socket is None
    assert (config.logging.level, config.logging.states) == (LogLevel.DEBUG, False)
    assert config.limits == GateLimits(10, 2, 4, 100, 10.0)
    site = config.connection("site")
    assert site is not None
    assert (site.own_address, site.peer) == (ip_address("192.0.2.1"), ip_address("198.51.100.7"))
    assert (site.remote_port, site.remote_nat_t_port) == (2500, 24500)
    assert site.proposals == (*parse_offer("ike", "aes128-sha256-modp2048"), *DEFAULT_IKE)
    assert (site.pools, site.virtual) == (("clients",), (ip_address("0.0.0.0"), ip_address("::")))
    assert (site.nat_traversal, site.force_encapsulation, site.mobike, site.fragmentation) == (
        False,
        True,
        False,
        False,
    )
    assert (site.unique, site.send_certificate) == (Unique.KEEP, SendCertificate.IF_ASKED)
    assert (site.keep_ike, site.tries, site.half_open_seconds) == (True, 0, 10.0)
    retransmit = site.retransmit
    assert (retransmit.first, retransmit.factor, retransmit.tries) == (1.0, 2.0, 3)
    assert (retransmit.jitter, retransmit.limit) == (0, 10)
    assert (site.dpd_seconds, site.keepalive_seconds, site.reauth_seconds) == (0, 15, 86400)
    assert (site.rekey_seconds, site.over_seconds, site.jitter_seconds) == (5400, 300, 60)
    assert (site.local.kind, site.local.identity) == (
        AuthKind.PUBKEY,
        parse_identity("C=CH, O=Example, CN=gw"),
    )
    assert (site.local.certificates, site.remote.certificates) == (("gw.pem",), ("peer.pem",))
    assert (site.remote.identity, site.remote.authorities) == (
        IdentityPattern.parse("*.ikegw.example"),
        ("root.pem",),
    )
    net = site.children[0]
    assert net.local_selectors == (parse_selector("10.1.0.0/16"), parse_selector("10.2.0.1[tcp/443]"))
    assert net.remote_selectors == (DYNAMIC,)
    assert net.proposals == parse_offer("esp", "aes256gcm16-x25519")
    assert (net.start, net.close, net.dpd) == (StartAction.START, StartAction.TRAP, DpdAction.RESTART)
    assert (net.rekey_seconds, net.life_seconds, net.jitter_seconds) == (1800, 2400, 120)
    assert (net.rekey_octets, net.life_octets) == (10 << 30, (10 << 30) * 11 // 10)
    assert (net.rekey_packets, net.life_packets, net.replay_window) == (1000, 5000, 64)
    assert config.pools == (
        Pool(
            "clients",
            (
                (ip_address("10.3.0.0"), ip_address("10.3.0.255")),
                (ip_address("fd00:3::10"), ip_address("fd00:3::20")),
            ),
            (ip_address("10.1.0.53"),),
            (ip_network("10.1.0.0/16"),),
        ),
    )
    assert config.shared_keys[0].secret == b"hello"


def test_addresses_may_be_networks_ranges_and_any(write: Write) -> None:
    config = load(
        write(
            "",
            **minimal(
                'remote_addrs = ["198.51.100.0/24", "203.0.113.4-203.0.113.6"]\nlocal_addrs = ["192.0.2.1", "%any"]'
            ),
        )
    )
    connection = config.connections[0]
    assert connection.remote_addresses == tuple(
        map(ip_network, ("198.51.100.0/24", "203.0.113.4/31", "203.0.113.6/32"))
    )
    assert connection.local_addresses == ()


def test_files_are_merged_in_the_order_of_their_names(write: Write) -> None:
    config = load(
        write(
            "[connections.b.children]\n[connections.b.remote]\nauth = 'psk'\n",
            **{
                "conf.d/20.toml": "[connections.a]\nlocal.auth = 'psk'\nremote.auth = 'psk'\nchildren.net = {}\n",
                "conf.d/10.toml": "[connections.b]\nlocal.auth = 'psk'\nchildren.net.local_ts = ['10.0.0.0/8']\n",
                "conf.d/not-toml.txt": "nonsense",
                "secrets.d/s.toml": SECRET,
            },
        )
    )
    assert [connection.name for connection in config.connections] == ["b", "a"]
    assert config.connections[0].children[0].local_selectors == (parse_selector("10.0.0.0/8"),)


def test_a_key_given_twice_names_both_places(problems: Problems) -> None:
    told = problems(
        "[limits]\nhalf_open = 200\n",
        **{
            "conf.d/a.toml": "\n[limits]\nhalf_open = 300\ncookie_threshold = 2\n",
            "conf.d/b.toml": "limits = 3\n",
        },
    )
    assert told == [
        "conf.d/a.toml:3: limits.half_open: given twice: here and at ikegw.toml:2; keep one of them",
        "conf.d/b.toml:1: limits: given twice: here and at ikegw.toml:1; keep one of them",
    ]


def test_secrets_that_the_world_can_read_are_refused(write: Write) -> None:
    path = write("", **minimal())
    (path.parent / "secrets.d" / "all.toml").chmod(0o644)
    with pytest.raises(
        ConfigurationError, match=r"secrets\.d/all\.toml: it holds secrets .*mode 0644.*chmod 0640"
    ):
        load(path)
    (path.parent / "secrets.d" / "all.toml").chmod(0o600)
    (path.parent / "ikegw.toml").write_text('[secrets.ike.inline]\nid = "x"\nsecret = "y"\n')
    (path.parent / "ikegw.toml").chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"ikegw\.toml: it holds secrets"):
        load(path)


def test_a_secret_is_never_told(write: Write, problems: Problems) -> None:
    config = load(write("", **minimal()))
    assert config.shared_keys[0].secret == b"key"
    assert "key" not in repr(config.shared_keys[0]).replace("SharedKey", "")
    for wrong in ('"0xhunter2"', '"0shunter2"', '["hunter2"]', "112358", '{ hunter2 = "hunter2" }'):
        told = problems("", **{"secrets.d/all.toml": f"[secrets.ike.a]\nsecret = {wrong}\n"})
        assert len(told) == 1
        assert "secrets.ike.a.secret" in told[0]
        assert "hunter2" not in told[0]
        assert "112358" not in told[0]
    for wrong in (
        'secrets = "hunter2"',
        'secrets.ike = "hunter2"',
        'secrets.ike.a = "hunter2"',
        'secrets.ike.hunter = 1\nsecrets.psk="hunter2"',
    ):
        told = problems("", **{"secrets.d/all.toml": wrong})
        assert told
        assert "hunter2" not in "".join(told)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[listen\nport = 1\n", 1, "Expected ']'"),
        ("[listen]\n\nport = \n", 3, "Invalid value"),
        ("[listen]\nport = 1\nport = 2\n", 3, "Cannot overwrite"),
        ('[listen]\nx = """\nabc\n', 4, "not TOML"),
    ],
)
def test_syntax_errors_have_their_line(problems: Problems, text: str, line: int, said: str) -> None:
    told = problems("", **{"conf.d/a.toml": text})
    assert len(told) == 1
    assert told[0].startswith(f"conf.d/a.toml:{line}: not TOML: ")
    assert said in told[0]


def test_a_file_that_cannot_be_read_makes_no_false_problems(
    write: Write, problems: Problems, tmp_path: Path
) -> None:
    told = problems(
        "",
        **(
            minimal('pools = "clients"')
            | {"conf.d/pools.toml": "[pools.clients\n", "secrets.d/all.toml": "["}
        ),
    )
    assert [text.split(":")[0] for text in told] == ["conf.d/pools.toml", "secrets.d/all.toml"]
    (tmp_path / "conf.d" / "pools.toml").write_bytes(b"# caf\xe9\n")
    (tmp_path / "secrets.d" / "all.toml").write_text(SECRET)
    with pytest.raises(ConfigurationError, match=r"pools\.toml:1: not UTF-8"):
        load(tmp_path / "ikegw.toml")
    with pytest.raises(ConfigurationError, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml")


CONNECTION_MISTAKES = [
    ("rekey_time = 4", "rekey_time: expected a duration", 'write the unit: "4s"'),
    ('rekey_time = "4 hours"', "rekey_time: expected a duration", "units are"),
    ('rekey_tme = "4h"', "rekey_tme: unknown key; did you mean rekey_time?", ""),
    (
        'esp_proposals = "default"',
        "unknown key here; it belongs into connections.NAME.children.NAME.esp_proposals",
        "",
    ),
    ("version = 2", "version: unknown key: ikegw speaks IKEv2 only", ""),
    ('frobnicate = "x"', "frobnicate: unknown key; known here are aaa, accounting, address_expiry", ""),
    ('mobike = "yes"', 'mobike: expected true or false, got "yes": write it without quotes', ""),
    ('unique = "always"', 'unique: expected one of "replace", "keep", "refuse", "never", got "always"', ""),
    ("keyingtries = -1", "keyingtries: expected a whole number from 0", "got -1"),
    ("keyingtries = true", "keyingtries: expected a whole number", "got true"),
    ("remote_port = 70000", "remote_port: expected a whole number from 0 to 65535, got 70000", ""),
    ("retransmit_base = 0.5", "retransmit_base: expected a number from 1 to 10, got 0.5", ""),
    ('remote_addrs = "gw.example.org"', "remote_addrs: expected an address", "names are not looked up"),
    ('remote_addrs = "10.0.0.1/8"', "remote_addrs: ", "did you mean 10.0.0.0/8?"),
    ('remote_addrs = "10.0.0.9-10.0.0.1"', "remote_addrs: ", "ends before it begins"),
    ('vips = "any"', 'vips: expected an IPv4 or IPv6 address, got "any"', ""),
    ('proposals = "aes256-sha256"', "proposals: expected a proposal", "names no key exchange group"),
    ('proposals = ["default", 7]', "proposals: expected a proposal", "got 7"),
    (
        'pools = "cliens"',
        "pools: there is no pool 'cliens'; there are no pools at all",
        "write [pools.cliens]",
    ),
    ("children = 5", "children: expected a table, [connections.home.children.NAME], got 5", ""),
    ('rand_time = "5h"', "rand_time: not below rekey_time", ""),
    ('aaa = "local"', 'aaa: it means nothing where no side has auth = "eap"', "leave it out"),
]


@pytest.mark.parametrize(("extra", "said", "also"), CONNECTION_MISTAKES, ids=lambda text: str(text)[:30])
def test_mistakes_in_a_connection(problems: Problems, extra: str, said: str, also: str) -> None:
    files = minimal(extra)
    if extra.startswith("children"):
        files["conf.d/home.toml"] = files["conf.d/home.toml"].split("[connections.home.children.net]")[0]
    told = problems("", **files)
    assert told
    assert told[0].startswith("conf.d/home.toml:4: connections.home.")
    assert said in told[0]
    assert also in told[0]
    assert len(told) == 1


@pytest.mark.parametrize(
    ("child", "said"),
    [
        ('remote_ts = "vpn"', 'remote_ts: expected a selector like "10.1.0.0/16", '
         '"10.1.0.1[tcp/443]" or "dynamic", got "vpn": it is no address'),
        ('remote_ts = "fd00::/64"', "remote_ts: one side has only IPv4, the other only IPv6"),
        ('start_action = "start"', "start_action: 'start' needs somebody to call: give connections.home.remote_addrs"),
        ('start_action = "trap"', "start_action: 'trap' needs somebody to call"),
        ('life_time = "1h"', "life_time: not above rekey_time"),
        ('rekey_bytes = "1G"\nlife_bytes = "1M"', "life_bytes: not above rekey_bytes"),
        ('rekey_bytes = "1X"', "rekey_bytes: expected a number of octets"),
        ('rand_time = "2h"', "rand_time: not below rekey_time"),
        ("replay_window = 100000", "replay_window: expected a whole number from 0 to 32768"),
        ('mode = "beet"', 'mode: expected one of "tunnel", "transport"'),
        ('if_id_in = "42"', "if_id_in: unknown key: write if_id"),
        ('mark = "0x1ff/0xff"', "mark: expected a firewall mark"),
    ],
)  # fmt: skip
def test_mistakes_in_a_child(problems: Problems, child: str, said: str) -> None:
    told = problems("", **minimal(child=child))
    assert len(told) == 1
    assert told[0].startswith(f"conf.d/home.toml:{7 + child.count(chr(10))}: connections.home.children.net.")
    assert said in told[0]


@pytest.mark.parametrize(
    ("main", "said"),
    [
        ("[listen]\nport = 4500", "ikegw.toml:1: listen.nat_t_port: 4500 is the port of IKE already"),
        ('[listen]\naddresses = "::1"\ninterfaces = "eth0"', "ikegw.toml:3: listen.interfaces: give addresses or interfaces"),
        ('[listen]\ninterfaces = ["a name that is long"]', "listen.interfaces: expected the name of a network device"),
        ("[limits]\nhalf_open = 20", "ikegw.toml:1: limits.cookie_threshold: above half_open"),
        ("[limits]\nblock_threshold = 2", "ikegw.toml:1: limits.cookie_threshold_ip: above block_threshold"),
        ('control.socket = "run/x"', "ikegw.toml:1: control.socket: expected the path of a UNIX socket"),
        ("[[connections]]\nx = 1", "ikegw.toml:1: connections: expected a table, [connections.NAME], got [{"),
        ("[connections]\nlocal_addrs = '%any'", "local_addrs belongs into such a table, under a name of your choice"),
        ("listen = 5", "ikegw.toml:1: listen: expected a table, [listen], got 5"),
        ("[listen.port]\nx = 1", "ikegw.toml:1: listen.port: expected a whole number from 0 to 65535, got a table"),
        ("[connection.x]", "ikegw.toml:1: connection: unknown key; did you mean connections?"),
        ("rekey_tme = '4h'", "did you mean connections.NAME.rekey_time or connections.NAME.children.NAME.rekey_time?"),
        ("[pools.a]\naddrs = []", "ikegw.toml:2: pools.a.addrs: no addresses"),
        ("[pools.a]\ndns = []", "ikegw.toml:1: pools.a.addrs: missing"),
        ('[pools.a]\naddrs = "10.0.0.0/24"\n[pools.b]\naddrs = "10.0.0.9-10.0.1.9"',
         "pools.b.addrs: 10.0.0.9-10.0.1.9 overlaps 10.0.0.0-10.0.0.255 of pool a"),
    ],
)  # fmt: skip
def test_mistakes_elsewhere(problems: Problems, main: str, said: str) -> None:
    told = problems(main)
    assert len(told) == 1
    assert said in told[0]


def test_a_connection_without_a_child_or_with_a_way_that_nobody_can_come(problems: Problems) -> None:
    told = problems(
        'listen.addresses = ["192.0.2.1"]',
        **{
            "conf.d/a.toml": "[connections.a]\nlocal_addrs = '192.0.2.2'\nlocal.auth = 'psk'\nremote.auth = 'psk'\n",
            "secrets.d/s.toml": SECRET,
        },
    )
    assert [text.split(";")[0] for text in told] == [
        "conf.d/a.toml:1: connections.a.children: no child, so no traffic could flow",
        "conf.d/a.toml:2: connections.a.local_addrs: none of these is listened on (listen.addresses: 192.0.2.1)",
    ]


def test_mistakes_of_authentication(problems: Problems) -> None:
    child = "children.net = {}\n"
    told = problems(
        f"[connections.a]\n{child}local.auth = 'psk'\nlocal.certs = 'x'\nremote.auth = 'psk'\nremote.cacerts = 'y'\n"
    )
    assert [text.split(":")[1:3] for text in told] == [
        ["3", " connections.a.local.auth"],
        ["4", " connections.a.local.certs"],
        ["6", " connections.a.remote.cacerts"],
    ]
    assert "there is no shared key" in told[0]
    told = problems(f"[connections.a]\n{child}local.certs = [\n'x',\n'y/z']\nremote.certs = 'peer.pem'\n")
    assert "ikegw.toml:5: connections.a.local.certs: expected the name of a file" in told[0]
    assert "a name only, without a directory" in told[0]
    assert told[1].startswith("ikegw.toml:6: connections.a.remote.certs: there is no file certs/peer.pem")


def test_two_secrets_for_the_same_identities(problems: Problems) -> None:
    told = problems(
        "",
        **{
            "secrets.d/a.toml": '[secrets.ike]\na = { id = ["x", "Y"], secret = "1" }\nb = { id = ["y", "x"], secret = "2" }\n'
        },
    )
    assert told == [
        "secrets.d/a.toml:3: secrets.ike.b.id: secrets.ike.a (secrets.d/a.toml:2) is for the same identities; which one is right?"
    ]


def test_an_error_is_whole_and_sorted(write: Write) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(write("x = 1\ny = 2\n", **{"conf.d/a.toml": "z = 1\n"}))
    assert [(problem.place.line, problem.key) for problem in caught.value.problems] == [
        (1, "z"),
        (1, "x"),
        (2, "y"),
    ]
    assert str(caught.value).count("\n") == 2


def test_any_is_the_default_peer(write: Write) -> None:
    assert load(write("", **minimal())).connections[0].remote.identity == ANY
    assert load(write("", **minimal())).connections[0].children[0].proposals == DEFAULT_ESP


def test_names_are_such_that_logs_and_commands_can_carry_them(problems: Problems, write: Write) -> None:
    told = problems('[pools."two words"]\naddrs = "10.0.0.0/24"\n[pools.""]\n')
    assert [text.split(": ")[:2] for text in told] == [
        ["ikegw.toml:1", "pools.two words"],
        ["ikegw.toml:3", "pools."],
    ]
    assert load(write('[pools."a.b@c+d-1"]\naddrs = "::/64"\n')).pools


def test_places_that_are_not_what_they_should_be(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("x = 1")
    (path.parent / "conf.d").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"conf\.d: cannot be listed: Not a directory"):
        load(path)
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        load(path.parent)
    monkeypatch.setattr("ikegw.config.sources.LARGEST_FILE", 4)
    with pytest.raises(ConfigurationError, match="too large"):
        load(path)
