"""A server's answer, in either family's words: what the driver of the lease machine looks at."""

from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from math import inf

from attrs import frozen

from ikegw.paths import Address


class Kind(Enum):
    """What the answer is."""

    OFFER = "offer"
    ACK = "acknowledgement"
    NAK = "refusal"


@frozen
class Parameters:
    """What the server says besides the address."""

    dns: tuple[Address, ...] = ()
    nbns: tuple[IPv4Address, ...] = ()
    domains: tuple[str, ...] = ()
    subnets: tuple[IPv4Network | IPv6Network, ...] = ()


@frozen
class Answer:
    """`server` is the server's own identifier (an address packed, a DUID), empty if it gave none; `text` is for people.

    `client` and `hardware` are whom it is for, None where the server need not say. A lease of `inf` seconds has no end; None: the
    server gave no time. `renewal_seconds` is T1, None: the server leaves it to us.
    """

    kind: Kind
    transaction: int
    server: bytes
    address: IPv4Interface | IPv6Interface | None = None
    client: bytes | None = None
    hardware: bytes | None = None
    lease_seconds: float | None = None
    renewal_seconds: float | None = None
    parameters: Parameters = Parameters()
    text: str = ""

    @property
    def t1(self) -> float:
        """Seconds from the beginning of the lease, `inf` for never: the server's word if it makes sense, else half the lease."""
        lease = inf if self.lease_seconds is None else self.lease_seconds
        named = self.renewal_seconds
        return named if named and named < lease else lease / 2
