"""Many tunnels between one pair of daemons: connections with children, each child between a subnet of its own at either end."""

from collections.abc import Iterator, Sequence
from typing import Final

from laboratory.roadwarrior import GATEWAY, shared_key
from laboratory.settings import Tree, merged

LONG: Final = "600s"
"""How long what is never renewed lives: longer than any test."""

MOST: Final = 16
"""Subnets that the underlays have at each end."""


def pairs(connections: int, children: int) -> list[tuple[str, str]]:
    """For each tunnel an address in it at the client's end, and at the gateway's."""
    return [(f"10.2.{n}.1", f"10.1.{n}.1") for n in range(connections * children)]


def names(connections: int, children: int) -> Iterator[tuple[str, list[str]]]:
    """Each connection with its children."""
    for n in range(connections):
        yield f"site{n}", [f"net{n * children + k}" for k in range(children)]


def renewed(ike: float, child: float) -> tuple[Tree, Tree]:
    """Settings of a connection and of a child, renewed after so many seconds (0: never) without jitter."""
    never = {"rand_time": "0s"}
    return (
        {"rekey_time": f"{ike:g}s", "over_time": LONG, **never},
        {"rekey_time": f"{child:g}s", "life_time": LONG, **never},
    )


def settings(
    own: str,
    peer: str,
    *,
    is_client: bool,
    connections: int,
    children: int,
    renew: tuple[Tree, Tree],
    esp_proposals: Sequence[Sequence[str]] = (("aes256gcm16",),),
    **more: str | int | bool,
) -> Tree:
    """One side of it, at address `own`; only the client begins. Connections take the `esp_proposals` in turn."""
    assert connections * children <= MOST
    here, there = ("10.2", "10.1") if is_client else ("10.1", "10.2")
    trees: Tree = {}
    for number, (connection, of_it) in enumerate(names(connections, children)):
        client = f"{connection}@ikegw.example"
        ours, theirs = (client, GATEWAY) if is_client else (GATEWAY, client)
        trees = merged(
            trees,
            {
                connection: {
                    "local_addrs": [own],
                    **({"remote_addrs": [peer]} if is_client else {}),
                    "proposals": ["aes256gcm16-prfsha256-x25519"],
                    **renew[0],
                    **more,
                    "local": {"auth": "psk", "id": ours},
                    "remote": {"auth": "psk", "id": theirs},
                    "children": {
                        child: {
                            "local_ts": [f"{here}.{child.removeprefix('net')}.0/24"],
                            "remote_ts": [f"{there}.{child.removeprefix('net')}.0/24"],
                            "esp_proposals": list(esp_proposals[number % len(esp_proposals)]),
                            **renew[1],
                        }
                        for child in of_it
                    },
                }
            },
        )
    clients = [f"{connection}@ikegw.example" for connection, _ in names(connections, children)]
    return {"connections": trees, **shared_key(GATEWAY, *clients)}
