"""The settings of a gateway and of its clients, whichever daemon plays them."""

from collections.abc import Sequence
from typing import Final

from laboratory.settings import Tree

GATEWAY: Final = "gw.ikegw.example"
CLIENT: Final = "carol@ikegw.example"
SECRET: Final = "correct horse battery staple"
SUBNETS4: Final = ("10.1.0.0/16",)
SUBNETS: Final = ("10.1.0.0/16", "fd00:1::/64")
POOLS: Final[Tree] = {
    "four": {"addrs": ["10.3.0.0/24"], "dns": ["10.1.0.53"]},
    "six": {"addrs": ["fd00:3::/120"]},
}


def shared_key(*owners: str, secret: str = SECRET) -> Tree:
    """Settings with one shared key for the peers of these identities."""
    return {"secrets": {"ike": {"lab": {"id": list(owners), "secret": secret}}}}


def _proof(identity: str, certificate: str | None) -> Tree:
    if certificate is None:
        return {"auth": "psk", "id": identity}
    return {"auth": "pubkey", "id": identity, "certs": [f"{certificate}.pem"]}


def _trust(identity: str | None, certificate: str | None) -> Tree:
    who: Tree = {} if identity is None else {"id": identity}
    return {"auth": "psk", **who} if certificate is None else {"auth": "pubkey", "cacerts": ["ca.pem"], **who}


def gateway(
    address: str,
    *,
    peer: str | None = None,
    certificate: str | None = None,
    proposals: Sequence[str] = ("aes256gcm16-prfsha256-x25519",),
    esp_proposals: Sequence[str] = ("aes256gcm16",),
    local_ts: Sequence[str] = SUBNETS,
    pools: Tree = POOLS,
    **more: str | int | bool,
) -> Tree:
    """A gateway at `address` for road warriors; `certificate` is its file's name without `.pem`, None for a shared key."""
    connection: Tree = {
        "local_addrs": [address],
        "proposals": list(proposals),
        "pools": list(pools),
        **more,
        "local": _proof(GATEWAY, certificate),
        "remote": _trust(peer, certificate),
        "children": {"net": {"local_ts": list(local_ts), "esp_proposals": list(esp_proposals)}},
    }
    keys = shared_key(GATEWAY, CLIENT) if certificate is None else {}
    return {"connections": {"roadwarriors": connection}, "pools": pools, **keys}


def client(
    address: str,
    gateway_address: str,
    *,
    name: str = "home",
    identity: str = CLIENT,
    peer: str = GATEWAY,
    certificate: str | None = None,
    proposals: Sequence[str] = ("aes256gcm16-prfsha256-x25519",),
    esp_proposals: Sequence[str] = ("aes256gcm16",),
    remote_ts: Sequence[str] = SUBNETS,
    vips: Sequence[str] = ("0.0.0.0", "::"),
    **more: str | int | bool,
) -> Tree:
    """A road warrior at `address`; its connection is called `name`, and its child too."""
    connection: Tree = {
        "local_addrs": [address],
        "remote_addrs": [gateway_address],
        "proposals": list(proposals),
        "vips": list(vips),
        **more,
        "local": _proof(identity, certificate),
        "remote": _trust(peer, certificate),
        "children": {name: {"remote_ts": list(remote_ts), "esp_proposals": list(esp_proposals)}},
    }
    keys = shared_key(peer, identity) if certificate is None else {}
    return {"connections": {name: connection}, **keys}
