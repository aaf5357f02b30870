"""What a gateway says of itself when it starts: where it listens, what carries its packets, whom it serves."""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

from ikegw import __version__
from ikegw.policy.connections import AuthKind, ChildPolicy, Connection, StartAction
from ikegw.policy.identities import display
from ikegw.policy.selectors import Dynamic
from ikegw.service.assembly import Assembled
from ikegw.service.lines import networks


def announcement(assembled: Assembled) -> Iterator[str]:
    """Give the lines, for a gateway whose sockets are open."""
    config = assembled.prepared.config
    yield f"ikegw {__version__}, configured by {config.path}"
    yield f"listening on {', '.join(map(str, assembled.transport.endpoints()))}"
    yield f"data plane: {assembled.plane.kind} ({assembled.plane.why})"
    yield from map(connection_line, config.connections)
    for shunt in config.shunts:
        yield f"shunt {shunt.name}: {shunt.fate.value} {networks(shunt.local_selectors)} === {networks(shunt.remote_selectors)}"
    if not config.connections:
        yield "no connection is configured: nobody can connect"


def connection_line(connection: Connection) -> str:
    """Describe one connection: who, from where, to what, and what it does by itself."""
    remote = connection.remote
    proof = _PROOFS[remote.kind]
    if connection.second_remote is not None:
        proof += f", then {_PROOFS[connection.second_remote.kind]},"
    where = ", ".join(map(_network, connection.remote_addresses)) or "any address"
    ours = display(connection.local.identity) if connection.local.identity else "our address"
    if connection.local.kind is not AuthKind.PSK and connection.local.identity is None:
        ours = "our certificate's subject"
    children = "; ".join(map(_child, connection.children)) or "no children"
    return (
        f"connection {connection.name}: {remote.identity} by {proof} from {where}; we are {ours}; {children}"
    )


_PROOFS = {AuthKind.PSK: "shared key", AuthKind.PUBKEY: "certificate", AuthKind.EAP: "EAP"}
_STARTS = {StartAction.NONE: "", StartAction.START: ", begun at once", StartAction.TRAP: ", begun by traffic"}


def _network(network: IPv4Network | IPv6Network) -> str:
    whole = network.prefixlen == network.max_prefixlen
    return str(network.network_address if whole else network)


def _child(child: ChildPolicy) -> str:
    return f"{child.name} {_side(child.local_selectors)} === {_side(child.remote_selectors)}{_STARTS[child.start]}"


def _side(selectors: tuple[object, ...]) -> str:
    parts = ["dynamic" if isinstance(each, Dynamic) else networks([each]) for each in selectors]  # type: ignore[list-item]
    return ", ".join(parts)
