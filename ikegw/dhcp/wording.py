"""How servers are asked for one client, out of the configuration: in which dialect, saying what of the client, how patiently."""

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from ikegw.config.dhcp import DhcpServers
from ikegw.dhcp.binding import Patience
from ikegw.dhcp.clients import Client
from ikegw.dhcp.dialect import Dialect
from ikegw.dhcp.messages4 import Dialect4
from ikegw.dhcp.messages6 import Dialect6
from ikegw.dhcp.registry import AgentOption
from ikegw.paths import Address, Endpoint
from ikegw.ports import AddressRequest

_LONGEST_ID: Final = 120
"""Octets of a circuit or remote id: so that option 82 fits whole into its 255."""


def patience_with(settings: DhcpServers, family: int) -> Patience:
    """Whom of the servers to ask, and how often."""
    port = settings.server_port if family == 4 else settings.server_port6
    return Patience(
        settings.name,
        tuple(Endpoint(server, port) for server in settings.servers if server.version == family),
        settings.strategy,
        settings.timeout_seconds,
        settings.tries,
        settings.renewal_tries,
    )


def dialect_for(
    family: int, client: Client, settings: DhcpServers, request: AddressRequest, wish: Address | None
) -> Dialect:
    """The messages about this client's lease; `wish` is the address to ask for."""
    circuit = _filled(settings.circuit_id, client, request)
    remote = _filled(settings.remote_id, client, request)
    if family == 6:
        return Dialect6(
            client,
            settings.link_address or IPv6Address(0),
            circuit,
            remote,
            wish if isinstance(wish, IPv6Address) else None,
            settings.lease_seconds,
        )
    link = settings.link_selection
    information = {
        AgentOption.CIRCUIT_ID: circuit,
        AgentOption.REMOTE_ID: remote,
        AgentOption.LINK_SELECTION: b"" if link is None else link.packed,
    }
    return Dialect4(
        client,
        settings.giaddr or IPv4Address(0),
        {option: data for option, data in information.items() if data},
        settings.subnet_selection,
        wish if isinstance(wish, IPv4Address) else None,
        settings.lease_seconds,
    )


def _filled(template: str, client: Client, request: AddressRequest) -> bytes:
    remote = "" if request.path is None else str(request.path.remote.address)
    text = template.format(connection=request.connection, identity=client.name, address=remote)
    return text.encode("utf-8", "surrogateescape")[:_LONGEST_ID]
