"""What the values of pools and stores must be to each other, and to the connections that name them."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import combinations

from ikegw.config.lending import Range, Store
from ikegw.config.problems import Problem
from ikegw.config.reading import Section

Found = Iterator[Problem]

RADIUS, DHCP = "radius", "dhcp"
_SHORTEST_RECLAIM = 15.0


def check_pools(pools: dict[str, Section], secrets: Section, incomplete: bool) -> Found:
    """Every problem of the pools, each and together. Incomplete: what is missing may be in a file that could not be read."""
    yield from _overlaps(pools.values())
    for name, pool in pools.items():
        if name == RADIUS or name.split(":")[0] == DHCP:
            place, key = pool.place, ".".join(pool.path)
            yield Problem(place, key, f"a connection means another provider by {name!r}; choose another name")
        if pool.whole("addrs") and not pool["addrs"]:
            yield pool.problem("addrs", "no addresses: a pool needs a network or a range")
        yield from _reservations(pool)
        yield from _only_ip4(pool)
        if pool["store"] is Store.POSTGRESQL and not secrets["dsn"] and not incomplete:
            text = "where is the database? Write [secrets.store] with dsn into a file in secrets.d/"
            yield pool.problem("store", text)


def check_store(store: Section) -> Found:
    """How soon a gateway may be taken for dead."""
    if store.whole("reclaim_time") and store["reclaim_time"] < _SHORTEST_RECLAIM:
        text = f"below {_SHORTEST_RECLAIM:.0f}s: a busy moment of the database would end every session; make it longer"
        yield store.problem("reclaim_time", text)


def check_pools_of(connection: Section, providers: Collection[str], incomplete: bool) -> Found:
    """A connection's `pools` are providers that there are."""
    if not connection.whole("pools") or incomplete:
        return
    for name, place in zip(connection["pools"], connection.items.get("pools", ()), strict=False):
        if name in providers or name == RADIUS:
            continue
        known = f"known are {', '.join(sorted(providers))}" if providers else "there are no pools at all"
        kind, _, rest = name.partition(":")
        table = f"[dhcp.{rest or 'NAME'}] with servers" if kind == DHCP else f"[pools.{name}] with addrs"
        text = f"there is no pool {name!r}; {known}; write {table}"
        yield connection.problem("pools", text, place)


def _overlaps(pools: Iterable[Section]) -> Found:
    ranges = [(span, pool) for pool in pools if pool.whole("addrs") for span in pool["addrs"]]
    for (span, one), (other_span, other) in combinations(ranges, 2):
        if _meet(span, other_span):
            where = "this pool" if one is other else f"pool {one.path[-1]} ({one.where('addrs')})"
            text = (
                f"{_show(other_span)} overlaps {_show(span)} of {where}; two clients would share an address"
            )
            yield other.problem("addrs", text)


def _reservations(pool: Section) -> Found:
    reservations = list(pool.named["reservations"].values())
    for one in reservations:
        if one.whole("id", "groups") and not one["id"] and not one["groups"]:
            yield one.problem("id", "for whom? Give id or groups")
        if pool.whole("addrs") and one.whole("addrs"):
            yield from _outside(one, pool["addrs"])
    for one, other in combinations([each for each in reservations if each.whole("addrs")], 2):
        if any(_meet(span, second) for span in one["addrs"] for second in other["addrs"]):
            text = f"overlaps {'.'.join(one.path)} ({one.where('addrs')}); whose is the address?"
            yield other.problem("addrs", text)


def _outside(reservation: Section, blocks: Sequence[Range]) -> Found:
    for span in reservation["addrs"]:
        low, high = span
        inside = any(
            low.version == start.version and int(start) <= int(low) and int(high) <= int(end)
            for start, end in blocks
        )
        if not inside:
            yield reservation.problem("addrs", f"{_show(span)} is not in the pool's addrs; add it there")
        if low == high and low.version == 6 and not int(low) % 65536:
            text = f"{low} ends in ::, which Windows cannot use, so it is never lent; choose another"
            yield reservation.problem("addrs", text)


def _only_ip4(pool: Section) -> Found:
    for address in pool["nbns"] or ():
        if address.version != 4:
            yield pool.problem("nbns", f"{address}: NetBIOS name servers have IPv4 addresses")


def _meet(one: Range, other: Range) -> bool:
    return one[0].version == other[0].version and max(int(one[0]), int(other[0])) <= min(
        int(one[1]), int(other[1])
    )


def _show(span: Range) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]}-{span[1]}"
