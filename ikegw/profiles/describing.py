"""From the gateway's configuration to what a client of one of its connections must know."""

from ikegw.config import Config
from ikegw.policy.connections import AuthKind, Connection, EapMethod
from ikegw.policy.identities import display, parse_identity
from ikegw.policy.selectors import Dynamic, networks_of
from ikegw.profiles.wanted import Login, Network, NotPossible, Wanted
from ikegw.wire.registry import IdType

CALLED_BY = frozenset({IdType.FQDN, IdType.IPV4_ADDR, IdType.IPV6_ADDR})


def describe(
    config: Config, name: str, user: str, server: str = "", *, has_certificate: bool = False
) -> Wanted:
    """The connection of that name for `user`; `server` is where it calls, if that is not to be seen. NotPossible.

    With a certificate it logs in by EAP-TLS where EAP is asked for.
    """
    connection = config.connection(name)
    if connection is None:
        known = ", ".join(each.name for each in config.connections) or "none"
        raise NotPossible(f"there is no connection {name!r}; there are: {known}")
    if not connection.children:
        raise NotPossible(f"connections.{name} has no child, so nothing could be reached")
    _require_welcome(connection, user)
    identity = connection.local.identity
    server = server or _server(connection)
    return Wanted(
        name,
        user,
        server,
        server if identity is None else display(identity),
        _login(config, connection, has_certificate=has_certificate),
        connection.proposals,
        connection.children[0].proposals,
        _networks(connection),
        _domains(config, connection),
        welcome=connection.remote.identity,
    )


def _require_welcome(connection: Connection, user: str) -> None:
    try:
        identity = parse_identity(user)
    except ValueError as error:
        raise NotPossible(f"{user!r} is no identity: {error}") from None
    if not connection.remote.identity.matches(identity):
        raise NotPossible(
            f"connections.{connection.name}.remote.id is {connection.remote.identity}, which {user} is not"
        )


def _server(connection: Connection) -> str:
    identity, own = connection.local.identity, connection.own_address
    if identity is not None and identity.type in CALLED_BY:
        return display(identity)
    if own is not None:
        return str(own)
    raise NotPossible(
        f"neither connections.{connection.name}.local.id nor local_addrs says where clients call: give --server NAME"
    )


def _login(config: Config, connection: Connection, *, has_certificate: bool) -> Login:
    local, remote = connection.local.kind, connection.remote.kind
    if AuthKind.PSK in (local, remote):
        raise NotPossible(
            f"connections.{connection.name} has a shared key: whoever has it can pretend to be the gateway, so it is put into no "
            'profile; let clients log in with auth = "eap" or "pubkey"'
        )
    if connection.peer is not None or local is not AuthKind.PUBKEY:
        raise NotPossible(f"connections.{connection.name} is not one that clients open")
    if connection.second_remote is not None:
        return Login.CERTIFICATE_AND_PASSWORD
    if remote is AuthKind.PUBKEY:
        return Login.CERTIFICATE
    methods = config.eap.methods if connection.aaa == "local" else (EapMethod.TLS, EapMethod.MSCHAPV2)
    if has_certificate and EapMethod.TLS not in methods:
        raise NotPossible('eap.methods has no "tls", so nobody logs in with a certificate; leave --p12 out')
    return Login.EAP_TLS if has_certificate or methods == (EapMethod.TLS,) else Login.PASSWORD


def _networks(connection: Connection) -> tuple[Network, ...]:
    """What the children lead to; none if that is everything."""
    found: dict[Network, None] = {}
    for child in connection.children:
        for selector in child.local_selectors:
            if not isinstance(selector, Dynamic):
                found.update(dict.fromkeys(networks_of(selector)))
    everything = any(network.prefixlen == 0 for network in found)
    return () if everything else tuple(found)


def _domains(config: Config, connection: Connection) -> tuple[str, ...]:
    of_pools = (domain for pool in config.pools if pool.name in connection.pools for domain in pool.domains)
    return tuple(dict.fromkeys((*connection.domains, *of_pools)))
