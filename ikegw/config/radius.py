"""What is configured of RADIUS: servers, and the realms that they serve."""

from enum import Enum
from typing import Final

from attrs import field, frozen

from ikegw.paths import Address, Endpoint


class RadiusTransport(Enum):
    """How a server is reached: datagrams (RFC 2865), or TLS (RadSec, RFC 6614)."""

    UDP = "udp"
    TLS = "tls"


class Strategy(Enum):
    """Which of a realm's living servers is asked: the first, or each in turn."""

    ORDERED = "ordered"
    BALANCED = "balanced"


class Service(Enum):
    """What a server is asked for; over UDP each has a port of its own."""

    AUTHENTICATION = "authentication"
    ACCOUNTING = "accounting"


PORTS: Final = {Service.AUTHENTICATION: 1812, Service.ACCOUNTING: 1813}
RADSEC_PORT: Final = 2083
RADSEC_SECRET: Final = b"radsec"
"""RFC 6614 §2.3: with TLS the secret is no secret."""


@frozen
class Schedule:
    """When a request is sent again (RFC 5080 §2.2.1): after `first` seconds, then twice as long each time, up to `longest`.

    Each wait is up to a tenth longer or shorter. `tries` counts the first sending, too.
    """

    first: float = 2.0
    tries: int = 3
    longest: float = 16.0

    def wait(self, sent: int, spread: float) -> float:
        """Seconds to wait after the sending number `sent`, the first being 1; `spread` is random, from 0 to 1."""
        return min(self.first * float(2 ** (sent - 1)), self.longest) * (0.9 + 0.2 * spread)


@frozen
class RadiusServer:
    """One server. `old`: its answers need no Message-Authenticator. `server_name`: what its certificate must name, with TLS."""

    name: str
    address: Address
    secret: bytes = field(repr=False)
    transport: RadiusTransport = RadiusTransport.UDP
    auth_port: int = PORTS[Service.AUTHENTICATION]
    acct_port: int = PORTS[Service.ACCOUNTING]
    source: Address | None = None
    old: bool = False
    schedule: Schedule = Schedule()
    status_server: bool = True
    probe_seconds: float = 10.0
    most_in_flight: int = 1024
    most_waiting: int = 8192
    server_name: str = ""
    authorities: tuple[str, ...] = ()
    certificate: str = ""

    def endpoint(self, service: Service) -> Endpoint:
        """Where it is asked for `service`; with TLS that is one place for both."""
        both = self.transport is RadiusTransport.TLS or service is Service.AUTHENTICATION
        return Endpoint(self.address, self.auth_port if both else self.acct_port)


@frozen
class RadiusRealm:
    """Servers that know the same users. Connections name it in `aaa`."""

    name: str
    servers: tuple[str, ...]
    strategy: Strategy = Strategy.ORDERED


@frozen
class RadiusSettings:
    """All of it. `nas_identifier` is how servers are told who asks; empty: this host's name."""

    servers: tuple[RadiusServer, ...] = ()
    realms: tuple[RadiusRealm, ...] = ()
    nas_identifier: str = ""
    station_ports: bool = False
    framed_mtu: int = 1400


NO_RADIUS: Final = RadiusSettings()
