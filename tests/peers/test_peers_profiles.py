"""Profiles for strongSwan as a person installs them: charon loads the files as they are, and logs in."""

import shutil
from pathlib import Path

import pytest
from laboratory import roadwarrior, underlays
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.strongswan import StrongSwan
from laboratory.traffic import prove
from laboratory.underlays import Underlay

from ikegw.control.command import main

pytestmark = pytest.mark.peers

PASSWORD = "correct horse battery"
PROPOSALS = ["default"]


def gateway_settings(address: str, login: Tree) -> Tree:
    settings = roadwarrior.gateway(
        address, certificate=roadwarrior.GATEWAY, proposals=PROPOSALS, esp_proposals=PROPOSALS
    )
    secrets: Tree = {"eap": {"carol": {"id": [roadwarrior.CLIENT], "secret": PASSWORD}}}
    return merged(settings, {"connections": {"roadwarriors": login}, "secrets": secrets})


def authority(directory: Path, gateway_address: str) -> Path:
    """An authority with a gateway and carol, whose .p12 has the password."""
    password = directory / "password"
    password.write_text(PASSWORD)
    pki = ["pki", "--directory", str(directory / "pki")]
    for command in (
        ["init", "Example VPN CA", "--key", "ecdsa256"],
        ["intermediate", "Example issuing CA", "--key", "ecdsa256"],
        ["gateway", roadwarrior.GATEWAY, gateway_address, "--key", "ecdsa256"],
        ["client", roadwarrior.CLIENT, "--key", "ecdsa256", "--password-file", str(password)],
    ):
        assert main([*pki, *command]) == 0
    return directory / "pki"


def install(client: StrongSwan, directory: Path) -> None:
    """What the profile tells the person to do."""
    (name,) = (file.stem for file in directory.glob("*.conf"))
    shutil.copy(directory / f"{name}-ca.pem", client.directory / "x509ca")
    conf = (directory / f"{name}.conf").read_text()
    if (directory / f"{name}.p12").exists():
        shutil.copy(directory / f"{name}.p12", client.directory / "pkcs12")
        conf += (
            f'secrets {{\n  pkcs12-carol {{\n    file = "{name}.p12"\n    secret = "{PASSWORD}"\n  }}\n}}\n'
        )
    (client.directory / "swanctl.conf").write_text(conf)
    said = client.swanctl("--load-all", "--noprompt", "--file", str(client.directory / "swanctl.conf"))
    assert "failed" not in said, said


def profile(underlay: Underlay, configuration: Path, directory: Path, *more: str) -> Path:
    command = ["profile", "strongswan", "roadwarriors", roadwarrior.CLIENT, "--config", str(configuration)]
    directory.mkdir()
    server = str(underlay.gateway_address)
    assert main([*command, "--server", server, "--output", str(directory), *more]) == 0
    return directory


@pytest.mark.parametrize("login", ["certificate", "password", "certificate-and-password", "eap-tls"])
def test_charon_logs_in_with_its_profile(laboratory: Laboratory, tmp_path: Path, login: str) -> None:
    underlay = underlays.direct(laboratory.network)
    pki = authority(tmp_path, str(underlay.gateway_address))
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.strongswan("client", underlay.client, eap=True)
    for folder in ("ca", "certs", "private"):
        shutil.copytree(pki / folder, gateway.directory / folder, dirs_exist_ok=True)
    logins: dict[str, Tree] = {
        "certificate": {},
        "password": {"aaa": "local", "remote": {"auth": "eap", "cacerts": []}},
        "certificate-and-password": {"aaa": "local", "remote-2": {"auth": "eap"}},
        "eap-tls": {"aaa": "local", "remote": {"auth": "eap", "cacerts": []}},
    }
    tls: Tree = {"methods": ["tls"], "certs": [f"{roadwarrior.GATEWAY}.pem"], "cacerts": ["ca.pem"]}
    settings = gateway_settings(underlay.gateway_address, logins[login])
    gateway.load(merged(settings, {"eap": tls}) if login == "eap-tls" else settings)
    container = ["--p12", str(pki / "clients" / f"{roadwarrior.CLIENT}.p12")]
    more = [] if login == "password" else container
    more += ["--password-file", str(tmp_path / "password")] if "password" in login else []
    install(client, profile(underlay, gateway.configuration, tmp_path / "profile", *more))

    client.connect("roadwarriors")

    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=100_000)
    client.disconnect("roadwarriors")
    until(gateway.is_empty, "the gateway keeps an SA")
