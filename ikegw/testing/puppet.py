"""One end of an established pair whose words the test chooses: what no gateway of ours would say, or would not say then."""

from collections.abc import Callable, Sequence

from attrs import define, field

from ikegw.ike.channel import Channel
from ikegw.ike.child_asking import ChildAsking
from ikegw.ike.sa import IkeSa
from ikegw.paths import Path
from ikegw.testing.pair import Pair
from ikegw.testing.wire import Datagram
from ikegw.testing.world import Host
from ikegw.wire.message import Header, Message, Payload, decode_header
from ikegw.wire.registry import ExchangeType

Answer = Sequence[Payload] | None
"""What to say to a request; None: nothing."""


def silence(request: Message) -> Answer:
    """An answer to nothing."""
    return None


@define(eq=False)
class Puppet:
    """Takes the place of `host`, with its keys: from now on the host itself hears nothing, and nothing of its own gets out."""

    pair: Pair
    host: Host
    answer: Callable[[Message], Answer] = silence
    sa: IkeSa = field(init=False)
    channel: Channel = field(init=False, repr=False)
    heard: list[Message] = field(factory=list, init=False)
    """Every message that came, opened."""

    _asked: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        (self.sa,) = self.host.gateway._by_spi.values()
        self.channel = self.sa.channel
        self._asked = self.sa.asking.next_id
        self.pair.world.wire.join(self.host.address, self._received)
        self.pair.world.wire.tap = self._tap

    def _tap(self, datagram: Datagram) -> list[Datagram]:
        return [] if datagram.path.local.address == self.host.address else [datagram]

    def _received(self, path: Path, octets: bytes) -> None:
        if decode_header(octets)[0].exchange is ExchangeType.IKE_SA_INIT:
            return
        message = self.channel.open(octets)
        self.heard.append(message)
        if message.header.is_response:
            return
        said = self.answer(message)
        if said is not None:
            self._say(message.header.exchange, said, message.header.message_id, response=True)

    def say(self, exchange: ExchangeType, *payloads: Payload) -> None:
        """Send a request."""
        self._asked += 1
        self._say(exchange, payloads, self._asked - 1, response=False)

    def ask(self, exchange: ExchangeType, *payloads: Payload) -> Message:
        """Send a request, and wait for its answer."""
        self.say(exchange, *payloads)
        before = len(self.heard)
        self.pair.world.run(0.1)
        (answer,) = [message for message in self.heard[before:] if message.header.is_response]
        return answer

    def _say(self, exchange: ExchangeType, payloads: Answer, number: int, *, response: bool) -> None:
        sa, wire = self.sa, self.pair.world.wire
        header = Header(sa.spi_initiator, sa.spi_responder, exchange, response, sa.initiator, number)
        datagram = Datagram(sa.path, self.channel.seal(header, payloads or ()))
        wire.clock.callLater(wire.latency, wire.deliver, datagram)

    def child_request(self, spi: bytes, replaced: bytes = b"") -> tuple[Payload, ...]:
        """The payloads that ask for another child like the first, or for its rekeying: `replaced` is its inbound SPI here."""
        (child,) = self.sa.children.values()
        tunnel = child.tunnel
        selectors = tunnel.local_selectors, tunnel.remote_selectors
        random = self.sa.surroundings.random
        return ChildAsking(child.policy, self.channel, random, spi, *selectors, replaced).payloads()
