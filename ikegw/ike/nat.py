"""NAT detection (RFC 7296 §2.23)."""

import hashlib
from collections.abc import Iterable

from ikegw.paths import Endpoint, Path
from ikegw.wire.message import Message
from ikegw.wire.notify import Notify
from ikegw.wire.registry import NotifyType


def endpoint_hash(initiator_spi: bytes, responder_spi: bytes, endpoint: Endpoint) -> bytes:
    """SHA-1(SPIi | SPIr | address | port), 20 octets. The RFC fixes SHA-1; nothing secret rests on it."""
    octets = initiator_spi + responder_spi + endpoint.address.packed + endpoint.port.to_bytes(2, "big")
    return hashlib.sha1(octets, usedforsecurity=False).digest()


def detection(
    initiator_spi: bytes, responder_spi: bytes, sources: Iterable[Endpoint], destination: Endpoint
) -> tuple[Notify, ...]:
    """The NAT-D notifies of a message: one for every source that it may leave from, one for where it goes."""
    return (
        *(
            Notify(NotifyType.NAT_DETECTION_SOURCE_IP, endpoint_hash(initiator_spi, responder_spi, source))
            for source in sources
        ),
        Notify(
            NotifyType.NAT_DETECTION_DESTINATION_IP,
            endpoint_hash(initiator_spi, responder_spi, destination),
        ),
    )


def disguise(random_octets: bytes) -> Notify:
    """A source hash that matches nothing, so that the peer sees a NAT: how UDP encapsulation is forced."""
    return Notify(NotifyType.NAT_DETECTION_SOURCE_IP, random_octets)


def detect(message: Message, path: Path) -> tuple[bool, bool]:
    """(we are behind a NAT, the peer is behind a NAT), as an IKE_SA_INIT message received on `path` tells.

    A peer that sends no NAT-D does not do NAT traversal: then neither.
    """
    header = message.header
    sources = [n.data for n in message.every(Notify) if n.type == NotifyType.NAT_DETECTION_SOURCE_IP]
    targets = [n.data for n in message.every(Notify) if n.type == NotifyType.NAT_DETECTION_DESTINATION_IP]
    if not sources or not targets:
        return False, False
    ours = endpoint_hash(header.initiator_spi, header.responder_spi, path.local)
    theirs = endpoint_hash(header.initiator_spi, header.responder_spi, path.remote)
    return ours not in targets, theirs not in sources
