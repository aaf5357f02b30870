"""The site's DHCP servers, and how a gateway asks them for its clients."""

from enum import Enum
from ipaddress import IPv4Address, IPv6Address

from attrs import frozen

from ikegw.paths import Address


class Strategy(Enum):
    """Whom of several servers to ask: all at once, of whom the first to offer is taken, or one after the other."""

    ALL = "all"
    ORDERED = "ordered"


class Naming(Enum):
    """What the client identifier of DHCPv4 (option 61) is made of: the client's name, or its DUID (RFC 4361)."""

    NAME = "name"
    DUID = "duid"


class LeasePer(Enum):
    """Who has a lease of its own: each identity, or each session of it."""

    IDENTITY = "identity"
    SESSION = "session"


@frozen
class InformSettings:
    """`address` is ours inside the tunnels, as which we answer DHCPINFORM; None: it is not answered."""

    address: IPv4Address | None = None


@frozen
class DhcpServers:
    """One `[dhcp.NAME]`. `tries` and `renewal_tries` are how often a message is sent, after ever doubled `timeout_seconds`.

    DHCPv4 servers answer to `giaddr`, DHCPv6 servers to `source6`; both are addresses of ours. The subnet is that of giaddr,
    unless `link_selection` (RFC 3527) or `subnet_selection` (RFC 3011) names another; for DHCPv6 that of `link_address`.
    """

    name: str
    servers: tuple[Address, ...]
    giaddr: IPv4Address | None = None
    link_selection: IPv4Address | None = None
    subnet_selection: IPv4Address | None = None
    source6: IPv6Address | None = None
    link_address: IPv6Address | None = None
    strategy: Strategy = Strategy.ALL
    timeout_seconds: float = 1.0
    tries: int = 4
    renewal_tries: int = 6
    lease_seconds: float | None = None
    lease_per: LeasePer = LeasePer.IDENTITY
    naming: Naming = Naming.NAME
    circuit_id: str = "{connection}"
    remote_id: str = "{identity}"
    port: int = 67
    server_port: int = 67
    port6: int = 547
    server_port6: int = 547

    @property
    def offer_seconds(self) -> float:
        """How long servers are asked for an offer before they are taken for silent: the waits, each twice the one before."""
        return self.timeout_seconds * ((1 << self.tries) - 1)

    @property
    def families(self) -> tuple[int, ...]:
        """The IP versions that it has servers for."""
        return tuple(sorted({server.version for server in self.servers}))
