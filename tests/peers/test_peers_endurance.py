"""Keys are renewed again and again under a stream whose every datagram is counted: not one is lost or comes twice.

Many tunnels between one pair of daemons, every second connection with forward secrecy. Timers are without jitter, so that
where both ends have one they rekey at once. `IKEGW_LONG=1` makes each run long: 200 IKE SAs and 1,000 CHILD SAs replaced.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from attrs import frozen
from laboratory import tunnels, underlays
from laboratory.agreement import rekeyed, until_agreed
from laboratory.counting import Counting, counting
from laboratory.gateway import Ikegw
from laboratory.processes import until
from laboratory.room import Laboratory
from laboratory.strongswan import StrongSwan

pytestmark = pytest.mark.peers

CONNECTIONS, CHILDREN = 8, 2
PER_SECOND = 200
"""Datagrams each way; kernel-libipsec drops some when they come much faster."""

IKE_REKEYS, CHILD_REKEYS = (200, 1000) if os.environ.get("IKEGW_LONG") else (8, 48)
PATIENCE = 240.0
GUARD = 30
"""Seconds for strongSwan to delete what it made; where our answer meets our rekeying of the IKE SA, it never does."""


SOON, NEVER = tunnels.renewed(ike=2, child=1), tunnels.renewed(ike=0, child=0)
TIMERS = {"ours": (SOON, NEVER), "strongSwan's": (NEVER, SOON), "both": (SOON, SOON)}

_EXPECTED_END = re.compile(
    r"rekeyed;|redundant: both ends rekeyed at once;|(deleted|does not know) it; SPI \w+; received 0 B, sent 0 B"
)
"""The last: strongSwan deletes, or never heard of, a CHILD SA of a collision that nobody has used yet."""


@frozen
class Busy:
    """Two daemons with all tunnels up, and the stream that runs through them."""

    ours: Ikegw
    theirs: StrongSwan
    stream: Counting


@contextmanager
def busy(laboratory: Laboratory, role: str, timers: str) -> Iterator[Busy]:
    """All tunnels up, between ikegw in that role and strongSwan in the other."""
    underlay = underlays.direct(laboratory.network)
    client, gateway = underlay.client_address, underlay.gateway_address
    here, there = (
        (underlay.client, underlay.gateway) if role == "client" else (underlay.gateway, underlay.client)
    )
    ours, theirs = laboratory.ikegw("ours", here), laboratory.strongswan("theirs", there)
    daemons = (ours, theirs) if role == "client" else (theirs, ours)
    our_timers, their_timers = TIMERS[timers]
    for daemon in reversed(daemons):
        is_client = daemon is daemons[0]
        own, peer = (client, gateway) if is_client else (gateway, client)
        daemon.load(
            tunnels.settings(
                own,
                peer,
                is_client=is_client,
                connections=CONNECTIONS,
                children=CHILDREN,
                renew=our_timers if daemon is ours else their_timers,
                esp_proposals=(["aes256gcm16-x25519"], ["aes256gcm16"]),
            )
        )
    for _, children in tunnels.names(CONNECTIONS, CHILDREN):
        for child in children:
            daemons[0].connect(child)
    with counting(
        underlay.client, underlay.gateway, tunnels.pairs(CONNECTIONS, CHILDREN), PER_SECOND
    ) as stream:
        yield Busy(ours, theirs, stream)


@pytest.mark.parametrize("timers", TIMERS)
@pytest.mark.parametrize("role", ["gateway", "client"])
def test_no_datagram_is_lost_or_doubled_by_rekeying(
    laboratory: Laboratory, role: str, timers: str, record_property: Callable[[str, object], None]
) -> None:
    with busy(laboratory, role, timers) as running:
        for what, wanted in (("ike", IKE_REKEYS), ("child", CHILD_REKEYS)):
            until(lambda: rekeyed(running.ours, what) >= wanted, f"not {wanted} of {what} rekeyed", PATIENCE)  # noqa: B023
        record_property("rekeyed", str([rekeyed(running.ours, what) for what in ("ike", "child")]))
        tally = running.stream.stop()
        record_property("tally", str(tally))
        until_agreed(running.ours, running.theirs, CONNECTIONS * CHILDREN, GUARD + 15)

    assert tally.lost == 0, tally
    assert tally.twice == 0, tally
    assert tally.sent > PER_SECOND
    collided = "collision" in running.theirs.daemon.text()
    assert collided == (timers == "both"), "both rekey at once where, and only where, both have timers"
    ends = re.findall(r" down: .*", running.ours.daemon.text())
    assert [end for end in ends if not _EXPECTED_END.search(end)] == []
    running.ours.stop()
    until(running.theirs.is_empty, "strongSwan keeps an SA that ikegw did not know")
