"""Under which name a client logs in by EAP: out of IDi, or out of its answer to our Identity request (RFC 3748 §5.1)."""

from ipaddress import ip_address

from ikegw.policy.connections import EapIdentity
from ikegw.policy.distinguished_names import spell
from ikegw.wire.eap import EapPacket
from ikegw.wire.identification import Identity
from ikegw.wire.registry import EapCode, EapType, IdType

LONGEST = 253
"""Octets of a name: what RADIUS can carry as User-Name (RFC 2865 §5)."""

_ADDRESSES = {IdType.IPV4_ADDR: 4, IdType.IPV6_ADDR: 16}
_TEXTS = (IdType.RFC822_ADDR, IdType.FQDN, IdType.KEY_ID)


def name_in(identity: Identity, where: EapIdentity) -> str | None:
    """The EAP identity that IDi gives; None: it is to be asked for."""
    if where is EapIdentity.ASK or (where is EapIdentity.AUTO and identity.type is not IdType.RFC822_ADDR):
        return None
    if identity.type in _TEXTS:
        return readable(identity.data)
    if len(identity.data) == _ADDRESSES.get(identity.type):
        return str(ip_address(identity.data))
    return spell(identity.data) if identity.type is IdType.DER_ASN1_DN else None


def readable(name: bytes) -> str | None:
    """A name as text; None if it is none: not UTF-8, with control characters, or of a length that no AAA server takes."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return None
    return text if 0 < len(name) <= LONGEST and text.isprintable() else None


def identity_request(identifier: int) -> bytes:
    """Our own EAP-Request/Identity."""
    return EapPacket(EapCode.REQUEST, identifier, EapType.IDENTITY).encode()


def identity_response(identifier: int, name: str) -> bytes:
    """The EAP-Response/Identity that the client would have sent."""
    return EapPacket(EapCode.RESPONSE, identifier, EapType.IDENTITY, name.encode()).encode()
