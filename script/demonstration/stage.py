"""The stage: a wire, a gateway with a copy of the shipped configuration, and a client that knows its key and its authority."""

import shutil
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import Final

from attrs import define, field
from cryptography import x509
from laboratory import logins, roadwarrior, underlays
from laboratory.gateway import Ikegw
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.strongswan import StrongSwan
from laboratory.underlays import Underlay

from ikegw.pki.authority import Party
from ikegw.pki.directory import create, opened

SHIPPED: Final = Path("etc/ikegw")
CLIENT: Final = "carol@ikegw.example"
GATEWAY: Final = "gw.ikegw.example"
BEHIND: Final = ("10.1.0.1", "fd00:1::1")
"""Hosts behind the gateway, one of each family."""


@define
class Stage:
    """Who takes part. The client plays twice: each time a new daemon. `eap`: the gateway knows it by name and password."""

    laboratory: Laboratory
    peer: str
    eap: bool = False
    underlay: Underlay = field(init=False)
    gateway: Ikegw = field(init=False)
    _authority: x509.Certificate = field(init=False)
    _carol: Party = field(init=False)
    _password: str = field(factory=lambda: token_urlsafe(12), init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        inner = (f"{BEHIND[0]}/32", f"{BEHIND[1]}/128")
        self.underlay = underlays.direct(self.laboratory.network, inner)
        self.gateway = Ikegw(
            "gateway", self.underlay.gateway, self.laboratory.directory / "gateway", to_the_microsecond=True
        )
        self.laboratory.daemons.append(self.gateway)
        self._furnish()

    def _furnish(self) -> None:
        shutil.copytree(SHIPPED, self.gateway.directory)
        for secrets in (self.gateway.directory / "secrets.d").glob("*.toml"):
            secrets.chmod(0o640)  # git keeps no such modes; ikegw refuses a secret that the world can read
        self._issue()
        if self.eap:
            shipped = self.gateway.directory / "conf.d" / "eap.toml.example"
            shipped.rename(shipped.with_suffix(""))
            passwords = self.gateway.directory / "secrets.d" / "eap.toml"
            passwords.touch(mode=0o600)
            passwords.write_text(f'[secrets.eap.carol]\nid = ["{CLIENT}"]\nsecret = "{self._password}"\n')

    def _issue(self) -> None:
        """Certificates as `ikegwctl pki` makes them for an operator."""
        now, directory = datetime.now(UTC), self.laboratory.directory / "pki"
        create(directory, "ikegw demo CA", "ecdsa256", 365, now)
        with opened(directory) as pki:
            pki.gateway([GATEWAY], "ecdsa256", 30, now, renew=False)
            pki.client(CLIENT, "ecdsa256", 30, now, renew=False)
            self._carol = pki.party(CLIENT)
        self._authority = x509.load_pem_x509_certificate((directory / "ca" / "ca.pem").read_bytes())
        for folder in ("ca", "certs", "private"):
            shutil.copytree(directory / folder, self.gateway.directory / folder, dirs_exist_ok=True)

    def client_with_password(self, password: str | None = None) -> StrongSwan | Ikegw:
        """A client that logs in by EAP, with the right password or another."""
        client = self._client("client-eap" if password is None else "client-guessing")
        client.trust(self._authority)
        underlay = self.underlay
        client.load(
            logins.client(
                underlay.client_address, underlay.gateway_address, password=password or self._password
            )
        )
        return client

    def client_with_key(self) -> StrongSwan | Ikegw:
        """A client that has the shipped shared key."""
        client = self._client("client-psk")
        shipped = (self.gateway.directory / "secrets.d" / "example.toml").read_text()
        secret = tomllib.loads(shipped)["secrets"]["ike"]["roadwarriors"]["secret"]
        client.load(merged(self._settings(None), roadwarrior.shared_key(GATEWAY, CLIENT, secret=secret)))
        return client

    def client_with_certificate(self) -> StrongSwan | Ikegw:
        """A client that has a certificate."""
        client = self._client("client-certificate")
        client.install("carol", self._carol, self._authority)
        client.load(self._settings("carol"))
        return client

    def _client(self, name: str) -> StrongSwan | Ikegw:
        place = self.underlay.client
        if self.peer == "strongswan":
            stamps: Tree = {"default": 1, "ike_name": True, "flush_line": True, "time_format": "%s"}
            return self.laboratory.strongswan(
                name, place, {"filelog": {"stderr": {**stamps, "time_add_ms": True}}}, eap=self.eap
            )
        client = Ikegw(name, place, self.laboratory.directory / name, to_the_microsecond=True)
        self.laboratory.daemons.append(client)
        return client

    def _settings(self, certificate: str | None) -> Tree:
        return roadwarrior.client(
            self.underlay.client_address,
            self.underlay.gateway_address,
            identity=CLIENT,
            peer=GATEWAY,
            certificate=certificate,
        )
