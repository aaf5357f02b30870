"""What is configured of CoA and Disconnect: who may end and change sessions."""

from ipaddress import IPv4Network, IPv6Network
from typing import Final

from attrs import field, frozen

from ikegw.paths import Address

COA_PORT: Final = 3799


@frozen
class CoaClient:
    """Who may: whoever knows `secret`, from these networks.

    `old`: its requests need no Message-Authenticator. `timestamped`: they need an Event-Timestamp. `several`: what fits several
    sessions is meant for all of them, and else refused.
    """

    name: str
    networks: tuple[IPv4Network | IPv6Network, ...]
    secret: bytes = field(repr=False)
    old: bool = False
    timestamped: bool = False
    several: bool = True


@frozen
class CoaSettings:
    """Where requests are heard (no address: on all of this host's), and from whom. Without clients nothing is heard."""

    addresses: tuple[Address, ...] = ()
    port: int = COA_PORT
    clients: tuple[CoaClient, ...] = ()

    def client(self, address: Address) -> CoaClient | None:
        """The client at an address: of several, the one whose network is the closest."""
        fitting = [
            (network.prefixlen, client)
            for client in self.clients
            for network in client.networks
            if network.version == address.version and address in network
        ]
        return max(fitting, key=lambda each: each[0])[1] if fitting else None
