"""How much downloading may cost, and where it may lead; where authorities publish."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from attrs import frozen

from ikegw.policy.authorities import AuthoritySources


@frozen
class Proxy:
    """An HTTP proxy by its host's name or address."""

    host: str
    port: int


@frozen
class DownloadSettings:
    """Limits of one download (`octets`, `seconds`, `redirects`) and of all: `at_once`, and `per_host` from one server.

    `retry_seconds`: what failed is not tried again before that. `networks`: where URLs may lead that come from outside,
    besides addresses of the public Internet. `directory`: where CRLs are kept.
    `refresh_seconds`: how old what is known of a live session's certificates may get.
    """

    octets: int = 16 << 20
    seconds: float = 10.0
    redirects: int = 3
    at_once: int = 64
    per_host: int = 8
    retry_seconds: float = 30.0
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    directory: Path = Path("/var/lib/ikegw/crls")
    refresh_seconds: float = 3600.0
    proxy: Proxy | None = None


DEFAULT_DOWNLOADS = DownloadSettings()


@frozen
class Authority:
    """`file` of `ca/` or `certs/` holds its certificate; `sources` are where it publishes."""

    name: str
    file: str
    sources: AuthoritySources
