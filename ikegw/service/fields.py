"""An event's parts under names that a log can be searched by; the journal's way of writing them: IKEGW_PEER, MESSAGE_ID…"""

from typing import Any
from uuid import UUID, uuid5

from ikegw.events import Event, StateEntered
from ikegw.policy.identities import display
from ikegw.session import SaName, Session
from ikegw.wire.identification import Identity

_OURS = UUID("6ba1a8f0-7d3c-4f0e-9f5e-2a6c1d8b4e37")


def fields_of(event: Event) -> dict[str, str]:
    """The fields of one event; those that it does not have are left out."""
    session: Any = getattr(event, "session", None)
    source: Any = session if isinstance(session, Session) else event
    name, path, remote = (
        getattr(source, "sa", None),
        getattr(source, "path", None),
        getattr(source, "remote", None),
    )
    found: dict[str, str] = {"IKEGW_EVENT": type(event).__name__, "MESSAGE_ID": message_id(type(event))}
    if isinstance(name, SaName):
        found |= {"IKEGW_SA": str(name), "IKEGW_CONN": name.connection}
    if path is not None:
        found |= {"IKEGW_PEER": str(path.remote.address), "IKEGW_PEER_PORT": str(path.remote.port)}
    if isinstance(remote, Identity):
        found["IKEGW_ID"] = display(remote)
    if isinstance(session, Session):
        found |= {"IKEGW_SESSION": session.id, "IKEGW_USER": session.user, "IKEGW_GROUP": session.group}
    spi = getattr(event, "inbound_spi", None) or getattr(event, "spi_responder", None)
    if isinstance(spi, bytes):
        found["IKEGW_SPI"] = spi.hex()
    if isinstance(event, StateEntered):
        found["IKEGW_STATE"] = event.state
    reason = getattr(event, "reason", None)
    if reason is not None:
        found["IKEGW_REASON"] = str(getattr(reason, "name", reason))
    return {key: value for key, value in found.items() if value}


def message_id(kind: type) -> str:
    """The journal's MESSAGE_ID: the same for each event of a kind, in every version."""
    return uuid5(_OURS, kind.__name__).hex
