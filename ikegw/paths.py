"""Where a datagram came from or goes to: a local and a remote endpoint. Pure values, known to every room."""

from ipaddress import IPv4Address, IPv6Address

from attrs import evolve, frozen

Address = IPv4Address | IPv6Address

IKE_PORT = 500
NAT_T_PORT = 4500


@frozen
class Endpoint:
    """An address and a UDP port."""

    address: Address
    port: int

    def __str__(self) -> str:
        if self.address.version == 6:
            return f"[{self.address}]:{self.port}"
        return f"{self.address}:{self.port}"


@frozen
class Path:
    """One way between us (`local`) and a peer (`remote`)."""

    local: Endpoint
    remote: Endpoint

    def floated(self, local_port: int, remote_port: int) -> "Path":
        """The same addresses on other ports: the move to port 4500 (RFC 7296 §2.23)."""
        return Path(evolve(self.local, port=local_port), evolve(self.remote, port=remote_port))

    def __str__(self) -> str:
        return f"{self.local}…{self.remote}"
