"""Who a DHCP server takes a client of ours for: the same at every login of one identity, so that it gets its address again."""

from hashlib import sha256
from typing import Final

from attrs import evolve, frozen

from ikegw.config.dhcp import Naming
from ikegw.policy.identities import LONGEST_SHOWN, display
from ikegw.ports import AddressRequest
from ikegw.wire.identification import Identity
from ikegw.wire.registry import IdType

_LONGEST_NAME: Final = 200
_NO_HARDWARE: Final = b"\0"
"""Type 0 of a client identifier: what follows is no hardware address (RFC 2132 §9.14)."""
_DUID_TYPE: Final = b"\xff"
"""Type 255: IAID and DUID follow (RFC 4361 §6.1)."""
_UUID: Final = b"\0\4"
"""The type of a DUID that is a UUID (RFC 6355)."""


@frozen
class Client:
    """`number` tells apart the leases of one name. `hardware` is a MAC address of the locally administered kind."""

    name: str
    number: int = 0
    naming: Naming = Naming.NAME

    @property
    def hardware(self) -> bytes:
        """chaddr, for servers and tables that want one."""
        first, *rest = self._digest(b"chaddr")[:6]
        return bytes([first & 0xFC | 0x02, *rest])

    @property
    def duid(self) -> bytes:
        """The DUID, a UUID made from the name (RFC 6355): all leases of one name have the same."""
        uuid = bytearray(evolve(self, number=0)._digest(b"duid")[:16])
        uuid[6] = uuid[6] & 0x0F | 0x80  # version 8, of our own making (RFC 9562 §5.8)
        uuid[8] = uuid[8] & 0x3F | 0x80
        return _UUID + bytes(uuid)

    @property
    def iaid(self) -> bytes:
        """Which of the leases of one DUID."""
        return self.number.to_bytes(4, "big")

    @property
    def identifier(self) -> bytes:
        """Option 61."""
        if self.naming is Naming.DUID:
            return _DUID_TYPE + self.iaid + self.duid
        return _NO_HARDWARE + (f"{self.name}#{self.number}" if self.number else self.name).encode()

    def _digest(self, purpose: bytes) -> bytes:
        return sha256(purpose + self.iaid + self.name.encode()).digest()


def name_of(request: AddressRequest) -> str:
    """The name that EAP made certain, else the identity, whose letters count without case where they do so for IKE.

    Too long a name is its digest: no two identities have one name.
    """
    if request.user:
        name = request.user
    else:
        identity = request.identity
        if identity.type in (IdType.FQDN, IdType.RFC822_ADDR):
            identity = Identity(identity.type, identity.data.lower())
        name = display(identity)
        if len(name) >= LONGEST_SHOWN:  # perhaps not all of it
            name = "sha256:" + sha256(identity.encode()).hexdigest()
    if len(name.encode()) > _LONGEST_NAME:
        name = "sha256:" + sha256(name.encode()).hexdigest()
    return name
