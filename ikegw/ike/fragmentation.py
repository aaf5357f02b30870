"""What an IKE SA needs to cut its messages and to join the peer's, once both have said that they can (RFC 7383 §2.3)."""

from attrs import define, field

from ikegw.ike.channel import Channel
from ikegw.ike.fragments import Collection, Memory, Unwanted, Whole, fragment_of
from ikegw.paths import Path
from ikegw.policy.connections import Connection
from ikegw.wire.message import FIRST_PAYLOAD_AT, HEADER_OCTETS, Message
from ikegw.wire.notify import Notify
from ikegw.wire.registry import NotifyType, PayloadType

ORDINARY_PACKET = 1280
"""Octets of an IP packet that every path carries: IPv6's least (RFC 8200 §5), as RFC 7383 §2.5.1 recommends."""

SMALL_PACKET = 576
"""What every host takes in one packet (RFC 791 §3.2): tried where packets of the ordinary size seem to be lost."""

SMALLER_AFTER = 2
"""So often a fragmented message is repeated as it was; then smaller fragments are tried."""

_IP_OCTETS = {4: 20, 6: 40}
_UDP_OCTETS, _MARKER_OCTETS = 8, 4

_NUMBER = slice(HEADER_OCTETS + 4, HEADER_OCTETS + 6)

_SUPPORTED = Notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)


def announcement(connection: Connection) -> tuple[Notify, ...]:
    """What IKE_SA_INIT says of it: N(IKEV2_FRAGMENTATION_SUPPORTED), or nothing where the configuration forbids it."""
    return (_SUPPORTED,) if connection.fragmentation else ()


def agreed(connection: Connection, message: Message) -> bool:
    """Did the peer's IKE_SA_INIT message say so, and may we?"""
    return connection.fragmentation and message.notify(_SUPPORTED.type) is not None


def is_fragment(octets: bytes) -> bool:
    """Does a datagram say that it is a fragment of a message? Nothing may stand before the SKF payload."""
    return octets[FIRST_PAYLOAD_AT] == PayloadType.SKF


def is_later_fragment(octets: bytes) -> bool:
    """Does it say that it is one but the first? Of a request that is repeated, only the first is answered (§2.6.1)."""
    return is_fragment(octets) and octets[_NUMBER] != b"\0\1"


@define(eq=False)
class Fragmentation:
    """Of one IKE SA: how large its packets may be, and what of the peer's messages is not whole yet."""

    _memory: Memory = field(repr=False)
    packet_octets: int = ORDINARY_PACKET
    _collections: dict[tuple[bool, int], Collection] = field(factory=dict, init=False, repr=False)

    def room(self, path: Path) -> int:
        """The octets of IKE in a packet; the non-ESP marker is allowed for even where there is none yet."""
        return self.packet_octets - _IP_OCTETS[path.remote.address.version] - _UDP_OCTETS - _MARKER_OCTETS

    def smaller(self, channel: Channel, datagrams: tuple[bytes, ...], path: Path) -> tuple[bytes, ...]:
        """The trial of RFC 7383 §2.5.2: the same message in small fragments, if it is in larger ones.

        A path that lost the larger ones so often is spared them from now on.
        """
        if len(datagrams) < 2 or self.packet_octets <= SMALL_PACKET:
            return datagrams
        self.packet_octets = SMALL_PACKET
        return channel.cut_anew(datagrams, self.room(path))

    def collection(self, is_response: bool, message_id: int) -> Collection:
        """Where the fragments of one message are collected, whose Message ID is in the window."""
        collection = self._collections.get((is_response, message_id))
        if collection is None:
            collection = self._collections[is_response, message_id] = Collection(self._memory)
        return collection

    def drop(self, is_response: bool, message_id: int) -> bool:
        """What was collected of a message is of no use any more. Was there something?"""
        collection = self._collections.pop((is_response, message_id), None)
        if collection is None:
            return False
        collection.drop()
        return True

    def drop_all(self) -> None:
        """Nothing is of use any more."""
        for key in tuple(self._collections):
            self.drop(*key)

    def heard(self, whole: Whole) -> None:
        """The peer's message is whole. If the peer had to cut it anew, larger fragments of ours will be lost as well."""
        if whole.was_recut:
            self.packet_octets = min(self.packet_octets, SMALL_PACKET)

    def is_repeat(self, channel: Channel, octets: bytes) -> bool:
        """Open a request already answered that comes in other octets: whole, or cut otherwise.

        Unwanted for fragments but the first. IntegrityError, ParseError.
        """
        if is_later_fragment(octets):
            raise Unwanted("fragment-repeated")
        if is_fragment(octets):
            channel.open_fragment(octets, fragment_of(octets)[1])
        else:
            channel.open(octets)
        return True
