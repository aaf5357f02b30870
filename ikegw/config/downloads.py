"""How much downloading may cost, and where it may lead."""

from ipaddress import IPv4Network, IPv6Network

from attrs import frozen


@frozen
class DownloadSettings:
    """Limits of one download (`octets`, `seconds`, `redirects`) and of all: `at_once`, and `per_host` from one server.

    `retry_seconds`: what failed is not tried again before that. `networks`: where URLs may lead that come from outside,
    besides addresses of the public Internet.
    """

    octets: int = 16 << 20
    seconds: float = 10.0
    redirects: int = 3
    at_once: int = 64
    per_host: int = 8
    retry_seconds: float = 30.0
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


DEFAULT_DOWNLOADS = DownloadSettings()
