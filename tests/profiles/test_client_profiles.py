"""`ikegwctl profile`: what each client is told is what the connection has, read back out of the files as clients read them."""

import configparser
import json
import plistlib
import re
import stat
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from ikegw.control.command import main
from ikegw.policy.offers import parse_offer
from ikegw.profiles.suites import Suite, esp_suite, ike_suite
from ikegw.profiles.wanted import NotPossible, Wanted
from ikegw.profiles.windows import ESP, IKE, quoted

Make = Callable[..., dict[str, bytes]]
CLIENTS = ("windows", "apple", "android", "strongswan", "networkmanager")
PASSWORD = "correct horse battery"

SECRETS = f'[secrets.eap."carol@example.org"]\nsecret = "{PASSWORD}"\n'
DOCS = Path(__file__).parents[2] / "docs"

CONNECTION = """\
[connections.road]
proposals = ["aes256gcm16-prfsha384-ecp384"]
pools = "clients"
{connection}
[connections.road.local]
id = "vpn.example.org"
[connections.road.remote]
{remote}
[connections.road.children.net]
local_ts = ["10.1.0.0/16", "fd00:1::/64"]
esp_proposals = ["aes256gcm16-ecp384-none"]
{child}
[pools.clients]
addrs = "10.3.0.0/24"
domains = "corp.example.org"
"""
EAP = {"connection": 'aaa = "local"', "remote": 'auth = "eap"'}


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a gateway with certificates of its own authority, and carol's .p12."""
    directory, password = tmp_path_factory.mktemp("gateway"), tmp_path_factory.mktemp("password") / "file"
    password.write_text(PASSWORD)
    pki = ["pki", "--directory", str(directory)]
    for command in (
        ["init", "Example VPN CA", "--key", "ecdsa256"],
        ["gateway", "vpn.example.org", "192.0.2.1", "--key", "rsa2048"],
        ["client", "carol@example.org", "--key", "rsa2048", "--password-file", str(password)],
    ):
        assert main([*pki, *command]) == 0
    secrets = directory / "secrets.d"
    secrets.mkdir()
    (secrets / "eap.toml").touch(mode=0o600)
    (directory / "ikegw.toml").touch(mode=0o600)
    (secrets / "eap.toml").write_text(SECRETS)
    return directory


@pytest.fixture
def make(gateway: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Make:
    """Write a configuration, make a profile of it, and give its files by their endings; what was said is `said`."""

    def make(
        client: str,
        *more: str,
        refused: bool = False,
        text: str = CONNECTION,
        user: str = "carol@example.org",
        connection: str = "",
        remote: str = "",
        child: str = "",
    ) -> dict[str, bytes]:
        written = text.format(connection=connection, remote=remote, child=child)
        (gateway / "ikegw.toml").write_text(written)
        command = ["profile", client, "road", user, "--config", str(gateway / "ikegw.toml")]
        status = main([*command, "--output", str(tmp_path), *more])
        told = capsys.readouterr()
        assert status == refused, told
        files = {file.name.removeprefix(f"road-{user}"): file.read_bytes() for file in tmp_path.iterdir()}
        return {"said": (told.err if refused else told.out).encode(), **files}

    return make


@pytest.fixture
def p12(gateway: Path) -> tuple[str, str]:
    return "--p12", str(gateway / "clients" / "carol@example.org.p12")


def authority(gateway: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((gateway / "ca" / "ca.pem").read_bytes())


class TestApple:
    def payloads(self, octets: bytes) -> dict[str, dict[str, Any]]:
        whole = plistlib.loads(octets)
        assert whole["PayloadType"] == "Configuration"
        found = {each["PayloadType"]: each for each in whole["PayloadContent"]}
        every = [whole, *whole["PayloadContent"]]
        assert len({each["PayloadUUID"] for each in every}) == len(every)
        assert len({each["PayloadIdentifier"] for each in every}) == len(every)
        assert all(each["PayloadVersion"] == 1 for each in every)
        return found

    def test_by_name_and_password(self, make: Make, gateway: Path) -> None:
        payloads = self.payloads(make("apple", **EAP)[".mobileconfig"])
        settings = payloads["com.apple.vpn.managed"]["IKEv2"]
        assert (settings["RemoteAddress"], settings["RemoteIdentifier"]) == ("vpn.example.org",) * 2
        assert (settings["ExtendedAuthEnabled"], settings["AuthName"]) == (1, "carol@example.org")
        assert "AuthPassword" not in settings
        assert settings["ServerCertificateIssuerCommonName"] == "Example VPN CA"
        assert settings["IKESecurityAssociationParameters"] == {
            "EncryptionAlgorithm": "AES-256-GCM",
            "IntegrityAlgorithm": "SHA2-384",
            "DiffieHellmanGroup": 20,
            "LifeTimeInMinutes": 1440,
        }
        assert settings["ChildSecurityAssociationParameters"]["EncryptionAlgorithm"] == "AES-256-GCM"
        assert settings["EnablePFS"] == 0
        assert settings["UseConfigurationAttributeInternalIPSubnet"] == 1
        root = payloads["com.apple.security.root"]["PayloadContent"]
        assert x509.load_der_x509_certificate(root) == authority(gateway)
        assert "com.apple.security.pkcs12" not in payloads

    def test_by_certificate(self, make: Make, gateway: Path, p12: tuple[str, str]) -> None:
        payloads = self.payloads(make("apple", *p12)[".mobileconfig"])
        settings, container = (
            payloads["com.apple.vpn.managed"]["IKEv2"],
            payloads["com.apple.security.pkcs12"],
        )
        assert settings["PayloadCertificateUUID"] == container["PayloadUUID"]
        assert container["PayloadContent"] == Path(p12[1]).read_bytes()
        assert settings["ExtendedAuthEnabled"] == 0
        assert "CertificateType" not in settings, "RSA is what it is without one"
        assert settings["LocalIdentifier"] == "carol@example.org"

    def test_a_key_that_is_not_RSA_is_told_with_the_issuers_name(
        self, make: Make, p12: tuple[str, str]
    ) -> None:
        """Apple wants both keys or none."""
        made = make("apple", *p12, "--key", "ecdsa384")[".mobileconfig"]
        settings = self.payloads(made)["com.apple.vpn.managed"]["IKEv2"]
        assert settings["CertificateType"] == "ECDSA384"
        assert settings["ServerCertificateIssuerCommonName"] == "Example VPN CA"

    def test_made_again_it_replaces_the_one_that_is_installed(self, make: Make) -> None:
        first, again = (make("apple", **EAP)[".mobileconfig"] for _ in range(2))
        assert first == again
        other = make("apple", user="dave@example.org", **EAP)[".mobileconfig"]
        assert plistlib.loads(other)["PayloadUUID"] != plistlib.loads(first)["PayloadUUID"]

    def test_what_it_cannot_do(self, make: Make, p12: tuple[str, str]) -> None:
        assert b"give --p12 FILE" in make("apple", refused=True)["said"]
        assert b"take keys of these kinds" in make("apple", *p12, "--key", "ed25519", refused=True)["said"]
        distinguished = CONNECTION.replace("vpn.example.org", "CN=vpn.example.org")
        told = make("apple", "--server", "vpn.example.org", text=distinguished, refused=True, **EAP)["said"]
        assert b"distinguished names as if they were DNS names" in told


class TestWindows:
    def commands(self, octets: bytes) -> list[str]:
        text = octets.decode("utf-8-sig")
        assert text.count("\n") == text.count("\r\n")
        return text.splitlines()

    def only(self, octets: bytes, begin: str) -> str:
        (line,) = (line for line in self.commands(octets) if line.startswith(begin))
        return line

    def test_by_name_and_password(self, make: Make, gateway: Path) -> None:
        script = make("windows", **EAP)[".ps1"]
        made = self.only(script, "Add-VpnConnection ")
        assert "-ServerAddress 'vpn.example.org' -TunnelType Ikev2 -AuthenticationMethod Eap " in made
        assert "-SplitTunneling -DnsSuffix 'corp.example.org'" in made
        assert self.only(script, "Set-VpnConnectionIPsecConfiguration ").split(" ", 3)[3] == (
            "-EncryptionMethod GCMAES256 -IntegrityCheckMethod SHA384 -DHGroup ECP384 -CipherTransformConstants GCMAES256 "
            "-AuthenticationTransformConstants GCMAES256 -PfsGroup None -Force"
        )
        routes = [line for line in self.commands(script) if line.startswith("Add-VpnConnectionRoute")]
        assert ["'10.1.0.0/16'" in routes[0], "'fd00:1::/64'" in routes[1], len(routes)] == [True, True, 2]
        (der,) = re.findall(r"FromBase64String\('(.*)'\)", script.decode("utf-8-sig"))
        assert x509.load_der_x509_certificate(b64decode(der)) == authority(gateway)
        assert b"Cert:\\LocalMachine\\Root" in script

    def test_by_certificate_of_the_machine(self, make: Make, p12: tuple[str, str]) -> None:
        made = make("windows", *p12)
        script = made[".ps1"]
        assert "-AuthenticationMethod MachineCertificate " in self.only(script, "Add-VpnConnection ")
        assert "Cert:\\LocalMachine\\My -Password $password" in self.only(
            script, "    Import-PfxCertificate "
        )
        _, container = re.findall(r"FromBase64String\('(.*)'\)", script.decode("utf-8-sig"))
        assert b64decode(container) == Path(p12[1]).read_bytes()
        assert b'remote.weak = ["sha1"]' in made["said"]

    def test_by_certificate_within_eap(self, make: Make, p12: tuple[str, str]) -> None:
        tls = CONNECTION + '[eap]\nmethods = ["tls"]\ncerts = "vpn.example.org.pem"\ncacerts = "ca.pem"\n'
        script = make("windows", *p12, text=tls, **EAP)[".ps1"]
        assert "(New-EapConfiguration -Tls -UserCertificate)" in self.only(script, "Add-VpnConnection ")
        assert "Cert:\\CurrentUser\\My" in self.only(script, "    Import-PfxCertificate ")

    def test_a_certificate_where_EAP_is_asked_for_means_EAP_TLS(
        self, make: Make, p12: tuple[str, str]
    ) -> None:
        """Which methods a RADIUS server has is not to be seen."""
        radius = (
            CONNECTION
            + '[radius.realms.office]\nservers = "one"\n[secrets.radius.one]\nsecret = "a secret of theirs"\n'
        )
        radius += '[radius.servers.one]\naddress = "192.0.2.9"\n'
        asked = {"text": radius, "connection": 'aaa = "office"', "remote": 'auth = "eap"'}
        assert b"-Tls -UserCertificate" in make("windows", *p12, **asked)[".ps1"]
        assert b"-Tls -UserCertificate" not in make("windows", **asked)[".ps1"]
        assert b'eap.methods has no "tls"' in make("windows", *p12, refused=True, **EAP)["said"]

    def test_everything_goes_through_the_tunnel_if_the_connection_leads_everywhere(self, make: Make) -> None:
        everywhere = CONNECTION.replace('["10.1.0.0/16", "fd00:1::/64"]', '["0.0.0.0/0", "::/0"]')
        script = make("windows", text=everywhere, **EAP)[".ps1"]
        assert b"-SplitTunneling" not in script
        assert b"Add-VpnConnectionRoute" not in script

    def test_what_it_cannot_do(self, make: Make) -> None:
        named = {**EAP, "remote": 'auth = "eap"\nid = "*@example.org"'}
        told = make("windows", refused=True, **named)["said"]
        assert b"Windows calls itself by its address" in told
        assert make("apple", **named)

    @pytest.mark.parametrize("text", ["O'Neill", "a\u2019; Remove-Item C:\\", "'''", "$(whoami)`n"])
    def test_a_name_is_never_code(self, text: str) -> None:
        """Within single quotes only these marks end a string, and twice they stand for themselves."""
        inside = quoted(text)[1:-1]
        assert re.fullmatch("(?:[^'\u2018-\u201b]|(['\u2018-\u201b])\\1)*", inside)
        assert re.sub("(['\u2018-\u201b])\\1", r"\1", inside) == text


class TestAndroid:
    def test_by_name_and_password(self, make: Make, gateway: Path, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("hunter2\n")
        asked = json.loads(make("android", **EAP)[".sswan"])
        assert asked["type"] == "ikev2-eap"
        assert asked["local"] == {"eap_id": "carol@example.org"}
        assert asked["remote"]["addr"] == asked["remote"]["id"] == "vpn.example.org"
        assert x509.load_der_x509_certificate(b64decode(asked["remote"]["cert"])) == authority(gateway)
        assert (asked["ike-proposal"], asked["esp-proposal"]) == (
            "aes256gcm16-prfsha384-ecp384",
            "aes256gcm16-ecp384-modpnone",
        )
        assert asked["split-tunneling"] == {"subnets": ["10.1.0.0/16", "fd00:1::/64"]}
        told = json.loads(make("android", "--password-file", str(tmp_path / "password"), **EAP)[".sswan"])
        assert told["local"]["shared_secret"] == "hunter2"
        assert told["uuid"] == asked["uuid"]
        assert stat.S_IMODE((tmp_path / "road-carol@example.org.sswan").stat().st_mode) == 0o600

    def test_by_certificate(self, make: Make, p12: tuple[str, str]) -> None:
        whole = json.loads(make("android", *p12)[".sswan"])
        assert (whole["type"], whole["local"]["id"]) == ("ikev2-cert", "carol@example.org")
        assert b64decode(whole["local"]["p12"]) == Path(p12[1]).read_bytes()
        assert "p12" not in json.loads(make("android")[".sswan"])["local"]

    def test_by_certificate_and_then_password(self, make: Make, p12: tuple[str, str]) -> None:
        both = CONNECTION + '[connections.road.remote-2]\nauth = "eap"\n'
        whole = json.loads(make("android", *p12, text=both, connection='aaa = "local"')[".sswan"])
        assert whole["type"] == "ikev2-cert-eap"
        for client in ("windows", "apple", "networkmanager"):
            told = make(client, *p12, text=both, connection='aaa = "local"', refused=True)["said"]
            assert b"knows no second login after the certificate" in told


class TestNetworkManager:
    def read(self, octets: bytes) -> configparser.ConfigParser:
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(octets.decode())
        return parser

    def test_by_name_and_password(self, make: Make, tmp_path: Path) -> None:
        made = make("networkmanager", **EAP)
        parser = self.read(made[".nmconnection"])
        vpn = parser["vpn"]
        assert parser["connection"]["type"] == "vpn"
        assert vpn["service-type"] == "org.freedesktop.NetworkManager.strongswan"
        assert (vpn["address"], vpn["remote-identity"], vpn["method"]) == ("vpn.example.org",) * 2 + ("eap",)
        assert (vpn["user"], vpn["virtual"], vpn["proposal"]) == ("carol@example.org", "yes", "yes")
        assert (vpn["ike"], vpn["esp"]) == ("aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384-modpnone")
        assert vpn["certificate"] == "/etc/ssl/ikegw/road-carol@example.org-ca.pem"
        assert b"BEGIN CERTIFICATE" in made["-ca.pem"]
        assert parser["ipv4"]["never-default"] == "true"
        assert parser["ipv4"]["dns-search"] == "corp.example.org;"
        mode = (tmp_path / "road-carol@example.org.nmconnection").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600, "NetworkManager reads no other"

    def test_by_certificate(self, make: Make) -> None:
        vpn = self.read(make("networkmanager")[".nmconnection"])["vpn"]
        assert (vpn["method"], vpn["local-identity"]) == ("cert", "carol@example.org")
        assert vpn["userkey"].endswith("/road-carol@example.org.key")


class TestSuites:
    """One algorithm of each kind, for clients that can be told no more."""

    @pytest.mark.parametrize(
        ("proposal", "suite"),
        [
            ("default", Suite("aes256gcm16", "sha256", "ecp384")),
            ("aes256-sha256-modp2048", Suite("aes256", "sha256", "modp2048")),
            ("aes128-aes256-sha512-sha384-x25519-ecp384", Suite("aes128", "sha384", "ecp384")),
            ("chacha20poly1305-aes128gcm16-prfsha512-prfsha256-x448-ecp256", Suite("aes128gcm16", "sha256", "ecp256")),
        ],
    )  # fmt: skip
    def test_ike(self, proposal: str, suite: Suite) -> None:
        assert ike_suite(IKE, parse_offer("ike", proposal), "proposals") == suite

    @pytest.mark.parametrize(
        ("proposal", "suite"),
        [
            ("default", Suite("aes256gcm16", "", "")),
            ("aes256gcm16-x25519-ecp256", Suite("aes256gcm16", "", "ecp256")),
            ("aes256-sha512-sha256", Suite("aes256", "sha256", "")),
            ("aes192gcm16", Suite("aes192gcm16", "", "")),
        ],
    )
    def test_esp(self, proposal: str, suite: Suite) -> None:
        assert esp_suite(ESP, parse_offer("esp", proposal), "esp_proposals") == suite

    def test_none_in_common(self) -> None:
        with pytest.raises(
            NotPossible, match=r"proposals \(.*x25519\) has nothing that Windows can be told; it knows"
        ):
            ike_suite(IKE, parse_offer("ike", "aes256gcm16-prfsha256-x25519"), "proposals")
        with pytest.raises(NotPossible, match="has nothing that Windows can be told"):
            esp_suite(ESP, parse_offer("esp", "aes256gcm16-x25519"), "esp_proposals")


class TestRefusals:
    @pytest.mark.parametrize("client", CLIENTS)
    def test_a_shared_key_is_put_into_no_profile(self, make: Make, client: str) -> None:
        psk = CONNECTION.replace('id = "vpn.example.org"', 'id = "vpn.example.org"\nauth = "psk"')
        psk += '[secrets.ike.road]\nsecret = "hunter2"\n'
        made = make(client, text=psk, remote='auth = "psk"', refused=True)
        assert b"whoever has it can pretend to be the gateway" in made["said"]
        assert set(made) == {"said"}

    def test_nothing_is_written_of_what_is_refused(self, make: Make, tmp_path: Path) -> None:
        for arguments, told in (
            (("--server", "other.example.org"), "is not for other.example.org, but for"),
            (("--p12", "/nonexistent"), "No such file"),
            (("--p12", "/dev/null"), "is no PKCS#12 file"),
            (("--output", str(tmp_path / "nowhere")), "No such file"),
        ):
            made = make("android", *arguments, refused=True)
            assert told.encode() in made["said"]
            assert set(made) == {"said"}

    def test_who_is_not_welcome(self, make: Make) -> None:
        told = make("android", remote='id = "*@example.com"', refused=True)["said"]
        assert b"connections.road.remote.id is *@example.com, which carol@example.org is not" in told

    def test_a_connection_that_is_not_there_and_one_of_a_site(self, make: Make, gateway: Path) -> None:
        site = CONNECTION.replace("[connections.road]", '[connections.road]\nremote_addrs = "192.0.2.9"')
        assert b"is not one that clients open" in make("android", text=site, refused=True)["said"]
        other = CONNECTION.replace("connections.road", "connections.other")
        assert (
            b"there is no connection 'road'; there are: other"
            in make("android", text=other, refused=True)["said"]
        )

    def test_a_configuration_with_mistakes(self, make: Make) -> None:
        assert (
            b"ikegw.toml:4: connections.road.mobike"
            in make("android", connection="mobike = 7", refused=True)["said"]
        )

    def test_where_to_call_is_not_to_be_seen(self, make: Make) -> None:
        anonymous = CONNECTION.replace('id = "vpn.example.org"', "")
        assert b"give --server NAME" in make("android", text=anonymous, refused=True)["said"]
        made = json.loads(make("android", "--server", "192.0.2.1", text=anonymous)[".sswan"])
        assert made["remote"]["addr"] == "192.0.2.1"
        addressed = CONNECTION.replace('id = "vpn.example.org"', "").replace(
            "[connections.road]", '[connections.road]\nlocal_addrs = "192.0.2.1"'
        )
        assert json.loads(make("android", text=addressed)[".sswan"])["remote"]["addr"] == "192.0.2.1"

    def test_what_is_secret_is_not_shown(self) -> None:
        wanted = Wanted("road", "carol", "vpn", "vpn", None, (), (), container=b"hunter2", password="hunter2")  # type: ignore[arg-type]
        assert "hunter2" not in repr(wanted)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_configuration_in_the_page_of_clients_is_one(make: Make, gateway: Path, client: str) -> None:
    """As it stands there: the gateway loads it, and a profile comes of it."""
    (block,) = re.findall(r"```toml\n(.*?)```", (DOCS / "clients.md").read_text(), re.DOTALL)
    text, secrets = block.split("[secrets", 1)
    (gateway / "secrets.d" / "eap.toml").write_text(f"[secrets{secrets}")
    try:
        assert make(client, text=text.replace("{", "{{").replace("}", "}}"))
        assert main(["check", str(gateway / "ikegw.toml")]) == 0
    finally:
        (gateway / "secrets.d" / "eap.toml").write_text(SECRETS)


def test_a_user_of_odd_letters_makes_a_tame_file(make: Make, tmp_path: Path) -> None:
    made = make("android", user="../$(x) y", **EAP)
    assert [name for name in made if name != "said"] == ["road-..___x__y.sswan"]
