"""How an initiator is about to prove itself, and the connections that take that: by AUTH or EAP, once or twice (RFC 4739)."""

from collections.abc import Sequence

from ikegw.policy.connections import AuthKind, Connection
from ikegw.wire.authentication import Authentication
from ikegw.wire.message import Message
from ikegw.wire.registry import AuthMethod, NotifyType


def allows(connection: Connection, message: Message) -> bool:
    """Does the peer prove itself as `remote.auth` has it, and as often? Once alone never does where twice is asked for."""
    authentication = message.one(Authentication)
    if authentication is None:
        return connection.remote.kind is AuthKind.EAP
    by_key = authentication.method is AuthMethod.SHARED_KEY
    if connection.remote.kind is not (AuthKind.PSK if by_key else AuthKind.PUBKEY):
        return False
    if connection.second_remote is None:
        return message.notify(NotifyType.ANOTHER_AUTH_FOLLOWS) is None
    said = (NotifyType.MULTIPLE_AUTH_SUPPORTED, NotifyType.ANOTHER_AUTH_FOLLOWS)
    return all(message.notify(each) is not None for each in said)


def mismatch(fitting: Sequence[Connection], message: Message) -> str:
    """Why none of these connections takes it, for the operator."""
    authentication = message.one(Authentication)
    asked = "EAP (it sent no AUTH)" if authentication is None else authentication.method.name
    if message.notify(NotifyType.ANOTHER_AUTH_FOLLOWS) is not None:
        asked += ", and then once more"
    kinds = ", ".join(sorted({_proofs(connection) for connection in fitting}))
    why = f"the peer wants to authenticate by {asked}; the connections for it ask for {kinds} (remote.auth)"
    two = any(connection.second_remote is not None for connection in fitting)
    if two and message.notify(NotifyType.MULTIPLE_AUTH_SUPPORTED) is None:
        why += ", and it does not say that it can authenticate more than once (RFC 4739)"
    return why


def _proofs(connection: Connection) -> str:
    second = connection.second_remote
    return connection.remote.kind.value + ("" if second is None else f" and then {second.kind.value}")
