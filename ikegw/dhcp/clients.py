"""Who a DHCP server takes a client of ours for: the same at every login of one identity, so that it gets its address again."""

from functools import cached_property
from hashlib import sha256
from typing import Final, Self

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
    """`number` tells apart the leases of one name. Servers are not told the `kind` of an identity, None for a name by EAP."""

    name: str
    number: int = 0
    naming: Naming = Naming.NAME
    kind: IdType | None = None

    @classmethod
    def of(cls, request: AddressRequest, naming: Naming = Naming.NAME) -> Self:
        """The first of the clients that the request may be for."""
        if request.user:
            return cls(_short(request.user), 0, naming)
        return cls(_short(_spelled(request.identity)), 0, naming, request.identity.type)

    def numbered(self, number: int) -> Self:
        """Another one of the same name."""
        return self if number == self.number else evolve(self, number=number)

    @cached_property
    def hardware(self) -> bytes:
        """chaddr, a MAC address of the locally administered kind, for servers and tables that want one."""
        first, *rest = self._digest(b"chaddr" + self.iaid)[:6]
        return bytes([first & 0xFC | 0x02, *rest])

    @cached_property
    def duid(self) -> bytes:
        """The DUID, a UUID made from the name (RFC 6355): all leases of one name have the same."""
        uuid = bytearray(self._digest(b"duid")[:16])
        uuid[6] = uuid[6] & 0x0F | 0x80  # version 8, of our own making (RFC 9562 §5.8)
        uuid[8] = uuid[8] & 0x3F | 0x80
        return _UUID + bytes(uuid)

    @property
    def iaid(self) -> bytes:
        """Which of the leases of one DUID."""
        return self.number.to_bytes(4, "big")

    @cached_property
    def identifier(self) -> bytes:
        """Option 61."""
        if self.naming is Naming.DUID:
            return _DUID_TYPE + self.iaid + self.duid
        return _NO_HARDWARE + self._octets + (b"#%d" % self.number if self.number else b"")

    @property
    def _octets(self) -> bytes:
        return self.name.encode("utf-8", "surrogateescape")

    def _digest(self, purpose: bytes) -> bytes:
        return sha256(purpose + self._octets).digest()


def _spelled(identity: Identity) -> str:
    """An identity in words; its letters count without case where they do so for IKE."""
    if identity.type in (IdType.FQDN, IdType.RFC822_ADDR):
        identity = Identity(identity.type, identity.data.lower())
    name = display(identity)
    if len(name) < LONGEST_SHOWN:
        return name
    return "sha256:" + sha256(identity.encode()).hexdigest()  # what is shown may not be all of it


def _short(name: str) -> str:
    octets = name.encode("utf-8", "surrogateescape")
    return name if len(octets) <= _LONGEST_NAME else "sha256:" + sha256(octets).hexdigest()
