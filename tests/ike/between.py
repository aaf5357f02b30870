"""Between a client and its gateway: all of their IKE_AUTH in clear, and other words in the gateway's answers."""

from collections.abc import Callable

from attrs import define, evolve, field

from ikegw.ike.channel import Channel
from ikegw.testing.pair import Pair
from ikegw.testing.wire import Datagram
from ikegw.wire.message import Message, Payload, decode_header
from ikegw.wire.registry import ExchangeType


def begin(pair: Pair) -> list[str]:
    """The client begins; the list is to hold how it went."""
    ended: list[str] = []
    pair.client.gateway.initiate("home").addCallbacks(
        lambda name: ended.append("it came up"), lambda failure: ended.append(failure.getErrorMessage())
    )
    return ended


def keys(pair: Pair, *, client: bool) -> Channel:
    (sa,) = (pair.client if client else pair.gateway).gateway._by_spi.values()
    return sa.channel


@define(eq=False)
class Between:
    """Has both ends' keys: sees all of IKE_AUTH, and may put other words into the gateway's answers.

    `twist` gets the number of the answer, the first one being 1, and the answer; it gives payloads, or None for silence.
    """

    pair: Pair
    twist: Callable[[int, Message], tuple[Payload, ...] | None] = lambda number, answer: answer.payloads
    requests: list[Message] = field(factory=list, init=False)
    answers: list[Message] = field(factory=list, init=False)
    ended: list[str] = field(init=False)
    _seal: Channel = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pair.world.wire.tap = self._tap
        self.ended = begin(self.pair)

    def _tap(self, datagram: Datagram) -> list[Datagram]:
        header = decode_header(datagram.octets)[0]
        if header.exchange is not ExchangeType.IKE_AUTH:
            return [datagram]
        if not header.is_response:
            if not self.pair.gateway.is_empty:  # it may have given up, and the client not yet
                self._seal = keys(self.pair, client=False)
            self.requests.append(self._seal.open(datagram.octets))
            return [datagram]
        answer = keys(self.pair, client=True).open(datagram.octets)
        self.answers.append(answer)
        said = self.twist(len(self.answers), answer)
        return [] if said is None else [evolve(datagram, octets=self._seal.seal(header, said))]


def with_answer(wanted: int, *payloads: Payload) -> Callable[[int, Message], tuple[Payload, ...]]:
    """The gateway's answer of that number says this."""
    return lambda number, answer: payloads if number == wanted else answer.payloads
