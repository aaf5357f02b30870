"""The table of SAs and the counters, for people: what SIGUSR1 writes to the log."""

from collections import Counter
from collections.abc import Callable, Iterator

from twisted.internet.defer import Deferred, DeferredList

from ikegw.control.units import duration, octets
from ikegw.ike.listing import Row
from ikegw.ports import Usage
from ikegw.service.assembly import Assembled


def status(assembled: Assembled, now: Callable[[], float]) -> Deferred[list[str]]:
    """Give the lines; they wait for the data plane's counts of each CHILD SA."""
    rows = assembled.gateway.listing()
    spis = [child[2] for row in rows for child in row.children]
    usages = DeferredList([assembled.plane.plane.usage(spi) for spi in spis], consumeErrors=True)

    def table(results: list[tuple[bool, Usage]]) -> list[str]:
        # A CHILD SA may have ended while we asked: it is shown without counts.
        used = {spi: usage for spi, (known, usage) in zip(spis, results, strict=True) if known}
        return [*_table(rows, used, assembled.gateway.half_open_total, now()), *_counts(assembled)]

    return usages.addCallback(table)


def _table(rows: list[Row], used: dict[bytes, Usage], half_open: int, now: float) -> Iterator[str]:
    yield f"IKE SAs: {len(rows)}, of which half open: {half_open}"
    for row in rows:
        side = "initiator" if row.initiator else "responder"
        age = "not up yet" if row.up_since is None else f"up {duration(now - row.up_since)}"
        lent = f", lent {' '.join(row.addresses)}" if row.addresses else ""
        user = f"{row.user}, who is " if row.user else ""
        peer = f"{user}{row.remote or 'nobody yet'} at {row.path.remote}"
        yield f"  {row.name} {row.state}, {side}, {age}: {row.local or 'we'} at {row.path.local} with {peer}, {row.suite}{lent}"
        for name, state, spi, suite, local, remote in row.children:
            yield f"    {name} {state}: {local} === {remote}, {suite}, SPI {spi.hex()}{_usage(used.get(spi))}"


def _usage(usage: Usage | None) -> str:
    if usage is None:
        return ""
    return (
        f", received {octets(usage.inbound_octets)} in {usage.inbound_packets} packets"
        f", sent {octets(usage.outbound_octets)} in {usage.outbound_packets} packets"
    )


def _counts(assembled: Assembled) -> Iterator[str]:
    yield f"events: {_listed(assembled.counters.counts)}"
    for provider, leases in assembled.addresses.dhcp_leases().items():
        yield f"dhcp {provider}: {leases} leases"
    for relay in assembled.addresses.dhcp.sockets.relays:
        yield f"DHCP messages at {relay.local}: {_listed(relay.counts)}"
    yield f"datagrams: {_listed(assembled.transport.counts)}"
    for server in assembled.radius.associations():
        yield f"RADIUS {server.service.value} at {server} {server.standing.lower()}: {_listed(server.counts)}"
    for line in assembled.accounting.status():
        yield f"accounting {line}"
    if assembled.coa.counts:
        yield f"CoA: {_listed(assembled.coa.counts)}"
    for use in assembled.addresses.usage():
        yield f"pool {use.pool}: {use.lent} of {use.size} IPv{use.family} addresses lent"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{word} {count}" for word, count in sorted(counts.items())) or "none"
