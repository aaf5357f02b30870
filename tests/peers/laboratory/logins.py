"""Settings of EAP logins: a gateway whose clients a RADIUS server knows, and such clients, whichever daemon plays them."""

from collections.abc import Sequence
from functools import cache
from typing import Final

from ikegw.testing.pki import GATEWAY_USAGES, Party
from laboratory import roadwarrior
from laboratory.freeradius import USERS, FreeRadius, RadiusPki
from laboratory.settings import Tree, merged

CAROL: Final = roadwarrior.CLIENT
"""Whose mail address is her EAP identity."""

ACCOUNTS: Final = f'{USERS}"{CAROL}"\tCleartext-Password := "carolpw"\n'
"""Who can log in: the laboratory's users, and her."""


@cache
def gateway_party() -> Party:
    """The gateway's certificate; of the RADIUS servers' authority, so that clients need to know one."""
    return RadiusPki.make().authority.issue(roadwarrior.GATEWAY, "ecdsa256", usages=GATEWAY_USAGES)


def radius(*servers: FreeRadius, **more: str | int) -> Tree:
    """The settings of ikegw for a realm `staff` with these servers in this order; `more` are keys of each."""
    return {
        "radius": {
            "nas_identifier": roadwarrior.GATEWAY,
            "servers": {each.name: {"address": each.address, **more} for each in servers},
            "realms": {"staff": {"servers": [each.name for each in servers]}},
        },
        "secrets": {"radius": {each.name: {"secret": each.secret} for each in servers}},
    }


def gateway(address: str, aaa: str = "staff", remote: Tree | None = None) -> Tree:
    """A gateway with a certificate, for road warriors that log in by EAP; `remote` are more keys of how they do."""
    plain = roadwarrior.gateway(address, certificate="gateway", aaa=aaa)
    how: Tree = {"auth": "eap", "cacerts": [], **(remote or {})}
    return merged(plain, {"connections": {"roadwarriors": {"remote": how}}})


def client(
    address: str,
    gateway_address: str,
    *,
    name: str = "home",
    auth: str = "eap",
    identity: str = roadwarrior.CLIENT,
    eap_id: str | None = None,
    password: str | None = None,
    certs: Sequence[str] = (),
    local: Tree | None = None,
) -> Tree:
    """A road warrior that logs in; with `password` under its EAP identity, or with certificate."""
    plain = roadwarrior.client(address, gateway_address, name=name, certificate="unused", identity=identity)
    named: Tree = {} if eap_id is None else {"eap_id": eap_id}
    who: Tree = {"auth": auth, "certs": list(certs), **named, **(local or {})}
    secrets: Tree = (
        {} if password is None else {"eap": {name: {"id": [eap_id or identity], "secret": password}}}
    )
    return merged(plain, {"connections": {name: {"local": who}}, "secrets": secrets})
