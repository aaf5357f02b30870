"""The configuration as everybody else sees it: frozen, checked, complete."""

from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from attrs import field, frozen

from ikegw.config.accounting import AccountingSettings
from ikegw.config.capture import CaptureSettings
from ikegw.config.coa import CoaSettings
from ikegw.config.dhcp import DhcpServers, InformSettings
from ikegw.config.downloads import DEFAULT_DOWNLOADS, Authority, DownloadSettings
from ikegw.config.eap import EapSettings
from ikegw.config.lending import DEFAULT_LENDING, DEFAULT_STORE, Lending, Pool, StoreSettings
from ikegw.config.radius import NO_RADIUS, RadiusSettings
from ikegw.config.resolver import DEFAULT_RESOLVER, ResolverSettings
from ikegw.paths import Endpoint
from ikegw.policy.connections import Connection
from ikegw.policy.identities import IdentityPattern
from ikegw.policy.shunts import Shunt

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Range = tuple[IPv4Address, IPv4Address] | tuple[IPv6Address, IPv6Address]


class DataPlaneChoice(Enum):
    """Who carries ESP. AUTO takes the kernel where it can do what the connections need, else a process of ours."""

    AUTO = "auto"
    USERSPACE = "userspace"
    KERNEL = "kernel"


class LogLevel(Enum):
    """How much the log tells."""

    ERROR = "error"
    WARN = "warn"
    INFO = "info"
    DEBUG = "debug"


@frozen
class Listen:
    """Where we hear IKE. No addresses: all of this host's, or those on `interfaces` if there are any."""

    addresses: tuple[Address, ...] = ()
    interfaces: tuple[str, ...] = ()
    port: int = 500
    nat_t_port: int = 4500


@frozen
class DataPlaneSettings:
    """Who carries ESP, and the TUN device of the userspace kind."""

    choice: DataPlaneChoice = DataPlaneChoice.AUTO
    tun: str = "ikegw%d"
    mtu: int = 1400


@frozen
class GateLimits:
    """How much of us strangers may occupy; each of the thresholds counts half-open IKE SAs."""

    cookie_threshold: int = 30
    cookie_threshold_ip: int = 3
    block_threshold: int = 5
    half_open: int = 1000
    half_open_seconds: float = 30.0


@frozen
class Logging:
    """What is logged: from which level on, and whether each transition of a machine is."""

    level: LogLevel = LogLevel.INFO
    states: bool = True


@frozen
class Control:
    """The socket that `ikegwctl` speaks to; None: there is none. `group` may speak to it; empty: the group that we run as."""

    socket: Path | None = Path("/run/ikegw/control.sock")
    group: str = ""


@frozen
class Web:
    """The read-only HTTP server; None: there is none. `hosts` are names that the status page may be asked for by."""

    listen: Endpoint | None = None
    status_page: bool = False
    hosts: tuple[str, ...] = ()


def is_container(file: str) -> bool:
    """Whether a file of this name is PKCS#12, which belongs into `private/`."""
    return Path(file).suffix.lower() in (".p12", ".pfx")


@frozen
class Directories:
    """Where the credentials are, beside the main file."""

    certificates: Path
    authorities: Path
    crls: Path
    private_keys: Path

    def own_certificate(self, file: str) -> Path:
        """Where a certificate of ours is: in `certs/`, or as PKCS#12 with its key in `private/`."""
        return (self.private_keys if is_container(file) else self.certificates) / file


@frozen
class Passphrase:
    """What opens an encrypted file in `private/`."""

    name: str
    file: str
    secret: bytes = field(repr=False)


@frozen
class SharedKey:
    """A secret and whom it belongs to. No identities: anybody's."""

    name: str
    identities: tuple[IdentityPattern, ...]
    secret: bytes = field(repr=False)


@frozen
class Config:
    """All of it. `path` is the main file."""

    path: Path
    directories: Directories
    listen: Listen = Listen()
    data_plane: DataPlaneSettings = DataPlaneSettings()
    limits: GateLimits = GateLimits()
    logging: Logging = Logging()
    control: Control = Control()
    web: Web = Web()
    connections: tuple[Connection, ...] = ()
    pools: tuple[Pool, ...] = ()
    shared_keys: tuple[SharedKey, ...] = ()
    radius: RadiusSettings = NO_RADIUS
    eap: EapSettings = field(factory=EapSettings)
    accounting: AccountingSettings = field(factory=AccountingSettings)
    dhcp: tuple[DhcpServers, ...] = ()
    inform: InformSettings = field(factory=InformSettings)
    lending: Lending = DEFAULT_LENDING
    store: StoreSettings = DEFAULT_STORE
    coa: CoaSettings = field(factory=CoaSettings)
    downloads: DownloadSettings = DEFAULT_DOWNLOADS
    authorities: tuple[Authority, ...] = ()
    shunts: tuple[Shunt, ...] = ()
    resolver: ResolverSettings = DEFAULT_RESOLVER
    capture: CaptureSettings = field(factory=CaptureSettings)
    passphrases: tuple[Passphrase, ...] = ()

    def connection(self, name: str) -> Connection | None:
        """The connection of that name."""
        return next((connection for connection in self.connections if connection.name == name), None)
