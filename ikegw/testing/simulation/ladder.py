"""The wire's ladder of a run: every IKE message, opened with the keys of whoever sent it."""

from attrs import define, field

from ikegw.ike.channel import Channel
from ikegw.paths import Address
from ikegw.testing.simulation.town import Town
from ikegw.testing.wire import Datagram
from ikegw.wire.delete import Delete
from ikegw.wire.encrypted import Encrypted
from ikegw.wire.errors import ParseError
from ikegw.wire.message import Message, Payload, decode_chain, decode_message
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ProtocolId


@define(eq=False)
class Ladder:
    """Write down every datagram while the simulation runs."""

    town: Town
    lines: list[tuple[float, str]] = field(factory=list, init=False)
    _channels: dict[tuple[str, bytes, bytes], Channel] = field(factory=dict, init=False)

    def begin(self) -> None:
        """Listen to the wire."""
        self.town.network.seen = self._seen

    def _seen(self, datagram: Datagram, fate: str) -> None:
        sender = next(party for party in self.town.parties if party.address == datagram.path.local.address)
        for sa in sender.sas:
            if sa.has_keys:
                self._channels[sender.name, sa.spi_initiator, sa.spi_responder] = sa.channel
        there = self._who(datagram.path.remote.address)
        text = self._told(sender.name, datagram.octets)
        line = f"{sender.name:>10} -> {there:<10} {text}{f'  [{fate}]' if fate else ''}"
        self.lines.append((self.town.world.clock.seconds(), line))

    def _who(self, address: Address) -> str:
        """The name of the party that is, or whose NAT is, at an address."""
        nats = self.town.network.nats
        for party in self.town.parties:
            if address in (party.address, nats[party.address].public if party.address in nats else None):
                return party.name
        return str(address)

    def _told(self, sender: str, octets: bytes) -> str:
        try:
            message = decode_message(octets)
        except ParseError as error:
            return f"unreadable: {error}"
        header = message.header
        kind = "response" if header.is_response else "request"
        inside = " ".join(_name(payload) for payload in self._opened(sender, message, octets))
        spis = f"{header.initiator_spi.hex()[2:8]}/{header.responder_spi.hex()[2:8]}"
        return f"{header.exchange.name} {header.message_id} {kind} {spis} {{ {inside} }}"

    def _opened(self, sender: str, message: Message, octets: bytes) -> tuple[Payload, ...]:
        sealed = message.one(Encrypted)
        header = message.header
        channel = self._channels.get((sender, header.initiator_spi, header.responder_spi))
        if sealed is None or channel is None:
            return message.payloads
        prefix = octets[: len(octets) - len(sealed.body)]
        return decode_chain(sealed.first, channel._ours.open(prefix, sealed.body), len(prefix))


def _name(payload: Payload) -> str:
    if isinstance(payload, Notify):
        return f"N({payload.type.name}{f' {payload.spi.hex()}' if payload.spi else ''})"
    if isinstance(payload, Delete):
        what = "IKE" if payload.protocol is ProtocolId.IKE else " ".join(spi.hex() for spi in payload.spis)
        return f"D({what})"
    return type(payload).__name__
