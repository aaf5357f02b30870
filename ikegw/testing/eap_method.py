"""An EAP method for tests alone: some rounds in which the server asks, and the client gives its password each time."""

from hashlib import sha512

from attrs import frozen

from ikegw.wire.eap import EapPacket
from ikegw.wire.registry import EapCode, EapType

TYPE = EapType.EXPERIMENTAL


def msk(password: bytes) -> bytes:
    """The 64 octets that both sides know at the end."""
    return sha512(b"MSK" + password).digest()


@frozen
class Question:
    """The request of round `number`, of `rounds`."""

    number: int
    rounds: int

    def packet(self, identifier: int) -> bytes:
        """As it is sent."""
        return EapPacket(EapCode.REQUEST, identifier, TYPE, bytes([self.number, self.rounds])).encode()

    @classmethod
    def read(cls, packet: EapPacket) -> "Question":
        """What the server asks."""
        return cls(packet.data[0], packet.data[1])

    @property
    def is_last(self) -> bool:
        """Is the method complete once it is answered?"""
        return self.number == self.rounds


def answer(request: EapPacket, password: bytes) -> bytes:
    """The client's response."""
    return EapPacket(EapCode.RESPONSE, request.identifier, TYPE, password).encode()


def success(identifier: int) -> bytes:
    """EAP Success."""
    return EapPacket(EapCode.SUCCESS, identifier).encode()


def failure(identifier: int) -> bytes:
    """EAP Failure."""
    return EapPacket(EapCode.FAILURE, identifier).encode()
