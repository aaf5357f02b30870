"""What is configured of addresses for clients: pools, where is kept who has which, and how long a provider may take."""

from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Final

from attrs import field, frozen

from ikegw.policy.identities import IdentityPattern

CONFIGURATION_SECONDS: Final = 20.0
"""How long a login waits for its addresses, whoever is asked (rows R-15, RE-12)."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Range = tuple[IPv4Address, IPv4Address] | tuple[IPv6Address, IPv6Address]


class Store(Enum):
    """Where is kept who has which address of a pool."""

    MEMORY = "memory"
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@frozen
class Reserved:
    """Addresses of a pool that only these may have: whom one of the patterns matches, or who is in one of the groups."""

    name: str
    ranges: tuple[Range, ...]
    identities: tuple[IdentityPattern, ...] = ()
    groups: tuple[str, ...] = ()


@frozen
class Pool:
    """Addresses to lend to peers; each range is its first and last address. `subnets` are told to clients as reachable."""

    name: str
    ranges: tuple[Range, ...]
    dns: tuple[Address, ...] = ()
    subnets: tuple[Network, ...] = ()
    nbns: tuple[IPv4Address, ...] = ()
    domains: tuple[str, ...] = ()
    excluded: tuple[Range, ...] = ()
    reservations: tuple[Reserved, ...] = ()
    quarantine_seconds: float = 60.0
    store: Store = Store.SQLITE


@frozen
class Lending:
    """For all providers: how long one may take before the next is asked."""

    provider_seconds: float = 16.0


@frozen
class StoreSettings:
    """The file of SQLite; the database of PostgreSQL, and when a gateway that is not heard of loses what it lends."""

    path: Path = Path("/var/lib/ikegw/addresses.db")
    dsn: str = field(default="", repr=False)
    reclaim_seconds: float = 300.0
    connections: int = 4


DEFAULT_LENDING: Final = Lending()
DEFAULT_STORE: Final = StoreSettings()
