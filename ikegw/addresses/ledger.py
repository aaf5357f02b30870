"""Who has which address of the pools that several gateways share: the SQL of it, for PostgreSQL.

Every function has a cursor in a transaction of its own, in a thread. No address has a row before its turn comes: a /64 costs
no more than a /30. Rows that others are changing are stepped over (SKIP LOCKED), so gateways do not wait for each other.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

from attrs import field, frozen

from ikegw.addresses.owners import Owner
from ikegw.addresses.pool import address_of
from ikegw.addresses.space import Address, Interval

CHUNK: Final = 64
"""So many addresses that were never lent get their rows at once."""

FORGOTTEN_DAYS: Final = 30
"""After so long nobody is kept an address any more."""

_LOCK: Final = 0x696B6567_77000000
_SCHEMA: Final = """
create table if not exists ikegw_gateway (
    id text primary key,                                 -- of one life of a gateway
    name text not null,                                  -- its host's
    seen timestamptz not null default now()
);
create table if not exists ikegw_address (
    address inet primary key,
    owner text,                                          -- whose it is or was; null: nobody's yet
    name text,                                           -- the same for people
    gateway text references ikegw_gateway,               -- who lent it; null: it is free
    since timestamptz not null default now()             -- when it was lent or given back
);
create index if not exists ikegw_address_owner on ikegw_address (owner);
create index if not exists ikegw_address_gateway on ikegw_address (gateway);
create index if not exists ikegw_address_fresh on ikegw_address (address) where gateway is null and owner is null;
create index if not exists ikegw_address_free on ikegw_address (since) where gateway is null;
create table if not exists ikegw_fresh (
    portion text primary key,                            -- the addresses of a pool, or of a reservation
    next numeric not null                                -- how many of them have rows
);
"""


class Cursor(Protocol):
    """What is used of a cursor of the DB-API."""

    rowcount: int

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> object:
        """Do it."""
        ...

    def fetchone(self) -> Any:
        """Give one row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """Give all rows."""
        ...


@frozen
class Portion:
    """Addresses of one family, from which is lent in the same way."""

    family: int
    intervals: tuple[Interval, ...]
    quarantine: float
    condition: str = field(init=False)
    bounds: tuple[Address, ...] = field(init=False)

    @condition.default
    def _condition(self) -> str:
        return " or ".join(["address between %s and %s"] * len(self.intervals))

    @bounds.default
    def _bounds(self) -> tuple[Address, ...]:
        ends = [end for interval in self.intervals for end in (interval.start, interval.end)]
        return tuple(address_of(self.family, end) for end in ends)

    @property
    def name(self) -> str:
        """By what the database knows it."""
        return ",".join(
            f"{low}-{high}" for low, high in zip(self.bounds[::2], self.bounds[1::2], strict=True)
        )

    def holds(self, number: int) -> Interval | None:
        """The interval with this address, if it may be lent."""
        found = next((one for one in self.intervals if one.start <= number <= one.end), None)
        return found if found is not None and found.may_be_lent(number) else None

    def after(self, index: int) -> Iterator[tuple[int, Address]]:
        """Every address from the one at `index` on, with the index that follows it."""
        before = 0
        for interval in self.intervals:
            length = interval.end - interval.start + 1
            for offset in range(max(index - before, 0), length):
                number = interval.start + offset
                if interval.may_be_lent(number):
                    yield before + offset + 1, address_of(self.family, number)
            before += length


# ---------------------------------------------------------------- gateways


def prepare(cursor: Cursor) -> None:
    """Make the tables, if this is the first gateway."""
    cursor.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
    for statement in _SCHEMA.split(";\n"):
        if statement.strip():
            cursor.execute(statement)


def register(cursor: Cursor, gateway: str, name: str) -> None:
    """A gateway begins."""
    cursor.execute("insert into ikegw_gateway (id, name) values (%s, %s)", (gateway, name))


def is_known(cursor: Cursor, gateway: str) -> bool:
    """A gateway is alive; False if the others have taken it for dead, and what it lent with it."""
    cursor.execute("update ikegw_gateway set seen = now() where id = %s", (gateway,))
    return cursor.rowcount == 1


def reclaim(cursor: Cursor, seconds: float) -> int:
    """What gateways lent that were not heard of for so long is free; how many addresses that were."""
    cursor.execute(
        "select id from ikegw_gateway where seen < now() - make_interval(secs => %s) for update skip locked",
        (seconds,),
    )
    dead = [row[0] for row in cursor.fetchall()]
    if not dead:
        return 0
    cursor.execute("update ikegw_address set gateway = null, since = now() where gateway = any(%s)", (dead,))
    reclaimed = cursor.rowcount
    cursor.execute("delete from ikegw_gateway where id = any(%s)", (dead,))
    return reclaimed


def retire(cursor: Cursor, gateway: str) -> None:
    """A gateway ends in order: what it still lent is free."""
    cursor.execute("update ikegw_address set gateway = null, since = now() where gateway = %s", (gateway,))
    cursor.execute("delete from ikegw_gateway where id = %s", (gateway,))


def forget(cursor: Cursor) -> None:
    """Whose an address was, long ago, no longer matters."""
    cursor.execute(
        "update ikegw_address set owner = null, name = null where gateway is null and owner is not null "
        "and since < now() - make_interval(days => %s)",
        (FORGOTTEN_DAYS,),
    )


def count(cursor: Cursor, portions: Iterable[Portion]) -> int:
    """How many addresses of these are lent, by whichever gateway."""
    total = 0
    for portion in portions:
        if portion.intervals:
            cursor.execute(
                f"select count(*) from ikegw_address where gateway is not null and ({portion.condition})",  # noqa: S608
                portion.bounds,
            )
            total += cursor.fetchone()[0]
    return total


# ---------------------------------------------------------------- addresses


def take(
    cursor: Cursor, gateway: str, owner: Owner, portion: Portion, wanted: Iterable[Address]
) -> Address | None:
    """Lend a wanted address, else the owner's last, else one never lent, else the longest free; None if there is none."""
    if not portion.intervals:
        return None
    for address in wanted:
        if portion.holds(int(address)) and _take_certain(cursor, gateway, owner, address, portion.quarantine):
            return address
    found = _pick(cursor, gateway, owner, portion, "owner = %s order by since desc", (owner.key,))
    while found is None:
        found = _pick(cursor, gateway, owner, portion, "owner is null order by address", ())
        if found is None and not _add_rows(cursor, portion):
            break
    return found or _take_any(cursor, gateway, owner, portion)


def _take_any(cursor: Cursor, gateway: str, owner: Owner, portion: Portion) -> Address | None:
    """The longest free. What others are changing is stepped over first, and then waited for: it may come to be free."""
    due = "(owner is null or since <= now() - make_interval(secs => %s))"
    found = _pick(cursor, gateway, owner, portion, f"{due} order by since", (portion.quarantine,))
    while found is None:
        cursor.execute(
            f"select exists (select from ikegw_address where gateway is null and ({portion.condition}) and {due})",  # noqa: S608
            (*portion.bounds, portion.quarantine),
        )
        if not cursor.fetchone()[0]:
            return None
        found = _pick(
            cursor, gateway, owner, portion, f"{due} order by since", (portion.quarantine,), skip=""
        )
    return found


def take_this(cursor: Cursor, gateway: str, owner: Owner, address: Address) -> bool:
    """Lend this address, whoever had it last; False if it is lent."""
    return _take_certain(cursor, gateway, owner, address, None)


def holder(cursor: Cursor, address: Address) -> str:
    """Who has an address."""
    cursor.execute("select name from ikegw_address where address = %s and gateway is not null", (address,))
    row = cursor.fetchone()
    return row[0] if row else "somebody"


def give_back(cursor: Cursor, gateway: str, addresses: Sequence[Address]) -> None:
    """These are free, as far as it was this gateway that lent them."""
    cursor.execute(
        "update ikegw_address set gateway = null, since = now() where gateway = %s and address = any(%s::inet[])",
        (gateway, [str(address) for address in addresses]),
    )


def _take_certain(
    cursor: Cursor, gateway: str, owner: Owner, address: Address, quarantine: float | None
) -> bool:
    due, more = "", tuple[object, ...]()
    if quarantine is not None:
        due = (
            "and (ikegw_address.owner is null or ikegw_address.owner = excluded.owner "
            "or ikegw_address.since <= now() - make_interval(secs => %s))"
        )
        more = (quarantine,)
    cursor.execute(
        "insert into ikegw_address (address, owner, name, gateway) values (%s, %s, %s, %s) "  # noqa: S608
        "on conflict (address) do update set owner = excluded.owner, name = excluded.name, gateway = excluded.gateway, "
        f"since = now() where ikegw_address.gateway is null {due} returning address",
        (address, owner.key, owner.name, gateway, *more),
    )
    return cursor.fetchone() is not None


def _pick(
    cursor: Cursor,
    gateway: str,
    owner: Owner,
    portion: Portion,
    which: str,
    parameters: Sequence[object],
    skip: str = "skip locked",
) -> Address | None:
    cursor.execute(
        "update ikegw_address set owner = %s, name = %s, gateway = %s, since = now() where address = ("  # noqa: S608
        f"select address from ikegw_address where gateway is null and ({portion.condition}) and {which} limit 1 "
        f"for update {skip}) returning address",
        (owner.key, owner.name, gateway, *portion.bounds, *parameters),
    )
    row = cursor.fetchone()
    return None if row is None else row[0]


def _add_rows(cursor: Cursor, portion: Portion) -> bool:
    """Rows for some addresses that were never lent; False if all have theirs. One gateway at a time does this."""
    name = portion.name
    cursor.execute("insert into ikegw_fresh values (%s, 0) on conflict do nothing", (name,))
    cursor.execute("select next from ikegw_fresh where portion = %s for update", (name,))
    following, added = int(cursor.fetchone()[0]), 0
    for index, address in portion.after(following):
        cursor.execute("insert into ikegw_address (address) values (%s) on conflict do nothing", (address,))
        following, added = index, added + cursor.rowcount
        if added == CHUNK:
            break
    cursor.execute("update ikegw_fresh set next = %s where portion = %s", (following, name))
    return added > 0
