"""`ikegwctl pki` from the first command to a login and to a revocation: strongSwan and ikegw take the files as they are."""

import shutil
import signal
from pathlib import Path

import pytest
from laboratory import roadwarrior, underlays
from laboratory.namespaces import CommandFailed
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.traffic import prove

from ikegw.control.command import main

pytestmark = pytest.mark.peers

PASSWORD = "correct horse battery"


def pki(directory: Path, *arguments: str) -> None:
    assert main(["pki", "--directory", str(directory), *arguments]) == 0


@pytest.mark.parametrize("form", ["compatible", "modern"])
def test_a_client_logs_in_with_its_p12_until_it_is_revoked(
    laboratory: Laboratory, tmp_path: Path, form: str
) -> None:
    authority, password = tmp_path / "pki", tmp_path / "password"
    password.write_text(PASSWORD)
    pki(authority, "init", "Example VPN CA", "--key", "ecdsa256")
    pki(authority, "intermediate", "Example issuing CA", "--key", "ecdsa256")
    pki(authority, "gateway", roadwarrior.GATEWAY, "--key", "rsa2048")
    given = ("--password-file", str(password), "--form", form, "--key", "ecdsa256")
    pki(authority, "client", roadwarrior.CLIENT, *given)
    pki(authority, "crl")
    underlay = underlays.direct(laboratory.network)
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.strongswan("client", underlay.client)
    for folder in ("ca", "certs", "crl", "private"):
        shutil.copytree(authority / folder, gateway.directory / folder, dirs_exist_ok=True)
    shutil.copy(authority / "ca" / "ca.pem", client.directory / "x509ca")
    shutil.copy(
        authority / "clients" / f"{roadwarrior.CLIENT}.p12", client.directory / "pkcs12" / "carol.p12"
    )
    gateway.load(roadwarrior.gateway(underlay.gateway_address, certificate=roadwarrior.GATEWAY))
    settings = roadwarrior.client(underlay.client_address, underlay.gateway_address, certificate="carol")
    imported: Tree = {
        "connections": {"home": {"local": {"certs": []}}},
        "secrets": {"pkcs12": {"carol": {"file": "carol.p12", "secret": PASSWORD}}},
    }
    client.load(merged(settings, imported))

    client.connect("home")

    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=100_000)
    pki(authority, "revoke", roadwarrior.CLIENT, "--reason", "key-compromise")
    shutil.copytree(authority / "crl", gateway.directory / "crl", dirs_exist_ok=True)
    gateway.daemon.signal(signal.SIGHUP)
    until(client.is_empty, "the client keeps an SA though its certificate was revoked")
    with pytest.raises(CommandFailed, match="AUTH"):
        client.connect("home")
    until(gateway.is_empty, "the gateway keeps an SA")
