"""The daemon's answers as a person reads them at a glance: columns, units, durations."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from ikegw.control.units import duration, octets

Line = str
Lines = Iterable[Line]


def columns(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[Line]:
    """A table with left-aligned columns; only the heads if there are no rows."""
    cells = [tuple(heads), *(tuple("" if cell is None else str(cell) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def clock(epoch: float) -> str:
    """A time of day, local."""
    return datetime.fromtimestamp(epoch).astimezone().strftime("%Y-%m-%d %H:%M:%S")


# ---------------------------------------------------------------- one for each verb


def _status(answer: Any) -> Lines:
    yield f"ikegw {answer['version']}, up {duration(answer['up'])}, process {answer['pid']}, {answer['configuration']}"
    yield f"listening on {', '.join(answer['listening'])}"
    yield f"data plane: {answer['data_plane']}"
    yield (
        f"IKE SAs: {answer['ike_sas']} (half open: {answer['half_open']}), CHILD SAs: {answer['child_sas']}, "
        f"connections: {answer['connections']}"
    )
    if answer["failed_logins"]:
        yield f"logins that failed and are remembered: {answer['failed_logins']}; `ikegwctl why` tells the latest"
    for each in answer["radius"]:
        yield f"RADIUS {each['service']} at {each['server']}: {each['standing'].replace('_', ', ')}"
    yield from (f"accounting {line}" for line in answer["accounting"])
    yield from (f"pool {_pool(pool)}" for pool in answer["pools"])


def _pool(pool: Any) -> Line:
    return f"{pool['pool']}: {pool['lent']} of {pool['size']} IPv{pool['family']} addresses lent"


def _sas(answer: Any) -> Lines:
    heads = ("SA", "STATE", "UP", "PEER", "AT", "ADDRESS", "RECEIVED", "SENT")
    return columns(heads, (_sa(row) for row in answer))


def _sa(row: Any) -> tuple[object, ...]:
    received = sum(child.get("received", 0) for child in row["children"])
    sent = sum(child.get("sent", 0) for child in row["children"])
    return (
        row["name"],
        row["state"],
        duration(row["up"]),
        row["user"] or row["remote"] or "-",
        row["remote_address"],
        " ".join(row["addresses"]) or "-",
        octets(received),
        octets(sent),
    )


def one_sa(row: Any) -> Lines:
    """Everything that is known of one IKE SA."""
    side = "initiator" if row["initiator"] else "responder"
    yield f"{row['name']} {row['state']}, {side}, up {duration(row['up'])}, {row['suite'] or 'no keys yet'}"
    yield f"  we    {row['local'] or '-'} at {row['local_address']}"
    yield f"  peer  {row['remote'] or '-'} at {row['remote_address']}"
    if row["user"]:
        yield f"  user  {row['user']}{', group ' + row['group'] if row['group'] else ''}"
    if row["addresses"]:
        yield f"  lent  {' '.join(row['addresses'])}"
    for child in row["children"]:
        yield f"  {child['name']} {child['state']}: {child['local']} === {child['remote']}"
        counts = (
            f", received {octets(child['received'])}, sent {octets(child['sent'])}"
            if "received" in child
            else ""
        )
        yield f"    {child['suite']}, SPI {child['spi']}{counts}"


def _conns(answer: Any) -> Lines:
    heads = ("CONNECTION", "UP", "WE", "PEER", "BY", "FROM", "CHILDREN")
    rows = (
        (
            each["name"],
            each["up"],
            each["local"] or "-",
            each["remote"],
            each["remote_auth"],
            " ".join(each["remote_addresses"]) or "any",
            " ".join(each["children"]) or "-",
        )
        for each in answer
    )
    return columns(heads, rows)


def _leases(answer: Any) -> Lines:
    return columns(
        ("ADDRESS", "SA", "PEER", "AT"), ((e["address"], e["sa"], e["peer"], e["at"]) for e in answer)
    )


def _pools(answer: Any) -> Lines:
    rows = (
        (e["pool"], f"IPv{e['family']}", e["lent"], e["size"], f"{100 * e['lent'] / e['size']:.0f} %")
        for e in answer
    )
    return columns(("POOL", "FAMILY", "LENT", "SIZE", "USED"), rows)


def _certs(answer: Any) -> Lines:
    rows = (
        (
            each["file"],
            each["subject"],
            each["valid_until"][:16].replace("T", " "),
            "yes" if each["private_key"] else "",
        )
        for each in answer
    )
    return columns(("FILE", "SUBJECT", "VALID UNTIL (UTC)", "KEY"), rows)


def _algorithms(answer: Any) -> Lines:
    return (f"{kind}: {' '.join(names)}" for kind, names in answer.items())


def _counters(answer: Any) -> Lines:
    for kind, counts in answer.items():
        if counts:
            yield from columns((kind.upper(), ""), counts.items())


def _done(answer: Any) -> Lines:
    for what, names in answer.items():
        yield from ((f"{what}: {' '.join(names)}",) if what != "lines" else names)


def _why(answer: Any) -> Lines:
    for story in answer["stories"]:
        yield from _story(story)
    for each in answer["dropped"]:
        detail = f": {each['detail']}" if each["detail"] else ""
        yield f"dropped {each['count']} of its datagrams as {each['reason']}{detail}, the latest {clock(each['latest'])}"
        if each["advice"]:
            yield f"  What to do: {each['advice']}"
    if answer["stories"] or answer["dropped"]:
        return
    if not answer["peer"]:
        yield "no login failed since ikegw started"
    else:
        yield "nothing is known of it: no datagram of such a peer came since ikegw started, or too many others did since"
        yield "  What to do: see that UDP ports 500 and 4500 of the peer reach this host (tcpdump -n udp port 500 or 4500)"


def _story(story: Any) -> Lines:
    who = f" ({', '.join(story['who'])})" if story["who"] else ""
    begun = "begun by" if story["by_peer"] else "we called"
    yield f"{story['name']}: {begun} {story['peer']}{who} at {clock(story['began'])}; {story['outcome']}"
    for step in story["steps"]:
        yield f"  {1000 * step['after']:10.1f} ms  {step['text']}"
    if story["left_out"]:
        yield f"  ({story['left_out']} more between the first and the latest)"
    if story["cause"]:
        yield f"  Why: {story['cause']}"
    if story["advice"]:
        yield f"  What to do: {story['advice']}"
    yield ""


def event(told: Any) -> Line:
    """One event as it happens."""
    return (
        f"{told['missed']} more events, which were not read in time"
        if "missed" in told
        else (f"{clock(told['at'])} {told['text']}")
    )


TABLES: Final[dict[str, Callable[[Any], Lines]]] = {
    "status": _status,
    "sas": _sas,
    "conns": _conns,
    "leases": _leases,
    "pools": _pools,
    "certs": _certs,
    "algorithms": _algorithms,
    "counters": _counters,
    "why": _why,
    "version": lambda answer: (f"ikegw {answer['version']}",),
    "initiate": _done,
    "terminate": _done,
    "rekey": _done,
    "reauth": _done,
    "reload": _done,
    "log": _done,
}
