"""`ikegwctl check`: every problem at once, with the right lines; and what it says about certificates and keys."""

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from ikegw.auth.certificates import X509
from ikegw.control.check import Report, check
from ikegw.control.command import main
from ikegw.pki.pkcs12 import Form, pack
from ikegw.testing.pki import GATEWAY_USAGES, Authority, Party, Period, write_directory

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SHIPPED = Path(__file__).parents[2] / "etc" / "ikegw"

ROOT = Authority.root("root", "ecdsa256", Period.around(NOW, 3650))
GATEWAY = ROOT.issue("gw.ikegw.example", "ecdsa256", usages=GATEWAY_USAGES, period=Period.around(NOW, 365))

CONNECTION = """\
[connections.rw.local]
id = "gw.ikegw.example"
certs = ["gw.pem"]
[connections.rw.remote]
[connections.rw.children.net]
"""


@pytest.fixture
def judge(tmp_path: Path) -> Callable[..., Report]:
    def judge(
        text: str = CONNECTION,
        parties: dict[str, Party] | None = None,
        authorities: dict[str, x509.Certificate] | None = None,
        now: datetime = NOW,
    ) -> Report:
        write_directory(
            tmp_path,
            {"gw": GATEWAY} if parties is None else parties,
            {"root": ROOT.certificate} if authorities is None else authorities,
        )
        (tmp_path / "ikegw.toml").write_text(text)
        return check(tmp_path / "ikegw.toml", now)

    return judge


DHCP = """\
[dhcp.office]
servers = ["10.1.0.67"]
giaddr = "10.60.0.1"
{dhcp}
[dhcp.branch]
servers = ["10.2.0.67"]
giaddr = "10.60.0.1"
[pools.spare]
addrs = "10.3.0.0/24"
store = "memory"
[addresses]
{addresses}
[connections.rw]
pools = {pools}
[connections.rw.local]
id = "gw.ikegw.example"
certs = ["gw.pem"]
[connections.rw.remote]
[connections.rw.children.net]
"""


@pytest.mark.parametrize(
    ("dhcp", "addresses", "pools", "expected"),
    [
        ("", "", '["dhcp:office", "spare"]', []),
        ("", 'provider_timeout = "6s"', '["spare"]', []),
        (
            "",
            'provider_timeout = "6s"',
            '["dhcp:office", "spare"]',
            [
                "dhcp.office: timeout and tries come to 15 s, but addresses.provider_timeout gives it up after 6 s, before its "
                "last try; make that longer, or these smaller"
            ],
        ),
        (
            "tries = 3",
            "",
            '["dhcp:branch", "dhcp:office", "spare"]',
            [
                "connections.rw.pools: when the DHCP servers before spare are silent, a login has waited 22 s and ends after "
                "20 s; lessen their tries, or addresses.provider_timeout"
            ],
        ),
        ("tries = 2", "", '["dhcp:branch", "dhcp:office", "spare"]', []),
    ],
)
def test_timeouts_that_do_not_fit_together_are_told(
    judge: Callable[..., Report], dhcp: str, addresses: str, pools: str, expected: list[str]
) -> None:
    report = judge(DHCP.format(dhcp=dhcp, addresses=addresses, pools=pools))
    assert report.problems == ()
    assert [each for each in report.warnings if "timeout" in each] == expected


TEN_MISTAKES = """\
[listen]
port = "five hundred"

[limit]
half_open = 3

[connections.rw]
pools = [
  "clients",
  "clinets",
]
mobike = "no"
remote_addrs = "vpn.example.org"
proposals = ["aes256gcm16-prfsha256-x25519",
             "aes256-sha999-x25519"]

[connections.rw.local]
auth = "psk"
identity = "gw"

[connections.rw.remote]
auth = "psk"

[connections.rw.children.net]
local_ts = "10.1.0.1/16"
rekey_tiem = "1h"
life_time = 90

[pools.clients]
addrs = "10.3.0.0/24"
"""


def test_ten_mistakes_are_told_at_once_with_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ikegw.toml"
    file.write_text(TEN_MISTAKES)
    (tmp_path / "secrets.d").mkdir()
    secret = tmp_path / "secrets.d" / "s.toml"
    secret.write_text('[secrets.ike.rw]\nsecret = "x"\n')
    secret.chmod(0o600)
    assert main(["check", str(file)]) == 1
    output = capsys.readouterr()
    told = [line.removeprefix(f"{file}:").split(": ", 2) for line in output.out.splitlines()]
    assert [(int(line), key) for line, key, _ in told] == [
        (2, "listen.port"),
        (4, "limit"),
        (10, "connections.rw.pools"),
        (12, "connections.rw.mobike"),
        (13, "connections.rw.remote_addrs"),
        (15, "connections.rw.proposals"),
        (19, "connections.rw.local.identity"),
        (25, "connections.rw.children.net.local_ts"),
        (26, "connections.rw.children.net.rekey_tiem"),
        (27, "connections.rw.children.net.life_time"),
    ]
    texts = [text for _, _, text in told]
    assert "did you mean limits?" in texts[1]
    assert "there is no pool 'clinets'" in texts[2]
    assert "sha999" in texts[5]
    assert "did you mean 10.1.0.0/16?" in texts[7]
    assert "did you mean rekey_time?" in texts[8]
    assert output.err == f"{file}: 10 problems; ikegw would not start with it.\n"


def test_a_good_configuration_is_fine(judge: Callable[..., Report]) -> None:
    assert judge() == Report(
        (), (), "1 connection (rw), no pools, no shared keys, 1 certificate of our own, 1 authority"
    )


def test_the_exit_status_of_a_good_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ikegw.toml"
    file.write_text("")
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out == (
        f"{file} is fine: no connections, no pools, no shared keys, no certificates of our own, no authorities.\n"
    )


def test_the_shipped_example_is_fine_once_its_secrets_are_closed(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "ikegw")
    file = tmp_path / "ikegw" / "ikegw.toml"
    secret = tmp_path / "ikegw" / "secrets.d" / "example.toml"
    secret.chmod(0o644)
    (problem,) = check(file, NOW).problems
    assert "everybody on this host can read it" in problem
    secret.chmod(0o600)
    report = check(file, NOW)
    assert report.problems == ()
    assert any("the secret of the shipped example" in warning for warning in report.warnings)
    write_directory(tmp_path / "ikegw", {"gw": GATEWAY}, {"root": ROOT.certificate})
    secret.write_text(secret.read_text().replace("replace-me", "replaced"))
    report = check(file, NOW)
    assert (report.problems, report.warnings) == ((), ())


def test_every_shipped_comment_that_shows_a_key_shows_it_right(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "ikegw")
    for file in (tmp_path / "ikegw").rglob("*.toml"):
        text = re.sub(r"^# (\w+ = |\[)", r"\1", file.read_text(), flags=re.MULTILINE)
        file.write_text(text.replace('addresses = ["192.0.2.1", "2001:db8::1"]', ""))
        file.chmod(0o600)
    shutil.move(tmp_path / "ikegw/conf.d/site.toml.example", tmp_path / "ikegw/conf.d/site.toml")
    write_directory(
        tmp_path / "ikegw", {"gw": GATEWAY}, {"ca": ROOT.certificate, "branch-ca": ROOT.certificate}
    )
    assert check(tmp_path / "ikegw" / "ikegw.toml", NOW).problems == ()


def test_a_certificate_without_its_key(judge: Callable[..., Report], tmp_path: Path) -> None:
    judge()
    (tmp_path / "private" / "gw.pem").unlink()
    report = check(tmp_path / "ikegw.toml", NOW)
    assert report.problems == (
        "connections.rw.local.certs: no key in private/ belongs to certs/gw.pem (certificate C=CH, O=ikegw, "
        "CN=gw.ikegw.example); put it there",
    )


def test_a_key_whose_certificate_is_missing(judge: Callable[..., Report], tmp_path: Path) -> None:
    judge()
    (tmp_path / "private" / "gw.pem").rename(tmp_path / "private" / "other.pem")
    assert check(tmp_path / "ikegw.toml", NOW).warnings == ()
    (tmp_path / "private" / "old.pem").write_bytes(ROOT.issue("old", "ecdsa256").private_pem)
    (tmp_path / "private" / "old.pem").chmod(0o600)
    assert check(tmp_path / "ikegw.toml", NOW).warnings == (
        "private/old.pem: no certificate in certs/ belongs to this key; put it there, or remove the key",
    )


def test_keys_under_passphrases(judge: Callable[..., Report], tmp_path: Path) -> None:
    old = ROOT.issue("gw.ikegw.example", "ecdsa256", period=Period.around(NOW, 20))
    secret = tmp_path / "secrets.d" / "keys.toml"
    secret.parent.mkdir()
    secret.touch(mode=0o600)
    secret.write_text('[secrets.private.gw]\nfile = "gw.p12"\nsecret = "hunter2hunter2"\n')
    text = CONNECTION.replace("gw.pem", "gw.p12")
    (tmp_path / "private").mkdir()
    container = tmp_path / "private" / "gw.p12"
    container.write_bytes(pack(old, "gw", [], "hunter2hunter2", Form.COMPATIBLE))
    container.chmod(0o600)
    report = judge(text, parties={})
    assert report.problems == ()
    assert report.warnings[-1].startswith(
        "private/gw.p12: certificate C=CH, O=ikegw, CN=gw.ikegw.example expires at"
    )
    secret.write_text(secret.read_text().replace("hunter2", "hunter3"))
    told = judge(text, parties={}).problems[0]
    assert "private/gw.p12: PKCS#12 that does not open" in told
    assert "hunter" not in told


def test_a_certificate_that_phones_and_laptops_refuse(judge: Callable[..., Report], tmp_path: Path) -> None:
    secret = tmp_path / "secrets.d" / "eap.toml"
    secret.parent.mkdir()
    secret.touch(mode=0o600)
    secret.write_text('[secrets.eap.carol]\nsecret = "hunter2"\n')
    eap = CONNECTION.replace("[connections.rw.remote]", '[connections.rw.remote]\nauth = "eap"')
    eap = f'[connections.rw]\naaa = "local"\n{eap}'
    plain = ROOT.issue("gw.ikegw.example", "ecdsa256")
    assert judge(eap, parties={"gw": plain}).warnings == (
        "certs/gw.pem: certificate C=CH, O=ikegw, CN=gw.ikegw.example is not for serverAuth (extendedKeyUsage): Windows and "
        "Apple's clients refuse it",
    )
    assert judge(eap).warnings == judge(parties={"gw": plain}).warnings == ()


def test_short_keys(judge: Callable[..., Report]) -> None:
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505
    weak = ROOT.issue("gw.ikegw.example", "", usages=GATEWAY_USAGES, key=key)
    report = judge(parties={"gw": weak})
    assert report.warnings == (
        "certs/gw.pem: certificate C=CH, O=ikegw, CN=gw.ikegw.example has an RSA key of less than 2048 bits, which can be "
        "broken; most peers refuse it",
    )


def test_a_pinned_peer_needs_no_authority(judge: Callable[..., Report]) -> None:
    pinned = CONNECTION.replace(
        "[connections.rw.remote]", f'[connections.rw.remote]\npinned = "sha256:{"ab" * 32}"'
    )
    assert judge(pinned, authorities={}).warnings == ()


def test_a_pinned_key_is_for_one_identity(judge: Callable[..., Report]) -> None:
    carol = ROOT.issue("carol@ikegw.example", "ecdsa256")
    _, key = X509.of(carol.certificate).pins
    pinned = CONNECTION.replace("[connections.rw.remote]", f'[connections.rw.remote]\npinned = "{key}"')
    (problem,) = judge(pinned).problems
    assert problem.startswith(
        f"connections.rw.remote.pinned: {key} is a key, which could stand in a certificate with any name"
    )
    assert judge(pinned.replace("pinned", 'id = "carol@ikegw.example"\npinned')).problems == ()
    assert judge(pinned.replace("pinned", 'cacerts = "root.pem"\npinned')).problems == ()
    assert judge(pinned, parties={"gw": GATEWAY, "carol": carol}).problems == ()


def test_a_key_that_the_world_can_read(judge: Callable[..., Report], tmp_path: Path) -> None:
    judge()
    (tmp_path / "private" / "gw.pem").chmod(0o644)
    problems = check(tmp_path / "ikegw.toml", NOW).problems
    assert problems[0] == f"{tmp_path}/private/gw.pem: everybody on this host can read it: chmod 0600"


def test_files_that_do_not_parse(judge: Callable[..., Report], tmp_path: Path) -> None:
    judge()
    (tmp_path / "certs" / "gw.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n"
    )
    (tmp_path / "private" / "gw.pem").write_text("rubbish")
    problems = "\n".join(check(tmp_path / "ikegw.toml", NOW).problems)
    assert f"{tmp_path}/certs/gw.pem: " in problems
    assert f"{tmp_path}/private/gw.pem: not a private key" in problems
    assert "rubbish" not in problems


def test_certificates_out_of_date(judge: Callable[..., Report]) -> None:
    expired = judge(now=NOW + timedelta(days=400))
    assert expired.problems == (
        "certs/gw.pem: certificate C=CH, O=ikegw, CN=gw.ikegw.example expired at 2027-06-01 12:00 UTC; renew it",
    )
    early = judge(now=NOW - timedelta(days=2))
    assert early.problems[0].endswith("is not valid before 2026-05-31 12:00 UTC")
    assert early.warnings[0] == (
        "no certificate here is valid now: is this host's clock right? It says 2026-05-30 12:00 UTC"
    )
    assert early.warnings[1].startswith("ca/root.pem: ")
    soon = judge(now=NOW + timedelta(days=350))
    assert soon.problems == ()
    assert soon.warnings[0].endswith("expires at 2027-06-01 12:00 UTC; renew it in time")


def test_a_certificate_for_somebody_else(judge: Callable[..., Report]) -> None:
    other = ROOT.issue("other.example", "ecdsa256", usages=GATEWAY_USAGES)
    (problem,) = judge(parties={"gw": other}).problems
    assert problem.startswith("connections.rw.local.id: certs/gw.pem is not for gw.ikegw.example, it names ")
    assert "other.example; peers would refuse us" in problem
    report = judge(CONNECTION.replace('certs = ["gw.pem"]', ""), parties={"gw": other})
    assert report.problems == ()
    assert "no certificate with a private key for gw.ikegw.example" in report.warnings[0]


def test_nobody_to_trust(judge: Callable[..., Report]) -> None:
    report = judge(authorities={})
    assert report.warnings == (
        "connections.rw.remote: ca/ holds no authority, so no peer's certificate could be trusted",
    )


RADSEC = """\
[radius.servers.one]
address = "192.0.2.9"
transport = "tls"
cert = "nas.pem"
"""


def test_RADIUS_over_TLS_needs_a_certificate_with_its_key(
    judge: Callable[..., Report], tmp_path: Path
) -> None:
    parties = {"gw": GATEWAY, "nas": ROOT.issue("nas.ikegw.example", "ecdsa256")}
    assert judge(CONNECTION + RADSEC, parties).problems == ()
    assert "expired" in judge(CONNECTION + RADSEC, parties, now=NOW + timedelta(days=4000)).problems[0]
    (tmp_path / "private" / "nas.pem").unlink()
    (problem,) = check(tmp_path / "ikegw.toml", NOW).problems
    assert problem.startswith("radius.servers.one.cert: no key in private/ belongs to certs/nas.pem")


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, status in ((["--help"], 0), ([], 2), (["frobnicate"], 2)):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == status
    assert "check" in capsys.readouterr().out
