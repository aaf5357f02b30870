"""Packets that no tunnel is for: they pass in the clear, or are dropped (RFC 4301 §4.4.1: BYPASS, DISCARD)."""

from collections.abc import Iterator
from enum import Enum
from typing import Final

from attrs import frozen

from ikegw.policy.selectors import networks_of
from ikegw.wire.selectors import TrafficSelector

MOST_PAIRS: Final = 256
"""Of networks and ports that one shunt may come to: each packet that is routed is held against all of them."""

_ANY: Final = (0, 65535)
_ICMP: Final = (1, 58)


class Fate(Enum):
    """What becomes of the packets of a shunt."""

    PASS = "pass"  # noqa: S105 - no password
    DROP = "drop"


@frozen
class Shunt:
    """What `local_selectors` and `remote_selectors` select and that leaves here, whether of this host's own or forwarded."""

    name: str
    fate: Fate
    local_selectors: tuple[TrafficSelector, ...]
    remote_selectors: tuple[TrafficSelector, ...]

    def pairs(self) -> Iterator[tuple[TrafficSelector, TrafficSelector]]:
        """Each local selector with each remote one that a packet could match together with it."""
        for remote in self.remote_selectors:
            for local in self.local_selectors:
                one_family = local.start.version == remote.start.version
                if one_family and (
                    not local.protocol or not remote.protocol or local.protocol == remote.protocol
                ):
                    yield local, remote


def check(shunt: Shunt) -> None:
    """ValueError if rules of routing, of which shunts are made, could not tell its packets from others."""
    for selector in (*shunt.local_selectors, *shunt.remote_selectors):
        low, high = selector.start_port, selector.end_port
        if (low, high) == _ANY:
            continue
        if low > high or selector.protocol in _ICMP:
            raise ValueError("routing cannot tell ICMP types and hidden ports apart; leave the ports out")
        if low == 0 or high == _ANY[1]:
            raise ValueError(
                f"routing knows ports from 1 to 65534, got {low}-{high}; write it so, or leave the ports out"
            )
    networks = sum(len(networks_of(near)) * len(networks_of(far)) for near, far in shunt.pairs())
    if not networks:
        raise ValueError("no packet could match: the selectors have no address family or protocol in common")
    if networks > MOST_PAIRS:
        raise ValueError(
            f"it comes to {networks} pairs of networks, of {MOST_PAIRS} at most; write networks in place of ranges"
        )
